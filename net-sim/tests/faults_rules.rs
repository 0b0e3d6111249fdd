//! Faults that come and go: what they stop, what they let through, and what they count.

use std::net::SocketAddr;
use std::time::Duration;

use net_sim::drive::Pair;
use net_sim::{
    Bandwidth, ConfigError, Family, Fault, FaultStats, HostId, Latency, LinkConfig, Net, NetError,
    Plain,
};
use virtual_time::Instant;

const MS: Duration = Duration::from_millis(1);

fn pair() -> Pair {
    Pair::new(LinkConfig::new(Latency::constant(5 * MS)))
}

fn stats(pair: &Pair, name: &str) -> FaultStats {
    let all = pair.net.fault_stats();
    let found = all.into_iter().find(|(of, _)| *of == name);
    found.unwrap_or_else(|| panic!("no account of {name}")).1
}

#[test]
fn nothing_arrives_while_a_partition_stands_and_all_of_it_afterwards() {
    let mut pair = pair();
    let (client, server) = pair.connected();
    pair.write(client, b"under way, ").unwrap();
    let fault = Fault::partition([pair.client], [pair.server]);
    let fault = pair.net.add_fault(pair.now, fault, &mut Plain).unwrap();
    pair.write(client, b"and sent meanwhile").unwrap();
    pair.write(server, b"the other way").unwrap();
    pair.drive_until(pair.now + 1000 * MS);
    assert_eq!(pair.read(server, 99), Err(NetError::WouldBlock));
    assert_eq!(pair.read(client, 99), Err(NetError::WouldBlock));

    assert!(pair.net.lift(pair.now, fault, &mut Plain).is_some());
    pair.drive();
    let whole = b"under way, and sent meanwhile".to_vec();
    assert_eq!(pair.read(server, 99), Ok(whole));
    assert_eq!(pair.read(client, 99), Ok(b"the other way".to_vec()));
}

#[test]
fn what_was_under_way_is_of_the_account_of_the_rule_that_caught_it() {
    let mut pair = pair();
    let (client, server) = pair.connected();
    let (from, to) = ([pair.client], [pair.server]);
    let addr = SocketAddr::new(Pair::SERVER, 9);
    let datagrams = pair.net.udp_socket(pair.client, Family::V4);
    let send = |pair: &mut Pair| {
        pair.write(client, b"a segment").unwrap();
        let sent = pair
            .net
            .send_to(pair.now, datagrams, b"x", addr, &mut Plain);
        assert_eq!(sent, Ok(1));
    };
    let account = |stats: FaultStats| (stats.eligible, stats.applied);

    send(&mut pair);
    let older = Fault::hold(from, to);
    let older = pair.net.add_fault(pair.now, older, &mut Plain).unwrap();
    // What is held already is not caught again.
    let clog = pair.net.add_fault(pair.now, Fault::clog(to), &mut Plain);
    let clog = pair.net.lift(pair.now, clog.unwrap(), &mut Plain);
    assert_eq!(clog.map(account), Some((0, 0)));
    let cut = Fault::partition(from, to);
    let cut = pair.net.add_fault(pair.now, cut, &mut Plain).unwrap();
    let cut = pair.net.lift(pair.now, cut, &mut Plain);
    assert_eq!(cut.map(account), Some((2, 2)), "what was held is lost");
    let older = pair.net.lift(pair.now, older, &mut Plain);
    assert_eq!(older.map(account), Some((2, 2)));

    pair.drive();
    assert_eq!(pair.read(server, 99), Ok(b"a segment".to_vec()));
    let late = Fault::partition(from, to);
    let late = pair.net.add_fault(pair.now, late, &mut Plain).unwrap();
    let late = pair.net.lift(pair.now, late, &mut Plain);
    assert_eq!(
        late.map(account),
        Some((0, 0)),
        "there was nothing to catch"
    );
}

#[test]
fn a_one_way_partition_lets_the_other_direction_through() {
    let mut pair = pair();
    let (client, server) = pair.connected();
    let fault = Fault::one_way([pair.client], [pair.server]);
    pair.net.add_fault(pair.now, fault, &mut Plain).unwrap();
    pair.write(client, b"lost").unwrap();
    pair.write(server, b"heard").unwrap();
    pair.drive_until(pair.now + 100 * MS);
    assert_eq!(pair.read(server, 99), Err(NetError::WouldBlock));
    assert_eq!(pair.read(client, 99), Ok(b"heard".to_vec()));
}

