//! What arrives at one instant, and in which order.

use std::net::SocketAddr;
use std::time::Duration;

use net_sim::drive::Pair;
use net_sim::{Decide, HostId, Latency, LinkConfig, NetConfig, NetError, Site};

/// Answers ties from a list, everything else with 0, and notes how large the ties were.
#[derive(Default)]
struct Ties {
    next: Vec<u64>,
    asked: Vec<u64>,
}

impl Decide for Ties {
    fn choose(&mut self, site: Site, n: u64) -> u64 {
        if site != Site::TIE {
            return 0;
        }
        self.asked.push(n);
        match self.next.is_empty() {
            true => 0,
            false => self.next.remove(0),
        }
    }
}

/// The hosts of those who connected, in the order in which they are accepted, and the ties.
fn accepted(latency: Latency, hosts: &[usize], next: &[u64]) -> (Vec<usize>, Vec<u64>) {
    let decide = Ties {
        next: next.to_vec(),
        ..Ties::default()
    };
    let mut pair = Pair::with(NetConfig::default(), LinkConfig::new(latency), decide);
    let listener = pair.listen(80, 10).unwrap();
    let clients: Vec<HostId> = (0..3_u8)
        .map(|n| pair.net.add_host(&[[10, 0, 1, n].into()]).unwrap())
        .collect();
    for &host in hosts {
        let socket = pair.net.tcp_socket(clients[host]);
        let to = SocketAddr::new(Pair::SERVER, 80);
        let begun = pair.net.connect(pair.now, socket, to, &mut pair.decide);
        assert_eq!(begun, Err(NetError::InProgress));
    }
    pair.drive();
    let mut order = vec![];
    while let Ok((_, peer)) = pair.net.accept(pair.now, listener, &mut pair.decide) {
        let of = clients
            .iter()
            .position(|client| pair.net.host_with(peer.ip()) == Some(*client));
        order.push(of.unwrap());
    }
    (order, pair.decide.asked)
}

#[test]
fn connections_of_several_hosts_that_come_at_once_come_in_any_order() {
    let latency = || Latency::constant(Duration::from_millis(1));
    let (order, asked) = accepted(latency(), &[0, 1, 2], &[]);
    assert_eq!((order, asked), (vec![0, 1, 2], vec![2, 3]));
    let (order, _) = accepted(latency(), &[0, 1, 2], &[1, 1]);
    assert_eq!(order, [1, 2, 0]);
    let (order, _) = accepted(latency(), &[0, 1, 2], &[1, 2]);
    assert_eq!(order, [2, 1, 0]);
}

#[test]
fn what_one_link_brings_stays_in_its_order() {
    let latency = || Latency::constant(Duration::from_millis(1));
    let (order, asked) = accepted(latency(), &[0, 0, 0], &[]);
    assert_eq!((order, asked), (vec![0, 0, 0], vec![]));
    let (order, asked) = accepted(latency(), &[0, 1, 1], &[1, 1]);
    assert_eq!((order, asked), (vec![1, 1, 0], vec![2, 2]));
}

#[test]
fn where_nothing_takes_time_the_order_is_that_of_the_calls() {
    let (order, asked) = accepted(Latency::ZERO, &[2, 1, 0], &[1, 1]);
    assert_eq!((order, asked), (vec![2, 1, 0], vec![]));
}
