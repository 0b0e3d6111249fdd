//! The property macros where no world was ever made: instructions a place, or time where nothing
//! counts instructions here.

use std::hint::black_box;
use std::io;
use std::process::Command;
use std::time::Instant;

use event_loop::{always, buggify, reachable, sometimes};

/// A place that is passed so often.
type Pass = fn(u64);

/// What is measured, the bare loop first: the others are it with one macro more.
const PLACES: [(&str, Pass); 6] = [
    ("bare", bare),
    ("always!", with_always),
    ("sometimes!", with_sometimes),
    ("reachable!", with_reachable),
    ("unreachable!", with_unreachable),
    ("buggify!", with_buggify),
];

/// How often a place is passed; a count is the difference between the two.
const TIMES: [u64; 2] = [1_000_000, 3_000_000];

/// Prints what each macro costs; with a macro and a number, only passes its place so often.
///
/// # Errors
/// A macro or a number that is none, or a child that cannot be started.
pub fn run(pass: &[String]) -> Result<(), String> {
    if let [name, times] = pass {
        let place = PLACES.iter().find(|(known, _)| known == name);
        let (_, pass) = place.ok_or_else(|| format!("no macro is called {name}"))?;
        let times = times.parse().map_err(|why| format!("{times}: {why}"))?;
        pass(times);
        return Ok(());
    }
    let count = match Command::new("valgrind").arg("--version").output() {
        Ok(_) => {
            println!("instructions a place, counted by valgrind");
            instructions
        }
        Err(_) => {
            println!("nanoseconds a place, for there is no valgrind to count instructions");
            nanoseconds
        }
    };
    let mut of_bare = None;
    for place in &PLACES {
        let [low, high] = TIMES.map(|times| count(place, times));
        let each = (high? - low?) / (TIMES[1] - TIMES[0]) as f64;
        match of_bare {
            None => of_bare = Some(each),
            Some(bare) => println!("  {:<14}{:>6.2}", place.0, each - bare),
        }
    }
    Ok(())
}

fn instructions((name, _): &(&str, Pass), times: u64) -> Result<f64, String> {
    let whole = |why: io::Error| format!("valgrind: {why}");
    let program = std::env::current_exe().map_err(whole)?;
    let output = Command::new("valgrind")
        .args([
            "--tool=cachegrind",
            "--cache-sim=no",
            "--cachegrind-out-file=/dev/null",
        ])
        .arg(program)
        .args(["properties", name, &times.to_string()])
        .output()
        .map_err(whole)?;
    let printed = String::from_utf8_lossy(&output.stderr);
    // The first of its lines about references is that of instructions.
    let count = printed.lines().find_map(|line| line.split_once(" refs:"));
    let (_, count) = count.ok_or_else(|| format!("valgrind counted nothing:\n{printed}"))?;
    let digits = count.trim().replace(',', "");
    digits.parse().map_err(|_| format!("{digits} is no number"))
}

#[expect(clippy::disallowed_methods, reason = "it measures real time")]
fn nanoseconds(&(_, pass): &(&str, Pass), times: u64) -> Result<f64, String> {
    let fastest = (0..5).map(|_| {
        let begun = Instant::now();
        pass(times);
        begun.elapsed()
    });
    Ok(fastest.min().map_or(0.0, |least| least.as_nanos() as f64))
}

#[inline(never)]
fn bare(times: u64) {
    for i in 0..times {
        black_box(i);
    }
}

#[inline(never)]
fn with_always(times: u64) {
    for i in 0..times {
        let i = black_box(i);
        always!(i < u64::MAX, "bench: always", "{i}");
    }
}

#[inline(never)]
fn with_sometimes(times: u64) {
    for i in 0..times {
        let i = black_box(i);
        sometimes!(i == 7, "bench: sometimes");
    }
}

#[inline(never)]
fn with_reachable(times: u64) {
    for i in 0..times {
        black_box(i);
        reachable!("bench: reachable");
    }
}

#[inline(never)]
fn with_unreachable(times: u64) {
    for i in 0..times {
        let i = black_box(i);
        event_loop::unreachable!("bench: unreachable", "{i}");
    }
}

#[inline(never)]
fn with_buggify(times: u64) {
    for i in 0..times {
        let i = black_box(i);
        if buggify!("bench: buggify") {
            black_box(i);
        }
    }
}
