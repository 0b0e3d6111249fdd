//! TCP: waiting until a call would get somewhere, and calls that do not wait.

use std::io;
use std::pin::pin;

use event_loop::io::Interest;
use event_loop::net::TcpStream;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::case::Reach::Anywhere;
use crate::case::cases;
use crate::stage::Stage;

cases! {
    T13 {
        a_new_stream_is_writable: Anywhere,
        a_call_that_finds_nothing_would_block: Anywhere,
        bytes_make_a_stream_readable: Anywhere,
        a_stream_stays_readable_while_bytes_are_left: Anywhere,
        a_stream_that_was_read_out_is_readable_by_the_next_byte: Anywhere,
        the_end_makes_a_stream_readable: Anywhere,
        the_end_is_told_by_readiness: Anywhere,
        a_reset_makes_a_stream_readable_and_writable: Anywhere,
        a_full_stream_is_writable_once_its_peer_reads: Anywhere,
        a_wait_for_either_ends_with_the_first: Anywhere,
        a_wait_that_is_dropped_loses_nothing: Anywhere,
        an_error_is_taken_once: Anywhere,
        an_error_that_was_read_is_not_there_to_be_taken: Anywhere,
    }
}

async fn a_new_stream_is_writable(stage: Stage) -> io::Result<()> {
    let (client, server) = stage.pair().await?;
    stage.note("the client is writable", client.writable().await);
    stage.note("the server is writable", server.writable().await);
    stage
        .note_waiting("the client is readable", pin!(client.readable()))
        .await;
    Ok(())
}

async fn a_call_that_finds_nothing_would_block(stage: Stage) -> io::Result<()> {
    let (client, server) = stage.pair().await?;
    stage.note("the client's try_read", client.try_read(&mut [0]));
    stage.note("the server's try_read", server.try_read(&mut [0]));
    stage.note("the client's again", client.try_read(&mut [0]));
    Ok(())
}

async fn bytes_make_a_stream_readable(stage: Stage) -> io::Result<()> {
    let (mut client, server) = stage.pair().await?;
    drained(&server);
    {
        let mut readable = pin!(server.readable());
        stage.note_waiting("readable", readable.as_mut()).await;
        client.write_all(b"x").await?;
        stage.note("readable", readable.await);
    }
    stage.note("try_read", server.try_read(&mut [0]));
    stage.note("try_read again", server.try_read(&mut [0]));
    Ok(())
}

async fn a_stream_stays_readable_while_bytes_are_left(stage: Stage) -> io::Result<()> {
    let (mut client, server) = stage.pair().await?;
    client.write_all(b"xyz").await?;
    stage.settle().await;
    for _ in 0..3 {
        stage.note("readable", server.readable().await);
        stage.note("try_read", server.try_read(&mut [0]));
    }
    stage.note("try_read at last", server.try_read(&mut [0]));
    stage
        .note_waiting("readable", pin!(server.readable()))
        .await;
    Ok(())
}

async fn a_stream_that_was_read_out_is_readable_by_the_next_byte(stage: Stage) -> io::Result<()> {
    let (mut client, server) = stage.pair().await?;
    for _ in 0..3 {
        drained(&server);
        client.write_all(b"x").await?;
        stage.note("readable", server.readable().await);
        stage.note("try_read", server.try_read(&mut [0; 8]));
    }
    stage
        .note_waiting("readable", pin!(server.readable()))
        .await;
    Ok(())
}

async fn the_end_makes_a_stream_readable(stage: Stage) -> io::Result<()> {
    let (client, server) = stage.pair().await?;
    drained(&server);
    drop(client);
    stage.note("readable", server.readable().await);
    stage.note("try_read", server.try_read(&mut [0]));
    stage.note("readable again", server.readable().await);
    stage.note("try_read again", server.try_read(&mut [0]));
    Ok(())
}

