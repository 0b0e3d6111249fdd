//! Addresses and ports: binding, ephemeral ports, reuse and TIME_WAIT.

use std::net::SocketAddr;
use std::time::Duration;

use net_sim::drive::Pair;
use net_sim::{HostId, LinkConfig, Net, NetError, Plain, SocketId};

fn pair() -> Pair {
    Pair::new(LinkConfig::default())
}

fn addr(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

/// A socket of `host` bound to `at`, with `SO_REUSEADDR` or without.
fn bound(pair: &mut Pair, host: HostId, at: &str, reuse: bool) -> Result<SocketId, NetError> {
    let id = pair.net.tcp_socket(host);
    pair.net.set_reuse_addr(id, reuse).unwrap();
    pair.net.bind(pair.now, id, addr(at)).map(|()| id)
}

fn connect(pair: &mut Pair, from: HostId, to: &str) -> Result<SocketId, NetError> {
    let id = pair.net.tcp_socket(from);
    let begun = pair.net.connect(pair.now, id, addr(to), &mut Plain);
    assert_eq!(begun, Err(NetError::InProgress));
    pair.net.finish_connect(id).map(|()| id)
}

#[test]
fn ephemeral_ports_start_at_32768_and_go_round() {
    let mut pair = pair();
    pair.listen(80, 8).unwrap();
    for expected in [32_768, 32_769, 32_770] {
        let client = pair.connect(80);
        assert_eq!(
            pair.net.local_addr(client),
            Ok(SocketAddr::new(Pair::CLIENT, expected))
        );
        pair.close(client).unwrap();
    }
}

#[test]
fn a_host_has_28232_ephemeral_ports_for_one_remote_address_and_as_many_for_the_next() {
    let mut pair = pair();
    for port in [80, 81] {
        let id = pair.net.tcp_socket(pair.server);
        let at = SocketAddr::new(Pair::SERVER, port);
        pair.net.bind(pair.now, id, at).unwrap();
        pair.net.listen(pair.now, id, 8).unwrap();
        for _ in 0..28_232 {
            pair.connect(port);
            pair.accept(id).unwrap();
        }
        let extra = pair.net.tcp_socket(pair.client);
        assert_eq!(
            pair.net.connect(pair.now, extra, at, &mut Plain),
            Err(NetError::AddrNotAvailable)
        );
    }
}

#[test]
fn port_zero_is_a_free_port() {
    let mut pair = pair();
    let host = pair.server;
    let first = bound(&mut pair, host, "10.0.0.2:0", false).unwrap();
    let second = bound(&mut pair, host, "0.0.0.0:0", false).unwrap();
    assert_eq!(pair.net.local_addr(first), Ok(addr("10.0.0.2:32768")));
    assert_eq!(pair.net.local_addr(second), Ok(addr("0.0.0.0:32769")));
    let again = pair.net.bind(pair.now, first, addr("10.0.0.2:0"));
    assert_eq!(again, Err(NetError::InvalidInput));
}

#[test]
fn listening_without_an_address_takes_a_free_port_of_all_addresses() {
    let mut pair = pair();
    let id = pair.net.tcp_socket(pair.server);
    pair.net.listen(pair.now, id, 8).unwrap();
    assert_eq!(pair.net.local_addr(id), Ok(addr("0.0.0.0:32768")));
    pair.connect(32_768);
    pair.accept(id).unwrap();
}

#[test]
fn an_address_of_another_host_cannot_be_bound() {
    let mut pair = pair();
    let host = pair.server;
    let foreign = bound(&mut pair, host, "10.0.0.1:80", false);
    assert_eq!(foreign, Err(NetError::AddrNotAvailable));
    let (first, twice) = (
        pair.net.add_host(&["10.0.0.9".parse().unwrap()]),
        pair.net.add_host(&["10.0.0.9".parse().unwrap()]),
    );
    assert!(first.is_ok());
    assert_eq!(twice, Err(NetError::AddrInUse));
    for odd in ["0.0.0.0", "127.0.0.1", "224.0.0.1", "::ffff:10.0.0.8"] {
        let added = pair.net.add_host(&[odd.parse().unwrap()]);
        assert_eq!(added, Err(NetError::InvalidInput), "{odd}");
    }
}

#[test]
fn a_bound_port_is_taken_on_overlapping_addresses_only() {
    let mut pair = pair();
    let host = pair.server;
    bound(&mut pair, host, "10.0.0.2:80", false).unwrap();
    for (at, free) in [
        ("10.0.0.2:80", false),
        ("0.0.0.0:80", false),
        ("[::]:80", false),
        ("10.0.0.2:81", true),
        ("127.0.0.1:80", true),
        ("[::1]:80", true),
    ] {
        let outcome = bound(&mut pair, host, at, false);
        assert_eq!(outcome.is_ok(), free, "{at}: {outcome:?}");
    }
    let other = pair.client;
    bound(&mut pair, other, "0.0.0.0:80", false).unwrap();
}

#[test]
fn with_reuse_addr_two_sockets_share_a_port_until_one_listens() {
    let mut pair = pair();
    let host = pair.server;
    let first = bound(&mut pair, host, "10.0.0.2:80", true).unwrap();
    let second = bound(&mut pair, host, "0.0.0.0:80", true).unwrap();
    assert!(bound(&mut pair, host, "10.0.0.2:80", false).is_err());
    pair.net.listen(pair.now, first, 8).unwrap();
    let taken = pair.net.listen(pair.now, second, 8);
    assert_eq!(taken, Err(NetError::AddrInUse));
    let third = bound(&mut pair, host, "10.0.0.2:80", true);
    assert_eq!(third, Err(NetError::AddrInUse));
}

#[test]
fn a_closed_listener_gives_its_port_back() {
    let mut pair = pair();
    let first = pair.listen(80, 8).unwrap();
    assert_eq!(pair.listen(80, 8), Err(NetError::AddrInUse));
    pair.close(first).unwrap();
    pair.listen(80, 8).unwrap();
}

/// A server that closed a connection first, and then its listener.
fn server_closed_first(pair: &mut Pair, reuse: bool) {
    let host = pair.server;
    let listener = bound(pair, host, "10.0.0.2:80", reuse).unwrap();
    pair.net.listen(pair.now, listener, 8).unwrap();
    let client = pair.connect(80);
    let server = pair.accept(listener).unwrap();
    for id in [server, client, listener] {
        pair.close(id).unwrap();
    }
}

#[test]
fn time_wait_keeps_a_port_for_a_minute() {
    let mut pair = pair();
    server_closed_first(&mut pair, false);
    let host = pair.server;
    let soon = bound(&mut pair, host, "10.0.0.2:80", false);
    assert_eq!(soon, Err(NetError::AddrInUse));
    let reusing = bound(&mut pair, host, "10.0.0.2:80", true);
    assert_eq!(
        reusing,
        Err(NetError::AddrInUse),
        "both must have asked for it"
    );
    assert_eq!(pair.net.next_event(), None, "nobody waits for it to end");

    pair.drive_until(pair.now + (Duration::from_secs(60) - Duration::from_nanos(1)));
    assert!(bound(&mut pair, host, "10.0.0.2:80", false).is_err());
    pair.drive_until(pair.now + Duration::from_nanos(1));
    bound(&mut pair, host, "10.0.0.2:80", false).unwrap();
}

#[test]
fn with_reuse_addr_a_port_in_time_wait_is_free() {
    let mut pair = pair();
    server_closed_first(&mut pair, true);
    let host = pair.server;
    bound(&mut pair, host, "10.0.0.2:80", true).unwrap();
}

#[test]
fn the_side_that_closes_second_or_is_reset_has_no_time_wait() {
    for reset in [false, true] {
        let mut pair = pair();
        let listener = pair.listen(80, 8).unwrap();
        let client = pair.connect(80);
        let server = pair.accept(listener).unwrap();
        if reset {
            pair.net.set_linger(server, Some(Duration::ZERO)).unwrap();
            pair.close(server).unwrap();
        }
        pair.close(client).unwrap();
        if !reset {
            pair.close(server).unwrap();
        }
        pair.close(listener).unwrap();
        pair.listen(80, 8).unwrap();
    }
}

#[test]
fn an_open_connection_keeps_its_listeners_port() {
    let mut pair = pair();
    let (client, server) = pair.connected();
    let port = pair.net.local_addr(server).unwrap().port();
    assert_eq!(pair.listen(port, 8), Err(NetError::AddrInUse));
    pair.close(client).unwrap();
    pair.close(server).unwrap();
    pair.listen(port, 8).unwrap();
}

#[test]
fn a_client_in_time_wait_does_not_get_the_same_port_and_the_server_takes_it_again() {
    let mut pair = pair();
    let listener = pair.listen(80, 8).unwrap();
    let me = addr("10.0.0.1:5000");
    let them = SocketAddr::new(Pair::SERVER, 80);
    // The server closes first, so that the pairing waits at the server alone.
    for _ in 0..3 {
        let client = pair.net.tcp_socket(pair.client);
        pair.net.bind(pair.now, client, me).unwrap();
        let begun = pair.net.connect(pair.now, client, them, &mut Plain);
        assert_eq!(begun, Err(NetError::InProgress));
        assert_eq!(pair.net.finish_connect(client), Ok(()));
        let server = pair.accept(listener).unwrap();
        pair.close(server).unwrap();
        pair.close(client).unwrap();
    }
    // The client closes first: its port is not free.
    let client = pair.net.tcp_socket(pair.client);
    pair.net.bind(pair.now, client, me).unwrap();
    let _ = pair.net.connect(pair.now, client, them, &mut Plain);
    let server = pair.accept(listener).unwrap();
    pair.close(client).unwrap();
    pair.close(server).unwrap();
    let client = pair.net.tcp_socket(pair.client);
    assert_eq!(
        pair.net.bind(pair.now, client, me),
        Err(NetError::AddrInUse)
    );
}

#[test]
fn the_most_exact_listener_gets_the_connection() {
    let mut pair = pair();
    let host = pair.server;
    let any = bound(&mut pair, host, "0.0.0.0:80", true).unwrap();
    let exact = bound(&mut pair, host, "127.0.0.1:81", true).unwrap();
    pair.net.listen(pair.now, any, 8).unwrap();
    pair.net.listen(pair.now, exact, 8).unwrap();
    connect(&mut pair, host, "127.0.0.1:80").unwrap();
    pair.accept(any).unwrap();
    let refused = connect(&mut pair, host, "10.0.0.2:81");
    assert_eq!(refused, Err(NetError::ConnectionRefused));
}

#[test]
fn the_v6_wildcard_takes_v4_and_speaks_of_it_as_mapped() {
    let mut pair = pair();
    let host = pair.server;
    let listener = bound(&mut pair, host, "[::]:80", false).unwrap();
    pair.net.listen(pair.now, listener, 8).unwrap();
    pair.connect(80);
    let (server, peer) = pair.net.accept(pair.now, listener, &mut Plain).unwrap();
    assert_eq!(peer, addr("[::ffff:10.0.0.1]:32768"));
    assert_eq!(pair.net.peer_addr(server), Ok(peer));
    assert_eq!(
        pair.net.local_addr(server),
        Ok(addr("[::ffff:10.0.0.2]:80"))
    );
    connect(&mut pair, host, "[::1]:80").unwrap();
    connect(&mut pair, host, "[::ffff:127.0.0.1]:80").unwrap();
    connect(&mut pair, host, "0.0.0.0:80").unwrap();
}

#[test]
fn a_v6_only_wildcard_leaves_v4_to_others() {
    let mut pair = pair();
    let host = pair.server;
    let id = pair.net.tcp_socket(host);
    pair.net.set_only_v6(id, true).unwrap();
    pair.net.bind(pair.now, id, addr("[::]:80")).unwrap();
    pair.net.listen(pair.now, id, 8).unwrap();
    let refused = connect(&mut pair, host, "127.0.0.1:80");
    assert_eq!(refused, Err(NetError::ConnectionRefused));
    connect(&mut pair, host, "[::1]:80").unwrap();
    bound(&mut pair, host, "0.0.0.0:80", false).unwrap();
    assert_eq!(pair.net.set_only_v6(id, false), Err(NetError::InvalidInput));
}

#[test]
fn hosts_know_their_addresses() {
    let mut net = Net::default();
    let both = ["10.0.0.1".parse().unwrap(), "fd00::1".parse().unwrap()];
    let host = net.add_host(&both).unwrap();
    assert_eq!(net.host_addresses(host), both);
    assert_eq!(net.host_with(both[1]), Some(host));
    assert_eq!(net.host_with("10.0.0.2".parse().unwrap()), None);
}
