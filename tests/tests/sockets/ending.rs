//! TCP: how connections end, by halves, in order, and with a reset.

use std::io;
use std::pin::pin;

use event_loop::net::TcpStream;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::case::Reach::Anywhere;
use crate::case::cases;
use crate::stage::Stage;

cases! {
    T5 {
        the_client_ends_its_side_and_the_server_goes_on: Anywhere,
        the_server_ends_its_side_and_the_client_goes_on: Anywhere,
        the_end_comes_behind_all_bytes: Anywhere,
        both_sides_end_at_once: Anywhere,
        the_end_is_read_again_and_again: Anywhere,
        a_write_behind_the_own_end_is_a_broken_pipe: Anywhere,
        the_half_that_writes_ends_its_side_when_it_is_dropped: Anywhere,
        a_side_is_ended_twice: Anywhere,
        a_side_is_ended_when_all_is_over: Anywhere,
        a_side_is_ended_after_a_reset: Anywhere,
    }
    T6 {
        a_stream_that_is_dropped_is_the_end_of_its_peers: Anywhere,
        a_stream_dropped_with_bytes_unread_resets_its_peer: Anywhere,
        a_stream_that_was_read_out_and_is_dropped_resets_nobody: Anywhere,
        a_stream_dropped_behind_its_peers_end_resets_nobody: Anywhere,
        a_stream_that_lingers_for_zero_resets_its_peer: Anywhere,
        what_came_before_a_reset_is_read_before_it: Anywhere,
        a_reset_is_told_to_the_first_who_reads: Anywhere,
        a_reset_is_told_to_the_first_who_writes: Anywhere,
        a_reset_wakes_a_read_that_waits: Anywhere,
        a_reset_wakes_a_write_that_waits: Anywhere,
        an_end_wakes_a_read_that_waits: Anywhere,
    }
    T7 {
        a_write_to_a_peer_that_is_gone_is_answered_by_a_reset: Anywhere,
        a_read_behind_that_reset_tells_of_it: Anywhere,
        a_write_to_a_peer_that_ended_its_side_arrives: Anywhere,
        bytes_for_a_stream_that_was_dropped_meanwhile_reset_the_sender: Anywhere,
    }
}

async fn the_client_ends_its_side_and_the_server_goes_on(stage: Stage) -> io::Result<()> {
    let (client, server) = stage.pair().await?;
    one_ends_and_the_other_goes_on(&stage, client, server).await
}

async fn the_server_ends_its_side_and_the_client_goes_on(stage: Stage) -> io::Result<()> {
    let (client, server) = stage.pair().await?;
    one_ends_and_the_other_goes_on(&stage, server, client).await
}

async fn one_ends_and_the_other_goes_on(
    stage: &Stage,
    mut one: TcpStream,
    mut other: TcpStream,
) -> io::Result<()> {
    one.write_all(b"a question").await?;
    stage.note("one ends", one.shutdown().await);
    stage.note("the other hears", to_the_end(&mut other).await);
    stage.note("the other writes", other.write_all(b"an ").await);
    stage.settle().await;
    stage.note("and again", other.write_all(b"answer").await);
    stage.note("the other ends", other.shutdown().await);
    stage.note("one hears", to_the_end(&mut one).await);
    Ok(())
}

async fn the_end_comes_behind_all_bytes(stage: Stage) -> io::Result<()> {
    let (mut client, mut server) = stage.pair().await?;
    client.write_all(&[b'x'; 20_000]).await?;
    client.shutdown().await?;
    drop(client);
    stage.note("bytes", to_the_end(&mut server).await?.len());
    Ok(())
}

async fn both_sides_end_at_once(stage: Stage) -> io::Result<()> {
    let (mut client, mut server) = stage.pair().await?;
    client.write_all(b"from the client").await?;
    server.write_all(b"from the server").await?;
    let (one, other) = futures::join!(client.shutdown(), server.shutdown());
    stage.note("the client ends", one);
    stage.note("the server ends", other);
    stage.note("the client hears", to_the_end(&mut client).await);
    stage.note("the server hears", to_the_end(&mut server).await);
    Ok(())
}

async fn the_end_is_read_again_and_again(stage: Stage) -> io::Result<()> {
    let (mut client, mut server) = stage.pair().await?;
    server.shutdown().await?;
    for _ in 0..3 {
        stage.note("read", client.read(&mut [0]).await);
    }
    Ok(())
}

