//! Streams where segments are lost: late, never holed, and given up as Linux gives them up.

use std::time::Duration;

use net_sim::drive::Pair;
use net_sim::{
    Decide, Fault, FaultId, How, Latency, LinkConfig, Loss, NetConfig, NetError, Plain,
    Probability, SegmentKind, Sighted, Site,
};
use virtual_time::Instant;

const MS: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);
/// The first timeout where a round trip takes ten milliseconds.
const TIMEOUT: Duration = Duration::from_millis(210);

fn pair() -> Pair {
    Pair::new(LinkConfig::new(Latency::constant(5 * MS)))
}

fn cut(pair: &mut Pair) -> FaultId {
    let fault = Fault::partition([pair.client], [pair.server]);
    pair.net.add_fault(pair.now, fault, &mut Plain).unwrap()
}

/// From the server's host to the client's alone.
fn cut_back(pair: &mut Pair) -> FaultId {
    let fault = Fault::one_way([pair.server], [pair.client]);
    pair.net.add_fault(pair.now, fault, &mut Plain).unwrap()
}

fn heal(pair: &mut Pair, id: FaultId) {
    assert!(pair.net.lift(pair.now, id, &mut Plain).is_some());
}

fn wait<D: Decide>(pair: &mut Pair<D>, time: Duration) {
    pair.drive_until(pair.now + time);
}

/// Loses what a list says, in the order of sending, and nothing after it.
#[derive(Default)]
struct Losses(Vec<bool>);

impl Decide for Losses {
    fn choose(&mut self, site: Site, n: u64) -> u64 {
        if site != Site::LOSS {
            return 0;
        }
        assert_eq!(n, 2);
        u64::from(!self.0.is_empty() && self.0.remove(0))
    }
}

fn lossy() -> Pair<Losses> {
    let link = LinkConfig::new(Latency::constant(5 * MS));
    let link = link.with_loss(Probability::new(0.5).unwrap());
    Pair::with(NetConfig::default(), link, Losses::default())
}

fn lose<const N: usize>(pair: &mut Pair<Losses>, losses: [u8; N]) {
    pair.decide.0 = losses.iter().map(|lost| *lost == 1).collect();
}

#[test]
fn a_lost_segment_is_late_and_what_is_behind_it_waits() {
    let mut pair = lossy();
    let (client, server) = pair.connected();
    let sent = pair.now;
    lose(&mut pair, [1]);
    pair.write(client, b"lost").unwrap();
    pair.drive_until(sent + (TIMEOUT + 5 * MS - Duration::from_nanos(1)));
    assert_eq!(pair.read(server, 9), Err(NetError::WouldBlock));
    pair.step();
    assert_eq!(pair.now, sent + TIMEOUT + 5 * MS);
    assert_eq!(pair.read(server, 9), Ok(b"lost".to_vec()));
    pair.drive();
    assert_eq!(
        pair.now,
        sent + TIMEOUT + 10 * MS,
        "acknowledged, and no more"
    );
}

#[test]
fn an_observer_sees_what_is_lost_and_what_is_sent_again() {
    let mut pair = lossy();
    let (client, _server) = pair.connected();
    pair.net.set_observed(true);
    lose(&mut pair, [1, 1]);
    pair.write(client, b"x").unwrap();
    pair.drive();
    let seen = std::iter::from_fn(|| pair.net.pop_sighting());
    let data = seen.filter(|seen| seen.segment.kind == SegmentKind::Data(b"x".to_vec()));
    let data: Vec<_> = data
        .map(|seen| (seen.sighted, seen.segment.sequence))
        .collect();
    let lost = Sighted::Dropped(Loss::Link);
    let expected = [
        Sighted::Sent,
        lost,
        Sighted::Sent,
        lost,
        Sighted::Sent,
        Sighted::Delivered,
    ];
    assert_eq!(data, expected.map(|sighted| (sighted, 1)));
}

#[test]
fn timeouts_double_until_something_gets_through() {
    let mut pair = lossy();
    let (client, server) = pair.connected();
    let sent = pair.now;
    lose(&mut pair, [1, 1, 1, 1]);
    pair.write(client, b"x").unwrap();
    while pair.net.readable_bytes(server) == Ok(0) {
        assert!(pair.step());
    }
    assert_eq!(pair.now, sent + TIMEOUT * 15 + 5 * MS);
    pair.drive();
    // The next loss begins anew.
    let sent = pair.now;
    lose(&mut pair, [1]);
    pair.write(client, b"y").unwrap();
    pair.drive();
    assert_eq!(pair.now, sent + TIMEOUT + 10 * MS);
}

