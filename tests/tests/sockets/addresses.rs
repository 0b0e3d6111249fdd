//! TCP: the addresses of both ends, and who may have which port.

use std::collections::BTreeSet;
use std::io;
use std::net::SocketAddr;

use event_loop::net::{TcpListener, TcpStream};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::case::Reach::{Anywhere, Loopback};
use crate::case::cases;
use crate::stage::Stage;

cases! {
    T9 {
        both_ends_know_both_addresses: Anywhere,
        a_listener_on_every_address_accepts_on_one: Anywhere,
        halves_know_both_addresses: Anywhere,
        a_peer_is_known_until_both_have_ended: Anywhere,
        a_peer_is_unknown_after_a_reset: Anywhere,
    }
    T10 {
        two_listeners_on_one_address_are_one_too_many: Anywhere,
        a_listener_on_every_address_takes_each_of_them: Anywhere,
        a_listener_on_one_address_takes_it_from_every: Anywhere,
        two_addresses_have_ports_of_their_own: Loopback,
        both_families_have_ports_of_their_own: Loopback,
        every_address_of_ipv6_takes_those_of_ipv4: Anywhere,
        a_listener_needs_an_address_of_its_host: Anywhere,
        port_0_is_a_free_port: Anywhere,
        a_port_is_free_when_its_listener_is_gone: Anywhere,
        a_port_of_open_connections_takes_a_listener: Anywhere,
        a_port_of_connections_in_time_wait_takes_a_listener: Anywhere,
        connects_have_ports_of_their_own: Anywhere,
    }
    T11 {
        a_listener_of_ipv6_accepts_ipv4: Anywhere,
        a_connect_to_a_mapped_address_is_one_to_ipv4: Anywhere,
        a_listener_of_ipv4_is_not_there_for_ipv6: Loopback,
        a_connect_to_every_address_is_one_to_the_loopback: Loopback,
        a_connect_to_every_address_of_ipv6_is_one_to_the_loopback: Loopback,
    }
}

async fn both_ends_know_both_addresses(stage: Stage) -> io::Result<()> {
    let (listener, address) = stage.listen().await?;
    let client = stage.connect(address).await?;
    let (server, peer) = listener.accept().await?;
    let ours = client.local_addr()?;
    stage.note(
        "the client is where it says",
        ours.ip() == stage.client.at(0).ip(),
    );
    stage.note(
        "the client knows the server",
        client.peer_addr()? == address,
    );
    stage.note(
        "the server is the listener",
        server.local_addr()? == address,
    );
    stage.note(
        "the server knows the client",
        server.peer_addr()? == ours && peer == ours,
    );
    Ok(())
}

async fn a_listener_on_every_address_accepts_on_one(stage: Stage) -> io::Result<()> {
    let listener = TcpListener::bind("0.0.0.0:0").await?;
    let everywhere = listener.local_addr()?;
    stage.note("the listener's", everywhere.ip().to_string());
    let address = stage.server.at(everywhere.port());
    let _client = stage.connect(address).await?;
    let (server, _) = listener.accept().await?;
    stage.note(
        "the stream's is the one asked for",
        server.local_addr()? == address,
    );
    Ok(())
}

async fn halves_know_both_addresses(stage: Stage) -> io::Result<()> {
    let (client, _server) = stage.pair().await?;
    let whole = (client.local_addr()?, client.peer_addr()?);
    let (reader, writer) = client.into_split();
    stage.note(
        "reader",
        (reader.local_addr()?, reader.peer_addr()?) == whole,
    );
    stage.note(
        "writer",
        (writer.local_addr()?, writer.peer_addr()?) == whole,
    );
    Ok(())
}

async fn a_peer_is_known_until_both_have_ended(stage: Stage) -> io::Result<()> {
    let (mut client, mut server) = stage.pair().await?;
    let (local, peer) = (client.local_addr()?, client.peer_addr()?);
    client.shutdown().await?;
    stage.note(
        "one has ended",
        client.peer_addr().map(|known| known == peer),
    );
    server.shutdown().await?;
    stage.note("read", client.read(&mut [0]).await);
    stage.settle().await;
    stage.note("both have", client.peer_addr().map(|known| known == peer));
    stage.note(
        "the own is known",
        client.local_addr().map(|known| known == local),
    );
    Ok(())
}

