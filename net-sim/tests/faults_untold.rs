//! Ends that the network keeps in the dark: each learns of it as on Linux, and none waits for
//! ever.

use std::net::SocketAddr;
use std::time::Duration;

use net_sim::drive::Pair;
use net_sim::{
    Decide, Fault, FaultId, How, Latency, LinkConfig, NetConfig, NetError, Plain, Probability,
    Site, SocketId,
};
use virtual_time::Instant;

const MS: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);

fn pair() -> Pair {
    Pair::new(LinkConfig::new(Latency::constant(5 * MS)))
}

fn add(pair: &mut Pair, fault: Fault) -> FaultId {
    pair.net.add_fault(pair.now, fault, &mut Plain).unwrap()
}

fn partition(pair: &mut Pair) -> FaultId {
    let fault = Fault::partition([pair.client], [pair.server]);
    add(pair, fault)
}

fn hold(pair: &mut Pair) -> FaultId {
    let fault = Fault::hold([pair.client], [pair.server]);
    add(pair, fault)
}

fn lift(pair: &mut Pair, fault: FaultId) {
    pair.net.lift(pair.now, fault, &mut Plain).unwrap();
}

fn wait(pair: &mut Pair, time: Duration) {
    pair.drive_until(pair.now + time);
}

fn settle<D: Decide>(pair: &mut Pair<D>) {
    let ended = (0..10_000).any(|_| !pair.step());
    assert!(ended, "it goes on for ever");
}

fn abort(pair: &mut Pair, id: SocketId) {
    pair.net.set_linger(id, Some(Duration::ZERO)).unwrap();
    pair.close(id).unwrap();
}

/// A connect from a port of the client's that is always the same.
fn connect_from_4000(pair: &mut Pair) -> SocketId {
    let id = pair.net.tcp_socket(pair.client);
    let addr = |ip, port| SocketAddr::new(ip, port);
    pair.net
        .bind(pair.now, id, addr(Pair::CLIENT, 4_000))
        .unwrap();
    let to = addr(Pair::SERVER, 80);
    let begun = pair.net.connect(pair.now, id, to, &mut Plain);
    assert_eq!(begun, Err(NetError::InProgress));
    id
}

#[test]
fn who_has_sent_to_somebody_that_resets_into_a_cut_is_reset_after_it() {
    for aborts_after in [Duration::ZERO, 2 * MS, 6 * MS] {
        let mut pair = pair();
        let (client, server) = pair.connected();
        pair.write(client, b"is anybody there?").unwrap();
        wait(&mut pair, aborts_after);
        let fault = partition(&mut pair);
        abort(&mut pair, server);
        wait(&mut pair, 10 * SECOND);
        lift(&mut pair, fault);
        settle(&mut pair);
        assert_eq!(pair.read(client, 1), Err(NetError::ConnectionReset));
    }
}

#[test]
fn who_has_sent_to_somebody_whose_reset_is_lost_on_its_way_is_reset_later() {
    let sends: [fn(&mut Pair, SocketId); 2] = [
        |pair, id| assert_eq!(pair.write(id, b"x"), Ok(1)),
        |pair, id| pair.shutdown(id, How::Write).unwrap(),
    ];
    for send in sends {
        let mut pair = pair();
        let (client, server) = pair.connected();
        let slow = LinkConfig::new(Latency::constant(50 * MS));
        pair.net.set_link(pair.server, pair.client, slow).unwrap();
        // What is sent comes to a socket that is no more, and then its RST is lost.
        abort(&mut pair, server);
        send(&mut pair, client);
        wait(&mut pair, 6 * MS);
        let fault = partition(&mut pair);
        wait(&mut pair, SECOND);
        lift(&mut pair, fault);
        settle(&mut pair);
        assert_eq!(pair.read(client, 1), Err(NetError::ConnectionReset));
    }
}

#[test]
fn who_hears_no_reset_times_out() {
    for stop in [partition, hold] {
        let mut pair = pair();
        let (client, server) = pair.connected();
        stop(&mut pair);
        pair.write(client, b"x").unwrap();
        abort(&mut pair, server);
        settle(&mut pair);
        assert_eq!(pair.read(client, 1), Err(NetError::TimedOut));
        let waited = pair.now - Instant::BEGIN;
        assert!((924 * SECOND..1_050 * SECOND).contains(&waited));
    }
}

#[test]
fn an_idle_end_with_keep_alive_hears_of_a_reset_that_was_lost() {
    /// Loses one segment.
    struct Once(bool);
    impl Decide for Once {
        fn choose(&mut self, site: Site, _: u64) -> u64 {
            u64::from(site == Site::LOSS && std::mem::take(&mut self.0))
        }
    }
    let link = LinkConfig::new(Latency::constant(5 * MS));
    let link = link.with_loss(Probability::ratio(1, 2).unwrap());
    let mut pair = Pair::with(NetConfig::default(), link, Once(false));
    let (client, server) = pair.connected();
    pair.net.set_keepalive(client, true).unwrap();
    pair.net.set_linger(server, Some(Duration::ZERO)).unwrap();
    pair.decide.0 = true;
    pair.close(server).unwrap();
    settle(&mut pair);
    assert_eq!(pair.read(client, 1), Err(NetError::ConnectionReset));
    let asked = pair.now - Instant::BEGIN;
    assert!(
        (7_200 * SECOND..7_201 * SECOND).contains(&asked),
        "{asked:?}"
    );
}

