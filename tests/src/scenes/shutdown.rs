//! Scenes of services that shut down when they are told to.

use std::time::Duration;

use event_loop::shutdown::{SecondSignal, ShutdownPolicy};
use event_loop::{EventLoop, cancelled, spawn_named};

use super::{Cue, Scene, Stage};

const INT: i32 = 2;
const KILL: i32 = 9;
const TERM: i32 = 15;

/// The scenes of this file.
pub const SCENES: &[Scene] = &[
    Scene {
        name: "TERM drains a service",
        main: |ev, stage| Box::pin(serve(ev, stage, policy(), obeys)),
        script: &[Cue::signal("serving", TERM)],
    },
    Scene {
        name: "INT drains a service too",
        main: |ev, stage| Box::pin(serve(ev, stage, policy(), obeys)),
        script: &[Cue::signal("serving", INT)],
    },
    Scene {
        name: "a second TERM makes it short",
        main: |ev, stage| Box::pin(serve(ev, stage, policy(), swallows)),
        script: &[Cue::signal("serving", TERM), Cue::signal("asked", TERM)],
    },
    Scene {
        name: "a second TERM may be ignored",
        main: |ev, stage| {
            let ignores = policy().second_signal(SecondSignal::Ignore);
            Box::pin(serve(ev, stage, ignores, obeys_after_the_next))
        },
        script: &[Cue::signal("serving", TERM), Cue::signal("asked", TERM)],
    },
    Scene {
        name: "KILL ends a shutdown that does not end",
        main: |ev, stage| Box::pin(serve(ev, stage, policy(), swallows)),
        script: &[Cue::signal("serving", TERM), Cue::signal("asked", KILL)],
    },
];

/// A service with a hook and one worker; what it came to is its exit code.
async fn serve<W>(ev: EventLoop, stage: Stage, policy: ShutdownPolicy, worker: fn(Stage) -> W) -> u8
where
    W: Future<Output = ()> + Send + 'static,
{
    let shutdown = ev.shutdown_on_signal(policy).expect("it can be followed");
    let said = stage.clone();
    ev.on_shutdown("drain", || async move { said.say("drained") })
        .expect("it is early enough");
    spawn_named("worker", worker(stage.clone())).detach();
    stage.say("serving");
    let report = shutdown.await.expect("it comes to its end");
    let escalated = report.escalated.is_some();
    let cut = report.cut().count();
    stage.say(format!(
        "by {}, clean {}, cut {cut}, escalated {escalated}",
        report.cause,
        report.is_clean()
    ));
    u8::from(!report.is_clean())
}

async fn obeys(stage: Stage) {
    cancelled().await;
    stage.say("cleaned up");
}

async fn swallows(stage: Stage) {
    cancelled().await;
    stage.say("asked");
    std::future::pending().await
}

async fn obeys_after_the_next(stage: Stage) {
    cancelled().await;
    stage.say("asked");
    // Both cues.
    stage.acted();
    stage.acted();
    event_loop::time::sleep(Duration::from_millis(5)).await;
    stage.say("cleaned up");
}

/// Longer than anybody waits.
fn policy() -> ShutdownPolicy {
    let long = Duration::from_secs(100);
    ShutdownPolicy::new().grace(long).total(2 * long)
}
