//! TCP: what is set on sockets before and after they are connected.

use std::io;
use std::time::Duration;

use event_loop::net::{TcpKeepalive, TcpListener, TcpSocket, TcpStream};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::case::Reach::{Anywhere, Loopback};
use crate::case::cases;
use crate::stage::Stage;

cases! {
    T14 {
        a_new_socket_has_no_address: Loopback,
        a_socket_is_bound_once: Loopback,
        a_socket_that_was_not_bound_listens_on_a_free_port: Loopback,
        a_socket_connects_from_where_it_was_bound: Anywhere,
        a_socket_connects_within_its_family: Loopback,
        a_listener_hands_its_options_on: Anywhere,
        a_listener_may_take_ipv6_alone: Loopback,
        lingering_is_counted_in_seconds: Anywhere,
        buffers_are_set_and_told_doubled: Loopback,
        small_buffers_hold_little_and_lose_nothing: Anywhere,
        keepalive_is_off_until_it_is_turned_on: Anywhere,
        a_user_timeout_is_kept: Anywhere,
        a_time_to_live_is_kept: Anywhere,
        options_of_a_stream_that_was_reset_are_still_there: Anywhere,
    }
}

async fn a_new_socket_has_no_address(stage: Stage) -> io::Result<()> {
    stage.note(
        "IPv4",
        TcpSocket::new_v4()?.local_addr().map(|at| at.to_string()),
    );
    stage.note(
        "IPv6",
        TcpSocket::new_v6()?.local_addr().map(|at| at.to_string()),
    );
    stage.note("take_error", TcpSocket::new_v4()?.take_error());
    Ok(())
}

async fn a_socket_is_bound_once(stage: Stage) -> io::Result<()> {
    let socket = TcpSocket::new_v4()?;
    stage.note("bind", socket.bind(stage.server.at(0)));
    stage.note("bind again", socket.bind(stage.server.at(0)));
    stage.note("it has a port", socket.local_addr()?.port() != 0);
    Ok(())
}

async fn a_socket_that_was_not_bound_listens_on_a_free_port(stage: Stage) -> io::Result<()> {
    for socket in [TcpSocket::new_v4()?, TcpSocket::new_v6()?] {
        let listener = socket.listen(1)?;
        let address = listener.local_addr()?;
        stage.note("it listens on", address.ip().to_string());
        stage.note(
            "connect",
            stage.connect(stage.server.at(address.port())).await,
        );
    }
    Ok(())
}

async fn a_socket_connects_from_where_it_was_bound(stage: Stage) -> io::Result<()> {
    let (listener, address) = stage.listen().await?;
    let from = stage.client.at(0);
    let connect = async move {
        let socket = TcpSocket::new_v4()?;
        socket.bind(from)?;
        let bound = socket.local_addr()?;
        socket.connect(address).await.map(|stream| (stream, bound))
    };
    let (client, bound) = stage.client.run(connect).await?;
    let (_, peer) = listener.accept().await?;
    stage.note("the client's", client.local_addr()? == bound);
    stage.note("the server sees it", peer == bound);
    Ok(())
}

async fn a_socket_connects_within_its_family(stage: Stage) -> io::Result<()> {
    let v4 = TcpListener::bind("127.0.0.1:0").await?.local_addr()?;
    let v6 = TcpListener::bind("[::1]:0").await?.local_addr()?;
    stage.note("IPv4 to IPv6", TcpSocket::new_v4()?.connect(v6).await);
    stage.note("IPv6 to IPv4", TcpSocket::new_v6()?.connect(v4).await);
    stage.note("bind IPv4 to IPv6", TcpSocket::new_v4()?.bind(v6));
    Ok(())
}

async fn a_listener_hands_its_options_on(stage: Stage) -> io::Result<()> {
    let socket = TcpSocket::new_v4()?;
    socket.bind(stage.server.at(0))?;
    socket.set_nodelay(true)?;
    socket.set_keepalive(true)?;
    socket.set_linger(Some(Duration::from_secs(3)))?;
    let listener = socket.listen(5)?;
    let _client = stage.connect(listener.local_addr()?).await?;
    let (server, _) = listener.accept().await?;
    stage.note("nodelay", server.nodelay());
    stage.note("keepalive", server.keepalive());
    stage.note("linger", server.linger());
    Ok(())
}

