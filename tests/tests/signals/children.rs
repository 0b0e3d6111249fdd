//! Scenes in child processes, which get real signals.

use std::collections::BTreeSet;

use tests::child;
use tests::scenes::{Ended, Flavour, Scene, all};

use crate::told::{TOLD, TOLD_BY_PROCESSES};

fn scene(name: &str) -> &'static Scene {
    let scene = all().find(|scene| scene.name == name);
    scene.unwrap_or_else(|| panic!("there is no scene {name:?}"))
}

#[test]
fn no_two_scenes_have_one_name() {
    let mut names = BTreeSet::new();
    assert!(all().all(|scene| names.insert(scene.name)));
}

#[test]
fn both_loops_tell_what_they_are_to_tell() {
    for (name, lines, ended) in TOLD.iter().chain(TOLD_BY_PROCESSES) {
        for flavour in Flavour::ALL {
            let played = child::play(env!("CARGO_BIN_EXE_scenes"), scene(name), flavour);
            let told = (&*played.lines, played.ended);
            let lines: Vec<_> = lines.iter().map(|line| (*line).to_owned()).collect();
            assert_eq!(told, (&*lines, *ended), "{name}, {}", flavour.name());
        }
    }
}

/// What becomes of a program that handles nothing.
#[test]
fn each_signal_has_its_default() {
    let waits = scene("TERM ends who has no handler, without cleanup");
    use event_loop::Signal::{Bus, Int, Segv};
    // Rust's runtime looks at faults first, and lets a process live that had none; the scene's
    // runner handles INT.
    let others = event_loop::Signal::ALL.iter();
    for signal in others.filter(|signal| ![Segv, Bus, Int].contains(signal)) {
        use event_loop::signal::Disposition::{Continue, Ignore, Stop, Terminate};
        let by = match signal.default_disposition() {
            Terminate => signal.as_raw(),
            // KILL reaches who is stopped all the same.
            Ignore | Continue | Stop => 9,
        };
        let script: &'static [_] = Box::leak(Box::new([
            tests::scenes::Cue::signal("waits", signal.as_raw()),
            tests::scenes::Cue::signal("waits", 9),
        ]));
        let only_one = by == signal.as_raw();
        let scene = Scene {
            script: if only_one { &script[..1] } else { script },
            ..*waits
        };
        let played = child::play(env!("CARGO_BIN_EXE_scenes"), &scene, Flavour::CurrentThread);
        assert_eq!(played.ended, Ended::Signal(by), "{signal}");
    }
}
