//! What each scene is to tell, whoever plays it.

use tests::scenes::Ended::{self, Code, Signal};

type Told = (&'static str, &'static [&'static str], Ended);

/// The scenes that processes and hosts play.
pub(crate) const TOLD: &[Told] = &[
    ("a program ends of itself", &["begins", "ends"], Code(3)),
    (
        "TERM ends who has no handler, without cleanup",
        &["waits"],
        Signal(15),
    ),
    (
        "a handler waits for the callback under way",
        &["blocks", "has blocked", "SIGUSR1"],
        Code(0),
    ),
    (
        "two alike are heard once or twice",
        &["blocks", "has blocked", "heard"],
        Code(0),
    ),
    (
        "each of two streams gets every signal",
        &["listens", "two have heard", "the third has heard"],
        Code(0),
    ),
    (
        "a removed handler restores the default",
        &["handles", "SIGTERM", "handles no more", "still there"],
        Signal(15),
    ),
    (
        "what came before the removal is handled",
        &["blocks", "has blocked", "SIGTERM"],
        Code(0),
    ),
    (
        "what a stream was not asked for takes the default",
        &["listens", "still there"],
        Signal(15),
    ),
    (
        "what a stream was not asked for is spent by a shutdown",
        &["listens", "has shut down"],
        Code(3),
    ),
    (
        "who is stopped gets its signals when it goes on",
        &["listens"],
        Signal(1),
    ),
    (
        "Ctrl-C is awaited once",
        &["waits", "interrupted"],
        Signal(1),
    ),
];

/// Those that only processes play: of runners, and of several loops in one process.
pub(crate) const TOLD_BY_PROCESSES: &[Told] = &[
    (
        "the first INT asks main to finish",
        &["runs", "cleans up", "is clean"],
        Code(130),
    ),
    (
        "the second INT ends at once",
        &["runs", "cleans up"],
        Signal(2),
    ),
    (
        "the default is off while any loop listens",
        &["handles no more", "SIGTERM", "the other is closed"],
        Signal(15),
    ),
];