async fn a_listener_may_take_ipv6_alone(stage: Stage) -> io::Result<()> {
    let socket = TcpSocket::new_v6()?;
    stage.note("only_v6", socket.only_v6());
    socket.set_only_v6(true)?;
    stage.note("only_v6", socket.only_v6());
    socket.bind("[::]:0".parse().expect("an address"))?;
    let listener = socket.listen(1)?;
    let port = listener.local_addr()?.port();
    stage.note(
        "connect by IPv4",
        TcpStream::connect(("127.0.0.1", port)).await,
    );
    stage.note("connect by IPv6", TcpStream::connect(("::1", port)).await);
    stage.note("bind by IPv4", TcpListener::bind(("127.0.0.1", port)).await);
    Ok(())
}

async fn lingering_is_counted_in_seconds(stage: Stage) -> io::Result<()> {
    let (client, _server) = stage.pair().await?;
    stage.note("linger", client.linger());
    for linger in [Some(3000), Some(2500), Some(0), None] {
        client.set_linger(linger.map(Duration::from_millis))?;
        stage.note("linger", client.linger());
    }
    Ok(())
}

async fn buffers_are_set_and_told_doubled(stage: Stage) -> io::Result<()> {
    let socket = TcpSocket::new_v4()?;
    for bytes in [50_000, 1] {
        socket.set_send_buffer_size(bytes)?;
        stage.note("send buffer", socket.send_buffer_size());
        socket.set_recv_buffer_size(bytes)?;
        stage.note("receive buffer", socket.recv_buffer_size());
    }
    Ok(())
}

async fn small_buffers_hold_little_and_lose_nothing(stage: Stage) -> io::Result<()> {
    const SIZE: usize = 60_000;
    let socket = TcpSocket::new_v4()?;
    socket.bind(stage.server.at(0))?;
    socket.set_recv_buffer_size(5000)?;
    let listener = socket.listen(1)?;
    let address = listener.local_addr()?;
    let connect = async move {
        let socket = TcpSocket::new_v4()?;
        socket.set_send_buffer_size(5000)?;
        socket.connect(address).await
    };
    let mut client = stage.client.run(connect).await?;
    let (mut server, _) = listener.accept().await?;
    let sent = vec![7; SIZE];
    let mut write = std::pin::pin!(client.write_all(&sent));
    stage.note_waiting("write", write.as_mut()).await;
    let mut heard = vec![0; SIZE];
    let (written, read) = futures::join!(write, server.read_exact(&mut heard));
    stage.note("write", written);
    stage.note("read", read.map(drop));
    stage.note("as it was sent", heard == sent);
    Ok(())
}

async fn keepalive_is_off_until_it_is_turned_on(stage: Stage) -> io::Result<()> {
    let (client, _server) = stage.pair().await?;
    stage.note("keepalive", client.keepalive());
    let times = TcpKeepalive::new().with_time(Duration::from_secs(60));
    stage.note("set", client.set_tcp_keepalive(&times));
    stage.note("keepalive", client.keepalive());
    Ok(())
}

async fn a_user_timeout_is_kept(stage: Stage) -> io::Result<()> {
    let (client, _server) = stage.pair().await?;
    stage.note("user timeout", client.tcp_user_timeout());
    client.set_tcp_user_timeout(Some(Duration::from_millis(1500)))?;
    stage.note("user timeout", client.tcp_user_timeout());
    client.set_tcp_user_timeout(None)?;
    stage.note("user timeout", client.tcp_user_timeout());
    Ok(())
}

async fn a_time_to_live_is_kept(stage: Stage) -> io::Result<()> {
    let (client, _server) = stage.pair().await?;
    stage.note("ttl", client.ttl());
    client.set_ttl(3)?;
    stage.note("ttl", client.ttl());
    for wrong in [0, 256] {
        stage.note(&format!("set {wrong}"), client.set_ttl(wrong));
    }
    Ok(())
}

async fn options_of_a_stream_that_was_reset_are_still_there(stage: Stage) -> io::Result<()> {
    let (client, server) = stage.pair().await?;
    client.set_nodelay(true)?;
    server.set_zero_linger()?;
    drop(server);
    stage.settle().await;
    stage.note("nodelay", client.nodelay());
    stage.note("set", client.set_nodelay(false));
    stage.note("nodelay", client.nodelay());
    Ok(())
}
