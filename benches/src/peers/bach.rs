//! bach 0.2: virtual time in nanoseconds, first come first served.

use std::future::Future;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use bach::environment::default::Runtime;
use bach::environment::net::queue::Fixed;
use bach::ext::*;
use bach::net::UdpSocket;
use bach::{task, time};

use super::{PORT, SERVER, WELL};
use crate::work::{Clocked, Datagrams, Executor, Link, Network};

/// bach's default environment.
#[derive(Clone, Copy, Debug)]
pub struct Bach;

impl Executor for Bach {
    type World = ();
    type Handle<T: Send + 'static> = task::JoinHandle<T>;

    fn run<T, F, Fut>(&self, _seed: u64, main: F) -> T
    where
        T: Send + 'static,
        F: FnOnce(Self::World) -> Fut + Send + 'static,
        Fut: Future<Output = T> + 'static,
    {
        Runtime::new().block_on(main(()))
    }

    fn spawn<F>(future: F) -> Self::Handle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        task::spawn(future)
    }

    async fn join<T: Send + 'static>(handle: Self::Handle<T>) -> T {
        handle
            .await
            .expect("the task neither panics nor is aborted")
    }
}

impl Clocked for Bach {
    fn sleep(duration: Duration) -> impl Future<Output = ()> + Send {
        time::sleep(duration)
    }

    async fn timeout<F: Future + Send>(limit: Duration, future: F) -> bool {
        time::timeout(limit, future).await.is_ok()
    }

    fn host<F>(_world: &Self::World, _name: String, future: F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        task::spawn(future);
    }
}

impl Network for Bach {
    fn run_pair<S, C>(&self, link: Link, server: S, client: C)
    where
        S: Future<Output = ()> + Send + 'static,
        C: Future<Output = ()> + Send + 'static,
    {
        // The defaults drop what exceeds 4,096 before it leaves and where it arrives.
        let mut queues = Fixed::default()
            .with_tx_packet_limit(None)
            .with_rx_packet_limit(None);
        if let Some((least, _)) = link.latency() {
            queues = queues.with_net_latency(least);
        }
        let mut runtime = Runtime::new().with_net_queues(Some(Box::new(queues)));
        runtime.run(|| {
            server.group(SERVER).spawn();
            client.group("client").primary().spawn();
        });
    }
}

impl Datagrams for Bach {
    type Socket = UdpSocket;

    async fn serve() -> UdpSocket {
        let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, PORT)).await;
        socket.expect(WELL)
    }

    async fn open() -> (UdpSocket, SocketAddr) {
        let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).await;
        let mut server = bach::net::lookup_host((SERVER, PORT)).await.expect(WELL);
        let server = server.next().expect("the server has an address");
        (socket.expect(WELL), server)
    }

    async fn send(socket: &UdpSocket, bytes: &[u8], to: SocketAddr) {
        socket.send_to(bytes, to).await.expect(WELL);
    }

    async fn receive(socket: &UdpSocket, into: &mut [u8]) -> (usize, SocketAddr) {
        socket.recv_from(into).await.expect(WELL)
    }
}
