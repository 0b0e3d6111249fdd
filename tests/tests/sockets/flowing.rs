//! TCP: bytes under way, the buffers they wait in, and who waits for them.

use std::io;
use std::pin::pin;

use event_loop::net::TcpStream;
use event_loop::spawn;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::case::Reach::Anywhere;
use crate::case::cases;
use crate::stage::Stage;

/// Why a call may move less than it was asked to.
const PARTS: &str = "a call may move a part";

cases! {
    T3 {
        a_write_and_a_read_may_move_a_part: Anywhere,
        a_big_transfer_arrives_in_order: Anywhere,
        a_byte_at_a_time_arrives_in_order: Anywhere,
        both_directions_are_streams_of_their_own: Anywhere,
        many_connections_do_not_mix: Anywhere,
        a_read_waits_for_the_first_byte: Anywhere,
        a_write_of_nothing_writes_nothing: Anywhere,
        a_read_into_nothing_waits_like_any_other: Anywhere,
        nagles_algorithm_is_on_until_it_is_turned_off: Anywhere,
    }
    T4 {
        a_write_waits_while_the_buffers_are_full: Anywhere,
        a_reader_that_wakes_up_lets_the_writer_go_on: Anywhere,
        an_end_behind_full_buffers_is_still_delivered: Anywhere,
        a_stream_dropped_behind_full_buffers_is_still_delivered: Anywhere,
        a_reader_that_sleeps_stalls_no_other_stream: Anywhere,
        two_who_only_write_wait_for_ever: Anywhere,
    }
}

async fn a_write_and_a_read_may_move_a_part(stage: Stage) -> io::Result<()> {
    let (mut client, mut server) = stage.pair().await?;
    let written = client.write(b"xyz").await;
    stage.note_one_of("write 3", &written, &["1", "2", "3"], PARTS);
    client.write_all(&b"xyz"[written?..]).await?;
    stage.settle().await;
    let read = server.read(&mut [0; 10]).await;
    stage.note_one_of("read 10", &read, &["1", "2", "3"], PARTS);
    let mut rest = vec![0; 3 - read?];
    stage.note(
        "read the rest",
        server.read_exact(&mut rest).await.map(drop),
    );
    Ok(())
}

async fn a_big_transfer_arrives_in_order(stage: Stage) -> io::Result<()> {
    let (mut client, mut server) = stage.pair().await?;
    let writing = spawn(async move {
        for part in pattern(150_000).chunks(12_345) {
            client.write_all(part).await?;
        }
        client.shutdown().await
    });
    let mut heard = Vec::<u8>::new();
    // Reads of every size.
    for size in (1..).map(|n| n * 37 % 20_011) {
        let mut part = vec![0; size];
        match server.read(&mut part).await? {
            0 => break,
            n => heard.extend(&part[..n]),
        }
    }
    writing.await.expect("it ends")?;
    stage.note(
        "150,000 bytes, as they were sent",
        heard == pattern(150_000),
    );
    Ok(())
}

async fn a_byte_at_a_time_arrives_in_order(stage: Stage) -> io::Result<()> {
    let (mut client, mut server) = stage.pair().await?;
    for byte in b"one by one" {
        client.write_all(&[*byte]).await?;
    }
    drop(client);
    let mut heard = vec![];
    server.read_to_end(&mut heard).await?;
    stage.note("the server hears", heard);
    Ok(())
}

async fn both_directions_are_streams_of_their_own(stage: Stage) -> io::Result<()> {
    let (client, server) = stage.pair().await?;
    let size = 100_000;
    let exchange = |stream: TcpStream| async move {
        let (mut reader, mut writer) = stream.into_split();
        let writing = spawn(async move { writer.write_all(&pattern(size)).await });
        let mut heard = vec![0; size];
        reader.read_exact(&mut heard).await?;
        writing.await.expect("it ends")?;
        io::Result::Ok(heard == pattern(size))
    };
    let (one, other) = futures::join!(exchange(client), exchange(server));
    stage.note("what the client hears is whole", one);
    stage.note("what the server hears is whole", other);
    Ok(())
}

async fn many_connections_do_not_mix(stage: Stage) -> io::Result<()> {
    const CLIENTS: usize = 50;
    let (listener, address) = stage.listen().await?;
    let server = spawn(async move {
        for _ in 0..CLIENTS {
            let (stream, _) = listener.accept().await?;
            spawn(async move {
                let (mut reader, mut writer) = stream.into_split();
                tokio::io::copy(&mut reader, &mut writer).await
            })
            .detach();
        }
        io::Result::Ok(())
    });
    let clients = (0..CLIENTS).map(|client| {
        let stage = stage.clone();
        spawn(async move {
            let mut stream = stage.connect(address).await?;
            let mine = vec![client as u8; 1000 + client];
            stream.write_all(&mine).await?;
            stream.shutdown().await?;
            let mut echoed = vec![];
            stream.read_to_end(&mut echoed).await?;
            io::Result::Ok(echoed == mine)
        })
    });
    let mut right = 0;
    for client in clients.collect::<Vec<_>>() {
        right += usize::from(client.await.expect("it ends")?);
    }
    server.await.expect("it ends")?;
    stage.note("echoes of their own", right);
    Ok(())
}

