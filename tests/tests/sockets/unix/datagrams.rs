//! Unix sockets: datagrams.

use std::io;

use event_loop::net::UnixDatagram;

use super::{Place, heard};
use crate::case::Reach::Loopback;
use crate::case::cases;
use crate::stage::Stage;

cases! {
    U4 {
        unix_datagrams_keep_their_bounds_and_lose_what_does_not_fit: Loopback,
        a_datagram_says_what_its_sender_is_bound_to: Loopback,
        a_datagram_socket_that_is_connected_hears_its_peer_alone: Loopback,
        a_datagram_for_nobody_is_refused: Loopback,
        a_unix_datagram_that_is_too_long_is_refused: Loopback,
        who_sends_to_a_full_queue_waits: Loopback,
        a_datagram_socket_that_was_shut_sends_no_more: Loopback,
        a_unix_datagram_is_polled_for: Loopback,
        a_unix_datagram_that_is_there_goes_behind_what_a_buffer_has: Loopback,
    }
}

async fn unix_datagrams_keep_their_bounds_and_lose_what_does_not_fit(
    stage: Stage,
) -> io::Result<()> {
    let (one, other) = UnixDatagram::pair()?;
    for datagram in [&b"first"[..], b"", b"third"] {
        stage.note("send", one.send(datagram).await);
    }
    let mut small = [0; 3];
    stage.note("receive", other.recv(&mut small).await);
    stage.note("of the first", small);
    stage.note("the second", heard(&other).await);
    stage.note("the third", heard(&other).await);
    let mut buffer = vec![];
    one.send(b"grown").await?;
    stage.note(
        "into a buffer that grows",
        other.recv_buf(&mut buffer).await,
    );
    stage.note("it has", buffer);
    Ok(())
}

async fn a_datagram_says_what_its_sender_is_bound_to(stage: Stage) -> io::Result<()> {
    let (here, there) = (Place::new(), Place::new());
    let receiver = UnixDatagram::bind(&here)?;
    let (named, unnamed) = (UnixDatagram::bind(&there)?, UnixDatagram::unbound()?);
    named.send_to(b"named", &here).await?;
    unnamed.send_to(b"unnamed", &here).await?;
    let (n, from) = receiver.recv_from(&mut [0; 9]).await?;
    stage.note("bytes", n);
    stage.note("from the named", there.is(&from));
    let (_, from) = receiver.recv_from(&mut [0; 9]).await?;
    stage.note("from the unnamed", from.is_unnamed());
    Ok(())
}

async fn a_datagram_socket_that_is_connected_hears_its_peer_alone(stage: Stage) -> io::Result<()> {
    let (here, there) = (Place::new(), Place::new());
    let (one, other) = (UnixDatagram::bind(&here)?, UnixDatagram::bind(&there)?);
    let stranger = UnixDatagram::unbound()?;
    stage.note("send before", one.send(b"?").await);
    stranger.send_to(b"before", &here).await?;
    stage.note("connect", one.connect(&there));
    stage.note("a stranger sends", stranger.send_to(b"after", &here).await);
    stage.note("and connects", stranger.connect(&here));
    stage.note(
        "the peer sends",
        other.send_to(b"from the peer", &here).await,
    );
    stage.note("one hears", heard(&one).await);
    stage.note("and", heard(&one).await);
    stage.note("one sends", one.send(b"to the peer").await);
    stage.note("the peer hears", heard(&other).await);
    Ok(())
}

async fn a_datagram_for_nobody_is_refused(stage: Stage) -> io::Result<()> {
    let place = Place::new();
    let sender = UnixDatagram::unbound()?;
    let receiver = UnixDatagram::bind(&place)?;
    sender.connect(&place)?;
    drop(receiver);
    stage.note("send", sender.send(b"?").await);
    stage.note("send again", sender.send(b"?").await);
    stage.note("send to it", sender.send_to(b"?", &place).await);
    Ok(())
}

