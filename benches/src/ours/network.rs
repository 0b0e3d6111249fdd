//! Our network between two hosts of a world.

use std::future::Future;
use std::io::ErrorKind;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use event_loop::net::{TcpListener, TcpStream, UdpSocket};
use event_loop::time::sleep;

use super::Ours;
use crate::work::{Datagrams, Executor, Link, Network, Streams};

/// The second host of a world, after the test's own.
const SERVER: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(10, 0, 0, 2)), 80);
const ANY: IpAddr = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
const WELL: &str = "the network is well";

/// Room for a burst that arrives at one moment; Linux's default has it for 277 datagrams.
const BURST: usize = 64 * 1024 * 1024;

impl Network for Ours {
    fn run_pair<S, C>(&self, link: Link, server: S, client: C)
    where
        S: Future<Output = ()> + Send + 'static,
        C: Future<Output = ()> + Send + 'static,
    {
        self.with_links(link).run(0, |world| async move {
            let servers = world.host("server");
            assert_eq!(servers.ip(), SERVER.ip(), "hosts are numbered as they come");
            servers.spawn(server).detach();
            let client = world.host("client").spawn(client).await;
            client.expect("the client comes to its end");
        });
    }
}

impl Streams for Ours {
    type Listener = TcpListener;
    type Stream = TcpStream;

    async fn listen() -> TcpListener {
        TcpListener::bind((ANY, SERVER.port())).await.expect(WELL)
    }

    async fn accept(listener: &mut TcpListener) -> TcpStream {
        listener.accept().await.expect(WELL).0
    }

    async fn connect() -> TcpStream {
        connect(SERVER).await
    }
}

impl Datagrams for Ours {
    type Socket = UdpSocket;

    async fn serve() -> UdpSocket {
        let socket = UdpSocket::bind((ANY, SERVER.port())).await.expect(WELL);
        socket.set_recv_buffer_size(BURST).expect(WELL);
        socket
    }

    async fn open() -> (UdpSocket, SocketAddr) {
        (UdpSocket::bind((ANY, 0)).await.expect(WELL), SERVER)
    }

    async fn send(socket: &UdpSocket, bytes: &[u8], to: SocketAddr) {
        socket.send_to(bytes, to).await.expect(WELL);
    }

    async fn receive(socket: &UdpSocket, into: &mut [u8]) -> (usize, SocketAddr) {
        socket.recv_from(into).await.expect(WELL)
    }
}

/// A connection to a server that may not listen yet: a seeded run may begin with the client.
pub(super) async fn connect(server: SocketAddr) -> TcpStream {
    loop {
        match TcpStream::connect(server).await {
            Err(error) if error.kind() == ErrorKind::ConnectionRefused => {
                sleep(Duration::from_millis(1)).await;
            }
            stream => return stream.expect(WELL),
        }
    }
}
