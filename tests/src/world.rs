//! Plays scenes on a host of a world, whose signals the test sends.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use sim::{Config, ExitStatus, Profile, Signal, Sim};

use crate::scenes::{Act, Ended, Played, Scene, Stage};

/// Plays a scene on host `svc` of a world. What it says is heard at once, and what is done on a cue
/// is done at once, in the midst of its poll: as by a process on another processor.
///
/// # Panics
/// If the run fails.
#[must_use]
#[track_caller]
pub fn play(scene: &Scene, profile: Profile, seed: u64) -> Played {
    let (main, script) = (scene.main, scene.script);
    let run = sim::run_once(
        &Config::new().profile(profile),
        seed,
        move |sim: Sim| async move {
            let lines = Arc::new(Mutex::new(Vec::new()));
            let cues = Arc::new(Mutex::new(script.iter().collect::<VecDeque<_>>()));
            let (svc, told) = (sim.host("svc"), lines.clone());
            let process = svc.clone();
            let hear = move |line: String| {
                if !process.is_running() {
                    // The process is dead, and the rest of its poll is of no effect.
                    return;
                }
                let lock = |poisoned: PoisonError<_>| poisoned.into_inner();
                told.lock().unwrap_or_else(lock).push(line.clone());
                loop {
                    let mut cues = cues.lock().unwrap_or_else(PoisonError::into_inner);
                    let Some(cue) = cues.pop_front_if(|cue| cue.after == line) else {
                        return;
                    };
                    drop(cues);
                    let Act::Signal(signal) = cue.act;
                    process.signal(Signal::from_raw(signal).expect("it is a signal"));
                }
            };
            let stage = Stage::new(hear, || ());
            let svc = svc.start(move |ev| {
                let played = main(ev, stage.clone());
                async move { ExitStatus::from_code(played.await.into()) }
            });
            let status = svc.wait().await;
            let lines = lines.lock().unwrap_or_else(PoisonError::into_inner).clone();
            (lines, status)
        },
    );
    let Some((lines, status)) = run.value else {
        panic!("{profile}, seed {seed}: {:?}", run.verdict);
    };
    let ended = match (status.code(), status.signal()) {
        (Some(code), _) => Ended::Code(code),
        (None, Some(signal)) => Ended::Signal(signal.as_raw()),
        (None, None) => unreachable!("nobody takes its power"),
    };
    Played { lines, ended }
}
