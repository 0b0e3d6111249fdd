//! Connections that are refused, hang, cannot be accepted or are reset, and hosts that go dark.

use std::net::SocketAddr;
use std::time::Duration;

use net_sim::drive::Pair;
use net_sim::{ConfigError, Fault, How, Latency, LinkConfig, NetError, SocketId};
use virtual_time::Instant;

const MS: Duration = Duration::from_millis(1);

fn pair() -> Pair {
    Pair::new(LinkConfig::new(Latency::constant(5 * MS)))
}

/// Account of the faults with this name: asked, eligible, applied.
fn account(pair: &Pair, name: &str) -> (u64, u64, u64) {
    let stats = pair.net.fault_stats();
    let (_, stats) = stats.iter().find(|(known, _)| *known == name).unwrap();
    (stats.asked, stats.eligible, stats.applied)
}

#[test]
fn a_refused_connect_gets_a_reset_where_somebody_listens() {
    let mut pair = pair();
    let listener = pair.listen(80, 8).unwrap();
    let (open, _) = pair.connected();
    let refuse = Fault::refuse([pair.server], Some(80));
    let id = pair
        .net
        .add_fault(pair.now, refuse, &mut pair.decide)
        .unwrap();
    let begun = pair.now;

    let client = pair.connect(80);
    pair.drive();
    assert_eq!(
        pair.net.finish_connect(client),
        Err(NetError::ConnectionRefused)
    );
    assert_eq!(pair.now, begun + 10 * MS);
    // Another port, and what was there before, are not meant.
    pair.connected();
    assert_eq!(pair.write(open, b"x"), Ok(1));
    assert_eq!(account(&pair, "refuse"), (1, 1, 1));

    pair.net.lift(pair.now, id, &mut pair.decide).unwrap();
    let client = pair.connect(80);
    pair.drive();
    assert_eq!(pair.net.finish_connect(client), Ok(()));
    pair.accept(listener).unwrap();
}

#[test]
fn a_hanging_connect_is_made_by_the_first_syn_after_the_fault() {
    let mut pair = pair();
    pair.listen(80, 8).unwrap();
    let hang = Fault::hang([pair.server], None);
    let id = pair
        .net
        .add_fault(pair.now, hang, &mut pair.decide)
        .unwrap();
    let client = pair.connect(80);
    // SYNs at 0, 1 and 3 s vanish; that of 7 s does not.
    pair.drive_until(Instant::BEGIN + Duration::from_secs(6));
    assert_eq!(pair.net.finish_connect(client), Err(NetError::InProgress));
    assert_eq!(account(&pair, "hang"), (1, 3, 3));
    pair.net.lift(pair.now, id, &mut pair.decide).unwrap();
    while pair.net.finish_connect(client) == Err(NetError::InProgress) {
        assert!(pair.step());
    }
    assert_eq!(pair.now, Instant::BEGIN + Duration::from_secs(7) + 10 * MS);
}

#[test]
fn a_connect_that_hangs_for_ever_times_out_as_linux_s_does() {
    let mut pair = pair();
    pair.listen(80, 8).unwrap();
    let hang = Fault::hang([pair.server], Some(80));
    pair.net
        .add_fault(pair.now, hang, &mut pair.decide)
        .unwrap();
    let client = pair.connect(80);
    pair.drive();
    assert_eq!(pair.net.finish_connect(client), Err(NetError::TimedOut));
    assert!(pair.now.as_nanos() / 1_000_000_000 == 127, "{}", pair.now);
}

#[test]
fn an_accept_without_descriptors_leaves_the_connection_where_it_is() {
    let mut pair = pair();
    let listener = pair.listen(80, 8).unwrap();
    let exhausted = Fault::no_descriptors([pair.server]);
    let id = pair
        .net
        .add_fault(pair.now, exhausted, &mut pair.decide)
        .unwrap();
    // With nobody waiting a loop would not ask.
    assert_eq!(pair.accept(listener), Err(NetError::WouldBlock));
    let client = pair.connect(80);
    pair.drive();
    for _ in 0..3 {
        assert_eq!(pair.accept(listener), Err(NetError::TooManyOpenFiles));
        assert!(pair.readiness(listener).readable);
    }
    assert_eq!(account(&pair, "no descriptors"), (1, 3, 3));
    pair.net.lift(pair.now, id, &mut pair.decide).unwrap();
    let server = pair.accept(listener).unwrap();
    pair.write(client, b"late").unwrap();
    pair.drive();
    assert_eq!(pair.read(server, 9).unwrap(), b"late");
}

#[test]
fn faults_of_connecting_name_hosts_that_there_are() {
    let mut pair = pair();
    let nobody = Fault::refuse([], None);
    let refused = pair.net.add_fault(pair.now, nobody, &mut pair.decide);
    assert_eq!(refused, Err(ConfigError::NoHosts { fault: "refuse" }));
    let mut other = net_sim::Net::default();
    for n in 1..4 {
        other.add_host(&[[10, 0, 0, n].into()]).unwrap();
    }
    let stranger = other.host_with([10, 0, 0, 3].into()).unwrap();
    let unknown = Fault::hang([stranger], None);
    let refused = pair.net.add_fault(pair.now, unknown, &mut pair.decide);
    assert_eq!(refused, Err(ConfigError::UnknownHost { host: stranger }));
}

