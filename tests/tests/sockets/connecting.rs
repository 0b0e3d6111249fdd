//! TCP: connects, listeners, and the connections that wait to be accepted.

use std::collections::BTreeSet;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;

use event_loop::net::{TcpListener, TcpStream, UdpSocket};
use event_loop::spawn;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::case::Reach::{Anywhere, Loopback, Worlds};
use crate::case::cases;
use crate::stage::Stage;

cases! {
    T1 {
        a_connect_to_a_listener_is_accepted: Anywhere,
        a_connect_where_nobody_listens_is_refused: Anywhere,
        a_connect_where_somebody_has_listened_is_refused: Anywhere,
        a_connect_is_there_before_anybody_accepts: Anywhere,
        addresses_are_tried_in_turn: Anywhere,
        no_address_at_all_is_refused: Loopback,
        a_connect_goes_by_ipv6_as_well: Loopback,
        a_connect_to_an_address_that_nobody_has_fails: Worlds("know who is on its network"),
    }
    T2 {
        connections_are_accepted_in_the_order_they_came: Anywhere,
        each_connection_goes_to_one_of_many_who_accept: Anywhere,
        an_accept_waits_for_a_connect: Anywhere,
        a_connection_that_was_closed_is_accepted_all_the_same: Anywhere,
        a_connection_that_was_reset_is_accepted_all_the_same: Anywhere,
        a_listener_that_goes_resets_who_waits_in_it: Anywhere,
        a_listener_that_goes_leaves_what_it_accepted: Anywhere,
    }
}

async fn a_connect_to_a_listener_is_accepted(stage: Stage) -> io::Result<()> {
    let (listener, address) = stage.listen().await?;
    let client = stage.connect(address).await;
    let accepted = listener.accept().await;
    stage.note("connect", &client);
    stage.note("accept", accepted.as_ref().map(|(stream, _)| stream));
    assert_eq!(client?.local_addr()?, accepted?.1);
    Ok(())
}

async fn a_connect_where_nobody_listens_is_refused(stage: Stage) -> io::Result<()> {
    // Nobody listens on the port of `tcpmux`.
    stage.note("connect", stage.connect(stage.server.at(1)).await);
    Ok(())
}

async fn a_connect_where_somebody_has_listened_is_refused(stage: Stage) -> io::Result<()> {
    let (listener, address) = stage.listen().await?;
    drop(stage.connect(address).await?);
    drop(listener);
    stage.settle().await;
    stage.note("connect", stage.connect(address).await);
    Ok(())
}

async fn a_connect_is_there_before_anybody_accepts(stage: Stage) -> io::Result<()> {
    let (listener, address) = stage.listen().await?;
    let mut client = stage.connect(address).await?;
    stage.note("write", client.write_all(b"early").await);
    client.shutdown().await?;
    let (mut server, _) = listener.accept().await?;
    let mut heard = vec![];
    server.read_to_end(&mut heard).await?;
    stage.note("the server hears", heard);
    Ok(())
}

async fn addresses_are_tried_in_turn(stage: Stage) -> io::Result<()> {
    let (listener, address) = stage.listen().await?;
    let (gone, nobody) = stage.listen().await?;
    drop(gone);
    let connected = stage.client.run(async move {
        let addresses = [nobody, address];
        TcpStream::connect(&addresses[..]).await
    });
    let connected = connected.await?;
    stage.note("to the second", connected.peer_addr()? == address);
    let (_, peer) = listener.accept().await?;
    stage.note("accepted", peer == connected.local_addr()?);
    let sockets = UdpSocket::bind(&[address, stage.server.at(0)][..]).await;
    stage.note("UDP", sockets.map(drop));
    Ok(())
}

async fn no_address_at_all_is_refused(stage: Stage) -> io::Result<()> {
    let none: &[SocketAddr] = &[];
    stage.note("connect", TcpStream::connect(none).await);
    stage.note("listen", TcpListener::bind(none).await);
    stage.note("UDP", UdpSocket::bind(none).await.map(drop));
    let socket = UdpSocket::bind("127.0.0.1:0").await?;
    stage.note("UDP connect", socket.connect(none).await);
    stage.note("UDP send", socket.send_to(b"x", none).await);
    Ok(())
}

