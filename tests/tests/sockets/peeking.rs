//! TCP: looking at bytes that stay to be read.

use std::io;
use std::pin::pin;

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::case::Reach::Anywhere;
use crate::case::cases;
use crate::stage::Stage;

cases! {
    T12 {
        bytes_that_were_peeked_are_still_read: Anywhere,
        a_peek_waits_for_the_first_byte: Anywhere,
        a_peek_at_the_end_is_the_end: Anywhere,
        a_peek_behind_a_reset_tells_of_it: Anywhere,
        a_peek_shows_what_came_before_a_reset: Anywhere,
        a_half_peeks_as_well: Anywhere,
        bytes_that_were_only_peeked_are_unread: Anywhere,
    }
}

async fn bytes_that_were_peeked_are_still_read(stage: Stage) -> io::Result<()> {
    let (mut client, mut server) = stage.pair().await?;
    client.write_all(b"bytes").await?;
    stage.settle().await;
    for size in [1, 3, 10] {
        let mut seen = vec![0; size];
        let n = server.peek(&mut seen).await?;
        stage.note("peek", &seen[..n]);
    }
    let mut read = [0; 5];
    stage.note("read", server.read_exact(&mut read).await.map(|_| read));
    Ok(())
}

async fn a_peek_waits_for_the_first_byte(stage: Stage) -> io::Result<()> {
    let (mut client, server) = stage.pair().await?;
    let mut seen = [0];
    {
        let mut peek = pin!(server.peek(&mut seen));
        stage.note_waiting("peek", peek.as_mut()).await;
        client.write_all(b"x").await?;
        stage.note("peek", peek.await);
    }
    stage.note("it sees", seen);
    Ok(())
}

async fn a_peek_at_the_end_is_the_end(stage: Stage) -> io::Result<()> {
    let (mut client, mut server) = stage.pair().await?;
    client.shutdown().await?;
    stage.note("peek", server.peek(&mut [0]).await);
    stage.note("peek again", server.peek(&mut [0]).await);
    stage.note("read", server.read(&mut [0]).await);
    Ok(())
}

async fn a_peek_behind_a_reset_tells_of_it(stage: Stage) -> io::Result<()> {
    let (client, mut server) = stage.pair().await?;
    client.set_zero_linger()?;
    drop(client);
    stage.settle().await;
    stage.note("peek", server.peek(&mut [0]).await);
    stage.note("peek again", server.peek(&mut [0]).await);
    stage.note("read", server.read(&mut [0]).await);
    Ok(())
}

async fn a_peek_shows_what_came_before_a_reset(stage: Stage) -> io::Result<()> {
    let (mut client, mut server) = stage.pair().await?;
    client.write_all(b"x").await?;
    client.set_zero_linger()?;
    stage.settle().await;
    drop(client);
    stage.settle().await;
    stage.note("peek", server.peek(&mut [0]).await);
    stage.note("read", server.read(&mut [0]).await);
    stage.note("read again", server.read(&mut [0]).await);
    Ok(())
}

async fn a_half_peeks_as_well(stage: Stage) -> io::Result<()> {
    let (mut client, server) = stage.pair().await?;
    client.write_all(b"x").await?;
    let (mut reader, _writer) = server.into_split();
    stage.note("peek", reader.peek(&mut [0]).await);
    stage.note("read", reader.read(&mut [0]).await);
    Ok(())
}

async fn bytes_that_were_only_peeked_are_unread(stage: Stage) -> io::Result<()> {
    let (mut client, server) = stage.pair().await?;
    client.write_all(b"x").await?;
    server.peek(&mut [0]).await?;
    drop(server);
    stage.note("read", client.read(&mut [0]).await);
    Ok(())
}
