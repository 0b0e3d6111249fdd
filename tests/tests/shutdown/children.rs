//! Services in child processes, which get real signals.

use tests::child;
use tests::scenes::{Ended, Flavour, shutdown};

/// What each scene says, and how it ends.
const TOLD: &[(&str, &[&str], Ended)] = &[
    (
        "TERM drains a service",
        &[
            "serving",
            "drained",
            "cleaned up",
            "by SIGTERM, clean true, cut 0, escalated false",
        ],
        Ended::Code(0),
    ),
    (
        "INT drains a service too",
        &[
            "serving",
            "drained",
            "cleaned up",
            "by SIGINT, clean true, cut 0, escalated false",
        ],
        Ended::Code(0),
    ),
    (
        "a second TERM makes it short",
        &[
            "serving",
            "drained",
            "asked",
            "by SIGTERM, clean false, cut 1, escalated true",
        ],
        Ended::Code(1),
    ),
    (
        "a second TERM may be ignored",
        &[
            "serving",
            "drained",
            "asked",
            "cleaned up",
            "by SIGTERM, clean true, cut 0, escalated false",
        ],
        Ended::Code(0),
    ),
    (
        "KILL ends a shutdown that does not end",
        &["serving", "drained", "asked"],
        Ended::Signal(9),
    ),
];

#[test]
fn both_loops_end_as_they_are_told_to() {
    assert_eq!(TOLD.len(), shutdown::SCENES.len());
    for (scene, (name, lines, ended)) in shutdown::SCENES.iter().zip(TOLD) {
        assert_eq!(scene.name, *name);
        for flavour in Flavour::ALL {
            let played = child::play(env!("CARGO_BIN_EXE_scenes"), scene, flavour);
            assert_eq!(played.lines, *lines, "{name}, {}", flavour.name());
            assert_eq!(played.ended, *ended, "{name}, {}", flavour.name());
        }
    }
}
