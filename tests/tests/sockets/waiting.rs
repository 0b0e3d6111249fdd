//! Many who wait at one socket, for different things, and some who give up or move on.

use std::collections::BTreeSet;
use std::future::poll_fn;
use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;

use event_loop::io::Interest;
use event_loop::net::{TcpListener, TcpStream, UdpSocket, UnixDatagram};
use event_loop::{TaskHandle, spawn};
use futures::future::join_all;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt, ReadBuf};

use crate::case::Reach::{Anywhere, Loopback};
use crate::case::cases;
use crate::stage::Stage;

cases! {
    A3 {
        who_waits_for_room_and_who_waits_for_bytes_are_told_apart: Anywhere,
        a_read_and_a_wait_of_the_other_half_end_with_the_same_byte: Anywhere,
        who_peeks_waits_on_while_another_takes_the_bytes: Anywhere,
        a_task_that_is_aborted_as_it_is_woken_takes_nothing: Anywhere,
        the_end_wakes_everybody: Anywhere,
        a_reset_wakes_everybody: Anywhere,
        a_stream_is_read_on_by_another_task: Anywhere,
        of_two_who_read_by_hand_the_last_is_woken: Anywhere,
    }
    T2 {
        everybody_who_accepts_is_served: Anywhere,
        an_accept_by_hand_waits_beside_others: Anywhere,
        an_acceptor_that_is_aborted_as_it_is_woken_loses_no_connection: Anywhere,
    }
    D7 {
        receivers_that_are_aborted_as_they_are_woken_lose_nothing: Anywhere,
        who_peeks_at_datagrams_and_who_takes_them_are_woken: Anywhere,
        a_refusal_is_told_to_one_of_those_who_receive: Anywhere,
        datagrams_of_no_bytes_wake_one_receiver_each: Anywhere,
    }
    U5 {
        everybody_who_receives_at_a_unix_socket_is_served: Loopback,
        everybody_who_sends_to_a_full_unix_socket_is_served: Loopback,
    }
}

async fn who_waits_for_room_and_who_waits_for_bytes_are_told_apart(stage: Stage) -> io::Result<()> {
    let (client, mut server) = stage.pair().await?;
    fill(&stage, &client).await?;
    let client = Arc::new(client);
    let room = waiter(&client, Interest::WRITABLE);
    let bytes = waiter(&client, Interest::READABLE);
    let either = waiter(&client, Interest::READABLE | Interest::WRITABLE);
    stage.settle().await;
    note_done(&stage, "before", &[&room, &bytes, &either]);
    server.write_all(b"x").await?;
    bytes.await.expect("it ends")?;
    either.await.expect("it ends")?;
    stage.settle().await;
    note_done(&stage, "after a byte", &[&room]);
    let mut much = vec![0; 1 << 16];
    while !room.is_finished() {
        assert_ne!(server.read(&mut much).await?, 0, "the client is there");
        stage.settle().await;
    }
    stage.note("after the reads", room.await.expect("it ends"));
    Ok(())
}

async fn a_read_and_a_wait_of_the_other_half_end_with_the_same_byte(
    stage: Stage,
) -> io::Result<()> {
    let (client, mut server) = stage.pair().await?;
    let (mut reader, writer) = client.into_split();
    let reading = spawn(async move {
        let n = reader.read(&mut [0; 8]).await;
        (reader, n)
    });
    let waiting = spawn(async move {
        let readable = writer.ready(Interest::READABLE).await;
        (writer, readable.map(|ready| ready.is_readable()))
    });
    stage.settle().await;
    stage.note("read waits", !reading.is_finished());
    stage.note("ready waits", !waiting.is_finished());
    server.write_all(b"x").await?;
    let (reader, n) = reading.await.expect("it ends");
    stage.note("read", n);
    let (writer, readable) = waiting.await.expect("it ends");
    let because = "the byte may be gone by then";
    stage.note_one_of("ready for something", readable, &["no", "yes"], because);
    stage.note("of one stream", reader.reunite(writer).is_ok());
    Ok(())
}

async fn who_peeks_waits_on_while_another_takes_the_bytes(stage: Stage) -> io::Result<()> {
    let (client, mut server) = stage.pair().await?;
    let client = Arc::new(client);
    let peeking: Vec<_> = (0..3)
        .map(|_| {
            let client = client.clone();
            spawn(async move { client.peek(&mut [0; 4]).await })
        })
        .collect();
    stage.settle().await;
    let taking = {
        let client = client.clone();
        spawn(async move {
            loop {
                client.readable().await?;
                match client.try_read(&mut [0; 4]) {
                    Ok(0) => return io::Result::Ok(()),
                    Err(error) if error.kind() != io::ErrorKind::WouldBlock => return Err(error),
                    _ => {}
                }
            }
        })
    };
    for _ in 0..20 {
        server.write_all(b"x").await?;
        stage.settle().await;
    }
    server.shutdown().await?;
    for peek in peeking {
        let seen = peek.await.expect("it ends")?;
        assert!(seen <= 4, "{seen}");
    }
    stage.note("taken to the end", taking.await.expect("it ends"));
    Ok(())
}

