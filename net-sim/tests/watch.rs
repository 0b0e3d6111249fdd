//! Observers see what is on the wire, monitors change it, and neither is there for free.

use std::time::Duration;

use net_sim::drive::Pair;
use net_sim::{
    Decide, How, Latency, LinkConfig, NetError, Segment, SegmentKind, Sighted, Site, Treatment,
};
use virtual_time::Instant;

const MS: Duration = Duration::from_millis(1);

fn pair() -> Pair {
    Pair::new(LinkConfig::new(Latency::constant(5 * MS)))
}

/// What was seen since the last call, a line each.
fn seen<D>(pair: &mut Pair<D>) -> Vec<String> {
    std::iter::from_fn(|| pair.net.pop_sighting())
        .map(|seen| {
            let what = match seen.sighted {
                Sighted::Sent => "sent",
                Sighted::Delivered => "delivered",
                other => panic!("{other:?}"),
            };
            let by = if seen.segment.from_host == pair.client {
                "client"
            } else {
                "server"
            };
            let Segment {
                sequence,
                acknowledged,
                ..
            } = seen.segment;
            let ms = seen.at.as_nanos() / 1_000_000;
            let kind = match seen.segment.kind {
                SegmentKind::Data(bytes) => String::from_utf8(bytes).unwrap(),
                kind => format!("{kind:?}"),
            };
            format!("{ms} {by} {what} {kind} {sequence}/{acknowledged}")
        })
        .collect()
}

/// Asks `monitor` about everything that waits.
fn judge<D: Decide>(pair: &mut Pair<D>, mut monitor: impl FnMut(&Segment) -> Treatment) -> usize {
    let mut judged = 0;
    while let Some(mut inspection) = pair.net.take_inspection() {
        let treatment = monitor(inspection.segment());
        inspection.apply(treatment).unwrap();
        pair.net.judge(pair.now, inspection, &mut pair.decide);
        judged += 1;
    }
    judged
}

/// Steps to the end, with `monitor` asked before time passes.
fn drive_judged<D: Decide>(pair: &mut Pair<D>, mut monitor: impl FnMut(&Segment) -> Treatment) {
    loop {
        if judge(pair, &mut monitor) == 0 && !pair.step() {
            return;
        }
    }
}

#[test]
fn an_observer_sees_a_connection_from_syn_to_fin_with_its_numbers() {
    let mut pair = pair();
    pair.net.set_observed(true);
    let listener = pair.listen(80, 1).unwrap();
    let client = pair.connect(80);
    pair.drive();
    let server = pair.accept(listener).unwrap();
    assert_eq!(
        seen(&mut pair),
        [
            "0 client sent Syn 0/0",
            "5 client delivered Syn 0/0",
            "5 server sent SynAck 0/1",
            "10 server delivered SynAck 0/1",
            "10 client sent Ack 1/1",
            "15 client delivered Ack 1/1",
        ]
    );
    pair.write(client, b"question").unwrap();
    pair.shutdown(client, How::Write).unwrap();
    pair.drive();
    assert_eq!(pair.read(server, 99).unwrap(), b"question");
    pair.write(server, b"yes").unwrap();
    pair.close(server).unwrap();
    pair.drive();
    assert_eq!(
        seen(&mut pair),
        [
            "15 client sent question 1/1",
            "15 client sent Fin 9/1",
            "20 client delivered question 1/1",
            "20 server sent Ack 1/9",
            "20 client delivered Fin 9/1",
            "20 server sent Ack 1/10",
            "20 server sent yes 1/10",
            "20 server sent Fin 4/10",
            "25 server delivered yes 1/10",
            "25 client sent Ack 10/4",
            "25 server delivered Fin 4/10",
            "25 client sent Ack 10/5",
        ]
    );
}

#[test]
fn an_observer_sees_a_reset() {
    let mut pair = pair();
    pair.net.set_observed(true);
    pair.connect(80);
    pair.drive();
    assert_eq!(
        seen(&mut pair),
        [
            "0 client sent Syn 0/0",
            "5 client delivered Syn 0/0",
            "5 server sent Rst 0/1",
            "10 server delivered Rst 0/1",
        ]
    );
}

#[test]
fn nothing_is_seen_after_the_observer_has_gone() {
    let mut pair = pair();
    pair.net.set_observed(true);
    let (client, _) = pair.connected();
    seen(&mut pair);
    pair.net.set_observed(false);
    pair.write(client, b"x").unwrap();
    pair.drive();
    assert_eq!(seen(&mut pair), [""; 0]);
}

#[test]
fn a_monitor_sees_what_is_sent_its_way_only() {
    let mut pair = pair();
    let (client, server) = pair.connected();
    let (from, to) = (pair.client, pair.server);
    pair.net.add_monitor(Some(from), Some(to));
    pair.write(client, b"there").unwrap();
    pair.write(server, b"back").unwrap();
    let mut shown = vec![];
    drive_judged(&mut pair, |segment| {
        shown.push(segment.kind.clone());
        Treatment::Pass
    });
    assert_eq!(shown, [SegmentKind::Data(b"there".to_vec())]);
    assert_eq!(pair.read(server, 9).unwrap(), b"there");
    assert_eq!(pair.read(client, 9).unwrap(), b"back");
}

#[test]
fn a_delayed_segment_holds_up_those_behind_it_in_its_stream() {
    let mut pair = pair();
    let (client, server) = pair.connected();
    pair.net.add_monitor(None, None);
    pair.write(client, b"first").unwrap();
    pair.write(client, b"second").unwrap();
    let begun = pair.now;
    judge(&mut pair, |segment| {
        match segment.kind.payload() == b"first" {
            true => Treatment::Delay(100 * MS),
            false => Treatment::Pass,
        }
    });
    pair.step();
    assert_eq!(pair.now, begun + 105 * MS);
    assert_eq!(pair.read(server, 99).unwrap(), b"firstsecond");
}

