//! A small cluster: a server, clients that think, hash maps, random numbers and clocks; beside it jobs
//! and threads that wait for each other, and a process that is told to end, killed and started again.

#![expect(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "what the machine decides elsewhere is what the seed has to decide here"
)]

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, SystemTime};

use event_loop::net::{TcpListener, TcpStream};
use event_loop::time::sleep;
use event_loop::{EventLoop, Signal, run_blocking};
use rand::RngExt;
use sim::{Config, ExitStatus, Sim};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// The workload's world: links of 1 to 10 ms.
pub fn config() -> Config {
    Config::new().latency(Duration::from_millis(1)..=Duration::from_millis(10))
}

/// Three clients ask a server ten times each, with think time. Everything that a process decides
/// by itself goes into what is sent and waited: the order of a `HashMap`, random numbers, the wall
/// clock. Returns a number made of all of it.
pub async fn cluster(sim: Sim) -> u64 {
    let server = sim.host("server").run(|_| serve(3));
    let clients: Vec<_> = (0..3_u64)
        .map(|client| {
            sim.host(&format!("client-{client}"))
                .run(move |_| ask(client))
        })
        .collect();
    let toil = sim.host("toiler").run(|_| toil());
    let lives = outlive(&sim).await;
    let mut sum = mix(lives, toil.await.expect("the jobs end"));
    for client in clients {
        sum = mix(sum, client.await.expect("a client finishes"));
    }
    server.await.expect("the server finishes");
    sum
}

/// Four jobs, each with two threads of its own, note who comes when: their locks and sleeps decide.
async fn toil() -> u64 {
    let notes: Arc<Mutex<u64>> = Arc::default();
    let jobs: Vec<_> = (0..4_u64)
        .map(|job| {
            let notes = notes.clone();
            let note = move |who: u64| {
                let pause = Duration::from_micros(rand::rng().random_range(0..300));
                thread::sleep(pause);
                let mut sum = notes.lock().expect("nobody panics");
                // Who holds it sleeps, so that others wait for it.
                thread::sleep(pause);
                *sum = mix(*sum, who);
            };
            run_blocking(move || {
                thread::scope(|scope| {
                    for half in 0..2 {
                        let note = &note;
                        scope.spawn(move || note(job * 2 + half));
                    }
                });
            })
        })
        .collect();
    for job in jobs {
        job.await.expect("a job ends");
    }
    *notes.lock().expect("nobody panics")
}

/// A process that takes TERM for a reason to end, or is killed before; it lives three times.
async fn outlive(sim: &Sim) -> u64 {
    async fn wait_for_term(ev: EventLoop) -> ExitStatus {
        let mut term = ev.signal(Signal::Term).expect("TERM can be listened to");
        sleep(Duration::from_millis(3)).await;
        term.recv().await;
        ExitStatus::SUCCESS
    }
    let worker = sim.host("worker").start(wait_for_term);
    let mut sum = 0;
    for life in 0..3 {
        if life > 0 {
            worker.restart();
        }
        let told = worker.clone();
        let range = Duration::ZERO..Duration::from_millis(6);
        sim.at(sim.any_instant("term", range), move || {
            let _ = told.try_signal(Signal::Term);
        });
        worker.kill_after(Duration::from_millis(5));
        let status = worker.wait().await;
        let code = status.returncode().expect("nobody cuts its power");
        sum = mix(sum, code as u64);
        sum = mix(sum, sim.now().as_nanos());
        // What is still planned for this life is not for the next.
        sleep(Duration::from_millis(10)).await;
    }
    sum
}

async fn serve(clients: usize) {
    let listener = TcpListener::bind("0.0.0.0:7")
        .await
        .expect("the port is free");
    let mut connections = Vec::new();
    for _ in 0..clients {
        let (mut stream, _) = listener.accept().await.expect("accept works");
        connections.push(event_loop::spawn(async move {
            let mut request = [0; 8];
            while stream.read_exact(&mut request).await.is_ok() {
                let answer = mix(u64::from_le_bytes(request), 1);
                stream
                    .write_all(&answer.to_le_bytes())
                    .await
                    .expect("the client listens");
            }
        }));
    }
    for connection in connections {
        connection.await.expect("a connection ends by itself");
    }
}

async fn ask(client: u64) -> u64 {
    // The server may not have come as far as its `bind`.
    let mut stream = loop {
        match TcpStream::connect("server:7").await {
            Ok(stream) => break stream,
            Err(_) => sleep(Duration::from_millis(5)).await,
        }
    };
    let ages: HashMap<u64, u64> = (0..100).map(|key| (key, key * client)).collect();
    let mut sum = ages
        .iter()
        .fold(client, |sum, (key, age)| mix(mix(sum, *key), *age));
    for _ in 0..10 {
        let think = Duration::from_micros(rand::rng().random_range(0..20_000));
        sleep(think).await;
        let now = SystemTime::now()
            .duration_since(SystemTime::UNIX_EPOCH)
            .expect("after 1970");
        stream
            .write_all(&mix(sum, now.as_nanos() as u64).to_le_bytes())
            .await
            .expect("sent");
        let mut answer = [0; 8];
        stream.read_exact(&mut answer).await.expect("answered");
        sum = mix(sum, u64::from_le_bytes(answer));
    }
    sum
}

fn mix(sum: u64, word: u64) -> u64 {
    (sum ^ word)
        .wrapping_mul(0x9e37_79b9_7f4a_7c15)
        .rotate_left(29)
}
