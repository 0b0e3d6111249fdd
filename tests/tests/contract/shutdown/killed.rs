//! The orchestrator's last word: clause D5.

use std::future::pending;
use std::time::Duration;

use event_loop::shutdown::ShutdownPolicy;
use event_loop::time::sleep;
use event_loop::{EventLoop, spawn};
use sim::{Config, ExitStatus};

use super::{deaf, policy};
use crate::backends::Backend;
use crate::clause::Reach::Simulated;
use crate::clause::clauses;

const CHILDREN: &str = "it would end the suite; `--test shutdown` sends a KILL to a child process";

clauses! {
    D5 {
        a_host_whose_shutdown_does_not_end_is_killed_in_time: Simulated(CHILDREN),
        a_host_that_ends_in_order_is_not_killed: Simulated(CHILDREN),
    }
}

const SECOND: Duration = Duration::from_secs(1);

/// A service that ends when it is told to.
async fn serve(ev: EventLoop, policy: ShutdownPolicy, stubborn: bool) {
    let shutdown = ev.shutdown_on_signal(policy).unwrap();
    spawn(async move {
        event_loop::cancelled().await;
        sleep(SECOND).await;
    })
    .detach();
    if stubborn {
        ev.on_shutdown("never returns", pending::<()>).unwrap();
        spawn(deaf()).detach();
    }
    let report = shutdown.await.unwrap();
    assert!(report.is_clean(), "{report}");
}

/// How long after its TERM such a host ended, and how.
fn ends(backend: Backend, stubborn: bool) -> (Duration, ExitStatus) {
    let run = backend.world(Config::new(), |sim| async move {
        let svc = sim
            .host("svc")
            .start(move |ev| serve(ev, policy(), stubborn));
        sleep(SECOND).await;
        let told = sim.now();
        svc.terminate(30 * SECOND);
        let status = svc.wait().await;
        (sim.now() - told, status)
    });
    run.value.expect("the run comes to its end")
}

fn a_host_whose_shutdown_does_not_end_is_killed_in_time(backend: Backend) {
    let (took, status) = ends(backend, true);
    assert_eq!(status, ExitStatus::KILLED);
    assert!(took >= 30 * SECOND && took < 31 * SECOND, "{took:?}");
}

fn a_host_that_ends_in_order_is_not_killed(backend: Backend) {
    let (took, status) = ends(backend, false);
    assert_eq!(status, ExitStatus::SUCCESS);
    assert!(took >= SECOND && took < 5 * SECOND, "{took:?}");
}
