//! Links: when bytes arrive, and in which order.

use std::collections::VecDeque;
use std::time::Duration;

use net_sim::drive::Pair;
use net_sim::{Bandwidth, Decide, Latency, LinkConfig, NetConfig, NetError, Site};

const MS: Duration = Duration::from_millis(1);

/// Answers latency draws from a list, then 0, and counts them.
#[derive(Default)]
struct Draws {
    next: VecDeque<u64>,
    asked: Vec<u64>,
}

impl Decide for Draws {
    fn choose(&mut self, site: Site, n: u64) -> u64 {
        if site != Site::LATENCY {
            return 0;
        }
        self.asked.push(n);
        self.next.pop_front().unwrap_or(0)
    }
}

fn pair(latency: Latency) -> Pair<Draws> {
    let link = LinkConfig::new(latency);
    Pair::with(NetConfig::default(), link, Draws::default())
}

#[test]
fn bytes_arrive_after_the_latency_and_not_before() {
    let mut pair = pair(Latency::constant(7 * MS));
    let (client, server) = pair.connected();
    let sent = pair.now;
    pair.write(client, b"x").unwrap();
    pair.drive_until(sent + (7 * MS - Duration::from_nanos(1)));
    assert_eq!(pair.read(server, 1), Err(NetError::WouldBlock));
    assert_eq!(pair.net.next_event(), Some(sent + 7 * MS));
    pair.drive();
    assert_eq!(pair.read(server, 1), Ok(b"x".to_vec()));
    assert_eq!(pair.decide.asked, [], "a constant leaves nothing to draw");
}

#[test]
fn a_later_segment_never_overtakes_an_earlier_one() {
    let mut pair = pair(Latency::table([MS, 50 * MS]));
    let (client, server) = pair.connected();
    let sent = pair.now;
    pair.decide.next = [1, 0, 0].into();
    pair.write(client, b"slow ").unwrap();
    pair.write(client, b"quick").unwrap();
    pair.drive_until(sent + 2 * MS);
    pair.write(client, b" too").unwrap();
    assert_eq!(pair.net.next_event(), Some(sent + 50 * MS));
    pair.step();
    assert_eq!(pair.read(server, 99), Ok(b"slow quick too".to_vec()));
}

#[test]
fn connections_overtake_each_other() {
    let mut pair = pair(Latency::table([MS, 50 * MS]));
    let (slow, slow_server) = pair.connected();
    let (quick, quick_server) = pair.connected();
    pair.decide.next = [1, 0].into();
    pair.write(slow, b"x").unwrap();
    pair.write(quick, b"x").unwrap();
    pair.drive();
    let order: Vec<_> = pair.changed().iter().map(|(id, _)| *id).collect();
    assert_eq!(order, [quick_server, slow_server]);
}

#[test]
fn one_draw_is_made_for_each_segment_and_none_for_acknowledgements() {
    let mut pair = pair(Latency::uniform(MS..=10 * MS));
    let (client, server) = pair.connected();
    assert_eq!(pair.decide.asked, [32; 3], "SYN, SYN-ACK, ACK");
    pair.decide.asked.clear();
    pair.write(client, &[1; 50_000]).unwrap();
    pair.drive();
    pair.read(server, 50_000).unwrap();
    pair.drive();
    pair.close(client).unwrap();
    pair.drive();
    assert_eq!(pair.decide.asked, [32; 2], "bytes, FIN");
}

#[test]
fn a_uniform_latency_reaches_from_its_lowest_to_about_its_highest() {
    let latency = Latency::uniform(MS..=10 * MS);
    assert_eq!(latency.typical(), MS);
    let mut pair = pair(latency);
    let (client, _server) = pair.connected();
    let sent = pair.now;
    pair.decide.next = [31].into();
    pair.write(client, b"x").unwrap();
    let took = pair.net.next_event().unwrap() - sent;
    assert!(
        took <= 10 * MS && took > 10 * MS - Duration::from_micros(1),
        "{took:?}"
    );
}

#[test]
fn an_answer_out_of_range_counts_as_the_highest() {
    let mut pair = pair(Latency::table([MS, 2 * MS]));
    let (client, _server) = pair.connected();
    let sent = pair.now;
    pair.decide.next = [u64::MAX].into();
    pair.write(client, b"x").unwrap();
    assert_eq!(pair.net.next_event(), Some(sent + 2 * MS));
}

