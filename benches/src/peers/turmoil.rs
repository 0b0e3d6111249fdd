//! turmoil 0.7: hosts stepped one after the other, a millisecond at a time.

use std::future::Future;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Mutex;
use std::time::Duration;

use turmoil::Builder;
use turmoil::net::{TcpListener, TcpStream, UdpSocket};

use super::{PORT, SERVER, WELL};
use crate::work::{Datagrams, Link, Network, Streams};

/// turmoil with its default tick.
#[derive(Clone, Copy, Debug)]
pub struct Turmoil;

impl Network for Turmoil {
    fn run_pair<S, C>(&self, link: Link, server: S, client: C)
    where
        S: Future<Output = ()> + Send + 'static,
        C: Future<Output = ()> + Send + 'static,
    {
        let mut builder = Builder::new();
        builder.rng_seed(1).simulation_duration(Duration::MAX);
        // The default drops what exceeds 64.
        builder.udp_capacity(1 << 16);
        if let Some((least, most)) = link.latency() {
            builder.min_message_latency(least).max_message_latency(most);
        }
        let mut sim = builder.build();
        // A host can be started again, and these never are.
        let server = Mutex::new(Some(server));
        sim.host(SERVER, move || {
            let server = server.lock().expect("nobody panics").take();
            async move {
                server.expect("hosts are started once").await;
                Ok(())
            }
        });
        sim.client("client", async move {
            client.await;
            Ok(())
        });
        sim.run().expect("the client comes to its end");
    }
}

impl Streams for Turmoil {
    type Listener = TcpListener;
    type Stream = TcpStream;

    async fn listen() -> TcpListener {
        let listener = TcpListener::bind((Ipv4Addr::UNSPECIFIED, PORT)).await;
        listener.expect(WELL)
    }

    async fn accept(listener: &mut TcpListener) -> TcpStream {
        listener.accept().await.expect(WELL).0
    }

    async fn connect() -> TcpStream {
        TcpStream::connect((SERVER, PORT)).await.expect(WELL)
    }
}

impl Datagrams for Turmoil {
    type Socket = UdpSocket;

    async fn serve() -> UdpSocket {
        let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, PORT)).await;
        socket.expect(WELL)
    }

    async fn open() -> (UdpSocket, SocketAddr) {
        let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).await;
        let server = SocketAddr::new(turmoil::lookup(SERVER), PORT);
        (socket.expect(WELL), server)
    }

    async fn send(socket: &UdpSocket, bytes: &[u8], to: SocketAddr) {
        socket.send_to(bytes, to).await.expect(WELL);
    }

    async fn receive(socket: &UdpSocket, into: &mut [u8]) -> (usize, SocketAddr) {
        socket.recv_from(into).await.expect(WELL)
    }
}
