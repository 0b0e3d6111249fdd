//! Scenes of programs that listen to signals.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use event_loop::shutdown::ShutdownPolicy;
use event_loop::signal::unix::{SignalKind, signal};
use event_loop::sync::Notify;
use event_loop::{EventLoop, Signal};

use super::{Cue, Scene, Stage};

const HUP: i32 = 1;
const INT: i32 = 2;
const USR1: i32 = 10;
const USR2: i32 = 12;
const TERM: i32 = 15;
const CONT: i32 = 18;
const STOP: i32 = 19;
const TSTP: i32 = 20;
const WINCH: i32 = 28;

/// A callback that blocks until the cue that it gives was followed, and goes on with `then`.
fn block(ev: &EventLoop, stage: &Stage, cues: u32, then: impl FnOnce() + Send + 'static) {
    let stage = stage.clone();
    let blocking = move || {
        stage.say("blocks");
        (0..cues).for_each(|_| stage.acted());
        event_loop::block_for(Duration::from_millis(50));
        stage.say("has blocked");
        then();
    };
    drop(ev.call_soon(blocking).expect("the loop is open"));
}

/// Handles a signal by saying so; the future waits for the first.
fn told(ev: &EventLoop, stage: &Stage, signal: Signal) -> impl Future<Output = ()> + use<> {
    let (stage, handled) = (stage.clone(), Arc::new(Notify::new()));
    let notifies = handled.clone();
    let handler = move || {
        stage.say(signal);
        notifies.notify_one();
    };
    ev.add_signal_handler(signal, handler)
        .expect("it can be handled");
    async move { handled.notified().await }
}

