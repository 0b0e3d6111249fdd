//! Datagrams for many: who on which host gets them.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use net_sim::{Family, HostId, Net, NetError, Plain, SocketId};
use virtual_time::Instant;

const NOW: Instant = Instant::BEGIN;
const PORT: u16 = 4_000;
const GROUP: Ipv4Addr = Ipv4Addr::new(239, 1, 2, 3);
const GROUP_V6: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 0x77);
const ANY: Ipv4Addr = Ipv4Addr::UNSPECIFIED;

/// Hosts 10.0.0.1, 10.0.0.2 and so on, each with fd00::1 and so on besides.
fn hosts(n: u8) -> (Net, Vec<HostId>) {
    let mut net = Net::default();
    let add = |net: &mut Net, n| {
        let v4 = Ipv4Addr::new(10, 0, 0, n).into();
        let v6 = Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, n.into()).into();
        net.add_host(&[v4, v6]).unwrap()
    };
    let hosts = (1..=n).map(|n| add(&mut net, n)).collect();
    (net, hosts)
}

fn bound(net: &mut Net, host: HostId, ip: impl Into<IpAddr>) -> SocketId {
    let ip = ip.into();
    let family = if ip.is_ipv6() { Family::V6 } else { Family::V4 };
    let id = net.udp_socket(host, family);
    net.set_reuse_addr(id, true).unwrap();
    net.bind(NOW, id, SocketAddr::new(ip, PORT)).unwrap();
    id
}

fn send(net: &mut Net, from: SocketId, to: impl Into<IpAddr>) -> Result<usize, NetError> {
    net.send_to(
        NOW,
        from,
        b"all",
        SocketAddr::new(to.into(), PORT),
        &mut Plain,
    )
}

/// Which of the sockets have received something, each at most once.
fn hearers(net: &mut Net, sockets: &[SocketId]) -> Vec<usize> {
    let mut heard = vec![];
    for (index, &id) in sockets.iter().enumerate() {
        let first = net.recv_from(NOW, id, &mut [0; 9]);
        if first.is_ok() {
            heard.push(index);
        }
        assert_eq!(
            net.recv_from(NOW, id, &mut [0; 9]),
            Err(NetError::WouldBlock)
        );
    }
    heard
}

#[test]
fn a_broadcast_reaches_the_segment_and_its_sender() {
    let (mut net, hosts) = hosts(3);
    let sockets: Vec<_> = hosts
        .iter()
        .map(|&host| bound(&mut net, host, ANY))
        .collect();
    let own = bound(&mut net, hosts[1], Ipv4Addr::new(10, 0, 0, 2));
    for to in [Ipv4Addr::BROADCAST, Ipv4Addr::new(10, 255, 255, 255)] {
        net.set_broadcast(sockets[0], false).unwrap();
        assert_eq!(
            send(&mut net, sockets[0], to),
            Err(NetError::PermissionDenied)
        );
        net.set_broadcast(sockets[0], true).unwrap();
        assert_eq!(send(&mut net, sockets[0], to), Ok(3));
        assert_eq!(hearers(&mut net, &sockets), [0, 1, 2]);
        assert_eq!(hearers(&mut net, &[own]), [], "it has another address");
    }
    net.set_segment(hosts[1], 7);
    assert_eq!(send(&mut net, sockets[0], Ipv4Addr::BROADCAST), Ok(3));
    assert_eq!(hearers(&mut net, &sockets), [0, 2]);
}

#[test]
fn nobody_is_refused_by_a_broadcast() {
    let (mut net, hosts) = hosts(2);
    let id = net.udp_socket(hosts[0], Family::V4);
    net.set_broadcast(id, true).unwrap();
    let to = SocketAddr::from((Ipv4Addr::BROADCAST, 9));
    net.connect(NOW, id, to, &mut Plain).unwrap();
    assert_eq!(net.send(NOW, id, b"anybody?", &mut Plain), Ok(8));
    assert_eq!(net.socket_error(id), Ok(None));
}