async fn a_peer_is_unknown_after_a_reset(stage: Stage) -> io::Result<()> {
    let (client, server) = stage.pair().await?;
    let local = client.local_addr()?;
    server.set_zero_linger()?;
    drop(server);
    stage.settle().await;
    stage.note("the peer's", client.peer_addr().map(|_| "known"));
    stage.note(
        "the own is known",
        client.local_addr().map(|known| known == local),
    );
    Ok(())
}

async fn two_listeners_on_one_address_are_one_too_many(stage: Stage) -> io::Result<()> {
    let (_listener, address) = stage.listen().await?;
    stage.note("bind", TcpListener::bind(address).await);
    Ok(())
}

async fn a_listener_on_every_address_takes_each_of_them(stage: Stage) -> io::Result<()> {
    let listener = TcpListener::bind("0.0.0.0:0").await?;
    let port = listener.local_addr()?.port();
    stage.note("bind one", TcpListener::bind(stage.server.at(port)).await);
    stage.note(
        "bind the loopback",
        TcpListener::bind(("127.0.0.1", port)).await,
    );
    Ok(())
}

async fn a_listener_on_one_address_takes_it_from_every(stage: Stage) -> io::Result<()> {
    let (_listener, address) = stage.listen().await?;
    stage.note(
        "bind all",
        TcpListener::bind(("0.0.0.0", address.port())).await,
    );
    Ok(())
}

async fn two_addresses_have_ports_of_their_own(stage: Stage) -> io::Result<()> {
    let (listener, address) = stage.listen().await?;
    let other = TcpListener::bind(("127.0.0.2", address.port())).await?;
    stage.note("bind the other", &other);
    let _client = stage.connect(other.local_addr()?).await?;
    let (server, _) = other.accept().await?;
    stage.note("accept there", server.local_addr()?.ip().to_string());
    let accept = std::pin::pin!(async { listener.accept().await.map(|(stream, _)| stream) });
    stage.note_waiting("accept here", accept).await;
    Ok(())
}

async fn both_families_have_ports_of_their_own(stage: Stage) -> io::Result<()> {
    let (_listener, address) = stage.listen().await?;
    stage.note("bind", TcpListener::bind(("::1", address.port())).await);
    Ok(())
}

async fn every_address_of_ipv6_takes_those_of_ipv4(stage: Stage) -> io::Result<()> {
    let listener = TcpListener::bind("[::]:0").await?;
    let port = listener.local_addr()?.port();
    stage.note("the listener's", listener.local_addr()?.ip().to_string());
    stage.note(
        "bind all of IPv4",
        TcpListener::bind(("0.0.0.0", port)).await,
    );
    stage.note(
        "bind one of IPv4",
        TcpListener::bind(stage.server.at(port)).await,
    );
    Ok(())
}

async fn a_listener_needs_an_address_of_its_host(stage: Stage) -> io::Result<()> {
    // An address for documentation, RFC 5737.
    stage.note("bind", TcpListener::bind("192.0.2.1:0").await);
    Ok(())
}

async fn port_0_is_a_free_port(stage: Stage) -> io::Result<()> {
    let mut listeners = vec![];
    let mut ports = BTreeSet::new();
    for _ in 0..20 {
        let (listener, address) = stage.listen().await?;
        listeners.push(listener);
        ports.insert(address.port());
    }
    stage.note("different ports", ports.len());
    stage.note("0 is one", ports.contains(&0));
    Ok(())
}

async fn a_port_is_free_when_its_listener_is_gone(stage: Stage) -> io::Result<()> {
    let (listener, address) = stage.listen().await?;
    drop(listener);
    stage.note("bind", TcpListener::bind(address).await);
    Ok(())
}