#[test]
fn what_is_held_arrives_when_it_is_released_and_in_order() {
    let mut pair = pair();
    let (client, server) = pair.connected();
    pair.write(client, b"a").unwrap();
    let fault = Fault::hold([pair.server], [pair.client]);
    let fault = pair.net.add_fault(pair.now, fault, &mut Plain).unwrap();
    pair.write(client, b"b").unwrap();
    pair.drive_until(pair.now + 100 * MS);
    pair.write(client, b"c").unwrap();
    assert_eq!(pair.read(server, 99), Err(NetError::WouldBlock));
    let released = pair.now;
    let stats = pair.net.lift(pair.now, fault, &mut Plain).unwrap();
    assert!(stats.asked == 1 && stats.applied >= 2, "{stats:?}");
    pair.net.advance(released, &mut Plain);
    assert_eq!(pair.read(server, 99), Ok(b"abc".to_vec()));
}

#[test]
fn a_direction_is_cut_while_any_fault_cuts_it() {
    let mut pair = pair();
    let (client, server) = pair.connected();
    let (a, b) = (pair.client, pair.server);
    let faults = [
        Fault::partition([a], [b]),
        Fault::clog([b]),
        Fault::one_way([a], [b]),
    ];
    let ids = faults.map(|fault| pair.net.add_fault(pair.now, fault, &mut Plain).unwrap());
    pair.write(client, b"x").unwrap();
    for id in ids {
        pair.drive_until(pair.now + 1000 * MS);
        assert_eq!(pair.read(server, 1), Err(NetError::WouldBlock));
        pair.net.lift(pair.now, id, &mut Plain).unwrap();
        assert_eq!(pair.net.lift(pair.now, id, &mut Plain), None, "lifted");
    }
    pair.drive();
    assert_eq!(pair.read(server, 1), Ok(b"x".to_vec()));
    assert_eq!(pair.net.standing_faults(), []);
}

#[test]
fn a_clogged_host_hears_and_says_nothing_and_the_others_talk() {
    let mut pair = pair();
    let (client, server) = pair.connected();
    let third = pair.net.add_host(&[[10, 0, 0, 3].into()]).unwrap();
    let clog = Fault::clog([third]);
    pair.net.add_fault(pair.now, clog, &mut Plain).unwrap();
    pair.write(client, b"x").unwrap();
    pair.drive();
    assert_eq!(pair.read(server, 1), Ok(b"x".to_vec()));
    assert_eq!(stats(&pair, "clog").eligible, 0);

    let clog = Fault::clog([pair.server]);
    let clog = pair.net.add_fault(pair.now, clog, &mut Plain).unwrap();
    pair.write(client, b"y").unwrap();
    pair.drive_until(pair.now + 100 * MS);
    assert_eq!(pair.read(server, 1), Err(NetError::WouldBlock));
    assert!(pair.net.lift(pair.now, clog, &mut Plain).is_some());
    pair.drive();
    assert_eq!(pair.read(server, 1), Ok(b"y".to_vec()));
}

#[test]
fn a_fault_stands_between_hosts_that_begin_to_talk_later() {
    let mut pair = pair();
    let fault = Fault::partition([pair.client], [pair.server]);
    let fault = pair.net.add_fault(pair.now, fault, &mut Plain).unwrap();
    let listener = pair.listen(80, 1).unwrap();
    let client = pair.connect(80);
    pair.drive_until(pair.now + 1000 * MS);
    assert_eq!(pair.net.finish_connect(client), Err(NetError::InProgress));
    assert_eq!(pair.accept(listener), Err(NetError::WouldBlock));
    pair.net.lift(pair.now, fault, &mut Plain).unwrap();
    pair.drive();
    assert_eq!(pair.net.finish_connect(client), Ok(()));
    assert!(pair.accept(listener).is_ok());
}

#[test]
fn the_youngest_degradation_counts_and_the_link_is_itself_afterwards() {
    let mut pair = pair();
    let (client, _server) = pair.connected();
    let took = |pair: &mut Pair| {
        let sent = pair.now;
        pair.write(client, b"x").unwrap();
        pair.drive();
        pair.now - sent
    };
    let ends = ([pair.client], [pair.server]);
    let degrade = |pair: &mut Pair, ms| {
        let link = LinkConfig::new(Latency::constant(ms * MS));
        let fault = Fault::degrade(ends.0, ends.1, link);
        pair.net.add_fault(pair.now, fault, &mut Plain).unwrap()
    };
    let older = degrade(&mut pair, 50);
    assert_eq!(took(&mut pair), 50 * MS);
    let younger = degrade(&mut pair, 70);
    assert_eq!(took(&mut pair), 70 * MS);
    pair.net.lift(pair.now, older, &mut Plain).unwrap();
    assert_eq!(took(&mut pair), 70 * MS);
    pair.net.lift(pair.now, younger, &mut Plain).unwrap();
    assert_eq!(took(&mut pair), 5 * MS);
}

