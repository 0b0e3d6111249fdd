//! Plays the catalogue: every scenario in both forms under many seeds, then one failing seed again
//! in fresh processes.

use std::io::{self, Write};
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

use clap::{Parser, Subcommand, ValueEnum};
use scenarios::{Account, CATALOGUE, Form, Scenario, Tally};

/// How many failing seeds the table shows.
const SHOWN: usize = 5;

#[derive(Parser)]
#[command(
    about = "Plays every scenario in its broken and its mended form",
    version
)]
#[command(args_conflicts_with_subcommands = true)]
struct Arguments {
    /// How many seeds each form is run with, the plain run (seed 0) included
    #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u64).range(1..))]
    seeds: u64,
    #[command(subcommand)]
    command: Option<Task>,
}

#[derive(Subcommand)]
enum Task {
    /// Lists the catalogue
    List,
    /// Plays one scenario
    Play {
        /// The scenario's name
        #[arg(value_name = "NAME", value_parser = scenario_named)]
        scenario: &'static Scenario,
        /// How many seeds each form is run with, the plain run (seed 0) included
        #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u64).range(1..))]
        seeds: u64,
        /// Only this form of it
        #[arg(long, value_enum)]
        form: Option<FormName>,
    },
    /// Makes one run and prints its verdict and the hash of its trace
    Replay {
        /// The scenario's name
        #[arg(value_name = "NAME", value_parser = scenario_named)]
        scenario: &'static Scenario,
        /// The seed; 0 is the plain run
        #[arg(long)]
        seed: u64,
        /// The form of the scenario
        #[arg(long, value_enum, default_value_t = FormName::Broken)]
        form: FormName,
        /// Also prints every event of the run
        #[arg(long)]
        timeline: bool,
    },
}

#[derive(Clone, Copy, ValueEnum)]
enum FormName {
    Broken,
    Mended,
}

impl From<FormName> for Form {
    fn from(name: FormName) -> Self {
        match name {
            FormName::Broken => Self::Broken,
            FormName::Mended => Self::Mended,
        }
    }
}

fn scenario_named(name: &str) -> Result<&'static Scenario, String> {
    scenarios::find(name).ok_or_else(|| {
        let known: Vec<_> = CATALOGUE.iter().map(|scenario| scenario.name).collect();
        format!("no such scenario; there are: {}", known.join(", "))
    })
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let mut out = io::stdout().lock();
    let done = match arguments.command {
        None => play(&mut out, CATALOGUE, &Form::ALL, arguments.seeds),
        Some(Task::List) => list(&mut out),
        Some(Task::Play {
            scenario,
            seeds,
            form,
        }) => {
            let one = form.map(|form| [form.into()]);
            let forms = one.as_ref().map_or(&Form::ALL[..], |one| &one[..]);
            play(&mut out, std::slice::from_ref(scenario), forms, seeds)
        }
        Some(Task::Replay {
            scenario,
            seed,
            form,
            timeline,
        }) => replay(&mut out, scenario, form.into(), seed, timeline),
    };
    match done {
        Ok(code) => code,
        // Whoever reads has read enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn list(out: &mut impl Write) -> io::Result<ExitCode> {
    for scenario in CATALOGUE {
        let Scenario {
            race, name, story, ..
        } = scenario;
        writeln!(out, "{race:4} {name:16} {story}")?;
    }
    Ok(ExitCode::SUCCESS)
}

fn replay(
    out: &mut impl Write,
    scenario: &Scenario,
    form: Form,
    seed: u64,
    timeline: bool,
) -> io::Result<ExitCode> {
    let run = if timeline {
        scenario.record(form, seed)
    } else {
        scenario.run(form, seed)
    };
    if let Some(timeline) = run.timeline() {
        write!(out, "{timeline}")?;
    }
    let account = Account {
        scenario,
        form,
        seed,
        run: &run,
    };
    write!(out, "{account}")?;
    Ok(ExitCode::SUCCESS)
}

/// A scenario that does not show what it is there for is a failure of the program.
fn play(
    out: &mut impl Write,
    scenarios: &[Scenario],
    forms: &[Form],
    seeds: u64,
) -> io::Result<ExitCode> {
    let mut wrong = Vec::new();
    let mut to_replay = Vec::new();

    writeln!(
        out,
        "{:16} {:8} {:>6} {:>8} {:>10}  first failing seeds",
        "scenario", "form", "seeds", "failing", "real time"
    )?;
    for scenario in scenarios {
        for &form in forms {
            #[expect(clippy::disallowed_methods, reason = "the table shows real time")]
            let began = Instant::now();
            let tally = scenario.play(form, seeds);
            writeln!(out, "{}", row(scenario, form, &tally, began.elapsed()))?;
            match (form, tally.failing.first()) {
                (Form::Broken, Some(&seed)) => to_replay.push((scenario, seed)),
                (Form::Broken, None) => {
                    wrong.push(format!("{}: the broken form never fails", scenario.name));
                }
                (Form::Mended, Some(seed)) => {
                    let name = scenario.name;
                    wrong.push(format!("{name}: the mended form fails with seed {seed}"));
                }
                (Form::Mended, None) => {}
            }
        }
    }
    for (scenario, seed) in to_replay {
        writeln!(out)?;
        if let Some(why) = replay_in_fresh_processes(out, scenario, seed)? {
            wrong.push(format!("{}, seed {seed}: {why}", scenario.name));
        }
    }
    for line in &wrong {
        eprintln!("error: {line}");
    }
    Ok(if wrong.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn row(scenario: &Scenario, form: Form, tally: &Tally, took: Duration) -> String {
    let mut line = format!(
        "{:16} {:8} {:>6} {:>8} {:>7.1} ms  ",
        scenario.name,
        form,
        tally.seeds,
        tally.failing.len(),
        took.as_secs_f64() * 1e3
    );
    for seed in tally.failing.iter().take(SHOWN) {
        line += &format!("{seed} ");
    }
    if tally.failing.len() > SHOWN {
        line.push('…');
    }
    line.trim_end().to_owned()
}

/// Runs the seed once more here and twice in processes of its own; returns what differs.
fn replay_in_fresh_processes(
    out: &mut impl Write,
    scenario: &Scenario,
    seed: u64,
) -> io::Result<Option<String>> {
    let form = Form::Broken;
    let run = scenario.run(form, seed);
    let here = Account {
        scenario,
        form,
        seed,
        run: &run,
    }
    .to_string();
    write!(out, "{here}")?;
    for _ in 0..2 {
        let there = replay_elsewhere(scenario, seed)?;
        if there != here {
            return Ok(Some(format!("a fresh process differs:\n{there}")));
        }
    }
    writeln!(
        out,
        "replayed twice in fresh processes: same verdict, same trace"
    )?;
    let program = std::env::args()
        .next()
        .unwrap_or_else(|| "scenarios".into());
    writeln!(
        out,
        "again    {program} replay {} --seed {seed}",
        scenario.name
    )?;
    Ok(None)
}

fn replay_elsewhere(scenario: &Scenario, seed: u64) -> io::Result<String> {
    let replay = Command::new(std::env::current_exe()?)
        .args(["replay", scenario.name, "--seed", &seed.to_string()])
        .output()?;
    Ok(String::from_utf8_lossy(&replay.stdout).into_owned())
}