async fn a_write_behind_the_own_end_is_a_broken_pipe(stage: Stage) -> io::Result<()> {
    let (mut client, _server) = stage.pair().await?;
    client.shutdown().await?;
    stage.note("write", client.write(b"late").await);
    stage.note("write again", client.write(b"later").await);
    Ok(())
}

async fn the_half_that_writes_ends_its_side_when_it_is_dropped(stage: Stage) -> io::Result<()> {
    let (client, mut server) = stage.pair().await?;
    let (mut reader, writer) = client.into_split();
    drop(writer);
    stage.note("the server reads", server.read(&mut [0]).await);
    stage.note("and writes", server.write_all(b"still").await);
    drop(server);
    let mut heard = vec![];
    reader.read_to_end(&mut heard).await?;
    stage.note("the client hears", heard);
    Ok(())
}

async fn a_side_is_ended_twice(stage: Stage) -> io::Result<()> {
    let (mut client, mut server) = stage.pair().await?;
    stage.note("once", client.shutdown().await);
    stage.note("twice", client.shutdown().await);
    stage.note("the peer reads", server.read(&mut [0]).await);
    stage.note("thrice", client.shutdown().await);
    Ok(())
}

async fn a_side_is_ended_when_all_is_over(stage: Stage) -> io::Result<()> {
    let (mut client, mut server) = stage.pair().await?;
    client.shutdown().await?;
    server.shutdown().await?;
    stage.settle().await;
    stage.note("the client's", client.shutdown().await);
    stage.note("the server's", server.shutdown().await);
    Ok(())
}

async fn a_side_is_ended_after_a_reset(stage: Stage) -> io::Result<()> {
    let (mut client, server) = stage.pair().await?;
    reset_by(server)?;
    stage.settle().await;
    stage.note("shut down", client.shutdown().await);
    stage.note("read", client.read(&mut [0]).await);
    stage.note("shut down again", client.shutdown().await);
    Ok(())
}

async fn a_stream_that_is_dropped_is_the_end_of_its_peers(stage: Stage) -> io::Result<()> {
    let (mut client, mut server) = stage.pair().await?;
    server.write_all(b"last words").await?;
    drop(server);
    stage.note("the client hears", to_the_end(&mut client).await);
    stage.note("and then", client.read(&mut [0]).await);
    Ok(())
}

async fn a_stream_dropped_with_bytes_unread_resets_its_peer(stage: Stage) -> io::Result<()> {
    let (mut client, server) = stage.pair().await?;
    client.write_all(b"never read").await?;
    stage.settle().await;
    drop(server);
    stage.note("read", client.read(&mut [0]).await);
    stage.note("read again", client.read(&mut [0]).await);
    Ok(())
}

async fn a_stream_that_was_read_out_and_is_dropped_resets_nobody(stage: Stage) -> io::Result<()> {
    let (mut client, mut server) = stage.pair().await?;
    client.write_all(b"read").await?;
    server.read_exact(&mut [0; 4]).await?;
    drop(server);
    stage.note("read", client.read(&mut [0]).await);
    Ok(())
}

async fn a_stream_dropped_behind_its_peers_end_resets_nobody(stage: Stage) -> io::Result<()> {
    let (mut client, server) = stage.pair().await?;
    client.shutdown().await?;
    stage.settle().await;
    // The end that waits there is not a byte.
    drop(server);
    stage.note("read", client.read(&mut [0]).await);
    Ok(())
}

async fn a_stream_that_lingers_for_zero_resets_its_peer(stage: Stage) -> io::Result<()> {
    let (mut client, server) = stage.pair().await?;
    reset_by(server)?;
    stage.note("read", client.read(&mut [0]).await);
    stage.note("read again", client.read(&mut [0]).await);
    stage.note("write", client.write(b"anybody?").await);
    Ok(())
}

async fn what_came_before_a_reset_is_read_before_it(stage: Stage) -> io::Result<()> {
    let (mut client, mut server) = stage.pair().await?;
    server.write_all(b"before").await?;
    stage.settle().await;
    reset_by(server)?;
    stage.settle().await;
    let mut before = [0; 6];
    stage.note("read", client.read_exact(&mut before).await.map(|_| before));
    stage.note("read again", client.read(&mut [0]).await);
    stage.note("and again", client.read(&mut [0]).await);
    Ok(())
}

