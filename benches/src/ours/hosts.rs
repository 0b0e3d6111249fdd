//! What many hosts cost: nothing while they idle, and no message more for it.

use std::time::Duration;

use event_loop::net::TcpListener;
use event_loop::time::sleep;
use sim::{Host, Sim};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::{Ours, network};
use crate::work::{Executor, Link, Work, cpu};

const TRIPS: u32 = 100_000;
const MESSAGE: usize = 64;
const PORT: u16 = 80;

impl Ours {
    /// Does a work on many hosts, and gives its figure in the work's unit.
    pub fn measure_hosts(&self, work: Work) -> Option<f64> {
        match work {
            Work::IdleMesh(hosts) => Some(self.idle_mesh(hosts)),
            Work::EchoInPairs(hosts) => Some(self.echo_in_pairs(hosts)),
            _ => None,
        }
    }

    /// CPU microseconds of an hour in which hosts do nothing, a link of its own from each to
    /// each other.
    fn idle_mesh(&self, hosts: u32) -> f64 {
        self.run(0, move |world| async move {
            let hosts = named(&world, hosts);
            for (index, host) in hosts.iter().enumerate().skip(1) {
                let ms = Duration::from_millis(index as u64 % 10);
                world.link(host, &hosts[..index]).latency(ms..=ms * 2);
            }
            // A first one, for what is set up when a loop first sleeps.
            sleep(Duration::from_secs(1)).await;
            let before = cpu::now();
            sleep(Duration::from_secs(3_600)).await;
            (cpu::now() - before).as_secs_f64() * 1e6
        })
    }

    /// Million trips of 64 bytes and back a second, all hosts talking in pairs.
    fn echo_in_pairs(&self, hosts: u32) -> f64 {
        let pairs = hosts / 2;
        let time = cpu::time_of(|| {
            self.with_links(Link::Millisecond)
                .run(0, move |world| async move {
                    let hosts = named(&world, 2 * pairs);
                    let mut clients = Vec::new();
                    for pair in hosts.chunks_exact(2) {
                        pair[0].spawn(answer()).detach();
                        let server = (pair[0].ip(), PORT).into();
                        let client = async move {
                            let mut stream = network::connect(server).await;
                            let mut message = [0; MESSAGE];
                            for _ in 0..TRIPS / pairs {
                                stream.write_all(&message).await?;
                                stream.read_exact(&mut message).await?;
                            }
                            std::io::Result::Ok(())
                        };
                        clients.push(pair[1].spawn(client));
                    }
                    for client in clients {
                        let outcome = client.await.expect("nobody panics");
                        outcome.expect("the network is well");
                    }
                });
        });
        f64::from(TRIPS) / 1e6 / time.as_secs_f64()
    }
}

fn named(world: &Sim, hosts: u32) -> Vec<Host> {
    let hosts = 0..hosts;
    hosts.map(|n| world.host(&format!("host-{n}"))).collect()
}

async fn answer() {
    let listener = TcpListener::bind(("0.0.0.0", PORT)).await;
    let accepted = listener.expect("the port is free").accept().await;
    let (mut stream, _) = accepted.expect("somebody connects");
    let mut message = [0; MESSAGE];
    while stream.read_exact(&mut message).await.is_ok() {
        let written = stream.write_all(&message).await;
        written.expect("the client waits for it");
    }
}
