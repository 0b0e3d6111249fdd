//! TCP: what is remembered of readiness, several who wait, several buffers, and halves.

use std::io::{self, ErrorKind, IoSlice, IoSliceMut};
use std::pin::pin;
use std::sync::Arc;

use event_loop::io::{Interest, Ready};
use event_loop::net::TcpStream;
use event_loop::spawn;
use futures::future::poll_fn;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::case::Reach::Anywhere;
use crate::case::cases;
use crate::stage::Stage;

cases! {
    A1 {
        a_stream_that_connected_is_readable_once_bytes_have_come: Anywhere,
        a_stream_that_was_accepted_is_taken_for_readable: Anywhere,
        readable_is_told_again_until_a_read_has_found_nothing: Anywhere,
        a_read_that_does_not_fill_its_buffer_has_found_the_last_byte: Anywhere,
        writable_is_told_again_until_a_write_has_found_no_room: Anywhere,
    }
    A2 {
        a_read_that_does_not_wait_says_what_is_there: Anywhere,
        a_read_into_several_buffers_fills_them_in_turn: Anywhere,
        a_write_from_several_buffers_is_one: Anywhere,
    }
    A3 {
        everybody_who_waits_for_readiness_is_woken: Anywhere,
        a_peek_that_is_dropped_loses_nothing: Anywhere,
        a_wait_for_readiness_that_is_dropped_takes_it_from_nobody: Anywhere,
    }
    A4 {
        halves_that_borrow_end_nothing: Anywhere,
        an_owned_writer_ends_its_direction_when_dropped_unless_forgotten: Anywhere,
        halves_are_put_together_again_if_they_are_of_one_stream: Anywhere,
        halves_do_what_the_stream_does: Anywhere,
        a_close_of_futures_ends_one_direction: Anywhere,
    }
}

async fn a_stream_that_connected_is_readable_once_bytes_have_come(stage: Stage) -> io::Result<()> {
    let (client, mut server) = stage.pair().await?;
    stage.note("ready", client.ready(BOTH).await.map(shown));
    let mut readable = pin!(client.readable());
    stage.note_waiting("readable", readable.as_mut()).await;
    server.write_all(b"a").await?;
    stage.note("readable", readable.await);
    stage.note("ready", client.ready(BOTH).await.map(shown));
    poll_fn(|cx| client.poll_read_ready(cx)).await?;
    poll_fn(|cx| client.poll_write_ready(cx)).await?;
    Ok(())
}

async fn a_stream_that_was_accepted_is_taken_for_readable(stage: Stage) -> io::Result<()> {
    let (mut client, server) = stage.pair().await?;
    stage.note("readable", server.readable().await);
    stage.note("try_read", server.try_read(&mut [0]));
    let mut readable = pin!(server.readable());
    stage.note_waiting("readable", readable.as_mut()).await;
    client.write_all(b"a").await?;
    stage.note("readable", readable.await);
    stage.note("try_read", server.try_read(&mut [0]));
    Ok(())
}

async fn readable_is_told_again_until_a_read_has_found_nothing(stage: Stage) -> io::Result<()> {
    let (mut client, server) = stage.pair().await?;
    client.write_all(b"abc").await?;
    stage.settle().await;
    stage.note("read", try_read_to_the_last(&server, 3)?);
    stage.note("readable", server.readable().await);
    stage.note("try_read", server.try_read(&mut [0]));
    let mut readable = pin!(server.readable());
    stage.note_waiting("readable", readable.as_mut()).await;
    Ok(())
}

async fn a_read_that_does_not_fill_its_buffer_has_found_the_last_byte(
    stage: Stage,
) -> io::Result<()> {
    let (mut client, mut server) = stage.pair().await?;
    client.write_all(b"abc").await?;
    stage.settle().await;
    let mut left = 3;
    while left > 0 {
        left -= server.read(&mut [0; 8]).await?;
    }
    {
        let mut readable = pin!(server.readable());
        stage.note_waiting("readable", readable.as_mut()).await;
    }
    client.write_all(b"abc").await?;
    stage.settle().await;
    server.read_exact(&mut [0; 3]).await?;
    let filled = "readable after a buffer was filled";
    stage.note(filled, server.readable().await);
    stage.note("try_read", server.try_read(&mut [0]));
    Ok(())
}

