//! Listeners: how many connections wait, and what happens to those for whom there is no room.

use std::time::Duration;

use net_sim::drive::Pair;
use net_sim::{How, Latency, LinkConfig, NetError, SocketId};
use virtual_time::Instant;

const MS: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);

fn pair(latency: Duration) -> Pair {
    Pair::new(LinkConfig::new(Latency::constant(latency)))
}

fn at(span: Duration) -> Instant {
    Instant::BEGIN + span
}

fn is_connected(pair: &mut Pair, client: SocketId) -> bool {
    pair.readiness(client).writable
}

#[test]
fn a_backlog_of_n_keeps_n_plus_one_and_drops_the_syn_of_the_next() {
    let mut pair = pair(Duration::ZERO);
    let listener = pair.listen(80, 1).unwrap();
    let clients: Vec<_> = (0..3).map(|_| pair.connect(80)).collect();
    let connected: Vec<_> = clients
        .iter()
        .map(|&id| is_connected(&mut pair, id))
        .collect();
    assert_eq!(connected, [true, true, false]);

    pair.accept(listener).unwrap();
    assert!(!is_connected(&mut pair, clients[2]), "nobody tells it");
    pair.drive();
    assert_eq!(pair.now, at(SECOND), "the SYN is sent again");
    assert!(is_connected(&mut pair, clients[2]));
}

#[test]
fn a_syn_that_never_finds_room_times_out_after_127_seconds() {
    let mut pair = pair(Duration::ZERO);
    pair.listen(80, 0).unwrap();
    let first = pair.connect(80);
    let second = pair.connect(80);
    let mut tries = vec![];
    while pair.step() {
        tries.push((pair.now - Instant::BEGIN).as_secs());
    }
    assert_eq!(tries, [1, 3, 7, 15, 31, 63, 127]);
    assert_eq!(pair.net.finish_connect(second), Err(NetError::TimedOut));
    assert_eq!(pair.net.finish_connect(first), Ok(()));
}

#[test]
fn every_connection_that_arrives_changes_the_listener() {
    let mut pair = pair(5 * MS);
    let listener = pair.listen(80, 8).unwrap();
    for _ in 0..2 {
        pair.connect(80);
        pair.drive();
        let of_listener = pair
            .changed()
            .iter()
            .filter(|(id, _)| *id == listener)
            .count();
        assert_eq!(of_listener, 1);
    }
}

#[test]
fn connections_are_accepted_in_the_order_they_came() {
    let mut pair = pair(5 * MS);
    let listener = pair.listen(80, 8).unwrap();
    let clients = [pair.connect(80), pair.connect(80), pair.connect(80)];
    pair.drive();
    for client in clients {
        let server = pair.accept(listener).unwrap();
        let addr = pair.net.local_addr(client);
        assert_eq!(pair.net.peer_addr(server), addr);
    }
    assert_eq!(pair.accept(listener), Err(NetError::WouldBlock));
}

/// Two clients whose handshakes end at the same moment, with room for one.
fn one_too_many(pair: &mut Pair) -> (SocketId, SocketId, SocketId) {
    let listener = pair.listen(80, 0).unwrap();
    let first = pair.connect(80);
    let second = pair.connect(80);
    pair.drive_until(at(20 * MS));
    (listener, first, second)
}

#[test]
fn a_client_without_room_believes_that_it_is_connected_and_is_once_there_is_room() {
    let mut pair = pair(5 * MS);
    let (listener, _, second) = one_too_many(&mut pair);
    assert_eq!(pair.net.finish_connect(second), Ok(()));
    assert_eq!(pair.write(second, b"hello"), Ok(5));
    pair.drive_until(at(100 * MS));
    pair.accept(listener).unwrap();
    assert_eq!(pair.accept(listener), Err(NetError::WouldBlock));

    pair.drive();
    let server = pair.accept(listener).unwrap();
    assert_eq!(pair.read(server, 9), Ok(b"hello".to_vec()));
    assert!(pair.now > at(SECOND));
}

