//! Silent peers: who finds out, when, and at what cost.

use std::time::Duration;

use net_sim::drive::Pair;
use net_sim::{Fault, FaultId, Keepalive, Latency, LinkConfig, NetError, SocketId};
use virtual_time::Instant;

const MS: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);

fn pair() -> Pair {
    Pair::new(LinkConfig::new(Latency::constant(5 * MS)))
}

fn keep_alive(pair: &mut Pair, id: SocketId, idle: u64, interval: u64, count: u32) {
    let times = Keepalive {
        idle: Duration::from_secs(idle),
        interval: Duration::from_secs(interval),
        count,
    };
    pair.net.set_keepalive_times(id, times).unwrap();
    pair.net.set_keepalive(id, true).unwrap();
}

fn partition(pair: &mut Pair) -> FaultId {
    let cut = Fault::partition([pair.client], [pair.server]);
    pair.net.add_fault(pair.now, cut, &mut pair.decide).unwrap()
}

fn lift(pair: &mut Pair, id: FaultId) {
    pair.net.lift(pair.now, id, &mut pair.decide).unwrap();
}

/// When the answer came that is `now` 5 ms old.
fn earlier(now: Instant) -> Instant {
    Instant::from_nanos(now.as_nanos() - 5_000_000)
}

/// How long it takes until there is news, to the second.
fn seconds_until_news(pair: &mut Pair, since: Instant) -> u64 {
    pair.changed();
    loop {
        if !pair.changed().is_empty() {
            return (pair.now - since).as_secs();
        }
        assert!(pair.step(), "nothing ever happens");
    }
}

#[test]
fn keep_alive_on_an_intact_connection_is_no_event() {
    let mut pair = pair();
    let (client, server) = pair.connected();
    for id in [client, server] {
        keep_alive(&mut pair, id, 1, 1, 1);
    }
    assert_eq!(pair.net.next_event(), None);
}

#[test]
fn without_keep_alive_nobody_learns_of_a_partition() {
    let mut pair = pair();
    pair.connected();
    partition(&mut pair);
    assert_eq!(pair.net.next_event(), None);
}

#[test]
fn linux_s_keep_alive_gives_a_silent_peer_up_after_7875_seconds() {
    let mut pair = pair();
    let (client, server) = pair.connected();
    pair.net.set_keepalive(client, true).unwrap();
    // The last that the client heard is the SYN-ACK, 5 ms before.
    let heard = earlier(pair.now);
    partition(&mut pair);
    assert_eq!(seconds_until_news(&mut pair, heard), 7_200 + 9 * 75);
    let readiness = pair.readiness(client);
    assert!(readiness.error && readiness.hung_up && readiness.readable);
    assert_eq!(pair.read(client, 1), Err(NetError::TimedOut));
    assert_eq!(pair.read(client, 1), Ok(vec![]));
    assert_eq!(pair.write(client, b"x"), Err(NetError::BrokenPipe));
    // The other side asks nobody.
    pair.drive();
    assert_eq!(pair.read(server, 1), Err(NetError::WouldBlock));
}

#[test]
fn the_times_that_were_set_are_those_that_count() {
    let mut pair = pair();
    let (client, server) = pair.connected();
    keep_alive(&mut pair, server, 10, 3, 4);
    pair.write(client, b"hello").unwrap();
    pair.drive();
    let heard = earlier(pair.now);
    partition(&mut pair);
    assert_eq!(seconds_until_news(&mut pair, heard), 10 + 4 * 3);
    // What had arrived is read before the error.
    assert_eq!(pair.read(server, 9).unwrap(), b"hello");
    assert_eq!(pair.read(server, 9), Err(NetError::TimedOut));
}

#[test]
fn keep_alive_set_during_a_partition_counts_from_the_last_word() {
    let mut pair = pair();
    let (client, _) = pair.connected();
    let heard = earlier(pair.now);
    partition(&mut pair);
    pair.drive_until(pair.now + 6 * SECOND);
    keep_alive(&mut pair, client, 10, 1, 2);
    assert_eq!(seconds_until_news(&mut pair, heard), 12);
}