#[test]
fn a_group_reaches_the_hosts_that_joined_it() {
    let (mut net, hosts) = hosts(3);
    let sockets: Vec<_> = hosts
        .iter()
        .map(|&host| bound(&mut net, host, ANY))
        .collect();
    send(&mut net, sockets[0], GROUP).unwrap();
    assert_eq!(hearers(&mut net, &sockets), []);

    for member in [0, 2] {
        net.join_multicast_v4(sockets[member], GROUP, ANY).unwrap();
    }
    // Linux gives it to every socket of a host that hears the group.
    let beside = bound(&mut net, hosts[2], GROUP);
    send(&mut net, sockets[0], GROUP).unwrap();
    assert_eq!(hearers(&mut net, &sockets), [0, 2]);
    assert_eq!(hearers(&mut net, &[beside]), [0]);

    net.set_multicast_loop_v4(sockets[0], false).unwrap();
    send(&mut net, sockets[0], GROUP).unwrap();
    assert_eq!(hearers(&mut net, &sockets), [2]);
    net.set_multicast_loop_v4(sockets[0], true).unwrap();
    net.set_multicast_ttl(sockets[0], 0).unwrap();
    hearers(&mut net, &[beside]);
    send(&mut net, sockets[0], GROUP).unwrap();
    assert_eq!(hearers(&mut net, &sockets), [0]);

    net.set_multicast_ttl(sockets[0], 1).unwrap();
    net.leave_multicast_v4(sockets[2], GROUP, ANY).unwrap();
    send(&mut net, sockets[0], GROUP).unwrap();
    assert_eq!(hearers(&mut net, &sockets), [0]);
    assert_eq!(hearers(&mut net, &[beside]), []);
}

#[test]
fn a_closed_socket_has_left_its_groups() {
    let (mut net, hosts) = hosts(2);
    let sender = bound(&mut net, hosts[0], ANY);
    let member = bound(&mut net, hosts[1], ANY);
    let other = bound(&mut net, hosts[1], ANY);
    net.join_multicast_v4(member, GROUP, ANY).unwrap();
    send(&mut net, sender, GROUP).unwrap();
    assert_eq!(hearers(&mut net, &[member, other]), [0, 1]);
    net.close(NOW, member, &mut Plain).unwrap();
    send(&mut net, sender, GROUP).unwrap();
    assert_eq!(hearers(&mut net, &[other]), []);
}

#[test]
fn groups_of_ipv6_have_interfaces_with_numbers() {
    let (mut net, hosts) = hosts(2);
    let sender = bound(&mut net, hosts[0], Ipv6Addr::UNSPECIFIED);
    let member = bound(&mut net, hosts[1], Ipv6Addr::UNSPECIFIED);
    net.join_multicast_v6(member, GROUP_V6, 2).unwrap();
    send(&mut net, sender, GROUP_V6).unwrap();
    assert_eq!(hearers(&mut net, &[sender, member]), [1]);
    assert_eq!(
        net.join_multicast_v6(member, GROUP_V6, 2),
        Err(NetError::AddrInUse)
    );
    assert_eq!(
        net.join_multicast_v6(member, GROUP_V6, 9),
        Err(NetError::NoDevice)
    );
    // 0 is the segment.
    net.leave_multicast_v6(member, GROUP_V6, 0).unwrap();
    send(&mut net, sender, GROUP_V6).unwrap();
    assert_eq!(hearers(&mut net, &[sender, member]), []);
}

#[test]
fn a_ttl_of_one_stays_on_the_segment() {
    let (mut net, hosts) = hosts(2);
    let sender = bound(&mut net, hosts[0], ANY);
    let other = bound(&mut net, hosts[1], ANY);
    let to = Ipv4Addr::new(10, 0, 0, 2);
    net.set_ttl(sender, 1).unwrap();
    send(&mut net, sender, to).unwrap();
    assert_eq!(hearers(&mut net, &[other]), [0]);
    net.set_segment(hosts[1], 1);
    send(&mut net, sender, to).unwrap();
    assert_eq!(hearers(&mut net, &[other]), []);
    net.set_ttl(sender, 2).unwrap();
    send(&mut net, sender, to).unwrap();
    assert_eq!(hearers(&mut net, &[other]), [0]);
}

#[test]
fn a_host_without_a_family_has_no_way_to_its_addresses() {
    let mut net = Net::default();
    let host = net.add_host(&["10.0.0.1".parse().unwrap()]).unwrap();
    let six = net.udp_socket(host, Family::V6);
    assert_eq!(
        send(&mut net, six, GROUP_V6),
        Err(NetError::NetworkUnreachable)
    );
    assert_eq!(
        net.join_multicast_v6(six, GROUP_V6, 0),
        Err(NetError::NoDevice)
    );
}
