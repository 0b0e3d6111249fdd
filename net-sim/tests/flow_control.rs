//! Buffers and windows: how much is taken, when more is, and what short calls do.

use std::collections::VecDeque;
use std::io::IoSlice;
use std::time::Duration;

use net_sim::drive::Pair;
use net_sim::{Decide, Latency, LinkConfig, NetConfig, NetError, Plain, Site, SocketId};

const MS: Duration = Duration::from_millis(1);

fn pair(send: usize, receive: usize, latency: Duration) -> Pair {
    let mut config = NetConfig::default();
    config.send_buffer = send;
    config.receive_buffer = receive;
    let link = LinkConfig::new(Latency::constant(latency));
    Pair::with(config, link, Plain)
}

/// Writes until nothing more is taken, and says how much was.
fn fill<D: Decide>(pair: &mut Pair<D>, id: SocketId) -> usize {
    let mut taken = 0;
    loop {
        match pair.write(id, &[1; 1_000]) {
            Ok(n) => taken += n,
            Err(error) => {
                assert_eq!(error, NetError::WouldBlock);
                return taken;
            }
        }
    }
}

#[test]
fn a_writer_fills_its_own_buffer_and_the_readers_and_no_more() {
    for latency in [Duration::ZERO, 5 * MS] {
        let mut pair = pair(3_000, 2_000, latency);
        let (client, _server) = pair.connected();
        let mut taken = fill(&mut pair, client);
        if latency > Duration::ZERO {
            assert_eq!(taken, 3_000, "nothing is acknowledged yet");
            pair.drive();
            taken += fill(&mut pair, client);
        }
        assert_eq!(taken, 5_000);
        assert_eq!(pair.net.bytes_in_flight(), 5_000);
        pair.drive();
        assert_eq!(fill(&mut pair, client), 0);
    }
}

#[test]
fn a_writer_hears_of_room_one_latency_after_the_read_that_made_it() {
    let mut pair = pair(3_000, 3_000, 5 * MS);
    let (client, server) = pair.connected();
    fill(&mut pair, client);
    pair.drive();
    fill(&mut pair, client);
    pair.drive();
    pair.changed();
    assert!(!pair.readiness(client).writable);

    let begun = pair.now;
    assert_eq!(pair.read(server, 9_999).unwrap().len(), 3_000);
    assert_eq!(
        fill(&mut pair, client),
        0,
        "news travel no faster than bytes"
    );
    // The wider window lets the rest go, whose acknowledgement makes room.
    let mut heard = None;
    while heard.is_none() && pair.step() {
        let changed = pair.changed();
        heard = changed
            .iter()
            .any(|(id, _)| *id == client)
            .then_some(pair.now);
    }
    assert_eq!(heard, Some(begun + 15 * MS));
    assert!(pair.readiness(client).writable);
}

#[test]
fn a_writer_that_was_not_told_to_wait_hears_nothing_of_room() {
    let mut pair = pair(3_000, 3_000, Duration::ZERO);
    let (client, server) = pair.connected();
    pair.write(client, &[1; 2_000]).unwrap();
    pair.read(server, 2_000).unwrap();
    let changed = pair.changed();
    assert_eq!(changed.len(), 1);
    assert_eq!(changed[0].0, server);
}

#[test]
fn a_writer_hears_of_room_when_a_third_of_its_buffer_is_free() {
    let mut pair = pair(30_000, 30_000, Duration::ZERO);
    let (client, server) = pair.connected();
    assert_eq!(fill(&mut pair, client), 60_000);
    pair.changed();
    let mut read = 0;
    while pair.changed().iter().all(|(id, _)| *id != client) {
        assert!(!pair.readiness(client).writable);
        read += pair.read(server, 1_000).unwrap().len();
    }
    // Bytes leave the send buffer as the reader makes room for them.
    assert!((10_000..13_000).contains(&read), "{read}");
    assert!(pair.readiness(client).writable);
}

#[test]
fn a_write_takes_what_fits() {
    let mut pair = pair(1_000, 500, Duration::ZERO);
    let (client, _server) = pair.connected();
    assert_eq!(pair.write(client, &[1; 800]), Ok(800));
    assert_eq!(pair.write(client, &[1; 800]), Ok(700));
    assert_eq!(pair.write(client, &[1; 800]), Err(NetError::WouldBlock));
    assert_eq!(pair.write(client, &[]), Ok(0));
}

