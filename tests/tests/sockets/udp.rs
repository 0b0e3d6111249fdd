//! UDP: datagrams from one to one, who gets them, and what their senders learn.

use std::collections::BTreeSet;
use std::future::poll_fn;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::pin::pin;
use std::sync::Arc;

use event_loop::net::{TcpListener, UdpSocket};
use event_loop::spawn;
use futures::future::{join, join_all};

use crate::case::Reach::{Anywhere, Loopback};
use crate::case::cases;
use crate::stage::{Side, Stage};

cases! {
    D1 {
        a_datagram_is_received_whole: Anywhere,
        a_datagram_without_bytes_is_received: Anywhere,
        a_buffer_that_is_too_small_cuts_off: Anywhere,
        a_peek_leaves_the_datagram: Anywhere,
        the_largest_datagram_arrives: Anywhere,
        a_datagram_larger_than_any_is_refused: Anywhere,
        many_datagrams_arrive_once_each: Anywhere,
    }
    D2 {
        a_connected_socket_sends_without_an_address: Anywhere,
        a_socket_that_is_not_connected_needs_one: Anywhere,
        a_connected_socket_hears_from_its_peer_alone: Anywhere,
        a_connect_anew_is_to_another_peer: Anywhere,
        a_connected_socket_still_sends_elsewhere: Anywhere,
    }
    D3 {
        a_port_that_nobody_has_refuses_the_next_call: Anywhere,
        a_refusal_comes_once: Anywhere,
        a_refusal_is_taken_from_the_socket: Anywhere,
        a_refusal_wakes_who_receives: Anywhere,
        a_refusal_makes_no_socket_readable: Anywhere,
        a_socket_that_is_not_connected_is_not_refused: Anywhere,
        a_closed_socket_refuses_its_peer: Anywhere,
    }
    D4 {
        a_port_of_tcp_is_free_for_udp: Anywhere,
        a_port_that_is_taken_is_taken: Anywhere,
        a_port_is_free_again_after_a_close: Anywhere,
        an_address_of_nobody_cannot_be_bound: Anywhere,
        sockets_share_a_port_that_all_would_share: Anywhere,
        a_connect_settles_the_wildcard: Anywhere,
        the_wildcard_of_ipv6_takes_ipv4: Loopback,
        the_wildcard_of_ipv6_alone_leaves_ipv4: Loopback,
        an_ipv4_socket_knows_no_ipv6: Anywhere,
    }
    D5 {
        a_full_buffer_loses_what_comes: Anywhere,
        buffers_have_the_sizes_they_are_told: Anywhere,
    }
    D7 {
        a_receive_waits_for_a_datagram: Anywhere,
        a_receive_that_is_given_up_takes_nothing: Anywhere,
        a_send_that_is_never_polled_sends_nothing: Anywhere,
        readiness_is_a_hint: Anywhere,
        what_does_not_wait_would_block: Anywhere,
        many_tasks_receive_from_one_socket: Anywhere,
        both_directions_go_on_at_once: Anywhere,
    }
}

pub(crate) async fn bind(side: &Side) -> io::Result<UdpSocket> {
    let address = side.at(0);
    side.run(UdpSocket::bind(address)).await
}

/// A socket of the server's, and one of the client's that is connected to it.
async fn pair(stage: &Stage) -> io::Result<(UdpSocket, UdpSocket)> {
    let server = bind(&stage.server).await?;
    let client = bind(&stage.client).await?;
    client.connect(server.local_addr()?).await?;
    Ok((client, server))
}

/// A port of the server's that nobody has, and a socket of the client's connected to it.
async fn refused(stage: &Stage) -> io::Result<UdpSocket> {
    let (client, server) = pair(stage).await?;
    drop(server);
    stage.settle().await;
    Ok(client)
}

pub(crate) async fn received(socket: &UdpSocket) -> io::Result<Vec<u8>> {
    let mut buf = vec![0; 100];
    let n = socket.recv(&mut buf).await?;
    buf.truncate(n);
    Ok(buf)
}

pub(crate) fn waiting(socket: &UdpSocket) -> io::Result<Vec<u8>> {
    let mut buf = vec![0; 100];
    let n = socket.try_recv(&mut buf)?;
    buf.truncate(n);
    Ok(buf)
}

