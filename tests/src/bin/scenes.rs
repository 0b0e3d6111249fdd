//! Plays one scene on a loop of production: `scenes NAME FLAVOUR`. What the scene says goes to
//! standard output, a line at a time.

use std::io::Write;
use std::process::ExitCode;
use std::time::Duration;

use event_loop::{LoopError, Runner};
use tests::scenes::{Flavour, Stage, all};

/// The parent has sent a signal, which some thread of this process handles now.
#[expect(clippy::disallowed_methods, reason = "real threads take real time")]
fn acted() {
    let told = std::io::stdin().read_line(&mut String::new());
    told.expect("the parent tells what it does");
    std::thread::sleep(Duration::from_millis(100));
}

fn main() -> ExitCode {
    let mut args = std::env::args().skip(1);
    let (name, flavour) = (args.next(), args.next());
    let scene = all().find(|scene| Some(scene.name) == name.as_deref());
    let flavour = Flavour::ALL
        .into_iter()
        .find(|known| Some(known.name()) == flavour.as_deref());
    let (Some(scene), Some(flavour)) = (scene, flavour) else {
        eprintln!("no such scene or flavour: {name:?} on {flavour:?}");
        return ExitCode::from(100);
    };
    let say = |line| {
        // At once, for a line is a cue.
        let mut out = std::io::stdout().lock();
        let written = writeln!(out, "{line}").and_then(|()| out.flush());
        written.expect("the parent listens");
    };
    let stage = Stage::new(say, acted);
    let mut runner = Runner::new(move || flavour.make());
    let ev = runner.event_loop().expect("a loop can be made");
    match runner.run((scene.main)(ev.unowned(), stage)) {
        Ok(code) => ExitCode::from(code),
        Err(LoopError::Interrupted) => ExitCode::from(130),
        Err(error) => {
            println!("error: {error}");
            ExitCode::from(101)
        }
    }
}
