//! R2: "shutdown finished" is never logged, because the end of main ends the run.
//!
//! As in asyncio's usual bootstrap, the handler of TERM starts a task that asks everybody to finish,
//! waits for all of them and logs that it is done. Main is one of them: when it ends the run ends,
//! and the task that waited for it is dropped. On uvloop, where the end of a run is itself a
//! callback, the task gets its turn. In the mended program main waits for the shutdown.

use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use event_loop::sync::{mpsc, oneshot, watch};
use event_loop::time::sleep;
use event_loop::{EventLoop, Runner};
use sim::Config;

use crate::{Body, Scenario};

pub(crate) const SCENARIO: Scenario = Scenario {
    name: "never-finished",
    race: "R2",
    story: "the shutdown waits for main, whose end ends the run: what follows is never done",
    fails_within: 20,
    config: |_| Config::new(),
    broken: Body::Program(|ev| run(ev, serve_until_asked)),
    mended: Body::Program(|ev| run(ev, serve_until_shut_down)),
};

/// The lines that the program has logged.
type Log = Arc<Mutex<Vec<&'static str>>>;

fn run<F>(ev: EventLoop, main: fn(EventLoop, Log) -> F)
where
    F: Future<Output = ()> + Send + 'static,
{
    let log = Log::default();
    let mut runner = Runner::new(move || Ok(ev));
    let ev = runner.event_loop().unwrap().unowned();
    runner.run(main(ev, log.clone())).unwrap();
    runner.close().unwrap();
    assert_eq!(
        *log.lock().unwrap(),
        ["flushed", "shutdown finished"],
        "the log ends early"
    );
}

async fn serve_until_asked(ev: EventLoop, log: Log) {
    let (mut service, _finished) = Service::start(&ev, &log);
    service.finish().await;
}

async fn serve_until_shut_down(ev: EventLoop, log: Log) {
    let (mut service, finished) = Service::start(&ev, &log);
    service.finish().await;
    drop(service);
    finished.await.unwrap();
}

/// What main runs: a worker, and whoever waits for the end of all.
struct Service {
    worker: event_loop::TaskHandle<()>,
    asked: watch::Receiver<bool>,
    /// Kept by everybody who is to end.
    _alive: Alive,
}

type Alive = mpsc::Sender<Infallible>;

impl Service {
    fn start(ev: &EventLoop, log: &Log) -> (Self, oneshot::Receiver<()>) {
        let (ask, asked) = watch::channel(false);
        let (alive, all_ended) = mpsc::channel(1);
        let (tell, finished) = oneshot::channel();
        let worker = ev.spawn_named("worker", work(asked.clone(), log.clone(), alive.clone()));
        let log = log.clone();
        let handler = move || {
            let shutdown = shut_down(ask, all_ended, log, tell);
            event_loop::spawn_named("shutdown", shutdown).detach();
        };
        let term = ev.call_later(Duration::from_millis(25), handler);
        term.expect("the loop runs");
        let service = Self {
            worker,
            asked,
            _alive: alive,
        };
        (service, finished)
    }

    async fn finish(&mut self) {
        let _ = self.asked.wait_for(|asked| *asked).await;
        (&mut self.worker).await.unwrap();
    }
}

async fn shut_down(
    ask: watch::Sender<bool>,
    mut all_ended: mpsc::Receiver<Infallible>,
    log: Log,
    finished: oneshot::Sender<()>,
) {
    let _ = ask.send(true);
    // As `gather` does, which is a future of its own.
    let gathered = event_loop::spawn(async move { all_ended.recv().await.is_none() });
    gathered.await.unwrap();
    log.lock().unwrap().push("shutdown finished");
    let _ = finished.send(());
}

async fn work(mut asked: watch::Receiver<bool>, log: Log, _alive: Alive) {
    let _ = asked.wait_for(|asked| *asked).await;
    sleep(Duration::from_millis(3)).await;
    log.lock().unwrap().push("flushed");
}