#[test]
fn a_partition_that_ends_in_time_costs_one_question() {
    let mut pair = pair();
    let (client, server) = pair.connected();
    keep_alive(&mut pair, client, 10, 5, 3);
    let cut = partition(&mut pair);
    pair.drive_until(pair.now + 17 * SECOND);
    lift(&mut pair, cut);
    pair.drive();
    assert_eq!(pair.net.next_event(), None);
    pair.write(client, b"alive").unwrap();
    pair.drive();
    assert_eq!(pair.read(server, 9).unwrap(), b"alive");
    // The next one is counted anew.
    let heard = pair.now;
    partition(&mut pair);
    let waited = seconds_until_news(&mut pair, heard);
    assert!((24..=25).contains(&waited), "{waited}");
}

#[test]
fn keep_alive_turned_off_asks_no_more() {
    let mut pair = pair();
    let (client, _) = pair.connected();
    keep_alive(&mut pair, client, 10, 5, 3);
    partition(&mut pair);
    pair.drive_until(pair.now + 12 * SECOND);
    pair.net.set_keepalive(client, false).unwrap();
    assert_eq!(pair.net.next_event(), None);
}

#[test]
fn a_user_timeout_ends_keep_alive_before_all_was_asked() {
    let mut pair = pair();
    let (client, _) = pair.connected();
    keep_alive(&mut pair, client, 10, 5, 9);
    let patience = Some(Duration::from_secs(18));
    pair.net.set_user_timeout(client, patience).unwrap();
    let heard = earlier(pair.now);
    partition(&mut pair);
    // Asked at 10 and 15; it looks again at 20.
    assert_eq!(seconds_until_news(&mut pair, heard), 20);
    assert_eq!(pair.read(client, 1), Err(NetError::TimedOut));
}

#[test]
fn what_was_sent_into_the_dark_is_given_up_without_keep_alive() {
    for (patience, expected) in [(None, 925..=935), (Some(30), 30..=31)] {
        let mut pair = pair();
        let (client, _) = pair.connected();
        let patience = patience.map(Duration::from_secs);
        pair.net.set_user_timeout(client, patience).unwrap();
        pair.net.power_off(pair.now, pair.server, &mut pair.decide);
        let begun = pair.now;
        pair.write(client, b"hello?").unwrap();
        let waited = seconds_until_news(&mut pair, begun);
        assert!(expected.contains(&waited), "{waited}");
        assert_eq!(pair.read(client, 1), Err(NetError::TimedOut));
        assert_eq!(pair.net.next_event(), None);
    }
}

#[test]
fn keep_alive_finds_a_host_without_power() {
    let mut pair = pair();
    let (client, _) = pair.connected();
    keep_alive(&mut pair, client, 10, 5, 2);
    let heard = earlier(pair.now);
    pair.net.power_off(pair.now, pair.server, &mut pair.decide);
    assert_eq!(seconds_until_news(&mut pair, heard), 20);
    assert_eq!(pair.read(client, 1), Err(NetError::TimedOut));
}

#[test]
fn keep_alive_is_reset_by_a_host_that_started_again() {
    let mut pair = pair();
    let (client, _) = pair.connected();
    keep_alive(&mut pair, client, 10, 5, 2);
    let heard = earlier(pair.now);
    pair.net.power_off(pair.now, pair.server, &mut pair.decide);
    pair.drive_until(pair.now + SECOND);
    pair.net.restart(pair.now, pair.server, &mut pair.decide);
    assert_eq!(seconds_until_news(&mut pair, heard), 10);
    assert_eq!(pair.read(client, 1), Err(NetError::ConnectionReset));
}

#[test]
fn a_closed_connection_leaves_no_question_behind() {
    let mut pair = pair();
    let (client, server) = pair.connected();
    keep_alive(&mut pair, client, 10, 5, 2);
    let cut = partition(&mut pair);
    lift(&mut pair, cut);
    for id in [client, server] {
        pair.net.set_linger(id, Some(Duration::ZERO)).unwrap();
        pair.close(id).unwrap();
    }
    assert_eq!(pair.net.next_event(), None);
}
