//! Unix sockets: streams.

use std::io;
use std::pin::pin;

use event_loop::io::Interest;
use event_loop::net::{UnixListener, UnixStream};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::{Place, connected, to_the_end};
use crate::case::Reach::Loopback;
use crate::case::cases;
use crate::stage::Stage;

cases! {
    U2 {
        a_unix_stream_is_connected_before_it_is_accepted: Loopback,
        unix_streams_are_accepted_in_the_order_they_came: Loopback,
        those_that_wait_are_reset_when_the_unix_listener_goes: Loopback,
        a_unix_accept_waits_for_a_connect: Loopback,
        a_peer_is_who_it_says: Loopback,
    }
    U3 {
        a_pair_talks_both_ways: Loopback,
        each_side_of_a_unix_stream_ends_by_itself: Loopback,
        a_unix_stream_dropped_with_bytes_unread_resets_its_peer: Loopback,
        a_write_to_a_unix_stream_that_is_gone_is_a_broken_pipe: Loopback,
        a_writer_of_a_unix_stream_waits_for_its_reader: Loopback,
        halves_of_unix_streams_end_their_side_and_come_together_again: Loopback,
        what_does_not_wait_on_a_unix_stream_would_block: Loopback,
        a_unix_stream_carries_all_there_is: Loopback,
    }
}

async fn a_unix_stream_is_connected_before_it_is_accepted(stage: Stage) -> io::Result<()> {
    let place = Place::new();
    let listener = UnixListener::bind(&place)?;
    let mut client = UnixStream::connect(&place).await?;
    stage.note("write", client.write_all(b"early").await);
    stage.note("shut down", client.shutdown().await);
    drop(client);
    let (mut server, _) = listener.accept().await?;
    stage.note("the server hears", to_the_end(&mut server).await);
    Ok(())
}

async fn unix_streams_are_accepted_in_the_order_they_came(stage: Stage) -> io::Result<()> {
    let place = Place::new();
    let listener = UnixListener::bind(&place)?;
    let mut clients = vec![];
    for n in 0..20 {
        let mut client = UnixStream::connect(&place).await?;
        client.write_all(&[n]).await?;
        clients.push(client);
    }
    let mut order = vec![];
    for _ in 0..20 {
        order.push(listener.accept().await?.0.read_u8().await?);
    }
    stage.note("in order", order.is_sorted());
    Ok(())
}

async fn those_that_wait_are_reset_when_the_unix_listener_goes(stage: Stage) -> io::Result<()> {
    let place = Place::new();
    let listener = UnixListener::bind(&place)?;
    let mut client = UnixStream::connect(&place).await?;
    drop(listener);
    stage.note("read", client.read(&mut [0]).await);
    stage.note("read again", client.read(&mut [0]).await);
    stage.note("write", client.write(b"?").await);
    Ok(())
}

async fn a_unix_accept_waits_for_a_connect(stage: Stage) -> io::Result<()> {
    let place = Place::new();
    let listener = UnixListener::bind(&place)?;
    let mut accept = pin!(listener.accept());
    let waiting = async { accept.as_mut().await.map(drop) };
    let mut waiting = Box::pin(waiting);
    stage.note_waiting("accept", waiting.as_mut()).await;
    let _client = UnixStream::connect(&place).await?;
    stage.note("accept", waiting.await);
    Ok(())
}

async fn a_peer_is_who_it_says(stage: Stage) -> io::Result<()> {
    let (client, server) = connected().await?;
    let (there, here) = (client.peer_cred()?, server.peer_cred()?);
    stage.note("of one process", there == here);
    stage.note("there is a pid", there.pid().is_some_and(|pid| pid > 0));
    let (one, _other) = UnixStream::pair()?;
    stage.note("a pair's as well", one.peer_cred()? == here);
    Ok(())
}

async fn a_pair_talks_both_ways(stage: Stage) -> io::Result<()> {
    let (mut one, mut other) = UnixStream::pair()?;
    one.write_all(b"a question").await?;
    let mut asked = [0; 10];
    other.read_exact(&mut asked).await?;
    stage.note("the other hears", asked);
    other.write_all(b"an answer").await?;
    drop(other);
    stage.note("one hears", to_the_end(&mut one).await);
    Ok(())
}

async fn each_side_of_a_unix_stream_ends_by_itself(stage: Stage) -> io::Result<()> {
    let (mut client, mut server) = connected().await?;
    client.write_all(b"a question").await?;
    stage.note("the client ends", client.shutdown().await);
    stage.note("and again", client.shutdown().await);
    stage.note("it writes", client.write(b"late").await);
    stage.note("the server hears", to_the_end(&mut server).await);
    stage.note("it answers", server.write_all(b"an answer").await);
    stage.note("it ends", server.shutdown().await);
    stage.note("the client hears", to_the_end(&mut client).await);
    stage.note("the end again", client.read(&mut [0]).await);
    Ok(())
}

