//! Who has which UDP port, and who of several gets what comes.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};

use net_sim::{Decide, Family, HostId, Net, NetError, Plain, Site, SocketId};
use virtual_time::Instant;

const NOW: Instant = Instant::BEGIN;
const IP: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 1);

/// Turns round at one site, and counts how often it was asked.
struct InTurn(u64);

impl Decide for InTurn {
    fn choose(&mut self, site: Site, n: u64) -> u64 {
        assert_eq!(site, Site::REUSE_PORT);
        self.0 += 1;
        (self.0 - 1) % n
    }
}

fn net() -> (Net, HostId) {
    let mut net = Net::default();
    let host = net.add_host(&[IP.into()]).unwrap();
    (net, host)
}

fn shared(net: &mut Net, host: HostId, port: u16) -> SocketId {
    let id = net.udp_socket(host, Family::V4);
    net.set_reuse_port(id, true).unwrap();
    net.bind(NOW, id, SocketAddr::from((IP, port))).unwrap();
    id
}

#[test]
fn a_socket_without_a_port_gets_one_when_it_sends() {
    let (mut net, host) = net();
    let id = net.udp_socket(host, Family::V4);
    assert_eq!(net.local_addr(id).unwrap().port(), 0);
    let to = SocketAddr::from((IP, 9));
    net.send_to(NOW, id, b"x", to, &mut Plain).unwrap();
    let port = net.local_addr(id).unwrap().port();
    assert!((32_768..=60_999).contains(&port));
    assert_eq!(
        net.bind(NOW, id, SocketAddr::from((IP, 0))),
        Err(NetError::InvalidInput)
    );
}

#[test]
fn tcp_and_udp_have_ports_of_their_own() {
    let (mut net, host) = net();
    let addr = SocketAddr::from((IP, 80));
    let tcp = net.tcp_socket(host);
    net.bind(NOW, tcp, addr).unwrap();
    let udp = net.udp_socket(host, Family::V4);
    assert_eq!(net.bind(NOW, udp, addr), Ok(()));
    let other = net.udp_socket(host, Family::V4);
    assert_eq!(net.bind(NOW, other, addr), Err(NetError::AddrInUse));
    net.close(NOW, udp, &mut Plain).unwrap();
    assert_eq!(net.bind(NOW, other, addr), Ok(()));
}

#[test]
fn ports_run_out_and_come_back() {
    let (mut net, host) = net();
    let bind = |net: &mut Net| {
        let id = net.udp_socket(host, Family::V4);
        net.bind(NOW, id, SocketAddr::from((IP, 0))).map(|()| id)
    };
    let mut last = None;
    for _ in 32_768..=60_999 {
        last = Some(bind(&mut net).unwrap());
    }
    assert_eq!(bind(&mut net), Err(NetError::AddrInUse));
    net.close(NOW, last.unwrap(), &mut Plain).unwrap();
    assert!(bind(&mut net).is_ok());
}

#[test]
fn sockets_that_share_a_port_each_get_what_comes_from_some() {
    let (mut net, host) = net();
    let group: Vec<_> = (0..3).map(|_| shared(&mut net, host, 53)).collect();
    let to = SocketAddr::from((IP, 53));
    let clients: Vec<_> = (0..6).map(|_| net.udp_socket(host, Family::V4)).collect();
    let mut decide = InTurn(0);
    for _ in 0..4 {
        for &client in &clients {
            net.send_to(NOW, client, b"?", to, &mut decide).unwrap();
        }
    }
    assert_eq!(decide.0, 6, "one choice for each that sends");
    let mut heard = BTreeMap::new();
    for (index, &id) in group.iter().enumerate() {
        while let Ok(received) = net.recv_from(NOW, id, &mut [0; 9]) {
            *heard.entry((index, received.from)).or_insert(0) += 1;
        }
    }
    assert_eq!(heard.len(), 6, "nobody is heard by two");
    assert!(heard.values().all(|count| *count == 4));
    let of_first = heard.keys().filter(|(index, _)| *index == 0).count();
    assert_eq!(of_first, 2);

    // Another group, another hash.
    net.close(NOW, group[0], &mut Plain).unwrap();
    net.send_to(NOW, clients[0], b"?", to, &mut decide).unwrap();
    assert_eq!(decide.0, 7);
}

#[test]
fn a_connected_socket_goes_before_those_that_share_its_port() {
    let (mut net, host) = net();
    let group: Vec<_> = (0..2).map(|_| shared(&mut net, host, 53)).collect();
    let client = net.udp_socket(host, Family::V4);
    net.bind(NOW, client, SocketAddr::from((IP, 99))).unwrap();
    let from = SocketAddr::from((IP, 99));
    net.connect(NOW, group[0], from, &mut Plain).unwrap();
    let mut nobody = InTurn(0);
    let to = SocketAddr::from((IP, 53));
    net.send_to(NOW, client, b"?", to, &mut nobody).unwrap();
    assert_eq!(nobody.0, 0);
    assert!(net.recv_from(NOW, group[0], &mut [0; 9]).is_ok());
    let other = net.udp_socket(host, Family::V4);
    net.send_to(NOW, other, b"?", to, &mut nobody).unwrap();
    assert!(net.recv_from(NOW, group[1], &mut [0; 9]).is_ok());
}

#[test]
fn calls_of_streams_are_not_for_datagrams() {
    let (mut net, host) = net();
    let id = net.udp_socket(host, Family::V4);
    assert_eq!(net.listen(NOW, id, 1), Err(NetError::NotSupported));
    let accepted = net.accept(NOW, id, &mut Plain);
    assert_eq!(accepted, Err(NetError::NotSupported));
    let tcp = net.tcp_socket(host);
    let mut buf = [0; 9];
    assert_eq!(
        net.recv_from(NOW, tcp, &mut buf),
        Err(NetError::InvalidInput)
    );
    let sent = net.send(NOW, tcp, b"x", &mut Plain);
    assert_eq!(sent, Err(NetError::InvalidInput));
}

#[test]
fn a_host_that_dies_frees_its_ports() {
    let (mut net, host) = net();
    let id = shared(&mut net, host, 53);
    net.kill_host(NOW, host, &mut Plain);
    assert_eq!(net.readiness(id), Err(NetError::BadSocket));
    let again = net.udp_socket(host, Family::V4);
    assert_eq!(net.bind(NOW, again, SocketAddr::from((IP, 53))), Ok(()));
}
