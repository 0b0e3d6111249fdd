//! Random services, shut down at random moments.

use std::collections::BTreeSet;
use std::future::pending;
use std::io;
use std::time::Duration;

use event_loop::net::{TcpListener, TcpStream};
use event_loop::shutdown::{ShutdownPolicy, ShutdownReport};
use event_loop::time::{sleep, timeout};
use event_loop::{EventLoop, cancelled, spawn_named};
use sim::{Config, Profile, Sim};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

const MS: Duration = Duration::from_millis(1);
const PARTS: [Duration; 4] = [
    Duration::from_millis(60),
    Duration::from_millis(80),
    Duration::from_millis(50),
    Duration::from_millis(40),
];

#[test]
fn a_service_ends_in_time_and_tells_of_everything_and_nobody_is_kept_in_silence() {
    let config = Config::new().profile(Profile::Exact).seeds(400);
    sim::check(&config, |sim: Sim| async move {
        whole_life(sim, Duration::ZERO).await
    });
}

#[test]
fn where_timers_are_late_a_service_is_late_by_no_more() {
    // Stalls and late timers add to each stage, and to each of the few hooks.
    let config = Config::new().seeds(200);
    sim::check(&config, |sim: Sim| async move {
        whole_life(sim, Duration::from_secs(5)).await
    });
}

async fn whole_life(sim: Sim, slack: Duration) {
    let (svc, client) = (sim.host("svc"), sim.host("client"));
    let begin = sim.any_duration("shut down after", Duration::ZERO..=20 * MS);
    let escalate = sim.flip("escalate");
    let after = sim.any_duration("escalate after", MS..=200 * MS);
    let plan = Plan::draw(&sim);
    let names = plan.names();
    let served = svc.run(move |ev| async move {
        start(&ev, plan).await.unwrap();
        sleep(begin).await;
        let shutdown = ev.shutdown(policy());
        if escalate {
            let here = ev.unowned();
            spawn_named("impatient", async move {
                sleep(after).await;
                here.escalate();
            })
            .detach();
        }
        shutdown.await.unwrap()
    });
    let mut asking = Vec::new();
    for _ in 0..sim.choose("clients", 8) {
        let at = sim.any_duration("connect at", Duration::ZERO..=40 * MS);
        asking.push(client.spawn(async move {
            sleep(at).await;
            timeout(Duration::from_secs(60), ask()).await
        }));
    }
    let report = served.await.unwrap();
    let all = PARTS.into_iter().sum::<Duration>();
    assert!(report.took <= all + slack, "{report}");
    told_once(&report, &names);
    for asked in asking {
        // An answer, an end or an error: anything but silence.
        let _ = asked.await.unwrap().expect("nobody is kept in silence");
    }
}

fn policy() -> ShutdownPolicy {
    let [hooks, grace, abort, executor] = PARTS;
    let policy = ShutdownPolicy::new().hooks(hooks).grace(grace);
    policy.abort(abort).executor(executor)
}

fn told_once(report: &ShutdownReport, names: &[String]) {
    let told: Vec<_> = report.tasks.iter().map(|task| task.id).collect();
    let distinct: BTreeSet<_> = told.iter().copied().collect();
    assert_eq!(told.len(), distinct.len(), "{report}");
    for name in names {
        let tasks = report.tasks.iter().filter_map(|task| task.name.as_ref());
        let hooks = report.hooks.iter().map(|hook| &hook.name);
        let times = tasks.chain(hooks).filter(|told| *told == name).count();
        assert_eq!(times, 1, "{name}: {report}");
    }
}

/// What a service is made of.
struct Plan {
    hooks: Vec<u64>,
    workers: Vec<u64>,
    jobs: u64,
    connections: Vec<u64>,
}

impl Plan {
    fn draw(sim: &Sim) -> Self {
        let kinds =
            |what, kind, most| (0..sim.choose(what, most)).map(move |_| sim.choose(kind, 4));
        Self {
            hooks: kinds("hooks", "hook", 4).collect(),
            workers: kinds("workers", "worker", 8).collect(),
            jobs: sim.choose("jobs", 3),
            connections: kinds("connections", "connection", 8).collect(),
        }
    }

    /// Those that live when the shutdown begins, whenever that is.
    fn names(&self) -> Vec<String> {
        let hooks = (0..self.hooks.len()).map(|n| format!("hook {n}"));
        let workers = (0..self.workers.len()).map(|n| format!("worker {n}"));
        hooks.chain(workers).collect()
    }
}

async fn start(ev: &EventLoop, plan: Plan) -> io::Result<()> {
    let Plan {
        hooks,
        workers,
        jobs,
        connections,
    } = plan;
    for (n, kind) in hooks.into_iter().enumerate() {
        ev.on_shutdown(format!("hook {n}"), move || act(kind))
            .expect("it is early enough");
    }
    for (n, kind) in workers.into_iter().enumerate() {
        spawn_named(&format!("worker {n}"), async move {
            cancelled().await;
            act(kind).await;
        })
        .detach();
    }
    for _ in 0..jobs {
        ev.run_blocking(|| event_loop::block_for(10 * MS)).detach();
    }
    let listener = TcpListener::bind("0.0.0.0:80").await?;
    spawn_named("accepts", async move {
        let mut kinds = connections.into_iter().cycle();
        while let Ok((stream, _)) = listener.accept().await {
            let kind = kinds.next().unwrap_or(0);
            spawn_named("connection", answer(stream, kind)).detach();
        }
    })
    .detach();
    Ok(())
}

/// Obeys at once, takes its time, takes too long, or never ends.
async fn act(kind: u64) {
    match kind {
        0 => {}
        1 => sleep(15 * MS).await,
        2 => sleep(Duration::from_secs(3_600)).await,
        _ => pending().await,
    }
}

async fn answer(mut stream: TcpStream, kind: u64) {
    let mut request = [0; 7];
    if stream.read_exact(&mut request).await.is_ok() {
        act(kind).await;
        let _ = stream.write_all(b"answer!").await;
    }
}

async fn ask() -> io::Result<[u8; 7]> {
    let mut stream = TcpStream::connect("svc:80").await?;
    stream.write_all(b"request").await?;
    let mut answer = [0; 7];
    stream.read_exact(&mut answer).await?;
    Ok(answer)
}