/// Everything that has come, of which nobody knows the order.
async fn all_that_came(socket: &UdpSocket) -> BTreeSet<Vec<u8>> {
    // What does not wait receives once the loop knows of something.
    let mut all = BTreeSet::new();
    if let Some(Ok(first)) = futures::FutureExt::now_or_never(received(socket)) {
        all.insert(first);
    }
    while let Ok(next) = waiting(socket) {
        all.insert(next);
    }
    all
}

async fn a_datagram_is_received_whole(stage: Stage) -> io::Result<()> {
    let (client, server) = pair(&stage).await?;
    stage.note("send", client.send(b"hello").await);
    stage.settle().await;
    stage.note("send", client.send(b"again").await);
    stage.settle().await;
    let mut buf = [0; 100];
    let (n, from) = server.recv_from(&mut buf).await?;
    stage.note("receive", &buf[..n]);
    stage.note("from the client", from == client.local_addr()?);
    stage.note("receive", received(&server).await);
    Ok(())
}

async fn a_datagram_without_bytes_is_received(stage: Stage) -> io::Result<()> {
    let (client, server) = pair(&stage).await?;
    stage.note("send", client.send(b"").await);
    stage.note("receive", received(&server).await);
    stage.note("send", client.send(b"x").await);
    stage.note("receive into nothing", server.recv(&mut []).await);
    stage.note("another", waiting(&server));
    Ok(())
}

async fn a_buffer_that_is_too_small_cuts_off(stage: Stage) -> io::Result<()> {
    let (client, server) = pair(&stage).await?;
    client.send(b"too long").await?;
    let mut buf = [0; 3];
    stage.note("receive 3", server.recv(&mut buf).await);
    stage.note("bytes", buf);
    stage.note("the rest", waiting(&server));
    Ok(())
}

async fn a_peek_leaves_the_datagram(stage: Stage) -> io::Result<()> {
    let (client, server) = pair(&stage).await?;
    client.send(b"hello").await?;
    let mut buf = [0; 4];
    stage.note("peek 4", server.peek(&mut buf).await);
    let (n, from) = server.peek_from(&mut buf).await?;
    stage.note("peek 4 again", n);
    stage.note("from the client", from == client.local_addr()?);
    let sender = server.peek_sender().await?;
    stage.note("the sender is the client", sender == from);
    stage.note("receive", received(&server).await);
    Ok(())
}

async fn the_largest_datagram_arrives(stage: Stage) -> io::Result<()> {
    let (client, server) = pair(&stage).await?;
    let sent: Vec<u8> = (0..65_507_u32).map(|i| i as u8).collect();
    stage.note("send", client.send(&sent).await);
    let mut buf = vec![0; 70_000];
    let n = server.recv(&mut buf).await?;
    stage.note("receive", n);
    stage.note("unaltered", buf[..n] == sent);
    Ok(())
}

async fn a_datagram_larger_than_any_is_refused(stage: Stage) -> io::Result<()> {
    let (client, server) = pair(&stage).await?;
    stage.note("send 65,508", client.send(&[0; 65_508]).await);
    let to = server.local_addr()?;
    stage.note("send 100,000", client.send_to(&[0; 100_000], to).await);
    stage.settle().await;
    stage.note("receive", waiting(&server));
    Ok(())
}

async fn many_datagrams_arrive_once_each(stage: Stage) -> io::Result<()> {
    let (client, server) = pair(&stage).await?;
    for n in 0..50_u8 {
        client.send(&[n; 9]).await?;
    }
    stage.settle().await;
    let mut came = BTreeSet::new();
    for _ in 0..50 {
        let bytes = received(&server).await?;
        assert!(bytes.len() == 9 && bytes.iter().all(|byte| *byte == bytes[0]));
        came.insert(bytes[0]);
    }
    stage.note("different ones", came.len());
    stage.note("another", waiting(&server));
    Ok(())
}

async fn a_connected_socket_sends_without_an_address(stage: Stage) -> io::Result<()> {
    let (client, server) = pair(&stage).await?;
    let is_server = client.peer_addr()? == server.local_addr()?;
    stage.note("the peer is the server", is_server);
    stage.note("send", client.send(b"hello").await);
    stage.note("receive", received(&server).await);
    stage.note("the server's peer", server.peer_addr().map(drop));
    Ok(())
}

async fn a_socket_that_is_not_connected_needs_one(stage: Stage) -> io::Result<()> {
    let server = bind(&stage.server).await?;
    stage.note("send", server.send(b"to whom?").await);
    let nowhere = stage.server.at(0);
    stage.note("send to port 0", server.send_to(b"", nowhere).await);
    Ok(())
}

