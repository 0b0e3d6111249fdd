//! Several listeners at one port: which of them gets a connection is a choice.

use std::net::SocketAddr;
use std::time::Duration;

use net_sim::drive::Pair;
use net_sim::{Decide, LinkConfig, NetConfig, NetError, Site, SocketId};

/// Answers the choice among listeners in turn, and everything else with 0.
#[derive(Default)]
struct InTurn(u64);

impl Decide for InTurn {
    fn choose(&mut self, site: Site, n: u64) -> u64 {
        if site != Site::REUSE_PORT {
            return 0;
        }
        self.0 += 1;
        (self.0 - 1) % n
    }
}

fn pair() -> Pair<InTurn> {
    Pair::with(
        NetConfig::default(),
        LinkConfig::default(),
        InTurn::default(),
    )
}

fn listen(pair: &mut Pair<InTurn>, reuse_port: bool, backlog: u32) -> Result<SocketId, NetError> {
    let id = pair.net.tcp_socket(pair.server);
    pair.net.set_reuse_port(id, reuse_port)?;
    let at = SocketAddr::new(Pair::SERVER, 80);
    pair.net.bind(pair.now, id, at)?;
    pair.net.listen(pair.now, id, backlog)?;
    Ok(id)
}

#[test]
fn a_connection_goes_to_one_of_those_that_share_the_port() {
    let mut pair = pair();
    let group = [(); 3].map(|()| listen(&mut pair, true, 8).unwrap());
    for round in 0..6 {
        pair.connect(80);
        let accepted: Vec<_> = group.iter().map(|&id| pair.accept(id).is_ok()).collect();
        let mut expected = vec![false; 3];
        expected[round % 3] = true;
        assert_eq!(accepted, expected);
    }
}

#[test]
fn a_lone_listener_asks_no_choice() {
    let mut pair = pair();
    let alone = listen(&mut pair, true, 8).unwrap();
    pair.connect(80);
    pair.accept(alone).unwrap();
    assert_eq!(pair.decide.0, 0);
}

#[test]
fn only_sockets_that_all_have_the_option_share_a_port() {
    let mut pair = pair();
    listen(&mut pair, true, 8).unwrap();
    assert_eq!(listen(&mut pair, false, 8), Err(NetError::AddrInUse));
    listen(&mut pair, true, 8).unwrap();
}

#[test]
fn a_syn_that_is_sent_again_finds_the_listener_it_found_before() {
    let mut pair = pair();
    let full = listen(&mut pair, true, 0).unwrap();
    let empty = listen(&mut pair, true, 8).unwrap();
    // The first and the third choice is the first listener, which has room for one.
    pair.connect(80);
    pair.connect(80);
    let waits = pair.connect(80);
    pair.drive_until(pair.now + Duration::from_secs(4));
    assert_eq!(pair.net.finish_connect(waits), Err(NetError::InProgress));
    pair.accept(full).unwrap();
    pair.drive();
    assert_eq!(pair.net.finish_connect(waits), Ok(()));
    pair.accept(full).unwrap();
    pair.accept(empty).unwrap();
    assert_eq!(pair.accept(empty), Err(NetError::WouldBlock));
    assert_eq!(pair.decide.0, 3);
}

#[test]
fn a_syn_whose_listener_has_gone_finds_another() {
    let mut pair = pair();
    let full = listen(&mut pair, true, 0).unwrap();
    let other = listen(&mut pair, true, 8).unwrap();
    pair.connect(80);
    pair.decide.0 = 0;
    let waits = pair.connect(80);
    pair.close(full).unwrap();
    pair.drive();
    assert_eq!(pair.net.finish_connect(waits), Ok(()));
    pair.accept(other).unwrap();
}
