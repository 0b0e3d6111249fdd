//! Names: what is found, in which order, how long it takes and how it fails.

use std::io;
use std::net::IpAddr;
use std::time::Duration;

use net_sim::drive::Pair;
use net_sim::{
    Decide, DnsError, DnsFailure, Latency, LinkConfig, Lookup, NetError, Readiness, Site,
};

const MS: Duration = Duration::from_millis(1);

fn pair() -> Pair {
    Pair::new(LinkConfig::default())
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

/// Asks, and waits for the answer as long as it takes.
fn look_up<D: Decide>(pair: &mut Pair<D>, name: &str) -> Result<Vec<IpAddr>, DnsError> {
    let asked = pair
        .net
        .lookup(pair.now, pair.client, name, &mut pair.decide)?;
    match asked {
        Lookup::Found(addresses) => Ok(addresses),
        Lookup::Asked(id) => {
            pair.drive();
            let answer = pair.net.finish_lookup(id).unwrap();
            pair.close(id).unwrap();
            answer
        }
    }
}

#[test]
fn a_name_is_found_in_any_case_and_with_a_dot_at_its_end() {
    let mut pair = pair();
    let both = [ip("10.1.0.1"), ip("fd00::1")];
    pair.net.dns_mut().set("Db.Internal.", both).unwrap();
    for name in ["db.internal", "DB.INTERNAL", "db.internal."] {
        assert_eq!(look_up(&mut pair, name).unwrap(), both);
    }
    assert_eq!(pair.net.dns().names().collect::<Vec<_>>(), ["db.internal"]);
}

#[test]
fn localhost_and_the_texts_of_addresses_need_no_entry_and_no_answer() {
    let mut pair = pair();
    let dns = pair.net.dns_mut();
    dns.set_latency(Latency::constant(MS));
    dns.fail_all(Some(DnsFailure::Timeout));
    let loopback = [ip("::1"), ip("127.0.0.1")];
    assert_eq!(look_up(&mut pair, "localhost").unwrap(), loopback);
    assert_eq!(look_up(&mut pair, "LocalHost.").unwrap(), loopback);
    assert_eq!(look_up(&mut pair, "10.0.0.9").unwrap(), [ip("10.0.0.9")]);
    assert_eq!(look_up(&mut pair, "fd00::9").unwrap(), [ip("fd00::9")]);
    assert!(!pair.step(), "nobody was asked");
}

#[test]
fn a_default_counts_where_no_entry_says_otherwise() {
    let mut pair = pair();
    pair.net
        .dns_mut()
        .set_default("server", [Pair::SERVER])
        .unwrap();
    pair.net
        .dns_mut()
        .set_default("SERVER", [Pair::CLIENT])
        .unwrap();
    assert_eq!(look_up(&mut pair, "server").unwrap(), [Pair::SERVER]);
    pair.net.dns_mut().set("server", [ip("10.9.9.9")]).unwrap();
    pair.net
        .dns_mut()
        .set_default("server", [Pair::SERVER])
        .unwrap();
    assert_eq!(look_up(&mut pair, "server").unwrap(), [ip("10.9.9.9")]);
    assert!(pair.net.dns_mut().remove("Server"));
    assert!(!pair.net.dns_mut().remove("server"));
    assert!(look_up(&mut pair, "server").is_err());
}

#[test]
fn an_answer_takes_its_time_and_is_what_was_known_when_it_was_asked() {
    let mut pair = pair();
    let dns = pair.net.dns_mut();
    dns.set("db", [ip("10.1.0.1")]).unwrap();
    dns.set_latency(Latency::constant(MS * 20));
    dns.set_latency_of("near", Some(Latency::constant(MS)))
        .unwrap();
    let asked = pair
        .net
        .lookup(pair.now, pair.client, "db", &mut pair.decide);
    let Ok(Lookup::Asked(id)) = asked else {
        panic!("{asked:?}")
    };
    assert_eq!(pair.net.finish_lookup(id), Err(NetError::WouldBlock));
    assert!(pair.readiness(id).is_empty());
    pair.net.dns_mut().set("db", [ip("10.1.0.2")]).unwrap();
    assert!(pair.step());
    assert_eq!(pair.now.as_nanos(), 20_000_000);
    let changed = pair.changed();
    assert_eq!(changed.len(), 1);
    assert!(matches!(changed[0], (of, Readiness { readable: true, .. }) if of == id));
    assert_eq!(pair.net.finish_lookup(id), Ok(Ok(vec![ip("10.1.0.1")])));
    pair.close(id).unwrap();
    let before = pair.now;
    assert!(look_up(&mut pair, "near").is_err());
    assert_eq!(pair.now, before + MS);
}

#[test]
fn a_look_up_that_is_given_up_leaves_nothing_behind() {
    let mut pair = pair();
    pair.net.dns_mut().set_latency(Latency::constant(MS));
    let asked = pair
        .net
        .lookup(pair.now, pair.client, "db", &mut pair.decide);
    let Ok(Lookup::Asked(id)) = asked else {
        panic!("{asked:?}")
    };
    assert_eq!(pair.write(id, b"?"), Err(NetError::NotSupported));
    assert_eq!(pair.read(id, 1), Err(NetError::NotSupported));
    pair.close(id).unwrap();
    assert_eq!((pair.net.next_event(), pair.net.open_sockets()), (None, 0));
    assert_eq!(pair.net.finish_lookup(id), Err(NetError::BadSocket));
}

#[test]
fn failures_are_told_as_getaddrinfo_tells_them() {
    let mut pair = pair();
    pair.net.dns_mut().set("a", []).unwrap();
    pair.net.dns_mut().set("b", [ip("10.1.0.1")]).unwrap();
    let text = |pair: &mut Pair, name| look_up(pair, name).unwrap_err().to_string();
    assert_eq!(
        text(&mut pair, "Mian"),
        "failed to lookup address information: Name or service not known: \
         nothing is named \"Mian\"; there are: a, b"
    );
    assert_eq!(
        text(&mut pair, "a"),
        "failed to lookup address information: No address associated with hostname: \
         there is no address of \"a\""
    );
    for (failure, words) in [
        (
            DnsFailure::ServerFailure,
            "Temporary failure in name resolution: the server failed at",
        ),
        (
            DnsFailure::Refused,
            "Non-recoverable failure in name resolution: the server refused to answer for",
        ),
        (
            DnsFailure::Timeout,
            "Temporary failure in name resolution: no server answered for",
        ),
    ] {
        pair.net.dns_mut().fail("b", Some(failure)).unwrap();
        let expected = format!("failed to lookup address information: {words} \"b\"");
        assert_eq!(text(&mut pair, "b"), expected);
    }
    assert_eq!(
        pair.now.as_nanos(),
        10_000_000_000,
        "the time-out alone takes time"
    );
    pair.net.dns_mut().fail("b", None).unwrap();
    assert_eq!(look_up(&mut pair, "b").unwrap(), [ip("10.1.0.1")]);
    pair.net.dns_mut().fail_all(Some(DnsFailure::ServerFailure));
    let error = look_up(&mut pair, "b").unwrap_err();
    assert_eq!(error.failure(), Some(DnsFailure::ServerFailure));
    let kind = io::Error::from(error).kind();
    assert_eq!(kind, io::Error::from_raw_os_error(0).kind());
}

#[test]
fn an_error_tells_of_a_dozen_names_at_most() {
    let mut pair = pair();
    for n in 10..40 {
        pair.net.dns_mut().set(&format!("n{n}"), []).unwrap();
    }
    let text = look_up(&mut pair, "x").unwrap_err().to_string();
    assert!(text.ends_with("n20, n21 and 18 more"), "{text}");
}

#[test]
fn what_is_no_name_is_refused_and_told_why() {
    let mut pair = pair();
    let long = "a.".repeat(127) + "b";
    for (name, why) in [
        ("", "it is empty"),
        (".", "it is empty"),
        ("a..b", "there is nothing between two of its dots"),
        (".a", "there is nothing between two of its dots"),
        ("a b", "allowed are letters, digits, '-', '_' and '.'"),
        ("naïve", "allowed are letters, digits, '-', '_' and '.'"),
        (&"x".repeat(64), "a part of it has more than 63 characters"),
        (&long, "it has more than 253 characters"),
    ] {
        let error = DnsError::BadName {
            name: name.to_owned(),
            why,
        };
        assert_eq!(look_up(&mut pair, name), Err(error.clone()));
        assert_eq!(pair.net.dns_mut().set(name, []), Err(error));
    }
    assert!(
        look_up(&mut pair, &"x".repeat(63))
            .unwrap_err()
            .failure()
            .is_some()
    );
}

/// Answers from a list, and 0 after it.
struct Listed(Vec<u64>, Vec<(&'static str, u64)>);

impl Decide for Listed {
    fn choose(&mut self, site: Site, n: u64) -> u64 {
        self.1.push((site.label, n));
        if self.0.is_empty() {
            return 0;
        }
        self.0.remove(0)
    }
}

#[test]
fn the_order_of_several_addresses_is_a_choice_and_so_is_the_latency() {
    let all = [1, 2, 3].map(|n| IpAddr::from([10, 1, 0, n]));
    let found = |choices: &[u64]| {
        let decide = Listed(choices.to_vec(), vec![]);
        let mut pair = Pair::with(Default::default(), LinkConfig::default(), decide);
        pair.net.dns_mut().set("db", all).unwrap();
        let found = look_up(&mut pair, "db").unwrap();
        assert_eq!(pair.decide.1, [("dns.order", 3), ("dns.order", 2)]);
        found
    };
    let [a, b, c] = all;
    assert_eq!(found(&[0, 0]), [a, b, c]);
    assert_eq!(found(&[0, 1]), [a, c, b]);
    assert_eq!(found(&[1, 0]), [b, a, c]);
    assert_eq!(found(&[1, 1]), [b, c, a]);
    assert_eq!(found(&[2, 0]), [c, a, b]);
    assert_eq!(found(&[2, 99]), [c, b, a]);

    let decide = Listed(vec![1], vec![]);
    let mut pair = Pair::with(Default::default(), LinkConfig::default(), decide);
    let dns = pair.net.dns_mut();
    dns.set("db", [a]).unwrap();
    dns.set_latency(Latency::table([MS, MS * 7]));
    look_up(&mut pair, "db").unwrap();
    assert_eq!(pair.decide.1, [("dns.latency", 2)]);
    assert_eq!(pair.now.as_nanos(), 7_000_000);
}

#[test]
fn a_host_that_dies_gives_up_what_it_asked() {
    let mut pair = pair();
    pair.net.dns_mut().set_latency(Latency::constant(MS));
    let (client, now) = (pair.client, pair.now);
    pair.net
        .lookup(now, client, "db", &mut pair.decide)
        .unwrap();
    pair.net.kill_host(now, client, &mut pair.decide);
    assert_eq!((pair.net.next_event(), pair.net.open_sockets()), (None, 0));
}