async fn writable_is_told_again_until_a_write_has_found_no_room(stage: Stage) -> io::Result<()> {
    let (client, mut server) = stage.pair().await?;
    let mut written = 0;
    loop {
        client.writable().await?;
        match client.try_write(&[0; 10_000]) {
            Ok(n) => written += n,
            Err(full) if full.kind() == ErrorKind::WouldBlock => {
                // A kernel moves bytes on while nobody reads, and then has room again.
                let mut writable = pin!(client.writable());
                if stage.still_waits(writable.as_mut()).await {
                    break;
                }
            }
            Err(error) => return Err(error),
        }
    }
    stage.note("try_write", client.try_write(b"a"));
    server.read_exact(&mut vec![0; written]).await?;
    stage.note("writable", client.writable().await);
    client.try_write(b"a")?;
    stage.note("writable", client.writable().await);
    Ok(())
}

async fn a_read_that_does_not_wait_says_what_is_there(stage: Stage) -> io::Result<()> {
    let (mut client, server) = stage.pair().await?;
    stage.note("try_read of nothing", server.try_read(&mut [0]));
    let mut bytes = Vec::with_capacity(2);
    stage.note("try_read_buf of nothing", server.try_read_buf(&mut bytes));
    client.write_all(b"abcdef").await?;
    client.shutdown().await?;
    stage.settle().await;
    stage.note("read", try_read_to_the_last(&server, 2)?);
    while bytes.len() < 4 {
        server.try_read_buf(&mut bytes)?;
    }
    stage.note("read into a buffer that grows", bytes);
    stage.note("try_read at the end", server.try_read(&mut [0]));
    let mut bytes = vec![];
    stage.note("try_read_buf at the end", server.try_read_buf(&mut bytes));
    Ok(())
}

async fn a_read_into_several_buffers_fills_them_in_turn(stage: Stage) -> io::Result<()> {
    let (mut client, server) = stage.pair().await?;
    client.write_all(b"abcdefgh").await?;
    stage.settle().await;
    let mut read = 0;
    let mut bytes = [[b'-'; 2], [b'-'; 2], [b'-'; 2], [b'-'; 2]];
    while read < 7 {
        let flat = bytes.as_flattened_mut();
        let (first, others) = flat[read..7].split_at_mut(1.min(7 - read));
        let (empty, others) = others.split_at_mut(0);
        let mut bufs = [first, empty, others].map(IoSliceMut::new);
        read += server.try_read_vectored(&mut bufs)?;
    }
    stage.note("7 of 8 bytes", bytes.as_flattened());
    stage.note("the last", try_read_to_the_last(&server, 1)?);
    Ok(())
}

async fn a_write_from_several_buffers_is_one(stage: Stage) -> io::Result<()> {
    let (mut client, mut server) = stage.pair().await?;
    client.writable().await?;
    let pieces = [&b"ab"[..], b"", b"cde"];
    let n = client.try_write_vectored(&pieces.map(IoSlice::new))?;
    client.write_all(&b"abcde"[n..]).await?;
    let vectored = tokio::io::AsyncWrite::is_write_vectored(&client);
    stage.note("is_write_vectored", vectored);
    let n = client.write_vectored(&pieces.map(IoSlice::new)).await?;
    client.write_all(&b"abcde"[n..]).await?;
    drop(client);
    let mut heard = vec![];
    server.read_to_end(&mut heard).await?;
    stage.note("read", heard);
    Ok(())
}