async fn a_task_that_is_aborted_as_it_is_woken_takes_nothing(stage: Stage) -> io::Result<()> {
    for _ in 0..5 {
        let (client, mut server) = stage.pair().await?;
        let client = Arc::new(client);
        let waiting: Vec<_> = (0..6)
            .map(|_| waiter(&client, Interest::READABLE))
            .collect();
        stage.settle().await;
        server.write_all(b"x").await?;
        // Here it is under way, or they are woken and have not run.
        event_loop::yield_now().await;
        for task in waiting.iter().step_by(2) {
            task.abort();
        }
        for (index, task) in waiting.into_iter().enumerate() {
            let ended = task.await;
            assert!(index % 2 == 0 || ended.is_ok(), "{index}: {ended:?}");
        }
        stage.note("try_read", client.try_read(&mut [0]));
    }
    Ok(())
}

async fn the_end_wakes_everybody(stage: Stage) -> io::Result<()> {
    let (client, mut server) = stage.pair().await?;
    drained(&client);
    let client = Arc::new(client);
    let peeking = {
        let client = client.clone();
        spawn(async move { client.peek(&mut [0]).await })
    };
    let waiting: Vec<_> = (0..3)
        .map(|_| waiter(&client, Interest::READABLE))
        .collect();
    let by_hand = {
        let client = client.clone();
        spawn(async move { poll_fn(|cx| client.poll_read_ready(cx)).await })
    };
    stage.settle().await;
    server.shutdown().await?;
    for task in waiting {
        task.await.expect("it ends")?;
    }
    stage.note("by hand", by_hand.await.expect("it ends"));
    stage.note("peek", peeking.await.expect("it ends"));
    stage.note("readable for ever", client.readable().await);
    stage.note("try_read", client.try_read(&mut [0]));
    stage.note("readable for ever", client.readable().await);
    Ok(())
}

async fn a_reset_wakes_everybody(stage: Stage) -> io::Result<()> {
    let (client, server) = stage.pair().await?;
    fill(&stage, &client).await?;
    let client = Arc::new(client);
    let room = waiter(&client, Interest::WRITABLE);
    let bytes = waiter(&client, Interest::READABLE);
    let by_hand = {
        let client = client.clone();
        spawn(async move { poll_fn(|cx| client.poll_write_ready(cx)).await })
    };
    stage.settle().await;
    note_done(&stage, "before", &[&room, &bytes]);
    server.set_zero_linger()?;
    drop(server);
    room.await.expect("it ends")?;
    bytes.await.expect("it ends")?;
    stage.note("by hand", by_hand.await.expect("it ends"));
    stage.note("peek", client.peek(&mut [0]).await);
    stage.note("peek again", client.peek(&mut [0]).await);
    stage.note("try_write", client.try_write(b"x"));
    Ok(())
}

async fn a_stream_is_read_on_by_another_task(stage: Stage) -> io::Result<()> {
    let (mut client, mut server) = stage.pair().await?;
    for _ in 0..3 {
        // Polled once by a task that ends, with its waker left behind.
        let polled = spawn(async move {
            let mut buffer = [0; 1];
            let mut into = ReadBuf::new(&mut buffer);
            let polled = poll_fn(|cx| {
                Poll::Ready(Pin::new(&mut client).poll_read(cx, &mut into).is_pending())
            });
            (polled.await, client)
        });
        let (pending, moved) = polled.await.expect("it ends");
        stage.note("waits", pending);
        let reading = spawn(async move {
            let mut moved = moved;
            let n = moved.read(&mut [0; 1]).await;
            (n, moved)
        });
        stage.settle().await;
        server.write_all(b"x").await?;
        let (n, moved) = reading.await.expect("it ends");
        stage.note("read", n);
        client = moved;
    }
    Ok(())
}

async fn of_two_who_read_by_hand_the_last_is_woken(stage: Stage) -> io::Result<()> {
    let (client, mut server) = stage.pair().await?;
    let client = Arc::new(client);
    let by_hand = || {
        let client = client.clone();
        spawn(async move { poll_fn(|cx| client.poll_read_ready(cx)).await })
    };
    drained(&client);
    let first = by_hand();
    stage.settle().await;
    let last = by_hand();
    stage.settle().await;
    server.write_all(b"x").await?;
    stage.note("the last", last.await.expect("it ends"));
    stage.settle().await;
    stage.note("the first has ended", first.is_finished());
    first.abort();
    Ok(())
}