#[test]
fn a_reset_cuts_both_ends_of_all_that_is_between_two_hosts() {
    let mut pair = pair();
    let (client, server) = pair.connected();
    let (own, _) = loopback(&mut pair);
    pair.write(client, b"arrived").unwrap();
    pair.drive();
    pair.write(client, b"under way").unwrap();
    pair.changed();
    assert_eq!(
        pair.net.reset_between(pair.now, pair.server, pair.client),
        1
    );
    let told: Vec<_> = pair.changed().into_iter().map(|(id, _)| id).collect();
    assert_eq!(told, [client, server]);
    assert_eq!(pair.read(client, 9), Err(NetError::ConnectionReset));
    assert_eq!(pair.write(client, b"x"), Err(NetError::BrokenPipe));
    // What had arrived comes before the error.
    assert_eq!(pair.read(server, 99).unwrap(), b"arrived");
    assert_eq!(pair.read(server, 99), Err(NetError::ConnectionReset));
    assert_eq!(pair.write(own, b"x"), Ok(1));
    assert_eq!(account(&pair, "reset"), (1, 1, 1));
    pair.drive();
    for id in [client, server] {
        pair.close(id).unwrap();
    }
    pair.connected();
}

/// A connection of the server's host with itself.
fn loopback(pair: &mut Pair) -> (SocketId, SocketId) {
    let listener = pair.listen(0, 1).unwrap();
    let to = pair.net.local_addr(listener).unwrap();
    let id = pair.net.tcp_socket(pair.server);
    let _ = pair.net.connect(pair.now, id, to, &mut pair.decide);
    pair.drive();
    pair.net.finish_connect(id).unwrap();
    let accepted = pair.accept(listener).unwrap();
    pair.close(listener).unwrap();
    (id, accepted)
}

#[test]
fn a_reset_refuses_a_connect_and_spoils_what_waits_for_accept() {
    let mut pair = pair();
    let listener = pair.listen(80, 8).unwrap();
    pair.connect(80);
    pair.drive();
    let opening = pair.connect(80);
    assert_eq!(
        pair.net.reset_between(pair.now, pair.client, pair.server),
        2
    );
    assert_eq!(
        pair.net.finish_connect(opening),
        Err(NetError::ConnectionRefused)
    );
    let server = pair.accept(listener).unwrap();
    assert_eq!(pair.read(server, 1), Err(NetError::ConnectionReset));
    assert_eq!(pair.accept(listener), Err(NetError::WouldBlock));
}

#[test]
fn one_connection_is_reset_without_the_others() {
    let mut pair = pair();
    let (one, _) = pair.connected();
    let (other, _) = pair.connected();
    pair.net.reset(pair.now, one).unwrap();
    assert_eq!(pair.write(one, b"x"), Err(NetError::ConnectionReset));
    assert_eq!(pair.write(other, b"x"), Ok(1));
    let idle = pair.net.tcp_socket(pair.client);
    assert_eq!(pair.net.reset(pair.now, idle), Err(NetError::NotConnected));
}

fn power_off(pair: &mut Pair) {
    pair.net.power_off(pair.now, pair.server, &mut pair.decide);
}

#[test]
fn a_host_without_power_is_silent_and_has_no_sockets() {
    let mut pair = pair();
    let listener = pair.listen(80, 8).unwrap();
    let (client, server) = pair.connected();
    pair.connect(80);
    pair.drive();
    pair.write(server, b"under way").unwrap();
    pair.changed();
    power_off(&mut pair);
    assert!(pair.net.is_off(pair.server));
    for id in [server, listener] {
        assert_eq!(pair.readiness_of(id), Err(NetError::BadSocket));
    }
    pair.drive();
    assert_eq!(pair.changed(), []);
    assert_eq!(pair.read(client, 9), Err(NetError::WouldBlock));
    assert_eq!(pair.net.open_sockets(), 2);
}

trait ReadinessOf {
    fn readiness_of(&mut self, id: SocketId) -> Result<net_sim::Readiness, NetError>;
}

impl ReadinessOf for Pair {
    fn readiness_of(&mut self, id: SocketId) -> Result<net_sim::Readiness, NetError> {
        self.net.readiness(id)
    }
}

#[test]
fn a_restarted_host_resets_what_it_does_not_know_any_more() {
    let mut pair = pair();
    let (client, _) = pair.connected();
    let (half_closed, _) = pair.connected();
    power_off(&mut pair);
    pair.drive_until(pair.now + Duration::from_secs(10));
    pair.net.restart(pair.now, pair.server, &mut pair.decide);
    assert!(!pair.net.is_off(pair.server));
    pair.drive();
    // Nothing is known until something is sent.
    assert_eq!(pair.read(client, 9), Err(NetError::WouldBlock));
    pair.write(client, b"still there?").unwrap();
    pair.shutdown(half_closed, How::Write).unwrap();
    pair.drive();
    for id in [client, half_closed] {
        assert_eq!(pair.read(id, 9), Err(NetError::ConnectionReset));
    }
}