async fn a_read_waits_for_the_first_byte(stage: Stage) -> io::Result<()> {
    let (mut client, mut server) = stage.pair().await?;
    let mut byte = [0];
    let mut read = pin!(server.read(&mut byte));
    stage.note_waiting("read", read.as_mut()).await;
    client.write_all(b"x").await?;
    stage.note("read", read.await);
    Ok(())
}

async fn a_write_of_nothing_writes_nothing(stage: Stage) -> io::Result<()> {
    let (mut client, mut server) = stage.pair().await?;
    stage.note("write", client.write(b"").await);
    let mut byte = [0];
    let mut read = pin!(server.read(&mut byte));
    stage.note_waiting("read", read.as_mut()).await;
    client.shutdown().await?;
    stage.note("read", read.await);
    stage.note("write behind the end", client.write(b"").await);
    Ok(())
}

async fn a_read_into_nothing_waits_like_any_other(stage: Stage) -> io::Result<()> {
    let (mut client, mut server) = stage.pair().await?;
    let mut nothing = [];
    let mut read = pin!(server.read(&mut nothing));
    stage.note_waiting("read", read.as_mut()).await;
    client.write_all(b"x").await?;
    stage.note("read", read.await);
    stage.note("read again", server.read(&mut []).await);
    let mut byte = [0];
    stage.note(
        "read a byte",
        server.read_exact(&mut byte).await.map(|_| byte),
    );
    Ok(())
}

async fn nagles_algorithm_is_on_until_it_is_turned_off(stage: Stage) -> io::Result<()> {
    let (client, server) = stage.pair().await?;
    stage.note("nodelay", client.nodelay());
    stage.note("set", client.set_nodelay(true));
    stage.note("nodelay", client.nodelay());
    stage.note("the other end's", server.nodelay());
    stage.note("set back", client.set_nodelay(false));
    stage.note("nodelay", client.nodelay());
    Ok(())
}

async fn a_write_waits_while_the_buffers_are_full(stage: Stage) -> io::Result<()> {
    let (mut client, _server) = stage.pair().await?;
    let much = vec![0; stage.more_than_fits()];
    let mut write = pin!(client.write_all(&much));
    stage.note_waiting("write", write.as_mut()).await;
    stage.note_waiting("write", write.as_mut()).await;
    Ok(())
}

async fn a_reader_that_wakes_up_lets_the_writer_go_on(stage: Stage) -> io::Result<()> {
    let (mut client, mut server) = stage.pair().await?;
    let size = stage.more_than_fits();
    let much = pattern(size);
    let mut write = pin!(client.write_all(&much));
    stage.note_waiting("write", write.as_mut()).await;
    let mut heard = vec![0; size];
    let (written, read) = futures::join!(write, server.read_exact(&mut heard));
    stage.note("write", written);
    stage.note("read", read.map(drop));
    stage.note("as it was sent", heard == pattern(size));
    Ok(())
}

async fn an_end_behind_full_buffers_is_still_delivered(stage: Stage) -> io::Result<()> {
    let (mut client, mut server) = stage.pair().await?;
    let written = fill(&stage, &mut client).await?;
    stage.note("the client ends", client.shutdown().await);
    stage.settle().await;
    let mut heard = vec![];
    server.read_to_end(&mut heard).await?;
    stage.note("all arrived", heard.len() == written);
    Ok(())
}

async fn a_stream_dropped_behind_full_buffers_is_still_delivered(stage: Stage) -> io::Result<()> {
    let (mut client, mut server) = stage.pair().await?;
    let written = fill(&stage, &mut client).await?;
    drop(client);
    stage.settle().await;
    let mut heard = vec![];
    server.read_to_end(&mut heard).await?;
    stage.note("all arrived", heard.len() == written);
    Ok(())
}

async fn a_reader_that_sleeps_stalls_no_other_stream(stage: Stage) -> io::Result<()> {
    let (mut stalled, _asleep) = stage.pair().await?;
    let (mut client, mut server) = stage.pair().await?;
    fill(&stage, &mut stalled).await?;
    client.write_all(b"through").await?;
    let mut heard = [0; 7];
    stage.note("read", server.read_exact(&mut heard).await.map(|_| heard));
    Ok(())
}

async fn two_who_only_write_wait_for_ever(stage: Stage) -> io::Result<()> {
    let (mut client, mut server) = stage.pair().await?;
    let much = vec![0; stage.more_than_fits()];
    let both = async { futures::join!(client.write_all(&much), server.write_all(&much)).0 };
    stage.note_waiting("write and write", pin!(both)).await;
    Ok(())
}

/// Writes until nothing more fits, and says how much did.
async fn fill(stage: &Stage, stream: &mut TcpStream) -> io::Result<usize> {
    let mut written = 0;
    loop {
        let part = [0; 100_000];
        tokio::select! {
            biased;
            n = stream.write(&part) => written += n?,
            () = stage.settle() => return Ok(written),
        }
    }
}

fn pattern(size: usize) -> Vec<u8> {
    let block: Vec<u8> = (0..=250).collect();
    let mut bytes = block.repeat(size / block.len() + 1);
    bytes.truncate(size);
    bytes
}