#[test]
fn a_segment_that_gets_through_behind_a_lost_one_tells_of_it_at_once() {
    let mut pair = lossy();
    let (client, server) = pair.connected();
    let sent = pair.now;
    lose(&mut pair, [1, 0]);
    pair.write(client, b"lost ").unwrap();
    pair.write(client, b"found").unwrap();
    wait(&mut pair, 14 * MS);
    assert_eq!(pair.read(server, 99), Err(NetError::WouldBlock));
    wait(&mut pair, MS);
    assert_eq!(pair.now, sent + 15 * MS, "a round trip, and the way there");
    assert_eq!(pair.read(server, 99), Ok(b"lost found".to_vec()));
}

#[test]
fn a_lost_acknowledgement_is_asked_for_again() {
    let link = LinkConfig::new(Latency::constant(5 * MS));
    let link = link.with_loss(Probability::new(0.5).unwrap());
    let mut config = NetConfig::default();
    config.send_buffer = 100;
    let mut pair = Pair::with(config, link, Losses::default());
    let (client, server) = pair.connected();
    let sent = pair.now;
    lose(&mut pair, [0, 1]);
    assert_eq!(pair.write(client, &[1; 200]), Ok(100));
    assert_eq!(pair.write(client, &[1; 1]), Err(NetError::WouldBlock));
    wait(&mut pair, 100 * MS);
    assert_eq!(pair.net.readable_bytes(server), Ok(100));
    assert_eq!(pair.write(client, &[1; 1]), Err(NetError::WouldBlock));
    pair.changed();
    while pair.changed().is_empty() {
        assert!(pair.step());
    }
    // The timer began when the acknowledgement was lost.
    assert_eq!(pair.now, sent + 5 * MS + TIMEOUT + 10 * MS);
    assert_eq!(pair.write(client, &[1; 1]), Ok(1));
}

#[test]
fn a_lost_window_does_not_stop_the_stream_for_good() {
    let link = LinkConfig::new(Latency::constant(5 * MS));
    let link = link.with_loss(Probability::new(0.5).unwrap());
    let mut config = NetConfig::default();
    config.receive_buffer = 100;
    let mut pair = Pair::with(config, link, Losses::default());
    let (client, server) = pair.connected();
    assert_eq!(pair.write(client, &[1; 300]), Ok(300));
    pair.drive();
    lose(&mut pair, [1]);
    assert_eq!(pair.read(server, 100).unwrap().len(), 100);
    for _ in 0..2 {
        pair.drive();
        assert_eq!(pair.read(server, 100).unwrap().len(), 100);
    }
}

#[test]
fn a_stream_that_is_cut_stalls_and_goes_on_with_the_next_retransmission() {
    let mut pair = pair();
    let (client, server) = pair.connected();
    let began = pair.now;
    let fault = cut(&mut pair);
    pair.write(client, b"x").unwrap();
    pair.drive_until(began + 10 * SECOND);
    heal(&mut pair, fault);
    while pair.net.readable_bytes(server) == Ok(0) {
        assert!(pair.step());
    }
    // Timeouts end 1, 3, 7, 15, 31, 63 times the first after the beginning.
    assert_eq!(pair.now, began + TIMEOUT * 63 + 5 * MS);
    pair.write(client, b"y").unwrap();
    pair.drive();
    assert_eq!(pair.read(server, 9), Ok(b"xy".to_vec()));
    assert_eq!(pair.net.next_event(), None);
}

#[test]
fn a_sender_gives_up_after_a_quarter_of_an_hour_and_a_reader_never() {
    let mut pair = pair();
    let (client, server) = pair.connected();
    let began = pair.now;
    cut(&mut pair);
    pair.write(client, b"x").unwrap();
    pair.changed();
    while !pair.readiness(client).error {
        assert!(pair.step());
    }
    let took = pair.now - began;
    assert!(took > 924 * SECOND && took < 1050 * SECOND, "{took:?}");
    assert_eq!(pair.read(client, 1), Err(NetError::TimedOut));
    assert_eq!(pair.read(client, 1), Ok(vec![]));
    assert_eq!(pair.write(client, b"x"), Err(NetError::BrokenPipe));
    pair.drive();
    assert_eq!(pair.read(server, 1), Err(NetError::WouldBlock));
    assert!(!pair.readiness(server).error);
}

#[test]
fn who_was_given_up_without_being_told_learns_of_it_when_it_sends() {
    let mut pair = pair();
    let (client, server) = pair.connected();
    let fault = cut(&mut pair);
    pair.write(client, b"x").unwrap();
    pair.drive();
    heal(&mut pair, fault);
    pair.drive();
    assert_eq!(pair.write(server, b"hello?"), Ok(6));
    pair.drive();
    assert_eq!(pair.read(server, 1), Err(NetError::ConnectionReset));
}