async fn everybody_who_accepts_is_served(stage: Stage) -> io::Result<()> {
    let (listener, address) = stage.listen().await?;
    let listener = Arc::new(listener);
    let accepting: Vec<_> = (0..5).map(|_| acceptor(&listener)).collect();
    stage.settle().await;
    let mut clients = vec![];
    for _ in 0..5 {
        clients.push(stage.connect(address).await?);
    }
    let mut served = BTreeSet::new();
    for task in accepting {
        served.insert(task.await.expect("it ends")?.peer_addr()?);
    }
    stage.note("different ones", served.len());
    Ok(())
}

async fn an_accept_by_hand_waits_beside_others(stage: Stage) -> io::Result<()> {
    let (listener, address) = stage.listen().await?;
    let listener = Arc::new(listener);
    let by_hand = {
        let listener = listener.clone();
        spawn(async move { poll_fn(|cx| listener.poll_accept(cx)).await.map(|(s, _)| s) })
    };
    let other = acceptor(&listener);
    stage.settle().await;
    let _first = stage.connect(address).await?;
    stage.settle().await;
    let ended = usize::from(by_hand.is_finished()) + usize::from(other.is_finished());
    stage.note("ended", ended);
    let _second = stage.connect(address).await?;
    stage.note("by hand", by_hand.await.expect("it ends"));
    stage.note("the other", other.await.expect("it ends"));
    Ok(())
}

async fn an_acceptor_that_is_aborted_as_it_is_woken_loses_no_connection(
    stage: Stage,
) -> io::Result<()> {
    for _ in 0..5 {
        let (listener, address) = stage.listen().await?;
        let listener = Arc::new(listener);
        let given_up: Vec<_> = (0..3).map(|_| acceptor(&listener)).collect();
        stage.settle().await;
        let mut client = stage.connect(address).await?;
        for task in &given_up {
            task.abort();
        }
        let mut streams = vec![];
        for task in given_up {
            streams.extend(task.await.ok());
        }
        if streams.is_empty() {
            streams.push(listener.accept().await.map(|(stream, _)| stream));
        }
        client.write_all(b"x").await?;
        let mut stream = streams.pop().expect("there is one")?;
        stage.note("read", stream.read(&mut [0; 8]).await);
    }
    Ok(())
}

async fn receivers_that_are_aborted_as_they_are_woken_lose_nothing(stage: Stage) -> io::Result<()> {
    let (client, server) = datagrams(&stage).await?;
    for n in 0..5 {
        let given_up: Vec<_> = (0..3).map(|_| receiver(&server)).collect();
        stage.settle().await;
        client.send(&[n]).await?;
        event_loop::yield_now().await;
        for task in &given_up {
            task.abort();
        }
        let mut came = vec![];
        for task in given_up {
            came.extend(task.await.ok());
        }
        if came.is_empty() {
            came.push(received(&server).await);
        }
        stage.note("came", came.pop().expect("there is one"));
        stage.note("more", came.len());
    }
    Ok(())
}

async fn who_peeks_at_datagrams_and_who_takes_them_are_woken(stage: Stage) -> io::Result<()> {
    let (client, server) = datagrams(&stage).await?;
    let peeking: Vec<_> = (0..2)
        .map(|_| {
            let server = server.clone();
            spawn(async move { server.peek(&mut [0; 4]).await })
        })
        .collect();
    let looking = {
        let server = server.clone();
        spawn(async move { server.peek_sender().await.map(drop) })
    };
    stage.settle().await;
    client.send(b"abc").await?;
    for task in peeking {
        stage.note("peek", task.await.expect("it ends"));
    }
    stage.note("sender", looking.await.expect("it ends"));
    let taking = receiver(&server);
    stage.note("receive", taking.await.expect("it ends"));
    stage.note("then", server.try_recv(&mut [0; 4]));
    Ok(())
}

async fn a_refusal_is_told_to_one_of_those_who_receive(stage: Stage) -> io::Result<()> {
    let (client, server) = datagrams(&stage).await?;
    let nobody = UdpSocket::bind(stage.server.at(0)).await?;
    client.connect(nobody.local_addr()?).await?;
    drop(nobody);
    let client = Arc::new(client);
    let receiving: Vec<_> = (0..3).map(|_| receiver(&client)).collect();
    stage.settle().await;
    client.send(b"x").await?;
    stage.settle().await;
    let done = receiving.iter().filter(|task| task.is_finished()).count();
    stage.note("told", done);
    // The others are served as if nothing had been.
    client.connect(server.local_addr()?).await?;
    server.connect(client.local_addr()?).await?;
    for _ in 0..2 {
        server.send(b"y").await?;
    }
    let mut came = vec![];
    for task in receiving {
        came.push(format!(
            "{:?}",
            task.await.expect("it ends").map_err(|error| error.kind())
        ));
    }
    came.sort();
    stage.note("came", came.join(", "));
    Ok(())
}

