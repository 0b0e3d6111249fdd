//! UDP: datagrams to many, by broadcast and by group.

use std::io;
use std::net::Ipv4Addr;

use event_loop::net::UdpSocket;

use crate::case::Reach::{Anywhere, Loopback, Worlds};
use crate::case::cases;
use crate::stage::Stage;
use crate::udp::{bind, received, waiting};

cases! {
    D6 {
        broadcasting_must_be_asked_for: Anywhere,
        a_broadcast_reaches_all_who_are_bound_to_the_port: Loopback,
        a_broadcast_reaches_other_hosts: Worlds("reach other hosts of a network with certainty"),
        a_group_is_heard_once_it_is_joined: Loopback,
        a_group_is_heard_on_other_hosts: Worlds("reach other hosts of a network with certainty"),
        groups_are_joined_and_left_once: Anywhere,
    }
}

async fn broadcasting_must_be_asked_for(stage: Stage) -> io::Result<()> {
    let client = bind(&stage.client).await?;
    let all = (Ipv4Addr::new(127, 255, 255, 255), 9);
    stage.note("send", client.send_to(b"all", all).await);
    stage.note("connect", client.connect(all).await);
    stage.note("may it?", client.broadcast());
    client.set_broadcast(true)?;
    stage.note("may it?", client.broadcast());
    Ok(())
}

async fn a_broadcast_reaches_all_who_are_bound_to_the_port(stage: Stage) -> io::Result<()> {
    let shared = UdpSocket::builder().reuse_address(true);
    let first = shared.bind((Ipv4Addr::UNSPECIFIED, 0)).await?;
    let port = first.local_addr()?.port();
    let second = shared.bind((Ipv4Addr::UNSPECIFIED, port)).await?;
    let own = shared.bind((Ipv4Addr::LOCALHOST, port)).await?;
    let client = bind(&stage.client).await?;
    client.set_broadcast(true)?;
    let all = (Ipv4Addr::new(127, 255, 255, 255), port);
    stage.note("send", client.send_to(b"all", all).await);
    stage.settle().await;
    stage.note("the first", received(&first).await);
    stage.note("the second", received(&second).await);
    stage.note("one bound to an address", waiting(&own));
    Ok(())
}

/// A socket of the client's that sends from whatever address its way begins with.
async fn bind_anywhere(stage: &Stage) -> io::Result<UdpSocket> {
    let any = (Ipv4Addr::UNSPECIFIED, 0);
    stage.client.run(UdpSocket::bind(any)).await
}

async fn a_broadcast_reaches_other_hosts(stage: Stage) -> io::Result<()> {
    let server = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 4_000)).await?;
    let client = bind_anywhere(&stage).await?;
    client.set_broadcast(true)?;
    for all in [Ipv4Addr::BROADCAST, Ipv4Addr::new(10, 255, 255, 255)] {
        stage.note("send", client.send_to(b"all", (all, 4_000)).await);
        stage.note("receive", received(&server).await);
    }
    stage.settle().await;
    stage.note("another", waiting(&server));
    Ok(())
}

async fn a_group_is_heard_on_other_hosts(stage: Stage) -> io::Result<()> {
    let group = Ipv4Addr::new(239, 12, 34, 58);
    let server = UdpSocket::bind((group, 4_000)).await?;
    let client = bind_anywhere(&stage).await?;
    client.send_to(b"early", (group, 4_000)).await?;
    stage.settle().await;
    stage.note("before it joined", waiting(&server));
    server.join_multicast_v4(group, Ipv4Addr::UNSPECIFIED)?;
    client.send_to(b"hello", (group, 4_000)).await?;
    stage.note("after it joined", received(&server).await);
    client.set_multicast_ttl_v4(0)?;
    client.set_multicast_loop_v4(false)?;
    client.send_to(b"to nobody", (group, 4_000)).await?;
    stage.settle().await;
    stage.note("with a TTL of 0 and no loop", waiting(&server));
    Ok(())
}

async fn a_group_is_heard_once_it_is_joined(stage: Stage) -> io::Result<()> {
    let group = Ipv4Addr::new(239, 12, 34, 56);
    let server = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).await?;
    let to = (group, server.local_addr()?.port());
    let client = bind(&stage.client).await?;
    stage.note("send", client.send_to(b"early", to).await);
    stage.settle().await;
    stage.note("before it joined", waiting(&server));
    server.join_multicast_v4(group, Ipv4Addr::LOCALHOST)?;
    client.send_to(b"hello", to).await?;
    stage.note("after it joined", received(&server).await);
    server.leave_multicast_v4(group, Ipv4Addr::LOCALHOST)?;
    client.send_to(b"late", to).await?;
    stage.settle().await;
    stage.note("after it left", waiting(&server));
    Ok(())
}

async fn groups_are_joined_and_left_once(stage: Stage) -> io::Result<()> {
    let socket = bind(&stage.server).await?;
    let (group, at) = (Ipv4Addr::new(239, 12, 34, 57), Ipv4Addr::LOCALHOST);
    stage.note("join", socket.join_multicast_v4(group, at));
    stage.note("join again", socket.join_multicast_v4(group, at));
    stage.note("leave", socket.leave_multicast_v4(group, at));
    stage.note("leave again", socket.leave_multicast_v4(group, at));
    let nobody = Ipv4Addr::new(198, 51, 100, 7);
    stage.note("no such interface", socket.join_multicast_v4(group, nobody));
    stage.note("no group", socket.join_multicast_v4(nobody, at));
    let six = "ff02::1:3".parse().expect("an address");
    stage.note("IPv6", socket.join_multicast_v6(&six, 1));
    stage.note("loop", socket.multicast_loop_v4());
    stage.note("loop of IPv6", socket.multicast_loop_v6());
    stage.note("TTL", socket.multicast_ttl_v4().map(|ttl| ttl as usize));
    stage.note("TTL 256", socket.set_multicast_ttl_v4(256));
    Ok(())
}