/// The scenes of this file.
pub const SCENES: &[Scene] = &[
    Scene {
        name: "a handler waits for the callback under way",
        main: |ev, stage| {
            Box::pin(async move {
                let handled = told(&ev, &stage, Signal::Usr1);
                block(&ev, &stage, 1, || ());
                handled.await;
                0
            })
        },
        script: &[Cue::signal("blocks", USR1)],
    },
    Scene {
        name: "two alike are heard once or twice",
        main: |ev, stage| {
            Box::pin(async move {
                let heard = Arc::new((AtomicU32::new(0), Notify::new()));
                let counts = heard.clone();
                let handler = move || {
                    counts.0.fetch_add(1, Ordering::SeqCst);
                    counts.1.notify_one();
                };
                ev.add_signal_handler(Signal::Usr1, handler)
                    .expect("it can be handled");
                block(&ev, &stage, 2, || ());
                heard.1.notified().await;
                let another = event_loop::time::sleep(Duration::from_millis(50));
                another.await;
                let times = heard.0.load(Ordering::SeqCst);
                stage.say(if (1..=2).contains(&times) {
                    "heard"
                } else {
                    "wrong"
                });
                0
            })
        },
        script: &[Cue::signal("blocks", USR1), Cue::signal("blocks", USR1)],
    },
    Scene {
        name: "each of two streams gets every signal",
        main: |_, stage| {
            Box::pin(async move {
                let mut one = signal(SignalKind::user_defined1()).expect("it can be handled");
                let mut other = signal(SignalKind::user_defined1()).expect("it can be handled");
                let mut third = signal(SignalKind::user_defined2()).expect("it can be handled");
                stage.say("listens");
                one.recv().await.expect("the loop is open");
                other.recv().await.expect("the loop is open");
                stage.say("two have heard");
                third.recv().await.expect("the loop is open");
                stage.say("the third has heard");
                one.recv().await.expect("the loop is open");
                0
            })
        },
        script: &[
            Cue::signal("listens", USR1),
            Cue::signal("two have heard", USR2),
            Cue::signal("the third has heard", USR1),
        ],
    },
    Scene {
        name: "a removed handler restores the default",
        main: |ev, stage| {
            Box::pin(async move {
                let handled = told(&ev, &stage, Signal::Term);
                drop(told(&ev, &stage, Signal::Winch));
                stage.say("handles");
                handled.await;
                assert!(ev.remove_signal_handler(Signal::Term));
                assert!(!ev.remove_signal_handler(Signal::Term));
                assert!(ev.remove_signal_handler(Signal::Winch));
                stage.say("handles no more");
                stage.say("still there");
                std::future::pending::<()>().await;
                0
            })
        },
        script: &[
            Cue::signal("handles", TERM),
            Cue::signal("handles no more", WINCH),
            Cue::signal("still there", TERM),
        ],
    },
    Scene {
        name: "what came before the removal is handled",
        main: |ev, stage| {
            Box::pin(async move {
                let handled = told(&ev, &stage, Signal::Term);
                let removes = ev.clone();
                block(&ev, &stage, 1, move || {
                    assert!(removes.remove_signal_handler(Signal::Term));
                });
                handled.await;
                0
            })
        },
        script: &[Cue::signal("blocks", TERM)],
    },
    Scene {
        name: "what a stream was not asked for takes the default",
        main: |ev, stage| {
            Box::pin(async move {
                let terms = ev.signal(Signal::Term).expect("it can be handled");
                stage.say("listens");
                stage.acted();
                stage.say("still there");
                drop(terms);
                std::future::pending::<()>().await;
                0
            })
        },
        script: &[Cue::signal("listens", TERM)],
    },
    Scene {
        name: "what a stream was not asked for is spent by a shutdown",
        main: |ev, stage| {
            Box::pin(async move {
                let mut terms = ev.signal(Signal::Term).expect("it can be handled");
                stage.say("listens");
                terms.recv().await;
                let report = ev.shutdown(ShutdownPolicy::new()).await;
                assert!(report.expect("it comes to its end").is_clean());
                stage.say("has shut down");
                stage.acted();
                drop(terms);
                3
            })
        },
        script: &[
            Cue::signal("listens", TERM),
            Cue::signal("has shut down", TERM),
        ],
    },
    Scene {
        name: "who is stopped gets its signals when it goes on",
        main: |ev, stage| {
            Box::pin(async move {
                let mut terms = ev.signal(Signal::Term).expect("it can be handled");
                stage.say("listens");
                terms.recv().await;
                stage.say("asked to end");
                std::future::pending::<()>().await;
                0
            })
        },
        // The lowest is taken first: TERM is handled, HUP is not, and comes before all that runs.
        script: &[
            Cue::signal("listens", STOP),
            Cue::signal("listens", TERM),
            Cue::signal("listens", TSTP),
            Cue::signal("listens", USR1),
            Cue::signal("listens", HUP),
            Cue::signal("listens", WINCH),
            Cue::signal("listens", CONT),
        ],
    },
    Scene {
        name: "Ctrl-C is awaited once",
        main: |_, stage| {
            Box::pin(async move {
                let waiting = stage.clone();
                let first = event_loop::spawn(async move {
                    let interrupt = event_loop::signal::ctrl_c();
                    let says = async {
                        event_loop::yield_now().await;
                        waiting.say("waits");
                    };
                    event_loop::join!(interrupt, says).0
                });
                first.await.expect("no panic").expect("it can be handled");
                stage.say("interrupted");
                std::future::pending::<()>().await;
                0
            })
        },
        script: &[Cue::signal("waits", INT), Cue::signal("interrupted", HUP)],
    },
    Scene {
        name: "the first INT asks main to finish",
        main: |_, stage| {
            Box::pin(async move {
                stage.say("runs");
                event_loop::cancelled().await;
                stage.say("cleans up");
                event_loop::time::sleep(Duration::from_millis(1)).await;
                stage.say("is clean");
                0
            })
        },
        script: &[Cue::signal("runs", INT)],
    },
    Scene {
        name: "the second INT ends at once",
        main: |_, stage| {
            Box::pin(async move {
                stage.say("runs");
                event_loop::cancelled().await;
                stage.say("cleans up");
                event_loop::time::sleep(Duration::from_hours(1)).await;
                stage.say("is clean");
                0
            })
        },
        script: &[Cue::signal("runs", INT), Cue::signal("cleans up", INT)],
    },
];

/// Scenes of what no host of a world has: several loops in one process.
pub const OF_PROCESSES: &[Scene] = &[Scene {
    name: "the default is off while any loop listens",
    main: |ev, stage| {
        Box::pin(async move {
            let other = event_loop::production::current_thread(event_loop::LoopConfig::default());
            let other = other.expect("a loop can be made");
            let handled = told(&other, &stage, Signal::Term);
            ev.add_signal_handler(Signal::Term, || ())
                .expect("it can be handled");
            assert!(ev.remove_signal_handler(Signal::Term));
            let runs = other.clone();
            let runner = std::thread::spawn(move || runs.run_forever());
            stage.say("handles no more");
            handled.await;
            other.stop();
            let ran = runner.join().expect("no panic");
            ran.expect("it runs until it is stopped");
            drop(other);
            stage.say("the other is closed");
            std::future::pending::<()>().await;
            0
        })
    },
    script: &[
        Cue::signal("handles no more", TERM),
        Cue::signal("the other is closed", TERM),
    ],
}];