async fn a_connect_goes_by_ipv6_as_well(stage: Stage) -> io::Result<()> {
    let listener = TcpListener::bind("[::1]:0").await?;
    let client = stage.connect(listener.local_addr()?).await?;
    let (server, peer) = listener.accept().await?;
    assert_eq!(client.local_addr()?, peer);
    stage.note("is IPv6", peer.is_ipv6() && server.local_addr()?.is_ipv6());
    Ok(())
}

async fn a_connect_to_an_address_that_nobody_has_fails(stage: Stage) -> io::Result<()> {
    let nobody = ([10, 0, 0, 77], 80).into();
    stage.note("connect", stage.connect(nobody).await);
    Ok(())
}

async fn connections_are_accepted_in_the_order_they_came(stage: Stage) -> io::Result<()> {
    let (listener, address) = stage.listen().await?;
    let mut clients: Vec<TcpStream> = vec![];
    for _ in 0..20 {
        clients.push(stage.connect(address).await?);
        stage.settle().await;
    }
    for client in clients {
        let (_, peer) = listener.accept().await?;
        assert_eq!(client.local_addr()?, peer);
    }
    stage.note("20 accepts", "in order");
    Ok(())
}

async fn each_connection_goes_to_one_of_many_who_accept(stage: Stage) -> io::Result<()> {
    let (listener, address) = stage.listen().await?;
    let listener = Arc::new(listener);
    let acceptors: Vec<_> = (0..5)
        .map(|_| {
            let listener = listener.clone();
            spawn(async move {
                let mut peers = vec![];
                for _ in 0..4 {
                    let (_stream, peer) = listener.accept().await?;
                    peers.push(peer);
                }
                io::Result::Ok(peers)
            })
        })
        .collect();
    let mut clients = vec![];
    for _ in 0..20 {
        clients.push(stage.connect(address).await?);
    }
    let mut peers = BTreeSet::new();
    for acceptor in acceptors {
        peers.extend(acceptor.await.expect("it ends")?);
    }
    let asked: io::Result<BTreeSet<_>> = clients.iter().map(TcpStream::local_addr).collect();
    stage.note("accepted", peers.len());
    stage.note("those who connected", peers == asked?);
    Ok(())
}

async fn an_accept_waits_for_a_connect(stage: Stage) -> io::Result<()> {
    let (listener, address) = stage.listen().await?;
    let mut accept = pin!(async { listener.accept().await.map(|(stream, _)| stream) });
    stage.note_waiting("accept", accept.as_mut()).await;
    let client = stage.connect(address).await;
    stage.note("connect", &client);
    stage.note("accept", accept.await);
    Ok(())
}

async fn a_connection_that_was_closed_is_accepted_all_the_same(stage: Stage) -> io::Result<()> {
    let (listener, address) = stage.listen().await?;
    let mut client = stage.connect(address).await?;
    client.write_all(b"gone").await?;
    drop(client);
    stage.settle().await;
    let (mut server, _) = listener.accept().await?;
    let mut heard = vec![];
    stage.note("read to the end", server.read_to_end(&mut heard).await);
    stage.note("the server hears", heard);
    Ok(())
}

async fn a_connection_that_was_reset_is_accepted_all_the_same(stage: Stage) -> io::Result<()> {
    let (listener, address) = stage.listen().await?;
    let client = stage.connect(address).await?;
    client.set_zero_linger()?;
    drop(client);
    stage.settle().await;
    let (mut server, _) = listener.accept().await?;
    stage.note("read", server.read(&mut [0]).await);
    stage.note("read again", server.read(&mut [0]).await);
    Ok(())
}

async fn a_listener_that_goes_resets_who_waits_in_it(stage: Stage) -> io::Result<()> {
    let (listener, address) = stage.listen().await?;
    let mut client = stage.connect(address).await?;
    stage.settle().await;
    drop(listener);
    stage.note("read", client.read(&mut [0]).await);
    Ok(())
}

async fn a_listener_that_goes_leaves_what_it_accepted(stage: Stage) -> io::Result<()> {
    let listener = TcpListener::bind(stage.server.at(0)).await?;
    let mut client = stage.connect(listener.local_addr()?).await?;
    let (mut server, _) = listener.accept().await?;
    drop(listener);
    server.write_all(b"still here").await?;
    drop(server);
    let mut heard = vec![];
    client.read_to_end(&mut heard).await?;
    stage.note("the client hears", heard);
    Ok(())
}
