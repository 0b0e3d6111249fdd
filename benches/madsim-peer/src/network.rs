//! madsim's network: a least latency of a nanosecond where none is asked for.

use std::future::Future;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use madsim::Config;
use madsim::net::{TcpListener, TcpStream, UdpSocket};
use madsim::runtime::Runtime;

use crate::Madsim;
use crate::work::{Datagrams, Link, Network, Streams};

const SERVER: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1)), 80);
const CLIENT: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 2));
const WELL: &str = "the network is well";

impl Network for Madsim {
    fn run_pair<S, C>(&self, link: Link, server: S, client: C)
    where
        S: Future<Output = ()> + Send + 'static,
        C: Future<Output = ()> + Send + 'static,
    {
        let mut config = Config::default();
        if let Some((least, most)) = link.latency() {
            config.net.send_latency = least..most + Duration::from_nanos(1);
        }
        let runtime = Runtime::with_seed_and_config(0, config);
        let host = |ip| runtime.create_node().ip(ip).build();
        let (servers, clients) = (host(SERVER.ip()), host(CLIENT));
        runtime.block_on(async move {
            servers.spawn(server);
            clients
                .spawn(client)
                .await
                .expect("the client comes to its end");
        });
    }
}

impl Streams for Madsim {
    type Listener = TcpListener;
    type Stream = TcpStream;

    async fn listen() -> TcpListener {
        TcpListener::bind(SERVER).await.expect(WELL)
    }

    async fn accept(listener: &mut TcpListener) -> TcpStream {
        listener.accept().await.expect(WELL).0
    }

    async fn connect() -> TcpStream {
        loop {
            // Its order is random: the server may not listen yet.
            match TcpStream::connect(SERVER).await {
                Ok(stream) => return stream,
                Err(_) => madsim::time::sleep(Duration::from_millis(1)).await,
            }
        }
    }
}

impl Datagrams for Madsim {
    type Socket = UdpSocket;

    async fn serve() -> UdpSocket {
        UdpSocket::bind(SERVER).await.expect(WELL)
    }

    async fn open() -> (UdpSocket, SocketAddr) {
        // Until the server's socket is there: what came before would be lost.
        madsim::time::sleep(Duration::from_millis(1)).await;
        let socket = UdpSocket::bind((CLIENT, 0)).await;
        (socket.expect(WELL), SERVER)
    }

    async fn send(socket: &UdpSocket, bytes: &[u8], to: SocketAddr) {
        socket.send_to(to, bytes).await.expect(WELL);
    }

    async fn receive(socket: &UdpSocket, into: &mut [u8]) -> (usize, SocketAddr) {
        socket.recv_from(into).await.expect(WELL)
    }
}