#[test]
fn each_direction_has_its_own_link_and_a_change_holds_from_then_on() {
    let mut pair = pair(Latency::constant(MS));
    let (client, server) = pair.connected();
    let back = LinkConfig::new(Latency::constant(30 * MS));
    pair.net.set_link(pair.server, pair.client, back).unwrap();
    let sent = pair.now;
    pair.write(client, b"x").unwrap();
    pair.drive();
    assert_eq!(pair.now, sent + MS);
    pair.write(server, b"x").unwrap();
    pair.drive();
    assert_eq!(pair.now, sent + 31 * MS);

    pair.net
        .set_default_link(LinkConfig::new(Latency::constant(9 * MS)));
    let sent = pair.now;
    pair.write(client, b"x").unwrap();
    pair.write(server, b"x").unwrap();
    assert_eq!(pair.net.next_event(), Some(sent + 9 * MS));
    pair.drive();
    assert_eq!(pair.now, sent + 30 * MS, "a link of its own has no default");
}

#[test]
fn without_latency_nothing_is_ever_scheduled() {
    let mut pair = pair(Latency::ZERO);
    let (client, server) = pair.connected();
    for _ in 0..3 {
        pair.write(client, &[1; 100_000]).unwrap();
        assert_eq!(pair.read(server, 100_000).unwrap().len(), 100_000);
    }
    pair.close(client).unwrap();
    assert_eq!(pair.read(server, 1), Ok(vec![]));
    assert_eq!(pair.net.next_event(), None);
}

#[test]
fn a_link_that_becomes_quick_does_not_let_bytes_pass_those_under_way() {
    let mut pair = pair(Latency::constant(10 * MS));
    let (client, server) = pair.connected();
    pair.write(client, b"a").unwrap();
    pair.net.set_default_link(LinkConfig::default());
    pair.write(client, b"b").unwrap();
    pair.close(client).unwrap();
    assert_eq!(pair.read(server, 9), Err(NetError::WouldBlock));
    pair.drive();
    assert_eq!(pair.read(server, 9), Ok(b"ab".to_vec()));
    assert_eq!(pair.read(server, 9), Ok(vec![]));
}

/// A million bytes a second: a microsecond for each.
fn slow(latency: Duration) -> LinkConfig {
    LinkConfig::new(Latency::constant(latency)).with_bandwidth(Bandwidth::from_bytes(1_000_000))
}

#[test]
fn bytes_leave_one_after_the_other_through_a_narrow_link() {
    let mut pair = Pair::new(slow(5 * MS));
    let (client, server) = pair.connected();
    let sent = pair.now;
    pair.write(client, &[1; 960]).unwrap();
    pair.write(client, &[2; 1_960]).unwrap();
    pair.step();
    assert_eq!(pair.now, sent + 6 * MS, "its header takes 40 bytes");
    assert_eq!(pair.read(server, 9_999).unwrap(), [1; 960]);
    pair.step();
    assert_eq!(pair.now, sent + 8 * MS);
    assert_eq!(pair.read(server, 9_999).unwrap(), [2; 1_960]);
}

#[test]
fn connections_share_the_link_and_the_other_direction_has_its_own() {
    let mut pair = Pair::new(slow(Duration::ZERO));
    let (one, one_server) = pair.connected();
    let (two, two_server) = pair.connected();
    let sent = pair.now;
    pair.write(one, &[1; 9_960]).unwrap();
    pair.write(two, &[1; 4_960]).unwrap();
    pair.write(one_server, &[1; 960]).unwrap();
    let mut order = vec![];
    while pair.step() {
        let now = pair.now;
        order.extend(pair.changed().iter().map(|(id, _)| (*id, now - sent)));
    }
    assert_eq!(
        order,
        [(one, MS), (one_server, 10 * MS), (two_server, 15 * MS)]
    );
}

#[test]
fn an_idle_link_owes_nothing() {
    let mut pair = Pair::new(slow(Duration::ZERO));
    let (client, server) = pair.connected();
    pair.drive_until(pair.now + Duration::from_secs(1));
    let sent = pair.now;
    pair.write(client, &[1; 960]).unwrap();
    pair.drive();
    assert_eq!(pair.now, sent + MS);
    assert_eq!(pair.net.readable_bytes(server), Ok(960));
}