async fn a_peek_that_is_dropped_loses_nothing(stage: Stage) -> io::Result<()> {
    let (mut client, mut server) = stage.pair().await?;
    {
        let mut seen = [0; 3];
        let mut peek = pin!(server.peek(&mut seen));
        stage.note_waiting("peek", peek.as_mut()).await;
        client.write_all(b"abc").await?;
        stage.settle().await;
    }
    let mut read = [0; 3];
    stage.note("read", server.read_exact(&mut read).await.map(|_| read));
    Ok(())
}

async fn everybody_who_waits_for_readiness_is_woken(stage: Stage) -> io::Result<()> {
    let (client, mut server) = stage.pair().await?;
    let client = Arc::new(client);
    let mut waiting = vec![];
    for waiter in 0..6 {
        let client = client.clone();
        waiting.push(spawn(async move {
            match waiter % 3 {
                0 => client.readable().await,
                1 => client.ready(Interest::READABLE).await.map(drop),
                _ => client.peek(&mut [0]).await.map(drop),
            }
        }));
    }
    // One more that has a waker of its own, as reads have.
    let polling = {
        let client = client.clone();
        spawn(async move { poll_fn(|cx| client.poll_read_ready(cx)).await })
    };
    stage.settle().await;
    let done = waiting.iter().filter(|task| task.is_finished()).count();
    stage.note("done before", done);
    server.write_all(b"a").await?;
    for task in waiting {
        task.await.expect("it ends")?;
    }
    stage.note("the last", polling.await.expect("it ends"));
    Ok(())
}

async fn a_wait_for_readiness_that_is_dropped_takes_it_from_nobody(stage: Stage) -> io::Result<()> {
    let (client, mut server) = stage.pair().await?;
    let client = Arc::new(client);
    let waiting = {
        let client = client.clone();
        spawn(async move { client.readable().await })
    };
    {
        let mut readable = pin!(client.readable());
        stage.note_waiting("readable", readable.as_mut()).await;
        server.write_all(b"a").await?;
        stage.settle().await;
    }
    stage.note("the other", waiting.await.expect("it ends"));
    stage.note("readable again", client.readable().await);
    stage.note("try_read", client.try_read(&mut [0]));
    Ok(())
}

async fn halves_that_borrow_end_nothing(stage: Stage) -> io::Result<()> {
    let (mut client, mut server) = stage.pair().await?;
    {
        let (mut reader, mut writer) = client.split();
        let echo = async {
            let mut heard = [0; 3];
            server.read_exact(&mut heard).await?;
            server.write_all(&heard.to_ascii_uppercase()).await
        };
        let mut heard = [0; 3];
        let reading = reader.read_exact(&mut heard);
        let (wrote, read, echoed) = tokio::join!(writer.write_all(b"abc"), reading, echo);
        stage.note("write", wrote);
        stage.note("read", read);
        echoed?;
        stage.note("read by a half", heard);
        assert_eq!(reader.local_addr()?, writer.local_addr()?);
    }
    client.write_all(b"d").await?;
    stage.note("read", server.read_u8().await.map(|byte| [byte]));
    Ok(())
}

async fn an_owned_writer_ends_its_direction_when_dropped_unless_forgotten(
    stage: Stage,
) -> io::Result<()> {
    let (client, mut server) = stage.pair().await?;
    let (mut reader, writer) = client.into_split();
    writer.forget();
    {
        let mut buffer = [0];
        let mut read = pin!(server.read(&mut buffer));
        stage.note_waiting("read, forgotten", read.as_mut()).await;
    }
    server.write_all(b"a").await?;
    stage.note(
        "read by the half",
        reader.read_u8().await.map(|byte| [byte]),
    );

    let (client, mut server) = stage.pair().await?;
    let (mut reader, mut writer) = client.into_split();
    writer.write_all(b"a").await?;
    drop(writer);
    let mut heard = vec![];
    server.read_to_end(&mut heard).await?;
    stage.note("read, dropped", heard);
    server.write_all(b"b").await?;
    stage.note(
        "read by the half",
        reader.read_u8().await.map(|byte| [byte]),
    );
    Ok(())
}