async fn a_connected_socket_hears_from_its_peer_alone(stage: Stage) -> io::Result<()> {
    let (client, server) = pair(&stage).await?;
    let stranger = bind(&stage.server).await?;
    let to = client.local_addr()?;
    stranger.send_to(b"psst", to).await?;
    stage.settle().await;
    server.send_to(b"hello", to).await?;
    stage.note("receive", received(&client).await);
    stage.note("another", waiting(&client));
    Ok(())
}

async fn a_connect_anew_is_to_another_peer(stage: Stage) -> io::Result<()> {
    let (client, first) = pair(&stage).await?;
    let second = bind(&stage.server).await?;
    client.connect(second.local_addr()?).await?;
    client.send(b"hello").await?;
    stage.note("the second", received(&second).await);
    stage.note("the first", waiting(&first));
    first.send_to(b"psst", client.local_addr()?).await?;
    stage.settle().await;
    stage.note("the first is heard", waiting(&client));
    Ok(())
}

async fn a_connected_socket_still_sends_elsewhere(stage: Stage) -> io::Result<()> {
    let (client, _server) = pair(&stage).await?;
    let other = bind(&stage.server).await?;
    let sent = client.send_to(b"hello", other.local_addr()?).await;
    stage.note("send to another", sent);
    stage.note("it receives", received(&other).await);
    Ok(())
}

async fn a_port_that_nobody_has_refuses_the_next_call(stage: Stage) -> io::Result<()> {
    let client = refused(&stage).await?;
    stage.note("send", client.send(b"anybody?").await);
    stage.settle().await;
    stage.note("send", client.send(b"anybody?").await);
    Ok(())
}

async fn a_refusal_comes_once(stage: Stage) -> io::Result<()> {
    let client = refused(&stage).await?;
    for _ in 0..3 {
        stage.note("send", client.send(b"anybody?").await);
        stage.settle().await;
    }
    Ok(())
}

async fn a_refusal_is_taken_from_the_socket(stage: Stage) -> io::Result<()> {
    let client = refused(&stage).await?;
    client.send(b"anybody?").await?;
    stage.settle().await;
    stage.note("take error", client.take_error());
    stage.note("take error", client.take_error());
    stage.note("send", client.send(b"anybody?").await);
    Ok(())
}

async fn a_refusal_wakes_who_receives(stage: Stage) -> io::Result<()> {
    let client = refused(&stage).await?;
    let mut buf = [0; 9];
    {
        let mut receive = pin!(client.recv(&mut buf));
        stage.note_waiting("receive", receive.as_mut()).await;
        client.send(b"anybody?").await?;
        stage.note_waiting("receive", receive.as_mut()).await;
    }
    stage.note("what does not wait", client.try_recv(&mut buf));
    stage.note("take error", client.take_error());
    Ok(())
}

async fn a_refusal_makes_no_socket_readable(stage: Stage) -> io::Result<()> {
    let client = refused(&stage).await?;
    let mut buf = [0; 9];
    {
        let mut readable = pin!(client.readable());
        let mut by_hand = pin!(poll_fn(|cx| client.poll_recv_ready(cx)));
        client.send(b"anybody?").await?;
        stage.note_waiting("readable", readable.as_mut()).await;
        stage.note_waiting("by hand", by_hand.as_mut()).await;
    }
    stage.note("what does not wait", client.try_recv(&mut buf));
    stage.note("take error", client.take_error());
    Ok(())
}

async fn a_socket_that_is_not_connected_is_not_refused(stage: Stage) -> io::Result<()> {
    let server = bind(&stage.server).await?;
    let to = server.local_addr()?;
    drop(server);
    let client = bind(&stage.client).await?;
    for _ in 0..2 {
        stage.note("send", client.send_to(b"anybody?", to).await);
        stage.settle().await;
    }
    stage.note("take error", client.take_error());
    Ok(())
}

async fn a_closed_socket_refuses_its_peer(stage: Stage) -> io::Result<()> {
    let (client, server) = pair(&stage).await?;
    client.send(b"hello").await?;
    stage.settle().await;
    drop(server);
    stage.settle().await;
    stage.note("nothing was told", client.take_error());
    client.send(b"hello?").await?;
    stage.settle().await;
    stage.note("now it is", client.take_error());
    Ok(())
}

async fn a_port_of_tcp_is_free_for_udp(stage: Stage) -> io::Result<()> {
    let listener = TcpListener::bind(stage.server.at(0)).await?;
    let bound = UdpSocket::bind(listener.local_addr()?).await;
    stage.note("bind", bound.map(drop));
    Ok(())
}