#[test]
fn a_user_timeout_ends_the_waiting_earlier() {
    let mut pair = pair();
    let (client, _server) = pair.connected();
    let timeout = Some(3 * SECOND);
    pair.net.set_user_timeout(client, timeout).unwrap();
    let began = pair.now;
    cut(&mut pair);
    pair.write(client, b"x").unwrap();
    pair.drive();
    assert_eq!(pair.now, began + TIMEOUT + 3 * SECOND);
    assert_eq!(pair.read(client, 1), Err(NetError::TimedOut));
}

#[test]
fn acknowledgements_do_not_cross_a_one_way_cut() {
    let mut pair = pair();
    let (client, server) = pair.connected();
    let fault = cut_back(&mut pair);
    let most = NetConfig::default().receive_buffer;
    while pair.write(client, &[1; 64 * 1024]).is_ok() {}
    wait(&mut pair, SECOND);
    let mut read = 0;
    while let Ok(bytes) = pair.read(server, most) {
        read += bytes.len();
    }
    assert_eq!(read, most, "what the first window let go arrives");
    wait(&mut pair, 10 * SECOND);
    assert_eq!(pair.write(client, b"x"), Err(NetError::WouldBlock));
    heal(&mut pair, fault);
    wait(&mut pair, 30 * SECOND);
    assert!(pair.write(client, b"x").is_ok());
    assert!(pair.net.readable_bytes(server).unwrap() > 0);
}

#[test]
fn a_sender_to_a_full_receiver_notices_that_the_way_is_cut() {
    let mut pair = pair();
    let (client, _server) = pair.connected();
    while pair.write(client, &[1; 64 * 1024]).is_ok() {}
    pair.drive();
    cut(&mut pair);
    pair.drive();
    assert_eq!(pair.write(client, b"x"), Err(NetError::TimedOut));
}

#[test]
fn connecting_survives_the_loss_of_each_of_its_segments() {
    // SYN, SYN-ACK, ACK, and the bytes behind it.
    for lost in 0..3 {
        let mut pair = lossy();
        let listener = pair.listen(80, 5).unwrap();
        let began = pair.now;
        pair.decide.0 = (0..3).map(|segment| segment == lost).collect();
        let client = pair.connect(80);
        while !pair.readiness(client).writable {
            assert!(pair.step(), "{lost}");
        }
        let took = pair.now - began;
        let expected = if lost < 2 { SECOND + 10 * MS } else { 10 * MS };
        assert_eq!(took, expected, "{lost}");
        assert_eq!(pair.net.finish_connect(client), Ok(()));
        wait(&mut pair, 5 * MS);
        if lost == 2 {
            assert_eq!(pair.accept(listener), Err(NetError::WouldBlock));
            // The acceptor asks once more after a second.
            while !pair.readiness(listener).readable {
                assert!(pair.step());
            }
            assert_eq!(pair.now - began, 10 * MS + SECOND + 10 * MS);
        }
        let server = pair.accept(listener).unwrap();
        pair.write(client, b"x").unwrap();
        pair.drive();
        assert_eq!(pair.read(server, 9), Ok(b"x".to_vec()), "{lost}");
    }
}

#[test]
fn bytes_say_what_the_lost_third_part_of_the_handshake_does() {
    let mut pair = lossy();
    let listener = pair.listen(80, 5).unwrap();
    lose(&mut pair, [0, 0, 1]);
    let client = pair.connect(80);
    wait(&mut pair, 10 * MS);
    pair.write(client, b"x").unwrap();
    wait(&mut pair, 5 * MS);
    let server = pair.accept(listener).unwrap();
    assert_eq!(pair.read(server, 9), Ok(b"x".to_vec()));
    pair.drive();
}

#[test]
fn a_connect_into_a_cut_is_tried_as_often_as_is_configured() {
    let mut pair = pair();
    pair.listen(80, 5).unwrap();
    let began = pair.now;
    let fault = cut(&mut pair);
    let client = pair.connect(80);
    pair.drive();
    assert_eq!(pair.now - began, 127 * SECOND);
    assert_eq!(pair.net.finish_connect(client), Err(NetError::TimedOut));
    let begun = pair.now;
    let client = pair.connect(80);
    wait(&mut pair, 2 * SECOND);
    heal(&mut pair, fault);
    while !pair.readiness(client).writable {
        assert!(pair.step());
    }
    assert_eq!(pair.now - begun, 3 * SECOND + 10 * MS);
}