async fn halves_are_put_together_again_if_they_are_of_one_stream(stage: Stage) -> io::Result<()> {
    let (one, mut server) = stage.pair().await?;
    let (two, _server) = stage.pair().await?;
    let (one_reader, one_writer) = one.into_split();
    let (two_reader, two_writer) = two.into_split();
    let error = one_reader.reunite(two_writer).expect_err("they are of two");
    let (one_reader, two_writer) = (error.0, error.1);
    let error = one_writer.reunite(two_reader).expect_err("they are of two");
    let (two_reader, one_writer) = (error.0, error.1);
    let two = two_writer.reunite(two_reader);
    stage.note("reunite", two.is_ok());
    let mut one = one_reader.reunite(one_writer).expect("they are of one");
    one.write_all(b"a").await?;
    stage.note("read", server.read_u8().await.map(|byte| [byte]));
    Ok(())
}

async fn halves_do_what_the_stream_does(stage: Stage) -> io::Result<()> {
    let (mut client, server) = stage.pair().await?;
    let (mut reader, writer) = server.into_split();
    stage.note("ready", writer.ready(Interest::WRITABLE).await.map(shown));
    stage.note("try_write", writer.try_write(b"a"));
    stage.note(
        "try_write_vectored",
        writer.try_write_vectored(&[IoSlice::new(b"b")]),
    );
    let (mut borrowed, borrowing) = client.split();
    while borrowed.peek(&mut [0; 2]).await? < 2 {
        stage.settle().await;
    }
    borrowed.readable().await?;
    let mut heard = vec![];
    while heard.len() < 2 {
        borrowed.try_read_buf(&mut heard)?;
    }
    stage.note("read", heard);
    borrowing.writable().await?;
    stage.note("try_write", borrowing.try_write(b"c"));
    reader.readable().await?;
    stage.note("peek", reader.peek(&mut [0]).await);
    stage.note("ready", reader.ready(Interest::READABLE).await.map(shown));
    stage.note("try_read", reader.try_read(&mut [0]));
    assert_eq!(reader.peer_addr()?, borrowing.local_addr()?);
    Ok(())
}

async fn a_close_of_futures_ends_one_direction(stage: Stage) -> io::Result<()> {
    use futures::io::{AsyncReadExt, AsyncWriteExt};

    let (mut client, mut server) = stage.pair().await?;
    AsyncWriteExt::write_all(&mut client, b"a").await?;
    stage.note("close", AsyncWriteExt::close(&mut client).await);
    let mut heard = vec![];
    AsyncReadExt::read_to_end(&mut server, &mut heard).await?;
    stage.note("read", heard);
    let (_reader, mut writer) = server.into_split();
    AsyncWriteExt::write_all(&mut writer, b"b").await?;
    AsyncWriteExt::flush(&mut writer).await?;
    stage.note("close", AsyncWriteExt::close(&mut writer).await);
    let (mut reader, mut writer) = client.split();
    let mut heard = vec![];
    AsyncReadExt::read_to_end(&mut reader, &mut heard).await?;
    stage.note("read", heard);
    stage.note("write", AsyncWriteExt::write(&mut writer, b"c").await);
    Ok(())
}

const BOTH: Interest = Interest::READABLE.add(Interest::WRITABLE);

/// What a socket is ready for.
fn shown(ready: Ready) -> String {
    let parts = [
        (ready.is_readable(), "readable"),
        (ready.is_writable(), "writable"),
        (ready.is_read_closed(), "read closed"),
        (ready.is_write_closed(), "write closed"),
    ];
    let parts = parts.iter().filter(|(is, _)| *is).map(|(_, name)| *name);
    parts.collect::<Vec<_>>().join(", ")
}

/// Reads `n` bytes that are there, in as many pieces as it takes.
fn try_read_to_the_last(stream: &TcpStream, n: usize) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; n];
    let mut read = 0;
    while read < n {
        read += stream.try_read(&mut bytes[read..])?;
    }
    Ok(bytes)
}