#[test]
fn a_connect_times_out_though_its_handshake_was_under_way_when_it_was_held() {
    for under_way in [2 * MS, 7 * MS] {
        let mut pair = pair();
        pair.listen(80, 1).unwrap();
        let client = pair.connect(80);
        wait(&mut pair, under_way);
        hold(&mut pair);
        settle(&mut pair);
        assert_eq!(pair.now, Instant::BEGIN + 127 * SECOND);
        assert_eq!(pair.net.finish_connect(client), Err(NetError::TimedOut));
    }
}

#[test]
fn a_connect_whose_handshake_was_held_is_there_after_the_release() {
    for under_way in [2 * MS, 7 * MS, 12 * MS] {
        let mut pair = pair();
        let listener = pair.listen(80, 1).unwrap();
        let client = pair.connect(80);
        wait(&mut pair, under_way);
        let fault = hold(&mut pair);
        wait(&mut pair, 5 * SECOND);
        lift(&mut pair, fault);
        settle(&mut pair);
        assert_eq!(pair.net.finish_connect(client), Ok(()));
        let server = pair.accept(listener).unwrap();
        assert_eq!(pair.accept(listener), Err(NetError::WouldBlock));
        pair.write(client, b"x").unwrap();
        settle(&mut pair);
        assert_eq!(pair.read(server, 9), Ok(b"x".to_vec()));
    }
}

#[test]
fn a_listener_forgets_who_lost_power_before_the_handshake_was_done() {
    let mut pair = pair();
    pair.listen(80, 1).unwrap();
    connect_from_4000(&mut pair);
    wait(&mut pair, 12 * MS);
    let host = pair.client;
    pair.net.power_off(pair.now, host, &mut Plain);
    wait(&mut pair, SECOND);
    pair.net.restart(pair.now, host, &mut Plain);
    let again = connect_from_4000(&mut pair);
    settle(&mut pair);
    assert_eq!(pair.net.finish_connect(again), Ok(()));
}

#[test]
fn a_listener_forgets_who_gave_up_before_the_handshake_was_done() {
    let gives_up: [fn(&mut Pair, SocketId); 3] = [
        |pair, id| {
            pair.net.set_user_timeout(id, Some(SECOND)).unwrap();
            pair.write(id, b"x").unwrap();
        },
        |pair, id| pair.net.set_linger(id, Some(Duration::ZERO)).unwrap(),
        |pair, id| pair.net.reset(pair.now, id).unwrap(),
    ];
    for give_up in gives_up {
        let mut pair = pair();
        let listener = pair.listen(80, 1).unwrap();
        let first = connect_from_4000(&mut pair);
        wait(&mut pair, 12 * MS);
        let fault = partition(&mut pair);
        give_up(&mut pair, first);
        wait(&mut pair, 4 * SECOND);
        pair.close(first).unwrap();
        lift(&mut pair, fault);
        wait(&mut pair, 60 * SECOND);
        assert_eq!(pair.accept(listener), Err(NetError::WouldBlock));
        let again = connect_from_4000(&mut pair);
        settle(&mut pair);
        assert_eq!(pair.net.finish_connect(again), Ok(()));
    }
}

#[test]
fn the_end_of_time_comes_once() {
    for latency in [5 * MS, Duration::MAX] {
        let mut pair = pair();
        let (client, server) = pair.connected();
        pair.net
            .set_default_link(LinkConfig::new(Latency::constant(latency)));
        pair.drive_until(Instant::from_nanos(u64::MAX - 1_000_000_000));
        partition(&mut pair);
        for id in [client, server] {
            pair.net.set_keepalive(id, true).unwrap();
        }
        pair.write(client, b"x").unwrap();
        pair.connect(80);
        settle(&mut pair);
    }
}

#[test]
fn what_a_cut_takes_is_lost_though_a_younger_hold_stands() {
    let mut pair = pair();
    let (client, server) = pair.connected();
    let faults = [partition(&mut pair), hold(&mut pair)];
    pair.write(client, b"x").unwrap();
    wait(&mut pair, MS);
    for fault in faults {
        lift(&mut pair, fault);
    }
    wait(&mut pair, 20 * MS);
    assert_eq!(pair.read(server, 9), Err(NetError::WouldBlock));
    settle(&mut pair);
    assert_eq!(pair.read(server, 9), Ok(b"x".to_vec()));
}
