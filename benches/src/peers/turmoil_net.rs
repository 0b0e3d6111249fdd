//! turmoil-net 0.1: sockets over packets, in ticks of a millisecond.

use std::future::Future;
use std::net::{Ipv4Addr, SocketAddr};

use turmoil_net::fixture::ClientServer;
use turmoil_net::shim::tokio::net::{TcpListener, TcpStream, UdpSocket};

use super::{PORT, WELL};
use crate::work::{Datagrams, Link, Network, Streams};

const HOST: Ipv4Addr = Ipv4Addr::new(192, 168, 0, 1);

/// turmoil-net's fixture of servers and a client; a link without latency is all it is measured on.
#[derive(Clone, Copy, Debug)]
pub struct TurmoilNet;

impl Network for TurmoilNet {
    fn run_pair<S, C>(&self, link: Link, server: S, client: C)
    where
        S: Future<Output = ()> + Send + 'static,
        C: Future<Output = ()> + Send + 'static,
    {
        assert_eq!(link, Link::Ideal, "turmoil-net's fixture has no latency");
        ClientServer::new()
            .server(HOST, server)
            .run(Ipv4Addr::new(192, 168, 0, 2), client);
    }
}

impl Streams for TurmoilNet {
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
        TcpStream::connect((HOST, PORT)).await.expect(WELL)
    }
}

impl Datagrams for TurmoilNet {
    type Socket = UdpSocket;

    async fn serve() -> UdpSocket {
        let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, PORT)).await;
        socket.expect(WELL)
    }

    async fn open() -> (UdpSocket, SocketAddr) {
        let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).await;
        (socket.expect(WELL), SocketAddr::from((HOST, PORT)))
    }

    async fn send(socket: &UdpSocket, bytes: &[u8], to: SocketAddr) {
        socket.send_to(bytes, to).await.expect(WELL);
    }

    async fn receive(socket: &UdpSocket, into: &mut [u8]) -> (usize, SocketAddr) {
        socket.recv_from(into).await.expect(WELL)
    }
}