async fn a_port_of_open_connections_takes_a_listener(stage: Stage) -> io::Result<()> {
    let (listener, address) = stage.listen().await?;
    let _client = stage.connect(address).await?;
    let (_server, _) = listener.accept().await?;
    drop(listener);
    stage.note("bind", TcpListener::bind(address).await);
    Ok(())
}

async fn a_port_of_connections_in_time_wait_takes_a_listener(stage: Stage) -> io::Result<()> {
    let (listener, address) = stage.listen().await?;
    let mut client = stage.connect(address).await?;
    let (mut server, _) = listener.accept().await?;
    // Who ends first has the TIME_WAIT.
    server.shutdown().await?;
    assert_eq!(client.read(&mut [0]).await?, 0);
    drop(client);
    assert_eq!(server.read(&mut [0]).await?, 0);
    drop((server, listener));
    stage.settle().await;
    stage.note("bind", TcpListener::bind(address).await);
    Ok(())
}

async fn connects_have_ports_of_their_own(stage: Stage) -> io::Result<()> {
    let (listener, address) = stage.listen().await?;
    let mut streams = vec![];
    let mut ports = BTreeSet::new();
    for _ in 0..20 {
        let client = stage.connect(address).await?;
        ports.insert(client.local_addr()?.port());
        streams.push((client, listener.accept().await?));
    }
    stage.note("different ports", ports.len());
    Ok(())
}

async fn a_listener_of_ipv6_accepts_ipv4(stage: Stage) -> io::Result<()> {
    let listener = TcpListener::bind("[::]:0").await?;
    let port = listener.local_addr()?.port();
    let client = stage.connect(stage.server.at(port)).await?;
    let (server, peer) = listener.accept().await?;
    stage.note("the client is of IPv4", client.local_addr()?.is_ipv4());
    let ours = mapped(client.local_addr()?);
    stage.note(
        "the server sees it mapped",
        peer == ours && server.peer_addr()? == ours,
    );
    let asked = mapped(client.peer_addr()?);
    stage.note("and itself", server.local_addr()? == asked);
    Ok(())
}

async fn a_connect_to_a_mapped_address_is_one_to_ipv4(stage: Stage) -> io::Result<()> {
    let (listener, address) = stage.listen().await?;
    let client = stage.connect(mapped(address)).await?;
    let (server, peer) = listener.accept().await?;
    stage.note(
        "the listener sees IPv4",
        peer.is_ipv4() && server.local_addr()?.is_ipv4(),
    );
    stage.note(
        "the client sees it mapped",
        client.peer_addr()? == mapped(address),
    );
    stage.note("and itself", client.local_addr()? == mapped(peer));
    Ok(())
}

async fn a_listener_of_ipv4_is_not_there_for_ipv6(stage: Stage) -> io::Result<()> {
    let (_listener, address) = stage.listen().await?;
    stage.note("connect", TcpStream::connect(("::1", address.port())).await);
    Ok(())
}

async fn a_connect_to_every_address_is_one_to_the_loopback(stage: Stage) -> io::Result<()> {
    let (_listener, address) = stage.listen().await?;
    let client = TcpStream::connect(("0.0.0.0", address.port())).await?;
    stage.note("the peer's", client.peer_addr()?.ip().to_string());
    stage.note("the own", client.local_addr()?.ip().to_string());
    Ok(())
}

async fn a_connect_to_every_address_of_ipv6_is_one_to_the_loopback(stage: Stage) -> io::Result<()> {
    let listener = TcpListener::bind("[::1]:0").await?;
    let port = listener.local_addr()?.port();
    let client = TcpStream::connect(("::", port)).await?;
    stage.note("the peer's", client.peer_addr()?.ip().to_string());
    stage.note("the own", client.local_addr()?.ip().to_string());
    Ok(())
}

/// As IPv6 speaks of an IPv4 address.
fn mapped(address: SocketAddr) -> SocketAddr {
    let ip = match address {
        SocketAddr::V4(v4) => v4.ip().to_ipv6_mapped(),
        SocketAddr::V6(v6) => *v6.ip(),
    };
    (ip, address.port()).into()
}