#[test]
fn a_larger_send_buffer_wakes_a_writer_at_once() {
    let mut pair = pair(1_000, 500, Duration::ZERO);
    let (client, _server) = pair.connected();
    fill(&mut pair, client);
    pair.changed();
    pair.net.set_send_buffer(client, 10_000).unwrap();
    assert_eq!(pair.changed().len(), 1);
    assert_eq!(fill(&mut pair, client), 9_000);
}

#[test]
fn buffers_can_differ_at_the_two_ends() {
    let mut pair = pair(1_000, 500, Duration::ZERO);
    let listener = pair.listen(80, 8).unwrap();
    pair.net.set_receive_buffer(listener, 4_000).unwrap();
    pair.net.set_send_buffer(listener, 100).unwrap();
    let client = pair.connect(80);
    let server = pair.accept(listener).unwrap();
    assert_eq!(fill(&mut pair, client), 1_000 + 4_000);
    assert_eq!(fill(&mut pair, server), 100 + 500);
    let none = pair.net.set_receive_buffer(client, 0);
    assert_eq!(none, Err(NetError::InvalidInput));
}

#[test]
fn several_buffers_are_written_as_one() {
    let mut pair = pair(8, 8, Duration::ZERO);
    let (client, server) = pair.connected();
    let parts = [&b"one "[..], b"", b"two ", b"three"].map(IoSlice::new);
    let n = pair
        .net
        .write_vectored(pair.now, client, &parts, &mut Plain);
    assert_eq!(n, Ok(8));
    assert_eq!(pair.read(server, 99), Ok(b"one two ".to_vec()));
}

#[test]
fn a_peek_leaves_the_bytes_to_be_read() {
    let mut pair = pair(100, 100, Duration::ZERO);
    let (client, server) = pair.connected();
    let mut buf = [0; 3];
    assert_eq!(pair.net.peek(server, &mut buf), Err(NetError::WouldBlock));
    pair.write(client, b"hello").unwrap();
    assert_eq!(pair.net.readable_bytes(server), Ok(5));
    assert_eq!(pair.net.peek(server, &mut buf), Ok(3));
    assert_eq!(&buf, b"hel");
    assert_eq!(pair.read(server, 9), Ok(b"hello".to_vec()));
}

#[test]
fn every_arrival_changes_the_reader_even_if_it_was_readable() {
    let mut pair = pair(100, 100, 5 * MS);
    let (client, server) = pair.connected();
    for _ in 0..2 {
        pair.write(client, b"x").unwrap();
        pair.drive();
        let changed = pair.changed();
        assert_eq!(changed.len(), 1);
        assert_eq!(changed[0].0, server);
    }
}

/// Answers from a list for one site, 0 otherwise.
struct Script(Site, VecDeque<u64>);

impl Decide for Script {
    fn choose(&mut self, site: Site, n: u64) -> u64 {
        assert!(n > 0);
        if site == self.0 {
            self.1.pop_front().unwrap_or(0)
        } else {
            0
        }
    }
}

#[test]
fn a_short_read_leaves_the_rest_and_changes_the_socket_again() {
    let script = Script(Site::SHORT_READ, [1, 2, 3].into());
    let mut pair = Pair::with(NetConfig::default(), LinkConfig::default(), script);
    let (client, server) = pair.connected();
    pair.write(client, b"0123456789").unwrap();
    pair.changed();
    for (expected, change) in [(&b"0"[..], 1), (b"1234", 1), (b"5678", 1), (b"9", 0)] {
        assert_eq!(pair.read(server, 99).unwrap(), expected);
        assert_eq!(pair.changed().len(), change);
    }
}

#[test]
fn a_short_write_takes_a_part_and_changes_the_socket_again() {
    let script = Script(Site::SHORT_WRITE, [1, 2, 3].into());
    let mut pair = Pair::with(NetConfig::default(), LinkConfig::default(), script);
    let (client, server) = pair.connected();
    let mut rest = &b"0123456789"[..];
    for (taken, change) in [(1, true), (4, true), (4, true), (1, false)] {
        assert_eq!(pair.write(client, rest), Ok(taken));
        rest = &rest[taken..];
        let changed = pair.changed();
        assert_eq!(changed.iter().any(|(id, _)| *id == client), change);
    }
    assert_eq!(pair.read(server, 99), Ok(b"0123456789".to_vec()));
}