#[test]
fn a_client_that_never_got_room_is_reset_when_it_has_sent_something() {
    let mut pair = pair(5 * MS);
    let (listener, _, second) = one_too_many(&mut pair);
    pair.write(second, b"hello").unwrap();
    pair.drive();
    assert_eq!(pair.now, at(63 * SECOND + 15 * MS));
    assert_eq!(pair.read(second, 1), Err(NetError::ConnectionReset));
    pair.accept(listener).unwrap();
    assert_eq!(pair.accept(listener), Err(NetError::WouldBlock));
}

#[test]
fn a_client_that_never_got_room_and_stays_silent_never_learns() {
    let mut pair = pair(5 * MS);
    let (_, _, second) = one_too_many(&mut pair);
    pair.drive();
    assert_eq!(pair.read(second, 1), Err(NetError::WouldBlock));
    pair.write(second, b"?").unwrap();
    pair.drive();
    assert_eq!(pair.read(second, 1), Err(NetError::ConnectionReset));
}

#[test]
fn a_client_that_never_got_room_may_close_before_or_after_it_is_given_up() {
    for wait in [Duration::from_secs(10), Duration::from_secs(100)] {
        let mut pair = pair(5 * MS);
        let (_, _, second) = one_too_many(&mut pair);
        pair.drive_until(at(wait));
        pair.close(second).unwrap();
        pair.drive();
        assert_eq!(pair.net.readiness(second), Err(NetError::BadSocket));
    }
}

#[test]
fn closing_the_listener_resets_whoever_waits_in_it_and_nobody_else() {
    let mut pair = pair(5 * MS);
    let listener = pair.listen(80, 8).unwrap();
    let accepted = pair.connect(80);
    pair.drive();
    pair.accept(listener).unwrap();
    let waiting = pair.connect(80);
    pair.drive();
    let under_way = pair.connect(80);
    pair.step();

    pair.close(listener).unwrap();
    pair.drive();
    assert_eq!(pair.read(accepted, 1), Err(NetError::WouldBlock));
    assert_eq!(pair.read(waiting, 1), Err(NetError::ConnectionReset));
    // It got its SYN-ACK; its ACK found nobody.
    assert_eq!(
        pair.net.finish_connect(under_way),
        Err(NetError::ConnectionReset)
    );
}

#[test]
fn closing_the_listener_resets_a_client_it_had_no_room_for() {
    let mut pair = pair(5 * MS);
    let (listener, first, second) = one_too_many(&mut pair);
    pair.close(listener).unwrap();
    pair.drive();
    for client in [first, second] {
        assert_eq!(pair.read(client, 1), Err(NetError::ConnectionReset));
    }
}

#[test]
fn a_listener_whose_receiving_side_is_shut_listens_no_more_and_keeps_its_port() {
    let mut pair = pair(Duration::ZERO);
    let listener = pair.listen(80, 8).unwrap();
    pair.shutdown(listener, How::Write).unwrap();
    pair.connect(80);
    pair.accept(listener).unwrap();
    pair.shutdown(listener, How::Read).unwrap();
    assert_eq!(pair.accept(listener), Err(NetError::InvalidInput));
    let client = pair.connect(80);
    assert_eq!(
        pair.net.finish_connect(client),
        Err(NetError::ConnectionRefused)
    );
    assert_eq!(pair.listen(80, 8), Err(NetError::AddrInUse));
    pair.net.listen(pair.now, listener, 8).unwrap();
}

#[test]
fn a_connection_reset_while_it_waits_is_accepted_and_then_says_so() {
    let mut pair = pair(Duration::ZERO);
    let listener = pair.listen(80, 8).unwrap();
    let client = pair.connect(80);
    pair.net.set_linger(client, Some(Duration::ZERO)).unwrap();
    pair.close(client).unwrap();
    let server = pair.accept(listener).unwrap();
    assert_eq!(pair.read(server, 1), Err(NetError::ConnectionReset));
}
