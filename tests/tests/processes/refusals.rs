//! What cannot be done to a process, and how that is said.

use std::future::pending;
use std::time::Duration;

use sim::{HostError, VerdictKind};

use crate::plain;

#[test]
fn each_refusal_names_the_host_and_the_way_out() {
    let run = plain(|sim| async move {
        let svc = sim.host("svc");
        let mut said = Vec::new();
        let mut says = |asked: Result<(), HostError>| said.push(asked.unwrap_err().to_string());
        says(svc.try_restart());
        says(sim.host("main").try_kill());
        svc.start(|_| pending::<()>());
        says(svc.try_start(|_| async {}));
        says(svc.try_terminate(Duration::ZERO));
        svc.kill();
        says(svc.try_kill());
        says(svc.try_pause());
        svc.power_off();
        says(svc.try_resume());
        says(svc.try_power_off());
        said
    });
    assert_eq!(run.verdict, None);
    assert_eq!(
        run.value.unwrap(),
        [
            "host \"svc\" was never started, so there is no main function to start it with: give \
             it one, by start(..)",
            "host \"main\" is the one that the test's body runs on, and no process of its own: \
             take another, by sim.host(\"svc\")",
            "the process of host \"svc\" runs, in its life 1: kill() it first, or wait() for its \
             end",
            "a grace of zero leaves host \"svc\" no time to react to TERM: give it some, or kill() \
             it",
            "the process of host \"svc\" has ended (signal: SIGKILL): restart() it, or ask \
             is_running() first",
            "the process of host \"svc\" has ended (signal: SIGKILL): restart() it, or ask \
             is_running() first",
            "host \"svc\" is powered off: restart() it, which starts its machine, too",
            "host \"svc\" is powered off: restart() it, which starts its machine, too",
        ]
    );
}

#[test]
fn once_the_run_is_over_a_host_says_so() {
    let run = plain(|sim| async move {
        let svc = sim.host("svc").start(|_| pending::<()>());
        let idle = sim.host("idle");
        idle.start(|_| async {});
        idle.wait().await;
        (svc, idle)
    });
    let (svc, idle) = run.value.unwrap();
    let over = |host: &str| HostError::Over {
        host: host.to_owned(),
    };
    assert_eq!(svc.try_kill(), Err(over("svc")));
    assert_eq!(svc.try_restart(), Err(over("svc")));
    assert_eq!(idle.try_restart(), Err(over("idle")));
    assert!(!svc.is_running());
    assert!(idle.exit_status().unwrap().success());
}

#[test]
fn a_call_that_cannot_go_on_panics_with_what_its_twin_returns() {
    let run = plain(|sim| async move {
        let svc = sim.host("svc").start(|_| pending::<()>());
        svc.restart();
    });
    let verdict = run.verdict.unwrap();
    assert_eq!(verdict.kind, VerdictKind::Panic);
    assert!(verdict.message.contains("runs, in its life 1"));
    assert!(verdict.location.unwrap().contains("refusals.rs"));
}
