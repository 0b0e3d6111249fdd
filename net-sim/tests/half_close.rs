//! The end of a stream: half-close, what still arrives before it, and who is told.

use std::time::Duration;

use net_sim::drive::Pair;
use net_sim::{How, Latency, LinkConfig, NetConfig, NetError, Plain};
use virtual_time::Instant;

const MS: Duration = Duration::from_millis(1);

fn pair() -> Pair {
    Pair::new(LinkConfig::new(Latency::constant(5 * MS)))
}

#[test]
fn all_that_was_written_arrives_before_the_end_of_the_stream() {
    let mut pair = pair();
    let (client, server) = pair.connected();
    pair.write(client, b"last words").unwrap();
    pair.close(client).unwrap();
    pair.drive();
    assert_eq!(pair.read(server, 99), Ok(b"last words".to_vec()));
    assert_eq!(pair.read(server, 99), Ok(vec![]));
    assert_eq!(pair.read(server, 99), Ok(vec![]));
}

#[test]
fn a_fin_in_a_full_window_is_still_delivered() {
    let mut config = NetConfig::default();
    config.send_buffer = 1_000;
    config.receive_buffer = 500;
    let link = LinkConfig::new(Latency::constant(5 * MS));
    let mut pair = Pair::with(config, link, Plain);
    let (client, server) = pair.connected();
    assert_eq!(pair.write(client, &[1; 500]), Ok(500));
    pair.drive();
    pair.close(client).unwrap();
    pair.drive();
    let readiness = pair.readiness(server);
    assert!(readiness.readable && readiness.read_closed && !readiness.hung_up);
    assert_eq!(pair.read(server, 999).unwrap().len(), 500);
    assert_eq!(pair.read(server, 999), Ok(vec![]));
}

#[test]
fn a_fin_behind_more_than_the_window_comes_when_the_reader_has_made_room() {
    let mut config = NetConfig::default();
    config.send_buffer = 2_000;
    config.receive_buffer = 500;
    let link = LinkConfig::new(Latency::constant(5 * MS));
    let mut pair = Pair::with(config, link, Plain);
    let (client, server) = pair.connected();
    assert_eq!(pair.write(client, &[1; 1_800]), Ok(1_800));
    pair.close(client).unwrap();
    let mut got = 0;
    loop {
        pair.drive();
        match pair.read(server, 400).unwrap().len() {
            0 => break,
            n => got += n,
        }
        assert!(pair.net.bytes_in_flight() <= 1_800 - got);
    }
    assert_eq!(got, 1_800);
}

#[test]
fn after_a_half_close_the_other_direction_goes_on() {
    let mut pair = pair();
    let (client, server) = pair.connected();
    pair.write(client, b"question").unwrap();
    pair.shutdown(client, How::Write).unwrap();
    pair.drive();
    assert_eq!(pair.read(server, 99), Ok(b"question".to_vec()));
    assert_eq!(pair.read(server, 99), Ok(vec![]));
    pair.write(server, b"answer").unwrap();
    pair.drive();
    assert_eq!(pair.read(client, 99), Ok(b"answer".to_vec()));
    assert_eq!(pair.read(client, 99), Err(NetError::WouldBlock));
    assert_eq!(pair.write(client, b"x"), Err(NetError::BrokenPipe));
    assert_eq!(pair.shutdown(client, How::Write), Ok(()));
}

#[test]
fn the_end_of_the_stream_takes_as_long_as_bytes_do() {
    let mut pair = pair();
    let (client, server) = pair.connected();
    let begun = pair.now;
    pair.shutdown(client, How::Write).unwrap();
    assert_eq!(pair.read(server, 1), Err(NetError::WouldBlock));
    pair.drive();
    assert_eq!(pair.now, begun + 5 * MS);
    assert_eq!(pair.changed().last().unwrap().0, server);
    assert_eq!(pair.read(server, 1), Ok(vec![]));
}

#[test]
fn a_shut_receiving_side_reads_what_comes_and_otherwise_the_end() {
    let mut pair = pair();
    let (client, server) = pair.connected();
    pair.shutdown(client, How::Read).unwrap();
    assert_eq!(pair.read(client, 9), Ok(vec![]));
    pair.write(server, b"hey").unwrap();
    pair.drive();
    assert_eq!(pair.read(client, 2), Ok(b"he".to_vec()));
    assert_eq!(pair.read(client, 2), Ok(b"y".to_vec()));
    assert_eq!(pair.read(client, 2), Ok(vec![]));
    assert_eq!(pair.write(server, b"more"), Ok(4));
}

#[test]
fn closed_in_both_directions_a_socket_has_no_peer_any_more() {
    let mut pair = pair();
    let (client, server) = pair.connected();
    pair.shutdown(client, How::Write).unwrap();
    pair.drive();
    pair.shutdown(server, How::Write).unwrap();
    pair.drive();
    for id in [client, server] {
        let readiness = pair.readiness(id);
        assert!(readiness.hung_up && readiness.readable && readiness.writable);
        assert!(!readiness.error);
        assert_eq!(pair.read(id, 1), Ok(vec![]));
        assert_eq!(pair.net.peer_addr(id), Err(NetError::NotConnected));
        assert_eq!(pair.shutdown(id, How::Write), Err(NetError::NotConnected));
        assert_eq!(pair.write(id, b"x"), Err(NetError::BrokenPipe));
    }
}

#[test]
fn the_owner_of_a_socket_hears_of_its_own_shutdown() {
    let mut pair = pair();
    let (client, _) = pair.connected();
    pair.shutdown(client, How::Write).unwrap();
    assert_eq!(pair.changed()[0].0, client);
}

#[test]
fn killing_a_host_ends_its_streams_and_resets_those_with_unread_bytes() {
    let mut pair = pair();
    let (calm, _calm_server) = pair.connected();
    let (cut, _cut_server) = pair.connected();
    let listener = pair.listen(81, 8).unwrap();
    pair.write(cut, b"unread").unwrap();
    pair.drive();
    pair.net.kill_host(pair.now, pair.server, &mut Plain);
    pair.drive();
    assert_eq!(pair.read(calm, 1), Ok(vec![]));
    assert_eq!(pair.read(cut, 1), Err(NetError::ConnectionReset));
    assert_eq!(pair.accept(listener), Err(NetError::BadSocket));
    assert_eq!(pair.net.open_sockets(), 2);
    let late = pair.connect(81);
    pair.drive();
    assert_eq!(
        pair.net.finish_connect(late),
        Err(NetError::ConnectionRefused)
    );
}

#[test]
fn nothing_is_left_to_happen_when_everything_is_closed() {
    let mut pair = pair();
    let (client, server) = pair.connected();
    pair.write(client, &[1; 100_000]).unwrap();
    pair.write(server, &[1; 100_000]).unwrap();
    pair.close(client).unwrap();
    pair.close(server).unwrap();
    assert_eq!(pair.net.next_event(), None);
    assert_eq!(pair.net.open_sockets(), 0);
    assert_eq!(pair.net.bytes_in_flight(), 0);
    assert!(pair.now > Instant::BEGIN);
}