async fn a_port_that_is_taken_is_taken(stage: Stage) -> io::Result<()> {
    let first = bind(&stage.server).await?;
    let port = first.local_addr()?.port();
    stage.note("port 0 is a free one", port != 0);
    let again = UdpSocket::bind(stage.server.at(port)).await;
    stage.note("bind", again.map(drop));
    let wildcard = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, port)).await;
    stage.note("bind the wildcard", wildcard.map(drop));
    Ok(())
}

async fn a_port_is_free_again_after_a_close(stage: Stage) -> io::Result<()> {
    let first = bind(&stage.server).await?;
    let address = first.local_addr()?;
    drop(first);
    stage.note("bind", UdpSocket::bind(address).await.map(drop));
    Ok(())
}

async fn an_address_of_nobody_cannot_be_bound(stage: Stage) -> io::Result<()> {
    let bound = UdpSocket::bind("198.51.100.7:0").await;
    stage.note("bind", bound.map(drop));
    Ok(())
}

async fn sockets_share_a_port_that_all_would_share(stage: Stage) -> io::Result<()> {
    let shared = UdpSocket::builder().reuse_address(true);
    let first = shared.bind(stage.server.at(0)).await?;
    let address = first.local_addr()?;
    stage.note(
        "one that would not",
        UdpSocket::bind(address).await.map(drop),
    );
    let second = shared.bind(address).await;
    stage.note("one that would", second.as_ref().map(|_| ()));
    let second = second?;
    let client = bind(&stage.client).await?;
    client.send_to(b"hello", address).await?;
    stage.settle().await;
    stage.note("the last gets it", received(&second).await);
    stage.note("and no other", waiting(&first));
    Ok(())
}

async fn a_connect_settles_the_wildcard(stage: Stage) -> io::Result<()> {
    let (_, server) = pair(&stage).await?;
    let to = server.local_addr()?;
    let any = SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0));
    let client = stage.client.run(UdpSocket::bind(any)).await?;
    let wildcard = client.local_addr()?.ip();
    stage.note("its address", wildcard.to_string());
    client.connect(to).await?;
    let settled = client.local_addr()?.ip();
    stage.note("is the client's", settled == stage.client.at(0).ip());
    Ok(())
}

async fn the_wildcard_of_ipv6_takes_ipv4(stage: Stage) -> io::Result<()> {
    let server = UdpSocket::bind((Ipv6Addr::UNSPECIFIED, 0)).await?;
    let port = server.local_addr()?.port();
    let client = bind(&stage.client).await?;
    client
        .send_to(b"hello", (Ipv4Addr::LOCALHOST, port))
        .await?;
    let mut buf = [0; 9];
    let (n, from) = server.recv_from(&mut buf).await?;
    stage.note("receive", &buf[..n]);
    stage.note("from", from.ip().to_string());
    stage.note("answer", server.send_to(b"hi", from).await);
    stage.note("it receives", received(&client).await);
    Ok(())
}

async fn the_wildcard_of_ipv6_alone_leaves_ipv4(stage: Stage) -> io::Result<()> {
    let alone = UdpSocket::builder().only_v6(true);
    let server = alone.bind((Ipv6Addr::UNSPECIFIED, 0)).await?;
    let port = server.local_addr()?.port();
    let other = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, port)).await;
    stage.note("bind IPv4", other.as_ref().map(|_| ()));
    let mapped = (Ipv4Addr::LOCALHOST.to_ipv6_mapped(), port);
    stage.note("send to IPv4", server.send_to(b"hello", mapped).await);
    Ok(())
}

async fn an_ipv4_socket_knows_no_ipv6(stage: Stage) -> io::Result<()> {
    let client = bind(&stage.client).await?;
    let to = (Ipv6Addr::LOCALHOST, 9);
    stage.note("send", client.send_to(b"hello", to).await);
    stage.note("connect", client.connect(to).await);
    Ok(())
}

async fn a_full_buffer_loses_what_comes(stage: Stage) -> io::Result<()> {
    let small = UdpSocket::builder().recv_buffer_size(4_096);
    let server = small.bind(stage.server.at(0)).await?;
    let to = server.local_addr()?;
    let client = bind(&stage.client).await?;
    for n in 0..40_u8 {
        client.send_to(&[n; 10], to).await?;
    }
    stage.settle().await;
    let kept = all_that_came(&server).await.len();
    stage.note("of 40 it kept", kept);
    client.send_to(b"hello", to).await?;
    stage.note("then it receives", received(&server).await);
    stage.note("nothing was told", server.take_error());
    Ok(())
}