#[test]
fn a_rewritten_segment_is_what_the_next_monitor_and_the_reader_see() {
    let mut pair = pair();
    let (client, server) = pair.connected();
    let first = pair.net.add_monitor(Some(pair.client), None);
    let second = pair.net.add_monitor(None, Some(pair.server));
    for part in [b"aaa", b"bbb", b"ccc"] {
        pair.write(client, part).unwrap();
    }
    // The second of three that wait.
    let mut waiting: Vec<_> = std::iter::from_fn(|| pair.net.take_inspection()).collect();
    assert_eq!(waiting[1].monitors(), [first, second]);
    waiting[1]
        .apply(Treatment::Rewrite(b"BBB".to_vec()))
        .unwrap();
    assert_eq!(waiting[1].segment().kind.payload(), b"BBB");
    for inspection in waiting {
        pair.net.judge(pair.now, inspection, &mut pair.decide);
    }
    pair.drive();
    assert_eq!(pair.read(server, 99).unwrap(), b"aaaBBBccc");
}

#[test]
fn a_stream_cannot_be_rewritten_to_another_length() {
    let mut pair = pair();
    let (client, server) = pair.connected();
    pair.net.add_monitor(None, None);
    pair.write(client, b"12345").unwrap();
    let mut inspection = pair.net.take_inspection().unwrap();
    let unfit = inspection.apply(Treatment::Rewrite(b"123456".to_vec()));
    assert_eq!(
        unfit.unwrap_err().to_string(),
        "a monitor cannot put 6 bytes into [data 10.0.0.1:32768 > 10.0.0.2:32768, 5 bytes from \
         1]: a stream counts its bytes; rewrite them to as many"
    );
    pair.net.judge(pair.now, inspection, &mut pair.decide);
    pair.drive();
    assert_eq!(pair.read(server, 99).unwrap(), b"12345");
}

#[test]
fn what_nobody_judges_goes_its_way_before_time_passes() {
    let mut pair = pair();
    let (client, server) = pair.connected();
    pair.net.add_monitor(None, None);
    pair.write(client, b"one").unwrap();
    pair.write(client, b"two").unwrap();
    let taken = pair.net.take_inspection().unwrap();
    let sent_at = pair.now;
    assert_eq!(pair.net.next_event(), Some(sent_at));
    pair.drive();
    assert_eq!(pair.now, sent_at + 5 * MS);
    assert_eq!(pair.read(server, 99).unwrap(), b"onetwo");
    // Too late, and harmless.
    pair.net.judge(pair.now, taken, &mut pair.decide);
    pair.drive();
    assert_eq!(pair.read(server, 99), Err(NetError::WouldBlock));
}

#[test]
fn a_segment_whose_connection_has_ended_is_judged_in_vain() {
    let mut pair = pair();
    let (client, server) = pair.connected();
    let monitor = pair.net.add_monitor(None, None);
    pair.write(client, b"never read").unwrap();
    let mut taken = pair.net.take_inspection().unwrap();
    for id in [client, server] {
        pair.net.set_linger(id, Some(Duration::ZERO)).unwrap();
        pair.close(id).unwrap();
    }
    taken.apply(Treatment::Delay(5 * MS)).unwrap();
    pair.net.judge(pair.now, taken, &mut pair.decide);
    assert!(pair.net.remove_monitor(monitor));
    pair.drive();
    assert_eq!(pair.net.next_event(), None);
    // A new connection in the old one's place is not touched by it.
    let (client, server) = pair.connected();
    pair.write(client, b"fresh").unwrap();
    pair.drive();
    assert_eq!(pair.read(server, 99).unwrap(), b"fresh");
}

#[test]
fn what_waits_for_a_monitor_that_is_taken_away_is_not_overtaken() {
    let mut pair = pair();
    let (client, server) = pair.connected();
    let monitor = pair.net.add_monitor(None, None);
    pair.write(client, b"one").unwrap();
    assert!(pair.net.remove_monitor(monitor));
    assert!(!pair.net.remove_monitor(monitor));
    pair.write(client, b"two").unwrap();
    pair.drive();
    assert_eq!(pair.read(server, 99).unwrap(), b"onetwo");
}

/// Notes every question.
#[derive(Default)]
struct Noting(Vec<(Site, u64)>);

impl Decide for Noting {
    fn choose(&mut self, site: Site, n: u64) -> u64 {
        self.0.push((site, n));
        0
    }
}

#[test]
fn a_run_that_is_watched_asks_the_same_choices_and_ends_at_the_same_time() {
    let run = |watched: bool| {
        let link = LinkConfig::new(Latency::uniform(MS..=9 * MS));
        let mut pair = Pair::with(net_sim::NetConfig::default(), link, Noting::default());
        if watched {
            pair.net.set_observed(true);
            pair.net.add_monitor(None, None);
        }
        let listener = pair.listen(80, 1).unwrap();
        let client = pair.connect(80);
        drive_judged(&mut pair, |_| Treatment::Pass);
        let server = pair.accept(listener).unwrap();
        pair.write(client, &[1; 200_000]).unwrap();
        drive_judged(&mut pair, |_| Treatment::Pass);
        while pair.read(server, 50_000).is_ok() {
            drive_judged(&mut pair, |_| Treatment::Pass);
        }
        pair.close(client).unwrap();
        drive_judged(&mut pair, |_| Treatment::Pass);
        (pair.decide.0, pair.now)
    };
    let (asked, ended) = run(true);
    assert_eq!((asked, ended), run(false));
    assert!(ended > Instant::BEGIN);
}