#[test]
fn what_was_sent_into_the_dark_is_reset_after_the_restart() {
    let mut pair = pair();
    let (client, _) = pair.connected();
    power_off(&mut pair);
    pair.write(client, b"hello?").unwrap();
    pair.drive_until(pair.now + Duration::from_secs(10));
    assert_eq!(pair.read(client, 9), Err(NetError::WouldBlock));
    pair.net.restart(pair.now, pair.server, &mut pair.decide);
    pair.drive();
    assert_eq!(pair.read(client, 9), Err(NetError::ConnectionReset));
}

#[test]
fn a_restarted_host_has_its_addresses_and_all_its_ports() {
    let mut pair = pair();
    pair.listen(80, 8).unwrap();
    let (client, server) = pair.connected();
    // The server's side would keep its port for a minute.
    pair.close(server).unwrap();
    pair.close(client).unwrap();
    pair.drive();
    power_off(&mut pair);
    pair.net.restart(pair.now, pair.server, &mut pair.decide);
    let listener = pair.listen(80, 8).unwrap();
    let client = pair.connect(80);
    pair.drive();
    assert_eq!(pair.net.finish_connect(client), Ok(()));
    pair.accept(listener).unwrap();
}

#[test]
fn a_connect_during_the_darkness_is_answered_after_it() {
    let mut pair = pair();
    pair.listen(80, 8).unwrap();
    // Its SYN-ACK is under way when the lights go out.
    let early = pair.connect(80);
    pair.step();
    power_off(&mut pair);
    let late = pair.connect(80);
    pair.drive_until(Instant::BEGIN + Duration::from_secs(5));
    for id in [early, late] {
        assert_eq!(pair.net.finish_connect(id), Err(NetError::InProgress));
    }
    pair.net.restart(pair.now, pair.server, &mut pair.decide);
    pair.listen(80, 8).unwrap();
    pair.drive();
    for id in [early, late] {
        assert_eq!(pair.net.finish_connect(id), Ok(()));
    }
}

#[test]
fn a_connect_of_the_dark_host_itself_is_forgotten() {
    let mut pair = pair();
    let listener = pair.net.tcp_socket(pair.client);
    let at = SocketAddr::new(Pair::CLIENT, 80);
    pair.net.bind(pair.now, listener, at).unwrap();
    pair.net.listen(pair.now, listener, 8).unwrap();
    let id = pair.net.tcp_socket(pair.server);
    let _ = pair.net.connect(pair.now, id, at, &mut pair.decide);
    power_off(&mut pair);
    pair.drive();
    assert_eq!(pair.accept(listener), Err(NetError::WouldBlock));
    assert_eq!(pair.net.open_sockets(), 1);
    // Twice is once.
    power_off(&mut pair);
    pair.net.restart(pair.now, pair.server, &mut pair.decide);
    pair.net.restart(pair.now, pair.server, &mut pair.decide);
    assert_eq!(pair.net.next_event(), None);
}

#[test]
fn who_waits_for_a_window_learns_of_the_restart_as_well() {
    let mut config = net_sim::NetConfig::default();
    config.receive_buffer = 300;
    let link = LinkConfig::new(Latency::constant(5 * MS));
    let mut pair = Pair::with(config, link, net_sim::Plain);
    let (client, _) = pair.connected();
    pair.write(client, &[1; 301]).unwrap();
    pair.drive();
    power_off(&mut pair);
    pair.drive_until(pair.now + Duration::from_secs(1));
    pair.net.restart(pair.now, pair.server, &mut pair.decide);
    pair.drive();
    assert_eq!(pair.read(client, 9), Err(NetError::ConnectionReset));
}

#[test]
fn datagrams_to_a_dark_host_are_lost_and_to_a_restarted_one_refused() {
    let mut pair = pair();
    let at = SocketAddr::new(Pair::SERVER, 53);
    let server = pair.net.udp_socket(pair.server, net_sim::Family::V4);
    pair.net.bind(pair.now, server, at).unwrap();
    let client = pair.net.udp_socket(pair.client, net_sim::Family::V4);
    pair.net
        .connect(pair.now, client, at, &mut pair.decide)
        .unwrap();
    let ask = |pair: &mut Pair| {
        let sent = pair.net.send(pair.now, client, b"?", &mut pair.decide);
        assert_eq!(sent, Ok(1));
        pair.drive();
        pair.net.socket_error(client)
    };
    power_off(&mut pair);
    assert_eq!(pair.net.open_sockets(), 1);
    assert_eq!(ask(&mut pair), Ok(None));
    pair.net.restart(pair.now, pair.server, &mut pair.decide);
    assert_eq!(ask(&mut pair), Ok(Some(NetError::ConnectionRefused)));
    // Its port is free.
    let server = pair.net.udp_socket(pair.server, net_sim::Family::V4);
    pair.net.bind(pair.now, server, at).unwrap();
    assert_eq!(ask(&mut pair), Ok(None));
}
