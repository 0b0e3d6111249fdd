//! TCP: options that hold through a connect, and those that the kernel refuses.

use std::io;
use std::time::Duration;

use event_loop::net::{TcpKeepalive, TcpSocket};
use tokio::io::AsyncReadExt;

use crate::case::Reach::Anywhere;
use crate::case::cases;
use crate::stage::Stage;

cases! {
    T14 {
        what_is_set_before_a_connect_holds_after_it: Anywhere,
        a_stream_that_lingers_for_less_than_a_second_resets_its_peer: Anywhere,
        keep_alive_counts_whole_seconds_and_refuses_none: Anywhere,
        an_ipv4_socket_has_no_options_of_ipv6: Anywhere,
    }
    T15 {
        listeners_share_a_port_that_all_of_them_asked_to_share: Anywhere,
    }
}

const SECOND: Duration = Duration::from_secs(1);

async fn what_is_set_before_a_connect_holds_after_it(stage: Stage) -> io::Result<()> {
    let (_listener, address) = stage.listen().await?;
    let connecting = async move {
        let socket = TcpSocket::new_v4()?;
        socket.set_nodelay(true)?;
        socket.set_keepalive(true)?;
        socket.set_linger(Some(3 * SECOND))?;
        socket.set_tcp_user_timeout(Some(9 * SECOND))?;
        socket.connect(address).await
    };
    let stream = stage.client.run(connecting).await?;
    stage.note("nodelay", stream.nodelay());
    stage.note("keepalive", stream.keepalive());
    stage.note("linger", stream.linger());
    stage.note("tcp_user_timeout", stream.tcp_user_timeout());
    stream.set_linger(None)?;
    stream.set_nodelay(false)?;
    stage.note("nodelay", stream.nodelay());
    stage.note("linger", stream.linger());
    Ok(())
}

async fn a_stream_that_lingers_for_less_than_a_second_resets_its_peer(
    stage: Stage,
) -> io::Result<()> {
    let (client, mut server) = stage.pair().await?;
    client.set_linger(Some(SECOND / 2))?;
    drop(client);
    stage.note("read", server.read(&mut [0]).await);
    Ok(())
}

async fn keep_alive_counts_whole_seconds_and_refuses_none(stage: Stage) -> io::Result<()> {
    let socket = TcpSocket::new_v4()?;
    stage.note("keepalive", socket.keepalive());
    let all = TcpKeepalive::new()
        .with_time(SECOND * 3 / 2)
        .with_interval(32_767 * SECOND)
        .with_retries(127);
    stage.note("all of it", socket.set_tcp_keepalive(&all));
    stage.note("keepalive", socket.keepalive());
    let new = TcpKeepalive::new;
    let refused = [
        ("no time", new().with_time(SECOND / 2)),
        ("too much time", new().with_time(32_768 * SECOND)),
        ("no interval", new().with_interval(Duration::ZERO)),
        ("no retry", new().with_retries(0)),
        ("too many retries", new().with_retries(128)),
    ];
    for (name, times) in refused {
        stage.note(name, socket.set_tcp_keepalive(&times));
    }
    socket.set_keepalive(false)?;
    stage.note("keepalive", socket.keepalive());
    Ok(())
}

async fn an_ipv4_socket_has_no_options_of_ipv6(stage: Stage) -> io::Result<()> {
    let socket = TcpSocket::new_v4()?;
    stage.note("only_v6", socket.only_v6());
    stage.note("set_only_v6", socket.set_only_v6(true));
    Ok(())
}

async fn listeners_share_a_port_that_all_of_them_asked_to_share(stage: Stage) -> io::Result<()> {
    const CLIENTS: usize = 20;
    let sockets = [TcpSocket::new_v4()?, TcpSocket::new_v4()?];
    for socket in &sockets {
        socket.set_reuseport(true)?;
    }
    stage.note("reuseport", sockets[0].reuseport());
    let [one, two] = sockets;
    one.bind(stage.server.at(0))?;
    let shared = one.local_addr()?;
    two.bind(shared)?;
    let other = TcpSocket::new_v4()?;
    other.set_reuseaddr(true)?;
    stage.note("bind of who did not ask", other.bind(shared));
    let listeners = (one.listen(64)?, two.listen(64)?);

    let mut clients = vec![];
    for _ in 0..CLIENTS {
        clients.push(stage.connect(shared).await?);
    }
    let mut served = vec![];
    while served.len() < CLIENTS {
        event_loop::select! {
            accepted = listeners.0.accept() => served.push(accepted?.1),
            accepted = listeners.1.accept() => served.push(accepted?.1),
        }
    }
    let mut asked = clients
        .iter()
        .map(|c| c.local_addr())
        .collect::<io::Result<Vec<_>>>()?;
    served.sort_unstable();
    asked.sort_unstable();
    stage.note("each is served once", served == asked);
    Ok(())
}