async fn a_unix_datagram_that_is_too_long_is_refused(stage: Stage) -> io::Result<()> {
    let (one, other) = UnixDatagram::pair()?;
    stage.note("too long", one.send(&vec![0; 1 << 20]).await);
    stage.note("long", one.send(&vec![0; 100_000]).await);
    stage.note("receive", other.recv(&mut vec![0; 1 << 20]).await);
    Ok(())
}

async fn who_sends_to_a_full_queue_waits(stage: Stage) -> io::Result<()> {
    let place = Place::new();
    let receiver = UnixDatagram::bind(&place)?;
    let sender = UnixDatagram::unbound()?;
    sender.connect(&place)?;
    sender.writable().await?;
    let mut sent = 0;
    while sender.try_send(b"x").is_ok() {
        sent += 1;
    }
    stage.note("some are sent", sent > 5);
    stage.note("one more", sender.try_send(b"y"));
    let mut sending = Box::pin(sender.send(b"y"));
    stage.note_waiting("send", sending.as_mut()).await;
    stage.note("receive", heard(&receiver).await);
    stage.note("send", sending.await);
    for _ in 1..sent {
        heard(&receiver).await?;
    }
    stage.note("receive the last", heard(&receiver).await);
    Ok(())
}

async fn a_datagram_socket_that_was_shut_sends_no_more(stage: Stage) -> io::Result<()> {
    let (one, other) = UnixDatagram::pair()?;
    stage.note("shut", one.shutdown(std::net::Shutdown::Write));
    stage.note("send", one.send(b"?").await);
    stage.note("the other sends", other.send(b"still").await);
    stage.note("one hears", heard(&one).await);
    stage.note("shut", one.shutdown(std::net::Shutdown::Read));
    stage.note("the other sends", other.send(b"no more").await);
    Ok(())
}

async fn a_unix_datagram_is_polled_for(stage: Stage) -> io::Result<()> {
    let (one, other) = UnixDatagram::pair()?;
    let place = Place::new();
    let third = UnixDatagram::bind(&place)?;
    let sent = std::future::poll_fn(|cx| one.poll_send(cx, b"polled")).await;
    stage.note("send", sent);
    std::future::poll_fn(|cx| other.poll_recv_ready(cx)).await?;
    let mut buffer = [0; 9];
    let mut into = tokio::io::ReadBuf::new(&mut buffer);
    std::future::poll_fn(|cx| other.poll_recv(cx, &mut into)).await?;
    stage.note("receive", into.filled());
    let stranger = UnixDatagram::unbound()?;
    let sent = std::future::poll_fn(|cx| stranger.poll_send_to(cx, b"to", &place)).await;
    stage.note("send to", sent);
    into.clear();
    let from = std::future::poll_fn(|cx| third.poll_recv_from(cx, &mut into)).await?;
    stage.note("from the unnamed", from.is_unnamed());
    stage.note("receive", into.filled());
    third.writable().await?;
    stage.note("none is left", third.try_recv(&mut [0]));
    stage.note("send without waiting", third.try_send_to(b"self", &place));
    third.readable().await?;
    let (n, from) = third.try_recv_from(&mut [0; 9])?;
    stage.note("receive", n);
    stage.note("from itself", place.is(&from));
    Ok(())
}

async fn a_unix_datagram_that_is_there_goes_behind_what_a_buffer_has(
    stage: Stage,
) -> io::Result<()> {
    let (one, other) = UnixDatagram::pair()?;
    let mut buffer = b"so ".to_vec();
    one.send(b"far").await?;
    one.send(b" and on").await?;
    other.readable().await?;
    stage.note("receive", other.try_recv_buf(&mut buffer));
    let sent = other.try_recv_buf_from(&mut buffer);
    stage.note("another", sent.map(|(n, _)| n));
    stage.note("no more", other.try_recv_buf(&mut buffer));
    stage.note("it has", buffer);
    Ok(())
}
