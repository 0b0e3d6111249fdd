//! Opening connections: latency, refusal, retries and what cannot be reached.

use std::net::SocketAddr;
use std::time::Duration;

use net_sim::drive::Pair;
use net_sim::{How, Latency, LinkConfig, Net, NetError, Plain};
use virtual_time::Instant;

const MS: Duration = Duration::from_millis(1);

fn link(latency: Duration) -> LinkConfig {
    LinkConfig::new(Latency::constant(latency))
}

fn at(span: Duration) -> Instant {
    Instant::BEGIN + span
}

#[test]
fn the_client_is_connected_after_one_round_trip_and_the_server_half_a_trip_later() {
    let mut pair = Pair::new(link(5 * MS));
    let listener = pair.listen(80, 8).unwrap();
    let client = pair.connect(80);
    assert_eq!(pair.net.finish_connect(client), Err(NetError::InProgress));

    pair.drive_until(at(10 * MS));
    let changed = pair.changed();
    assert_eq!(changed.len(), 1);
    assert_eq!(changed[0].0, client);
    assert!(changed[0].1.writable && !changed[0].1.readable);
    assert_eq!(pair.net.finish_connect(client), Ok(()));
    assert_eq!(pair.accept(listener), Err(NetError::WouldBlock));

    assert_eq!(pair.net.next_event(), Some(at(15 * MS)));
    pair.drive();
    let changed = pair.changed();
    assert_eq!(changed.len(), 1);
    assert_eq!(changed[0].0, listener);
    assert!(changed[0].1.readable);
    pair.accept(listener).unwrap();
}

#[test]
fn without_latency_the_connection_is_there_at_once_but_connect_says_in_progress() {
    let mut pair = Pair::new(link(Duration::ZERO));
    let listener = pair.listen(80, 8).unwrap();
    let client = pair.connect(80);
    assert_eq!(pair.net.next_event(), None);
    assert_eq!(pair.net.finish_connect(client), Ok(()));
    pair.accept(listener).unwrap();
}

#[test]
fn a_port_without_a_listener_refuses_after_one_round_trip() {
    let mut pair = Pair::new(link(5 * MS));
    let client = pair.connect(80);
    pair.drive();
    assert_eq!(pair.now, at(10 * MS));
    let readiness = pair.readiness(client);
    assert!(readiness.error && readiness.hung_up && readiness.writable && readiness.readable);
    assert_eq!(
        pair.net.finish_connect(client),
        Err(NetError::ConnectionRefused)
    );
    assert_eq!(pair.read(client, 1), Ok(vec![]));
    assert_eq!(pair.write(client, b"x"), Err(NetError::BrokenPipe));
}

#[test]
fn a_refused_socket_tells_the_error_to_the_first_call_that_asks_and_can_connect_again() {
    let mut pair = Pair::new(link(5 * MS));
    let to = SocketAddr::new(Pair::SERVER, 80);
    let client = pair.connect(80);
    pair.drive();
    assert_eq!(pair.read(client, 1), Err(NetError::ConnectionRefused));
    assert_eq!(
        pair.net.connect(pair.now, client, to, &mut Plain),
        Err(NetError::ConnectionAborted)
    );
    pair.listen(80, 8).unwrap();
    assert_eq!(
        pair.net.connect(pair.now, client, to, &mut Plain),
        Err(NetError::InProgress)
    );
    pair.drive();
    assert_eq!(pair.net.connect(pair.now, client, to, &mut Plain), Ok(()));
    assert_eq!(
        pair.net.connect(pair.now, client, to, &mut Plain),
        Err(NetError::IsConnected)
    );
}

#[test]
fn an_address_of_nobody_is_unreachable_after_three_seconds() {
    let mut pair = Pair::new(link(5 * MS));
    let client = pair.net.tcp_socket(pair.client);
    let to = "10.0.0.99:80".parse().unwrap();
    assert_eq!(
        pair.net.connect(pair.now, client, to, &mut Plain),
        Err(NetError::InProgress)
    );
    pair.drive();
    assert_eq!(pair.now, at(Duration::from_secs(3)));
    assert_eq!(
        pair.net.finish_connect(client),
        Err(NetError::HostUnreachable)
    );
}

#[test]
fn a_family_that_the_host_has_no_address_of_is_unreachable_at_once() {
    let mut pair = Pair::new(link(5 * MS));
    let client = pair.net.tcp_socket(pair.client);
    assert_eq!(
        pair.net.connect(
            pair.now,
            client,
            "[fd00::1]:80".parse().unwrap(),
            &mut Plain
        ),
        Err(NetError::NetworkUnreachable)
    );
}

#[test]
fn a_close_while_connecting_leaves_nothing_behind() {
    for steps in 0..2 {
        let mut pair = Pair::new(link(5 * MS));
        let listener = pair.listen(80, 8).unwrap();
        let client = pair.connect(80);
        for _ in 0..steps {
            pair.step();
        }
        pair.close(client).unwrap();
        assert_eq!(pair.net.next_event(), None);
        assert_eq!(pair.accept(listener), Err(NetError::WouldBlock));
    }
}

#[test]
fn a_shutdown_while_connecting_gives_the_connect_up() {
    let mut pair = Pair::new(link(5 * MS));
    let listener = pair.listen(80, 8).unwrap();
    let client = pair.connect(80);
    pair.step();
    pair.shutdown(client, How::Write).unwrap();
    assert_eq!(
        pair.net.finish_connect(client),
        Err(NetError::ConnectionReset)
    );
    pair.drive();
    assert_eq!(pair.accept(listener), Err(NetError::WouldBlock));
}

#[test]
fn loopback_has_no_latency_and_every_host_has_its_own() {
    let mut pair = Pair::new(link(5 * MS));
    let local: SocketAddr = "127.0.0.1:80".parse().unwrap();
    let listener = pair.net.tcp_socket(pair.server);
    pair.net.bind(pair.now, listener, local).unwrap();
    pair.net.listen(pair.now, listener, 8).unwrap();

    for (host, outcome) in [
        (pair.server, Ok(())),
        (pair.client, Err(NetError::ConnectionRefused)),
    ] {
        let socket = pair.net.tcp_socket(host);
        let begun = pair.net.connect(pair.now, socket, local, &mut Plain);
        assert_eq!(begun, Err(NetError::InProgress));
        assert_eq!(pair.net.finish_connect(socket), outcome);
    }
    assert_eq!(pair.now, Instant::BEGIN);
}

#[test]
fn a_stale_id_is_an_error_and_never_another_socket() {
    let mut net = Net::default();
    let host = net.add_host(&[]).unwrap();
    let first = net.tcp_socket(host);
    net.close(Instant::BEGIN, first, &mut Plain).unwrap();
    let second = net.tcp_socket(host);
    assert_eq!(first.slot(), second.slot());
    assert_ne!(first, second);
    assert_eq!(
        net.close(Instant::BEGIN, first, &mut Plain),
        Err(NetError::BadSocket)
    );
    assert_eq!(net.readiness(first), Err(NetError::BadSocket));
    net.close(Instant::BEGIN, second, &mut Plain).unwrap();
}
