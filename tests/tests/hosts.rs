//! Hosts, their names and their addresses.

use std::net::{IpAddr, Ipv6Addr};

use event_loop::net::{TcpListener, TcpStream};
use sim::net::RuleError;
use sim::{Config, Sim, run_once};

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

/// Runs `test` in a world and gives what it returns.
fn in_a_world<T>(test: impl FnOnce(Sim) -> T) -> T {
    let run = run_once(&Config::new(), 0, |sim| async { test(sim) });
    assert_eq!(run.verdict, None);
    run.value.unwrap()
}

#[test]
fn hosts_have_addresses_of_both_families_in_the_order_of_their_creation() {
    in_a_world(|sim| {
        let (a, b) = (sim.host("a"), sim.host("b"));
        assert_eq!(
            sim.host("main").addresses(),
            [ip("10.0.0.1"), ip("fd00::1")]
        );
        assert_eq!(a.addresses(), [ip("10.0.0.2"), ip("fd00::2")]);
        assert_eq!(b.ip(), ip("10.0.0.3"));
        assert_eq!(sim.host("a").addresses(), a.addresses());
    });
}

#[test]
fn a_number_that_a_test_has_given_is_passed_over() {
    in_a_world(|sim| {
        let _ = sim.host_at("a", ["10.0.0.2", "fd00::4"]);
        assert_eq!(sim.host("b").ip(), ip("10.0.0.3"));
        assert_eq!(sim.host("c").addresses(), [ip("10.0.0.5"), ip("fd00::5")]);
    });
}

#[test]
fn a_given_address_is_bound_and_reached_by_name() {
    let run = run_once(&Config::new(), 0, |sim| async move {
        let svc = sim.host_at("svc", ["192.168.7.1", "fd00:7::1"]);
        let client = sim.host("client");
        let listener = svc.spawn(async { TcpListener::bind("[fd00:7::1]:80").await.unwrap() });
        let listener = listener.await.unwrap();
        let serving = svc.spawn(async move { listener.accept().await.unwrap().1 });
        // The first address of the name refuses, the second takes it.
        let met = client.spawn(async {
            let stream = TcpStream::connect("svc:80").await.unwrap();
            stream.peer_addr().unwrap().ip()
        });
        assert_eq!(met.await.unwrap(), ip("fd00:7::1"));
        assert_eq!(serving.await.unwrap().ip(), client.addresses()[1]);
    });
    assert_eq!(run.verdict, None);
}

#[test]
fn the_addresses_of_a_host_may_be_said_in_many_ways() {
    in_a_world(|sim| {
        let a = sim.host_at("a", "10.9.0.1");
        let _ = sim.host_at("b", vec![ip("10.9.0.2")]);
        let _ = sim.host_at("c", Ipv6Addr::new(0xfd00, 9, 0, 0, 0, 0, 0, 3));
        assert_eq!(sim.host("c").ip(), ip("fd00:9::3"));
        // Once more with the same ones is the same host.
        assert_eq!(sim.host_at("a", ip("10.9.0.1")).addresses(), a.addresses());
    });
}

#[test]
fn addresses_that_no_host_can_have_are_refused() {
    in_a_world(|sim| {
        let refused = |host: &str, addresses: &[&str]| {
            let refused = sim.try_host_at(host, addresses);
            refused.unwrap_err().to_string()
        };
        let _ = sim.host("a");
        for (address, what) in [
            ("0.0.0.0", "a wildcard"),
            ("::", "a wildcard"),
            ("127.0.0.1", "a loopback address"),
            ("::1", "a loopback address"),
            ("224.0.0.1", "a multicast address"),
            ("ff02::1", "a multicast address"),
            ("255.255.255.255", "the broadcast address"),
            ("::ffff:10.0.0.9", "an IPv4-mapped address"),
        ] {
            assert_eq!(
                refused("x", &[address]),
                format!(
                    "host \"x\" cannot have {address}, which is {what}: give it an address of its \
                     own, such as 10.1.0.5 or fd00::5"
                )
            );
        }
        assert_eq!(
            refused("x", &["10.0.0.2"]),
            "host \"x\" cannot have 10.0.0.2: host \"a\" has it"
        );
        assert_eq!(
            refused("x", &["fd00::2"]),
            "host \"x\" cannot have fd00::2: host \"a\" has it"
        );
        assert_eq!(
            refused("x", &["10.9.0.1", "10.9.0.1"]),
            "host \"x\" is given 10.9.0.1 twice"
        );
        assert_eq!(
            refused("x", &[]),
            "\"x\" is given no address: it needs at least one"
        );
        assert_eq!(
            refused("x", &["10.0.0"]),
            "\"10.0.0\" is no address: write one of IPv4 or IPv6, such as 10.1.0.5 or fd00::5"
        );
        assert_eq!(
            refused("a", &["10.9.0.1"]),
            "host \"a\" exists already, with 10.0.0.2, fd00::2: a host is given its addresses when \
             it is first named"
        );
        // None of these has made a host.
        let error = sim::net::try_link("main", "x").unwrap_err();
        let known = ["main", "a"].map(str::to_owned).into();
        assert_eq!(
            error,
            RuleError::UnknownHost {
                given: "x".to_owned(),
                known
            }
        );
    });
}

#[test]
fn a_name_that_no_host_has_is_told_with_those_there_are() {
    in_a_world(|sim| {
        let _ = (sim.host("svc"), sim.host("client"));
        let told = |a: &str, b: &str| sim::net::try_link(a, b).unwrap_err().to_string();
        assert_eq!(
            told("svc", "cleint"),
            "no host is named \"cleint\"; there are: main, svc, client; did you mean \"client\"?"
        );
        assert_eq!(
            told("10.0.0.9", "svc"),
            "no host has the address 10.0.0.9: name the host, or give it this address by \
             sim.host_at(\"…\", \"10.0.0.9\")"
        );
        assert_eq!(
            told("svc", "10.0.0.2"),
            "host \"svc\" is on both sides: a host always reaches itself, so name different ones"
        );
        let none: [&str; 0] = [];
        let error = sim::net::try_link("svc", none).unwrap_err();
        assert_eq!(error, RuleError::NoHosts);
    });
}

#[test]
fn a_host_of_an_earlier_run_is_not_one_of_this() {
    let old = in_a_world(|sim| sim.host("svc"));
    in_a_world(|sim| {
        let _ = sim.host("svc");
        let error = sim::net::try_link("main", &old).unwrap_err();
        assert_eq!(
            error.to_string(),
            "host \"svc\" is of another world, such as that of an earlier run: take it from this \
             one, by sim.host(\"svc\")"
        );
    });
}

#[test]
fn outside_of_a_world_there_is_no_network() {
    let error = sim::net::try_link("a", "b").unwrap_err();
    assert!(matches!(error, RuleError::NoWorld { .. }), "{error}");
    let panic = std::panic::catch_unwind(|| sim::net::link("a", "b")).unwrap_err();
    let text = panic.downcast_ref::<String>().unwrap();
    assert!(text.contains("is in no world"), "{text}");
}

#[test]
fn a_run_that_is_over_has_no_hosts_to_make() {
    let sim = in_a_world(|sim| sim);
    assert_eq!(
        sim.try_host_at("late", "10.9.0.1").unwrap_err(),
        RuleError::Over
    );
}

#[test]
fn worlds_nest() {
    in_a_world(|sim| {
        let _ = sim.host("outer");
        in_a_world(|sim| {
            let _ = sim.host("inner");
            let _ = sim::net::link("main", "inner");
        });
        let _ = sim::net::link("main", "outer");
    });
}