async fn datagrams_of_no_bytes_wake_one_receiver_each(stage: Stage) -> io::Result<()> {
    let (client, server) = datagrams(&stage).await?;
    let receiving: Vec<_> = (0..4).map(|_| receiver(&server)).collect();
    stage.settle().await;
    for _ in 0..3 {
        client.send(b"").await?;
    }
    stage.settle().await;
    let done = receiving.iter().filter(|task| task.is_finished()).count();
    stage.note("done", done);
    client.send(b"last").await?;
    let came = join_all(receiving).await;
    let bytes: usize = came
        .into_iter()
        .map(|came| came.expect("it ends").map_or(0, |came| came.len()))
        .sum();
    stage.note("bytes", bytes);
    Ok(())
}

async fn everybody_who_receives_at_a_unix_socket_is_served(stage: Stage) -> io::Result<()> {
    let (one, other) = UnixDatagram::pair()?;
    let other = Arc::new(other);
    let receiving: Vec<_> = (0..6)
        .map(|_| {
            let other = other.clone();
            spawn(async move {
                let mut byte = [0];
                other.recv(&mut byte).await.map(|_| byte[0])
            })
        })
        .collect();
    stage.settle().await;
    for task in &receiving[..2] {
        task.abort();
    }
    for n in 0..4 {
        one.send(&[n]).await?;
    }
    let mut came = vec![];
    for task in receiving {
        came.extend(task.await.ok().transpose()?);
    }
    came.sort_unstable();
    stage.note("came", came);
    Ok(())
}

async fn everybody_who_sends_to_a_full_unix_socket_is_served(stage: Stage) -> io::Result<()> {
    let (one, other) = UnixDatagram::pair()?;
    let mut sent = 0;
    one.writable().await?;
    while one.try_send(b"x").is_ok() {
        sent += 1;
    }
    let one = Arc::new(one);
    let sending: Vec<_> = (0..4)
        .map(|_| {
            let one = one.clone();
            spawn(async move { one.send(b"y").await })
        })
        .collect();
    let writable = {
        let one = one.clone();
        spawn(async move { one.writable().await })
    };
    stage.settle().await;
    let done = sending.iter().filter(|task| task.is_finished()).count();
    stage.note("done", done);
    sending[1].abort();
    for _ in 0..sent + 3 {
        other.recv(&mut [0]).await?;
    }
    stage.note("writable", writable.await.expect("it ends"));
    let ended = join_all(sending).await;
    stage.note("sent", ended.iter().filter(|ended| ended.is_ok()).count());
    stage.note("none is left", other.try_recv(&mut [0]));
    Ok(())
}

/// Waits for readiness in a task of its own.
fn waiter(stream: &Arc<TcpStream>, interest: Interest) -> TaskHandle<io::Result<()>> {
    let stream = stream.clone();
    spawn(async move { stream.ready(interest).await.map(drop) })
}

fn acceptor(listener: &Arc<TcpListener>) -> TaskHandle<io::Result<TcpStream>> {
    let listener = listener.clone();
    spawn(async move { listener.accept().await.map(|(stream, _)| stream) })
}

fn receiver(socket: &Arc<UdpSocket>) -> TaskHandle<io::Result<Vec<u8>>> {
    let socket = socket.clone();
    spawn(async move { received(&socket).await })
}

async fn received(socket: &UdpSocket) -> io::Result<Vec<u8>> {
    let mut buffer = [0; 16];
    let n = socket.recv(&mut buffer).await?;
    Ok(buffer[..n].to_vec())
}

/// A socket on the client's side, and the one on the server's that it is connected to.
async fn datagrams(stage: &Stage) -> io::Result<(UdpSocket, Arc<UdpSocket>)> {
    let server = UdpSocket::bind(stage.server.at(0)).await?;
    let client = stage
        .client
        .run(UdpSocket::bind(stage.client.at(0)))
        .await?;
    client.connect(server.local_addr()?).await?;
    Ok((client, Arc::new(server)))
}

fn note_done(stage: &Stage, when: &str, tasks: &[&TaskHandle<io::Result<()>>]) {
    let done = tasks.iter().filter(|task| task.is_finished()).count();
    stage.note(&format!("done {when}"), done);
}

/// Writes until there has been no room for a while.
async fn fill(stage: &Stage, stream: &TcpStream) -> io::Result<()> {
    let much = vec![0; 1 << 16];
    loop {
        let mut writable = pin!(stream.writable());
        if stage.still_waits(writable.as_mut()).await {
            return Ok(());
        }
        while stream.try_write(&much).is_ok() {}
    }
}

/// Lets it find out that nothing has come.
fn drained(stream: &TcpStream) {
    while matches!(stream.try_read(&mut [0; 16]), Ok(1..)) {}
}
