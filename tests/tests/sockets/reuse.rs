//! TCP: who may have a port that is in use, or was a moment ago, and a backlog that is full.

use std::io;
use std::net::SocketAddr;
use std::pin::pin;

use event_loop::net::{TcpListener, TcpSocket, TcpStream};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::case::Reach::Anywhere;
use crate::case::cases;
use crate::stage::Stage;

cases! {
    T2 {
        a_full_backlog_lets_the_next_connect_wait: Anywhere,
        a_full_backlog_of_none_holds_one: Anywhere,
    }
    T15 {
        a_port_that_is_bound_is_taken: Anywhere,
        a_port_is_shared_by_those_who_all_reuse_it: Anywhere,
        a_port_of_open_connections_is_taken: Anywhere,
        a_port_in_time_wait_is_taken: Anywhere,
        the_port_of_who_ended_last_is_free: Anywhere,
        two_connections_cannot_have_the_same_ends: Anywhere,
        one_port_connects_to_two_places: Anywhere,
    }
}

async fn a_full_backlog_lets_the_next_connect_wait(stage: Stage) -> io::Result<()> {
    full_backlog(&stage, 1).await
}

async fn a_full_backlog_of_none_holds_one(stage: Stage) -> io::Result<()> {
    full_backlog(&stage, 0).await
}

/// Fills the backlog, and makes room again.
async fn full_backlog(stage: &Stage, backlog: u32) -> io::Result<()> {
    let socket = socket_at(stage.server.at(0), true)?;
    let listener = socket.listen(backlog)?;
    let address = listener.local_addr()?;
    let mut clients = vec![];
    for _ in 0..=backlog {
        let client = stage.connect(address).await;
        stage.note("connect", &client);
        clients.push(client?);
        stage.settle().await;
    }
    let mut next = pin!(stage.connect(address));
    stage.note_waiting("connect", next.as_mut()).await;
    let _accepted = listener.accept().await?;
    stage.note("connect after an accept", next.await);
    Ok(())
}

async fn a_port_that_is_bound_is_taken(stage: Stage) -> io::Result<()> {
    let one = socket_at(stage.server.at(0), false)?;
    let address = one.local_addr()?;
    stage.note("bind", socket_at(address, false).map(drop));
    stage.note("bind with reuse", socket_at(address, true).map(drop));
    drop(one);
    stage.note("bind later", socket_at(address, false).map(drop));
    Ok(())
}

async fn a_port_is_shared_by_those_who_all_reuse_it(stage: Stage) -> io::Result<()> {
    let one = socket_at(stage.server.at(0), true)?;
    let address = one.local_addr()?;
    let other = socket_at(address, true);
    stage.note("bind with reuse", other.as_ref().map(drop));
    stage.note("bind without", socket_at(address, false).map(drop));
    let listener = one.listen(1);
    stage.note("listen", &listener);
    stage.note("listen too", other?.listen(1));
    stage.note("bind with reuse", socket_at(address, true).map(drop));
    Ok(())
}

async fn a_port_of_open_connections_is_taken(stage: Stage) -> io::Result<()> {
    let (listener, address) = listen(&stage)?;
    let _client = stage.connect(address).await?;
    let (_server, _) = listener.accept().await?;
    drop(listener);
    stage.note("bind", socket_at(address, false).map(drop));
    Ok(())
}

async fn a_port_in_time_wait_is_taken(stage: Stage) -> io::Result<()> {
    let (listener, address) = listen(&stage)?;
    let mut client = stage.connect(address).await?;
    let (mut server, _) = listener.accept().await?;
    drop(listener);
    end(&mut server, &mut client).await?;
    drop((server, client));
    stage.settle().await;
    stage.note("bind", socket_at(address, false).map(drop));
    stage.note("bind with reuse", socket_at(address, true).map(drop));
    Ok(())
}

async fn the_port_of_who_ended_last_is_free(stage: Stage) -> io::Result<()> {
    let (listener, address) = listen(&stage)?;
    let mut client = stage.connect(address).await?;
    let (mut server, _) = listener.accept().await?;
    drop(listener);
    end(&mut client, &mut server).await?;
    drop((server, client));
    stage.settle().await;
    stage.note("bind", socket_at(address, false).map(drop));
    Ok(())
}

async fn two_connections_cannot_have_the_same_ends(stage: Stage) -> io::Result<()> {
    let (_listener, address) = stage.listen().await?;
    let from = stage.client.at(0);
    let connect = async move {
        let one = socket_at(from, true)?;
        let from = one.local_addr()?;
        let other = socket_at(from, true)?;
        let one = one.connect(address).await?;
        io::Result::Ok((one, other.connect(address).await))
    };
    let (_one, other) = stage.client.run(connect).await?;
    stage.note("connect", other);
    Ok(())
}

async fn one_port_connects_to_two_places(stage: Stage) -> io::Result<()> {
    let (_one, first) = stage.listen().await?;
    let (_other, second) = stage.listen().await?;
    let from = stage.client.at(0);
    let connect = async move {
        let one = socket_at(from, true)?;
        let from = one.local_addr()?;
        let other = socket_at(from, true)?;
        let _one = one.connect(first).await?;
        other.connect(second).await
    };
    stage.note("connect", stage.client.run(connect).await);
    Ok(())
}

/// A socket that is bound, with `SO_REUSEADDR` or without.
fn socket_at(address: SocketAddr, reuse: bool) -> io::Result<TcpSocket> {
    let socket = TcpSocket::new_v4()?;
    socket.set_reuseaddr(reuse)?;
    socket.bind(address)?;
    Ok(socket)
}

/// A listener without `SO_REUSEADDR`.
fn listen(stage: &Stage) -> io::Result<(TcpListener, SocketAddr)> {
    let listener = socket_at(stage.server.at(0), false)?.listen(5)?;
    let address = listener.local_addr()?;
    Ok((listener, address))
}

/// Ends both directions, the first one's first.
async fn end(first: &mut TcpStream, last: &mut TcpStream) -> io::Result<()> {
    first.shutdown().await?;
    assert_eq!(last.read(&mut [0]).await?, 0);
    last.shutdown().await?;
    assert_eq!(first.read(&mut [0]).await?, 0);
    Ok(())
}