#[test]
fn a_connect_whose_syn_is_held_is_there_after_the_release() {
    let mut pair = pair();
    let listener = pair.listen(80, 5).unwrap();
    let fault = Fault::hold([pair.client], [pair.server]);
    let fault = pair.net.add_fault(pair.now, fault, &mut Plain).unwrap();
    let client = pair.connect(80);
    wait(&mut pair, 10 * SECOND);
    assert_eq!(pair.net.finish_connect(client), Err(NetError::InProgress));
    heal(&mut pair, fault);
    wait(&mut pair, 10 * MS);
    assert_eq!(pair.net.finish_connect(client), Ok(()));
    assert!(pair.accept(listener).is_ok());
    pair.drive();
    assert_eq!(
        pair.accept(listener),
        Err(NetError::WouldBlock),
        "there is one"
    );
}

#[test]
fn a_lost_fin_is_sent_again() {
    let mut pair = lossy();
    let (client, server) = pair.connected();
    let sent = pair.now;
    lose(&mut pair, [1]);
    pair.shutdown(client, How::Write).unwrap();
    wait(&mut pair, 100 * MS);
    assert_eq!(pair.read(server, 1), Err(NetError::WouldBlock));
    pair.drive();
    assert_eq!(pair.read(server, 1), Ok(vec![]));
    assert_eq!(pair.now - sent, TIMEOUT + 5 * MS + 5 * MS);
}

#[test]
fn a_closed_socket_sends_what_was_lost_for_under_two_minutes() {
    let mut pair = pair();
    let (client, server) = pair.connected();
    let fault = cut(&mut pair);
    pair.write(client, b"last words").unwrap();
    pair.close(client).unwrap();
    wait(&mut pair, 40 * SECOND);
    heal(&mut pair, fault);
    pair.drive();
    assert_eq!(pair.read(server, 99), Ok(b"last words".to_vec()));
    assert_eq!(pair.read(server, 99), Ok(vec![]));

    let (client, server) = pair.connected();
    cut(&mut pair);
    let began = pair.now;
    pair.write(client, b"last words").unwrap();
    pair.close(client).unwrap();
    pair.drive();
    let took = pair.now - began;
    assert!(took > 102 * SECOND && took < 225 * SECOND, "{took:?}");
    assert_eq!(pair.read(server, 99), Err(NetError::WouldBlock));
}

#[test]
fn a_lost_reset_is_told_again_to_whoever_sends() {
    let mut pair = pair();
    let (client, server) = pair.connected();
    pair.net.set_linger(client, Some(Duration::ZERO)).unwrap();
    let fault = cut(&mut pair);
    pair.close(client).unwrap();
    wait(&mut pair, SECOND);
    assert_eq!(pair.read(server, 1), Err(NetError::WouldBlock));
    pair.write(server, b"are you there?").unwrap();
    wait(&mut pair, SECOND);
    heal(&mut pair, fault);
    pair.drive();
    assert_eq!(pair.read(server, 1), Err(NetError::ConnectionReset));
}

#[test]
fn who_sends_to_somebody_gone_and_hears_no_reset_times_out() {
    let mut pair = pair();
    let (client, server) = pair.connected();
    pair.net.set_linger(client, Some(Duration::ZERO)).unwrap();
    let one_way = Fault::one_way([pair.client], [pair.server]);
    pair.net.add_fault(pair.now, one_way, &mut Plain).unwrap();
    pair.close(client).unwrap();
    pair.write(server, b"are you there?").unwrap();
    pair.drive();
    assert_eq!(pair.read(server, 1), Err(NetError::TimedOut));
}

#[test]
fn what_is_held_too_long_is_given_up_as_if_it_were_lost() {
    let mut pair = pair();
    let (client, server) = pair.connected();
    let fault = Fault::clog([pair.server]);
    let fault = pair.net.add_fault(pair.now, fault, &mut Plain).unwrap();
    pair.write(client, b"x").unwrap();
    pair.drive();
    assert_eq!(pair.write(client, b"x"), Err(NetError::TimedOut));
    heal(&mut pair, fault);
    pair.drive();
    assert_eq!(pair.read(server, 1), Err(NetError::WouldBlock));
    assert!(pair.now > Instant::BEGIN + 924 * SECOND);
}

#[test]
fn an_idle_connection_does_not_notice_a_partition() {
    let mut pair = pair();
    let (client, server) = pair.connected();
    pair.write(client, b"x").unwrap();
    wait(&mut pair, 10 * MS);
    pair.read(server, 1).unwrap();
    let fault = cut(&mut pair);
    assert_eq!(pair.net.next_event(), None);
    wait(&mut pair, 3600 * SECOND);
    heal(&mut pair, fault);
    pair.write(client, b"y").unwrap();
    wait(&mut pair, 5 * MS);
    assert_eq!(pair.read(server, 1), Ok(b"y".to_vec()));
}
