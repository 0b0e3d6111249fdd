//! Scenes in child processes, which get real signals.

use std::collections::BTreeSet;

use tests::child;
use tests::scenes::{Ended, Flavour, Played, all};

/// Plays the scene of this name on both loops of production.
#[track_caller]
fn play(name: &str) -> Played {
    let scene = all().find(|scene| scene.name == name);
    let scene = scene.expect("there is such a scene");
    let [one, other] =
        Flavour::ALL.map(|flavour| child::play(env!("CARGO_BIN_EXE_scenes"), scene, flavour));
    assert_eq!(one, other, "current-thread against multi-thread");
    one
}

#[test]
fn no_two_scenes_have_one_name() {
    let mut names = BTreeSet::new();
    assert!(all().all(|scene| names.insert(scene.name)));
}

#[test]
fn the_exit_code_is_what_the_scene_returns() {
    let played = play("a program ends of itself");
    assert_eq!(played.lines, ["begins", "ends"]);
    assert_eq!(played.ended, Ended::Code(3));
}

#[test]
fn term_ends_who_has_no_handler() {
    let played = play("TERM ends who has no handler, without cleanup");
    assert_eq!(played.lines, ["waits"]);
    assert_eq!(played.ended, Ended::Signal(15));
}