#[test]
fn a_swizzle_stops_hosts_one_by_one_and_lets_all_go_within_its_span() {
    let mut pair = pair();
    let (client, server) = pair.connected();
    let begun = pair.now;
    let fault = Fault::swizzle([pair.client, pair.server], 400 * MS);
    let fault = pair.net.add_fault(begun, fault, &mut Plain).unwrap();
    pair.write(client, b"x").unwrap();
    pair.drive_until(begun + 299 * MS);
    assert_eq!(pair.read(server, 1), Err(NetError::WouldBlock));
    pair.drive_until(begun + 300 * MS);
    assert_eq!(pair.read(server, 1), Ok(b"x".to_vec()));
    pair.drive();
    let all = pair.net.standing_faults();
    assert_eq!(
        all.len(),
        1,
        "the hosts' clogs are no faults of their own: {all:?}"
    );
    let whole = pair.net.lift(pair.now, fault, &mut Plain).unwrap();
    assert!(whole.asked == 1 && whole.applied > 0, "{whole:?}");
    assert_eq!(stats(&pair, "swizzle"), whole);
}

#[test]
fn a_swizzle_that_is_lifted_lets_go_at_once() {
    let mut pair = pair();
    let (client, server) = pair.connected();
    let fault = Fault::swizzle([pair.client, pair.server], 400 * MS);
    let fault = pair.net.add_fault(pair.now, fault, &mut Plain).unwrap();
    pair.write(client, b"x").unwrap();
    pair.drive_until(pair.now + 150 * MS);
    pair.net.lift(pair.now, fault, &mut Plain).unwrap();
    pair.net.advance(pair.now, &mut Plain);
    assert_eq!(pair.read(server, 1), Ok(b"x".to_vec()));
    pair.drive();
    assert_eq!(pair.net.next_event(), None);
}

#[test]
fn wrong_questions_are_errors_that_name_what_was_asked() {
    let mut pair = pair();
    let mut other = Net::default();
    let hosts: Vec<HostId> = (1..=3)
        .map(|n| other.add_host(&[[10, 1, 0, n].into()]).unwrap())
        .collect();
    let (a, b, unknown) = (pair.client, pair.server, hosts[2]);
    let mut refused = |fault| {
        let outcome = pair.net.add_fault(Instant::BEGIN, fault, &mut Plain);
        outcome.unwrap_err().to_string()
    };
    assert_eq!(
        refused(Fault::partition([a, b], [b])),
        "a partition of host 1 with itself: what a host sends to itself goes through no link, so \
         name it on one side only"
    );
    assert!(refused(Fault::hold([a], [a])).starts_with("a hold of host 0 with itself"));
    assert_eq!(
        refused(Fault::clog([unknown])),
        "host 2 is not of this network: hosts are those that add_host returned"
    );
    assert!(refused(Fault::swizzle([unknown], MS)).starts_with("host 2 is not"));
    assert_eq!(
        refused(Fault::one_way([], [a])),
        "a one-way partition of no hosts: name at least one on each side"
    );
    assert_eq!(pair.net.fault_stats(), [], "nothing was asked for");

    let link = LinkConfig::default;
    assert_eq!(
        pair.net.set_link(a, unknown, link()),
        Err(ConfigError::UnknownHost { host: unknown })
    );
    assert!(pair.net.set_link(a, a, link()).is_err());
    assert_eq!(
        Bandwidth::try_from_bytes(0),
        Err(ConfigError::ZeroBandwidth)
    );
    let empty = Latency::try_uniform(2 * MS..=MS).unwrap_err().to_string();
    assert_eq!(
        empty,
        "a latency from 2ms to 1ms is empty: the lower end comes first, and a distribution's is \
         above zero"
    );
    assert_eq!(Latency::try_table([]), Err(ConfigError::EmptyTable));
}

#[test]
fn an_hour_of_a_thousand_idle_hosts_under_a_full_mesh_of_faults_has_no_event() {
    let mut net = Net::default();
    let hosts: Vec<HostId> = (0..1000_u32)
        .map(|n| {
            net.add_host(&[(0x0a00_0001 + n).to_be_bytes().into()])
                .unwrap()
        })
        .collect();
    for (index, &a) in hosts.iter().enumerate() {
        for &b in &hosts[..index] {
            let fault = Fault::partition([a], [b]);
            net.add_fault(Instant::BEGIN, fault, &mut Plain).unwrap();
        }
    }
    assert_eq!(net.next_event(), None);
}