async fn the_end_is_told_by_readiness(stage: Stage) -> io::Result<()> {
    let (mut client, server) = stage.pair().await?;
    drained(&server);
    client.shutdown().await?;
    stage.settle().await;
    let ready = server.ready(Interest::READABLE).await?;
    stage.note("readable", ready.is_readable());
    stage.note("its reading side is closed", ready.is_read_closed());
    stage.note("its writing side is closed", ready.is_write_closed());
    Ok(())
}

async fn a_reset_makes_a_stream_readable_and_writable(stage: Stage) -> io::Result<()> {
    let (client, server) = stage.pair().await?;
    drained(&server);
    client.set_zero_linger()?;
    drop(client);
    stage.note("readable", server.readable().await);
    stage.note("writable", server.writable().await);
    stage.note("try_read", server.try_read(&mut [0]));
    stage.note("try_write", server.try_write(b"x"));
    Ok(())
}

async fn a_full_stream_is_writable_once_its_peer_reads(stage: Stage) -> io::Result<()> {
    let (client, mut server) = stage.pair().await?;
    let full = fill(&stage, &client).await?;
    stage.note("try_write", client.try_write(b"x"));
    {
        let mut writable = pin!(client.writable());
        stage.note_waiting("writable", writable.as_mut()).await;
        server.read_exact(&mut vec![0; full]).await?;
        stage.note("writable", writable.await);
    }
    stage.note("try_write", client.try_write(b"x"));
    Ok(())
}

async fn a_wait_for_either_ends_with_the_first(stage: Stage) -> io::Result<()> {
    let (client, mut server) = stage.pair().await?;
    drained(&client);
    let either = Interest::READABLE | Interest::WRITABLE;
    let ready = client.ready(either).await?;
    stage.note("readable", ready.is_readable());
    stage.note("writable", ready.is_writable());
    fill(&stage, &client).await?;
    let mut waiting = pin!(async { client.ready(either).await.map(drop) });
    stage.note_waiting("ready", waiting.as_mut()).await;
    server.write_all(b"x").await?;
    stage.note("ready", waiting.await);
    stage.note("try_read", client.try_read(&mut [0]));
    Ok(())
}

async fn a_wait_that_is_dropped_loses_nothing(stage: Stage) -> io::Result<()> {
    let (mut client, server) = stage.pair().await?;
    drained(&server);
    {
        let mut readable = pin!(server.readable());
        stage.note_waiting("readable", readable.as_mut()).await;
        client.write_all(b"x").await?;
        stage.settle().await;
    }
    stage.note("readable again", server.readable().await);
    stage.note("try_read", server.try_read(&mut [0]));
    Ok(())
}

async fn an_error_is_taken_once(stage: Stage) -> io::Result<()> {
    let (client, mut server) = stage.pair().await?;
    stage.note("take_error", server.take_error());
    client.set_zero_linger()?;
    drop(client);
    stage.settle().await;
    stage.note("take_error", server.take_error());
    stage.note("take_error again", server.take_error());
    stage.note("read", server.read(&mut [0]).await);
    stage.note("write", server.write(b"x").await);
    Ok(())
}

async fn an_error_that_was_read_is_not_there_to_be_taken(stage: Stage) -> io::Result<()> {
    let (client, mut server) = stage.pair().await?;
    client.set_zero_linger()?;
    drop(client);
    stage.note("read", server.read(&mut [0]).await);
    stage.note("take_error", server.take_error());
    Ok(())
}

/// Has the stream find out that there is nothing, where it took for granted that there is.
fn drained(stream: &TcpStream) {
    let found = stream.try_read(&mut [0]);
    assert_eq!(found.unwrap_err().kind(), io::ErrorKind::WouldBlock);
}

/// Writes until nothing more fits, and says how much did.
async fn fill(stage: &Stage, stream: &TcpStream) -> io::Result<usize> {
    let mut written = 0;
    loop {
        match stream.try_write(&[0; 10_000]) {
            Ok(n) => written += n,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                // What is under way may make room.
                tokio::select! {
                    biased;
                    writable = stream.writable() => writable?,
                    () = stage.settle() => return Ok(written),
                }
            }
            Err(error) => return Err(error),
        }
    }
}