async fn buffers_have_the_sizes_they_are_told(stage: Stage) -> io::Result<()> {
    let socket = bind(&stage.server).await?;
    socket.set_recv_buffer_size(50_000)?;
    stage.note("receive buffer", socket.recv_buffer_size());
    socket.set_recv_buffer_size(1)?;
    stage.note("the least", socket.recv_buffer_size());
    socket.set_send_buffer_size(50_000)?;
    stage.note("send buffer", socket.send_buffer_size());
    socket.set_send_buffer_size(1)?;
    stage.note("the least", socket.send_buffer_size());
    Ok(())
}

async fn a_receive_waits_for_a_datagram(stage: Stage) -> io::Result<()> {
    let (client, server) = pair(&stage).await?;
    let mut receive = pin!(received(&server));
    stage.note_waiting("receive", receive.as_mut()).await;
    client.send(b"hello").await?;
    stage.note("receive", receive.await);
    Ok(())
}

async fn a_receive_that_is_given_up_takes_nothing(stage: Stage) -> io::Result<()> {
    let (client, server) = pair(&stage).await?;
    {
        let mut given_up = pin!(received(&server));
        stage.note_waiting("receive", given_up.as_mut()).await;
        client.send(b"hello").await?;
        stage.settle().await;
    }
    stage.note("receive", received(&server).await);
    Ok(())
}

async fn a_send_that_is_never_polled_sends_nothing(stage: Stage) -> io::Result<()> {
    let (client, server) = pair(&stage).await?;
    drop(client.send(b"never"));
    stage.settle().await;
    client.send(b"hello").await?;
    stage.note("receive", received(&server).await);
    stage.note("another", waiting(&server));
    Ok(())
}

async fn readiness_is_a_hint(stage: Stage) -> io::Result<()> {
    let (client, server) = pair(&stage).await?;
    stage.note("writable", client.writable().await);
    {
        let mut readable = pin!(server.readable());
        stage.note_waiting("readable", readable.as_mut()).await;
        client.send(b"hello").await?;
        stage.note("readable", readable.await);
    }
    stage.note("receive", waiting(&server));
    stage.note("still readable", server.readable().await);
    stage.note("receive", waiting(&server));
    let mut readable = pin!(server.readable());
    stage.note_waiting("readable", readable.as_mut()).await;
    Ok(())
}

async fn what_does_not_wait_would_block(stage: Stage) -> io::Result<()> {
    let (client, server) = pair(&stage).await?;
    let mut buf = [0; 9];
    stage.note("receive", server.try_recv(&mut buf));
    stage.note("peek", server.try_peek(&mut buf));
    client.writable().await?;
    stage.note("send", client.try_send(b"hello"));
    server.readable().await?;
    stage.note("peek", server.try_peek(&mut buf));
    let (n, from) = server.try_recv_from(&mut buf)?;
    stage.note("receive", &buf[..n]);
    stage.note("answer", server.try_send_to(b"hi", from));
    stage.note("receive", received(&client).await);
    Ok(())
}

async fn many_tasks_receive_from_one_socket(stage: Stage) -> io::Result<()> {
    let (client, server) = pair(&stage).await?;
    let server = Arc::new(server);
    let readers: Vec<_> = (0..5)
        .map(|_| {
            let server = server.clone();
            spawn(async move { received(&server).await })
        })
        .collect();
    stage.settle().await;
    for n in 0..5_u8 {
        client.send(&[n]).await?;
    }
    let mut came = BTreeSet::new();
    for reader in join_all(readers).await {
        came.insert(reader.expect("a reader comes to its end")?);
    }
    stage.note("different ones", came.len());
    Ok(())
}

async fn both_directions_go_on_at_once(stage: Stage) -> io::Result<()> {
    let (client, server) = pair(&stage).await?;
    server.connect(client.local_addr()?).await?;
    let echo = async {
        for _ in 0..20 {
            let bytes = received(&server).await?;
            server.send(&bytes.to_ascii_uppercase()).await?;
        }
        io::Result::Ok(())
    };
    let ask = async {
        for _ in 0..20 {
            client.send(b"ping").await?;
            assert_eq!(received(&client).await?, b"PING");
        }
        io::Result::Ok(())
    };
    let (echo, ask) = join(echo, ask).await;
    stage.note("20 answers", echo.and(ask));
    Ok(())
}
