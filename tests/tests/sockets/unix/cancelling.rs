//! Unix sockets: calls that are given up.

use std::future::Future;
use std::io;
use std::pin::pin;

use event_loop::net::{UnixDatagram, UnixListener, UnixStream};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::{Place, connected, heard};
use crate::case::Reach::Loopback;
use crate::case::cases;
use crate::stage::Stage;

cases! {
    U5 {
        a_unix_accept_given_up_loses_no_connection: Loopback,
        a_unix_read_given_up_loses_no_byte: Loopback,
        a_unix_receive_given_up_loses_no_datagram: Loopback,
        a_unix_send_given_up_sends_nothing: Loopback,
    }
}

async fn a_unix_accept_given_up_loses_no_connection(stage: Stage) -> io::Result<()> {
    let place = Place::new();
    let listener = UnixListener::bind(&place)?;
    for n in 0..10 {
        let mut client = UnixStream::connect(&place).await?;
        client.write_all(&[n]).await?;
    }
    let mut accepted = vec![];
    while accepted.len() < 10 {
        if let Some(given) = give_up(listener.accept()).await {
            accepted.push(given?.0.read_u8().await?);
        } else {
            event_loop::yield_now().await;
        }
    }
    stage.note("none is lost", accepted == (0..10).collect::<Vec<_>>());
    Ok(())
}

async fn a_unix_read_given_up_loses_no_byte(stage: Stage) -> io::Result<()> {
    let (mut client, mut server) = connected().await?;
    let writing = event_loop::spawn(async move {
        for n in 0..100 {
            client.write_all(&[n]).await?;
            event_loop::yield_now().await;
        }
        client.shutdown().await
    });
    let mut heard: Vec<u8> = vec![];
    loop {
        let mut buffer = [0; 7];
        match give_up(server.read(&mut buffer)).await {
            Some(Ok(0)) => break,
            Some(n) => heard.extend(&buffer[..n?]),
            None => event_loop::yield_now().await,
        }
    }
    stage.note("none is lost", heard == (0..100).collect::<Vec<u8>>());
    stage.note("write", writing.await.expect("it does not panic"));
    Ok(())
}

async fn a_unix_receive_given_up_loses_no_datagram(stage: Stage) -> io::Result<()> {
    let (one, other) = UnixDatagram::pair()?;
    let sending = event_loop::spawn(async move {
        for n in 0..50 {
            one.send(&[n]).await?;
            event_loop::yield_now().await;
        }
        io::Result::Ok(())
    });
    let mut received: Vec<u8> = vec![];
    while received.len() < 50 {
        let mut buffer = [0];
        match give_up(other.recv(&mut buffer)).await {
            Some(n) => received.extend(&buffer[..n?]),
            None => event_loop::yield_now().await,
        }
    }
    stage.note("none is lost", received == (0..50).collect::<Vec<u8>>());
    stage.note("send", sending.await.expect("it does not panic"));
    Ok(())
}

async fn a_unix_send_given_up_sends_nothing(stage: Stage) -> io::Result<()> {
    let place = Place::new();
    let receiver = UnixDatagram::bind(&place)?;
    let sender = UnixDatagram::unbound()?;
    sender.connect(&place)?;
    sender.writable().await?;
    let mut sent = 0;
    while sender.try_send(b"x").is_ok() {
        sent += 1;
    }
    for _ in 0..5 {
        let given = give_up(sender.send(b"never")).await;
        stage.note("given up", given.is_none());
    }
    for _ in 0..sent {
        heard(&receiver).await?;
    }
    sender.send(b"the next").await?;
    stage.note("receive", heard(&receiver).await);
    Ok(())
}

/// Polls once, and gives up.
async fn give_up<T>(call: impl Future<Output = T>) -> Option<T> {
    let call = pin!(call);
    tokio::select! {
        biased;
        value = call => Some(value),
        () = std::future::ready(()) => None,
    }
}