async fn a_unix_stream_dropped_with_bytes_unread_resets_its_peer(stage: Stage) -> io::Result<()> {
    let (mut client, mut server) = connected().await?;
    client.write_all(b"unread").await?;
    server.write_all(b"before").await?;
    drop(server);
    let mut before = [0; 6];
    client.read_exact(&mut before).await?;
    stage.note("the client hears", before);
    stage.note("write", client.write(b"late").await);
    stage.note("read", client.read(&mut [0]).await);
    stage.note("read again", client.read(&mut [0]).await);
    Ok(())
}

async fn a_write_to_a_unix_stream_that_is_gone_is_a_broken_pipe(stage: Stage) -> io::Result<()> {
    let (mut client, server) = connected().await?;
    drop(server);
    stage.note("write", client.write(b"late").await);
    stage.note("write again", client.write(b"later").await);
    stage.note("read", client.read(&mut [0]).await);
    stage.note(
        "the error",
        client.take_error()?.map(|error| error.kind().to_string()),
    );
    Ok(())
}

async fn a_writer_of_a_unix_stream_waits_for_its_reader(stage: Stage) -> io::Result<()> {
    let (mut client, mut server) = connected().await?;
    let bytes = vec![7; stage.more_than_fits()];
    let len = bytes.len();
    let writing = async move {
        client.write_all(&bytes).await?;
        client.shutdown().await
    };
    let mut writing = Box::pin(writing);
    stage.note_waiting("write", writing.as_mut()).await;
    let (written, heard) = futures::join!(writing, to_the_end(&mut server));
    stage.note("write", written);
    stage.note("all is heard", heard? == vec![7; len]);
    Ok(())
}

async fn halves_of_unix_streams_end_their_side_and_come_together_again(
    stage: Stage,
) -> io::Result<()> {
    let (mut one, other) = UnixStream::pair()?;
    let (reader, writer) = other.into_split();
    let (_strange, stranger) = UnixStream::pair()?.0.into_split();
    let refused = reader.reunite(stranger).unwrap_err();
    let mut other = refused.0.reunite(writer).expect("they are of one stream");
    {
        let (mut reader, mut writer) = other.split();
        one.write_all(b"x").await?;
        stage.note("a borrowed half reads", reader.read(&mut [0; 9]).await);
        stage.note("and writes", writer.write(b"yz").await);
    }
    let (mut reader, writer) = other.into_split();
    drop(writer);
    stage.note("one hears", to_the_end(&mut one).await);
    one.write_all(b"still").await?;
    drop(one);
    let mut heard = vec![];
    reader.read_to_end(&mut heard).await?;
    stage.note("the other hears", heard);
    Ok(())
}

async fn what_does_not_wait_on_a_unix_stream_would_block(stage: Stage) -> io::Result<()> {
    let (client, server) = connected().await?;
    stage.settle().await;
    stage.note("read", server.try_read(&mut [0; 9]));
    let ready = client
        .ready(Interest::READABLE | Interest::WRITABLE)
        .await?;
    stage.note("room at first", ready.is_writable());
    stage.note("bytes at first", ready.is_readable());
    stage.note("write", client.try_write(b"abc"));
    server.readable().await?;
    stage.note("read", server.try_read(&mut [0; 9]));
    while client.try_write(&[0; 10_000]).is_ok() {}
    stage.note("write to the full", client.try_write(b"x"));
    let mut room = Box::pin(client.writable());
    stage.note_waiting("room", room.as_mut()).await;
    let mut taken = vec![0; 1 << 20];
    server.readable().await?;
    stage.note("read something", server.try_read(&mut taken)? > 100_000);
    stage.note("room", room.await);
    stage.note("write", client.try_write(b"x"));
    Ok(())
}

async fn a_unix_stream_carries_all_there_is(stage: Stage) -> io::Result<()> {
    let (mut client, mut server) = connected().await?;
    let bytes: Vec<u8> = (0..1_000_000_u32).map(|n| (n % 251) as u8).collect();
    let sent = bytes.clone();
    let writing = event_loop::spawn(async move {
        for piece in sent.chunks(7_777) {
            client.write_all(piece).await?;
        }
        client.shutdown().await
    });
    let heard = to_the_end(&mut server).await?;
    stage.note("all in order", heard == bytes);
    stage.note("write", writing.await.expect("it does not panic"));
    Ok(())
}
