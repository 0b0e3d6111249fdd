//! A process that is killed and started again, many times in one run.

use std::time::Duration;

use event_loop::net::TcpListener;
use event_loop::time::sleep;
use sim::{Config, Host, Sim};

use crate::work::LiveBytes;

const RESTARTS: u32 = 10_000;
/// What queues and tables grow to is there before the count begins.
const WARM_UP: u32 = 1_000;

/// A service that listens and has a task that works.
fn start(sim: &Sim) -> Host {
    sim.host("svc").start(|_ev| async {
        let _listener = TcpListener::bind("0.0.0.0:80")
            .await
            .expect("the port is free");
        let worker = event_loop::spawn(async {
            loop {
                sleep(Duration::from_secs(1)).await;
            }
        });
        worker.await.expect("nobody aborts it");
    })
}

async fn restart(svc: &Host, times: u32) {
    for _ in 0..times {
        sleep(Duration::from_millis(10)).await;
        svc.kill();
        svc.wait().await;
        svc.restart();
    }
}

fn config() -> Config {
    Config::new().polls(u64::MAX).polls_at_once(u64::MAX)
}

/// Ten thousand of them.
pub(super) fn restarts() {
    let run = sim::run_once(&config(), 0, |sim| async move {
        restart(&start(&sim), RESTARTS).await;
    });
    assert!(run.verdict.is_none(), "{:?}", run.verdict);
}

/// Bytes kept of each, the run still under way.
pub(super) fn kept(live_bytes: LiveBytes) -> f64 {
    let run = sim::run_once(&config(), 0, |sim| async move {
        let svc = start(&sim);
        restart(&svc, WARM_UP).await;
        let before = live_bytes();
        restart(&svc, RESTARTS).await;
        live_bytes() as f64 - before as f64
    });
    assert!(run.verdict.is_none(), "{:?}", run.verdict);
    run.value.expect("the run passes") / f64::from(RESTARTS)
}
