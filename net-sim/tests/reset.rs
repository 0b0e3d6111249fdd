//! Resets: what causes them, and what either side sees. The expectations were read off Linux.

use std::time::Duration;

use net_sim::drive::Pair;
use net_sim::{How, Latency, LinkConfig, NetError, SocketId};

const MS: Duration = Duration::from_millis(1);

fn pair() -> Pair {
    Pair::new(LinkConfig::new(Latency::constant(5 * MS)))
}

/// The client resets the server, which has not read `pending`.
fn reset(pending: &[u8]) -> (Pair, SocketId) {
    let mut pair = pair();
    let (client, server) = pair.connected();
    pair.write(client, pending).unwrap();
    pair.net.set_linger(client, Some(Duration::ZERO)).unwrap();
    pair.close(client).unwrap();
    pair.drive();
    (pair, server)
}

#[test]
fn a_reader_gets_what_came_before_the_reset_then_the_error_once_then_the_end() {
    let (mut pair, server) = reset(b"hello");
    let readiness = pair.readiness(server);
    assert!(readiness.readable && readiness.writable && readiness.read_closed);
    assert!(readiness.hung_up && readiness.error);
    assert_eq!(pair.read(server, 3), Ok(b"hel".to_vec()));
    assert_eq!(pair.read(server, 3), Ok(b"lo".to_vec()));
    assert_eq!(pair.read(server, 3), Err(NetError::ConnectionReset));
    assert_eq!(pair.read(server, 3), Ok(vec![]));
    assert_eq!(pair.write(server, b"x"), Err(NetError::BrokenPipe));
    assert_eq!(pair.net.peer_addr(server), Err(NetError::NotConnected));
    assert_eq!(
        pair.shutdown(server, How::Write),
        Err(NetError::NotConnected)
    );
    assert!(!pair.readiness(server).error);
}

#[test]
fn a_writer_gets_the_reset_once_and_then_a_broken_pipe() {
    let (mut pair, server) = reset(b"");
    assert_eq!(pair.write(server, b"x"), Err(NetError::ConnectionReset));
    assert_eq!(pair.write(server, b"x"), Err(NetError::BrokenPipe));
    assert_eq!(pair.read(server, 1), Ok(vec![]));
}

#[test]
fn a_full_buffer_stays_full_until_its_writer_hears_of_the_reset() {
    let mut pair = pair();
    let (client, server) = pair.connected();
    while pair.write(client, &[0; 10_000]).is_ok() {
        pair.drive();
    }
    pair.close(server).unwrap();
    assert_eq!(pair.write(client, b"x"), Err(NetError::WouldBlock));
    pair.drive();
    assert_eq!(pair.write(client, b"x"), Err(NetError::ConnectionReset));
}

#[test]
fn the_error_is_told_to_whoever_asks_first() {
    let (mut pair, server) = reset(b"");
    let error = pair.net.socket_error(server);
    assert_eq!(error, Ok(Some(NetError::ConnectionReset)));
    assert_eq!(pair.net.socket_error(server), Ok(None));
    assert_eq!(pair.read(server, 1), Ok(vec![]));
}

#[test]
fn closing_with_unread_bytes_resets_the_peer() {
    let mut pair = pair();
    let (client, server) = pair.connected();
    pair.write(client, b"unread").unwrap();
    pair.drive();
    pair.close(server).unwrap();
    pair.drive();
    assert_eq!(pair.read(client, 1), Err(NetError::ConnectionReset));
}

#[test]
fn bytes_that_arrive_after_a_close_reset_their_sender() {
    let mut pair = pair();
    let (client, server) = pair.connected();
    pair.close(server).unwrap();
    pair.write(client, b"too late").unwrap();
    pair.drive();
    // The FIN came first, so that reading ends cleanly and writing does not.
    assert!(pair.readiness(client).error);
    assert_eq!(pair.read(client, 1), Ok(vec![]));
    assert_eq!(pair.write(client, b"x"), Err(NetError::BrokenPipe));
    assert_eq!(pair.write(client, b"x"), Err(NetError::BrokenPipe));
}

#[test]
fn the_first_write_to_a_closed_peer_succeeds() {
    let mut pair = pair();
    let (client, server) = pair.connected();
    pair.close(server).unwrap();
    pair.drive();
    assert_eq!(pair.read(client, 1), Ok(vec![]));
    assert_eq!(pair.write(client, b"x"), Ok(1));
    assert_eq!(pair.write(client, b"x"), Ok(1), "the RST is under way");
    pair.drive();
    let error = pair.net.socket_error(client);
    assert_eq!(error, Ok(Some(NetError::BrokenPipe)));
    assert_eq!(pair.write(client, b"x"), Err(NetError::BrokenPipe));
}

#[test]
fn bytes_for_a_socket_shut_in_both_directions_reset_both() {
    let mut pair = pair();
    let (client, server) = pair.connected();
    pair.shutdown(client, How::Both).unwrap();
    pair.drive();
    pair.write(server, b"hey").unwrap();
    pair.drive();
    for id in [client, server] {
        assert!(pair.readiness(id).error && pair.readiness(id).hung_up);
    }
    assert_eq!(pair.read(client, 1), Err(NetError::ConnectionReset));
    assert_eq!(pair.read(server, 1), Ok(vec![]));
    assert_eq!(pair.write(server, b"x"), Err(NetError::BrokenPipe));
}

#[test]
fn a_reset_arrives_behind_what_is_under_way_and_before_what_had_not_left() {
    let mut pair = pair();
    let (client, server) = pair.connected();
    let window = pair.net.receive_buffer(server).unwrap();
    pair.write(client, &vec![1; window + 1_000]).unwrap();
    pair.net.set_linger(client, Some(Duration::ZERO)).unwrap();
    pair.close(client).unwrap();
    pair.drive();
    assert_eq!(pair.read(server, window * 2).unwrap().len(), window);
    assert_eq!(pair.read(server, 1), Err(NetError::ConnectionReset));
}

#[test]
fn a_reset_wakes_a_writer_that_waits_for_room() {
    let mut pair = pair();
    let (client, server) = pair.connected();
    while pair.write(client, &[1; 65_536]).is_ok() {}
    pair.drive();
    pair.changed();
    pair.close(server).unwrap();
    pair.drive();
    let changed = pair.changed();
    assert!(
        changed
            .iter()
            .any(|(id, now)| *id == client && now.error && now.writable)
    );
    assert_eq!(pair.write(client, b"x"), Err(NetError::ConnectionReset));
    assert_eq!(pair.net.bytes_in_flight(), 0);
}

#[test]
fn a_socket_that_was_never_connected_says_so() {
    let mut pair = pair();
    let id = pair.net.tcp_socket(pair.client);
    assert_eq!(pair.read(id, 1), Err(NetError::NotConnected));
    assert_eq!(pair.write(id, b"x"), Err(NetError::BrokenPipe));
    assert_eq!(pair.shutdown(id, How::Both), Err(NetError::NotConnected));
    assert_eq!(pair.net.peer_addr(id), Err(NetError::NotConnected));
    assert_eq!(pair.accept(id), Err(NetError::InvalidInput));
    assert_eq!(pair.net.local_addr(id).unwrap().to_string(), "0.0.0.0:0");
    let readiness = pair.readiness(id);
    assert!(readiness.writable && readiness.hung_up && !readiness.readable);
}