async fn a_reset_is_told_to_the_first_who_reads(stage: Stage) -> io::Result<()> {
    let (mut client, server) = stage.pair().await?;
    reset_by(server)?;
    stage.settle().await;
    stage.note("read", client.read(&mut [0]).await);
    stage.note("write", client.write(b"!").await);
    stage.note("read again", client.read(&mut [0]).await);
    Ok(())
}

async fn a_reset_is_told_to_the_first_who_writes(stage: Stage) -> io::Result<()> {
    let (mut client, server) = stage.pair().await?;
    reset_by(server)?;
    stage.settle().await;
    stage.note("write", client.write(b"!").await);
    stage.note("write again", client.write(b"!").await);
    stage.note("read", client.read(&mut [0]).await);
    Ok(())
}

async fn a_reset_wakes_a_read_that_waits(stage: Stage) -> io::Result<()> {
    let (mut client, server) = stage.pair().await?;
    let mut byte = [0];
    let mut read = pin!(client.read(&mut byte));
    stage.note_waiting("read", read.as_mut()).await;
    reset_by(server)?;
    stage.note("read", read.await);
    Ok(())
}

async fn a_reset_wakes_a_write_that_waits(stage: Stage) -> io::Result<()> {
    let (mut client, server) = stage.pair().await?;
    let much = vec![0; stage.more_than_fits()];
    let mut write = pin!(client.write_all(&much));
    stage.note_waiting("write", write.as_mut()).await;
    drop(server);
    stage.note("write", write.await);
    Ok(())
}

async fn an_end_wakes_a_read_that_waits(stage: Stage) -> io::Result<()> {
    let (mut client, server) = stage.pair().await?;
    let mut byte = [0];
    let mut read = pin!(client.read(&mut byte));
    stage.note_waiting("read", read.as_mut()).await;
    drop(server);
    stage.note("read", read.await);
    Ok(())
}

async fn a_write_to_a_peer_that_is_gone_is_answered_by_a_reset(stage: Stage) -> io::Result<()> {
    let (mut client, server) = stage.pair().await?;
    drop(server);
    stage.settle().await;
    stage.note("write", client.write_all(b"1").await);
    stage.settle().await;
    stage.note("write again", client.write_all(b"2").await);
    stage.note("and again", client.write_all(b"3").await);
    stage.note("read", client.read(&mut [0]).await);
    Ok(())
}

async fn a_read_behind_that_reset_tells_of_it(stage: Stage) -> io::Result<()> {
    let (mut client, server) = stage.pair().await?;
    drop(server);
    stage.settle().await;
    stage.note("write", client.write_all(b"1").await);
    stage.settle().await;
    stage.note("read", client.read(&mut [0]).await);
    stage.note("read again", client.read(&mut [0]).await);
    stage.note("write again", client.write_all(b"2").await);
    Ok(())
}

async fn a_write_to_a_peer_that_ended_its_side_arrives(stage: Stage) -> io::Result<()> {
    let (mut client, mut server) = stage.pair().await?;
    server.shutdown().await?;
    stage.note("the client reads", client.read(&mut [0]).await);
    stage.note("and writes", client.write_all(b"late").await);
    drop(client);
    stage.note("the server hears", to_the_end(&mut server).await);
    Ok(())
}

async fn bytes_for_a_stream_that_was_dropped_meanwhile_reset_the_sender(
    stage: Stage,
) -> io::Result<()> {
    let (mut client, mut server) = stage.pair().await?;
    server.write_all(b"answer").await?;
    drop(server);
    stage.settle().await;
    client.write_all(b"!").await?;
    stage.settle().await;
    // What came before the reset is still there.
    let mut answer = [0; 6];
    stage.note("read", client.read_exact(&mut answer).await.map(|_| answer));
    stage.note("read again", client.read(&mut [0]).await);
    stage.note("and again", client.read(&mut [0]).await);
    Ok(())
}

/// Closes a stream the hard way.
fn reset_by(stream: TcpStream) -> io::Result<()> {
    stream.set_zero_linger()
}

async fn to_the_end(stream: &mut TcpStream) -> io::Result<Vec<u8>> {
    let mut heard = vec![];
    stream.read_to_end(&mut heard).await?;
    Ok(heard)
}
