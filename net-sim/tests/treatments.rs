//! What monitors can do to segments and datagrams, and how lost ones look to observers.

use std::net::SocketAddr;
use std::time::Duration;

use net_sim::drive::Pair;
use net_sim::{
    Capture, Family, Fault, Latency, LinkConfig, Loss, NetError, Segment, SegmentKind, Sighted,
    SocketId, Treatment,
};

const MS: Duration = Duration::from_millis(1);

fn pair() -> Pair {
    Pair::new(LinkConfig::new(Latency::constant(5 * MS)))
}

/// Asks `monitor` about everything that waits.
fn judge(pair: &mut Pair, mut monitor: impl FnMut(&Segment) -> Treatment) -> usize {
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
fn drive_judged(pair: &mut Pair, mut monitor: impl FnMut(&Segment) -> Treatment) {
    loop {
        if judge(pair, &mut monitor) == 0 && !pair.step() {
            return;
        }
    }
}

/// Two UDP sockets: one of the client, one of the server at port 53.
fn datagram_sockets(pair: &mut Pair) -> (SocketId, SocketId) {
    let client = pair.net.udp_socket(pair.client, Family::V4);
    let server = pair.net.udp_socket(pair.server, Family::V4);
    let at = SocketAddr::new(Pair::SERVER, 53);
    pair.net.bind(pair.now, server, at).unwrap();
    (client, server)
}

fn send(pair: &mut Pair, from: SocketId, bytes: &[u8]) {
    let to = SocketAddr::new(Pair::SERVER, 53);
    let sent = pair
        .net
        .send_to(pair.now, from, bytes, to, &mut pair.decide);
    assert_eq!(sent, Ok(bytes.len()));
}

/// All that a UDP socket has received.
fn received(pair: &mut Pair, id: SocketId) -> Vec<Vec<u8>> {
    let mut buf = [0; 100];
    std::iter::from_fn(|| {
        let received = pair.net.recv_from(pair.now, id, &mut buf).ok()?;
        Some(buf[..received.copied].to_vec())
    })
    .collect()
}

#[test]
fn a_dropped_segment_of_a_stream_comes_later_and_leaves_no_hole() {
    let mut pair = pair();
    let (client, server) = pair.connected();
    pair.net.add_monitor(Some(pair.client), None);
    let begun = pair.now;
    pair.write(client, b"lost ").unwrap();
    let mut judged = vec![];
    judge(&mut pair, |segment| {
        judged.push(segment.kind.payload().to_vec());
        Treatment::Drop
    });
    pair.drive();
    assert_eq!(pair.read(server, 99).unwrap(), b"lost ");
    // A timeout of 200 ms and a round trip, and the way there.
    assert_eq!(pair.now - begun, 210 * MS + 5 * MS + 5 * MS);
    assert_eq!(judged, [b"lost "]);
}

#[test]
fn a_dropped_syn_is_sent_and_judged_again() {
    let mut pair = pair();
    pair.listen(80, 1).unwrap();
    pair.net.add_monitor(Some(pair.client), None);
    let client = pair.connect(80);
    let mut syns = 0;
    drive_judged(&mut pair, |segment| {
        syns += u32::from(segment.kind == SegmentKind::Syn);
        match syns {
            1 | 2 => Treatment::Drop,
            _ => Treatment::Pass,
        }
    });
    assert_eq!(pair.net.finish_connect(client), Ok(()));
    assert_eq!(syns, 3);
    // 1 s, then 2 s, then SYN, SYN-ACK and ACK.
    assert_eq!(pair.now.as_nanos(), 3_015_000_000);
}

#[test]
fn every_kind_of_segment_can_be_lost_once_and_the_stream_is_whole() {
    let mut pair = pair();
    pair.net.add_monitor(None, None);
    let mut lost: Vec<(bool, String)> = vec![];
    let client_host = pair.client;
    let mut once = |segment: &Segment| {
        let kind = format!("{:?}", segment.kind);
        let kind = kind.split('(').next().unwrap_or_default().to_owned();
        let which = (segment.from_host == client_host, kind);
        if lost.contains(&which) {
            return Treatment::Pass;
        }
        lost.push(which);
        Treatment::Drop
    };
    let listener = pair.listen(80, 1).unwrap();
    let client = pair.connect(80);
    drive_judged(&mut pair, &mut once);
    pair.net.finish_connect(client).unwrap();
    pair.write(client, b"question").unwrap();
    drive_judged(&mut pair, &mut once);
    let server = pair.accept(listener).unwrap();
    assert_eq!(pair.read(server, 99).unwrap(), b"question");
    pair.write(server, b"answer").unwrap();
    pair.close(server).unwrap();
    drive_judged(&mut pair, &mut once);
    assert_eq!(pair.read(client, 99).unwrap(), b"answer");
    assert_eq!(pair.read(client, 99).unwrap(), b"");
    pair.close(client).unwrap();
    drive_judged(&mut pair, &mut once);
    assert!(lost.len() >= 6, "{lost:?}");
}

#[test]
fn a_reset_by_a_monitor_takes_the_segment_and_both_ends() {
    let mut pair = pair();
    let (client, server) = pair.connected();
    pair.net.add_monitor(None, None);
    pair.write(client, b"fine ").unwrap();
    pair.write(client, b"forbidden").unwrap();
    drive_judged(&mut pair, |segment| {
        match segment.kind.payload() == b"forbidden" {
            true => Treatment::Reset,
            false => Treatment::Pass,
        }
    });
    for id in [client, server] {
        assert_eq!(pair.read(id, 99), Err(NetError::ConnectionReset));
    }
}

#[test]
fn datagrams_are_dropped_doubled_delayed_and_rewritten_to_any_length() {
    let mut pair = pair();
    let (client, server) = datagram_sockets(&mut pair);
    pair.net.add_monitor(Some(pair.client), Some(pair.server));
    for bytes in [b"drop", b"twin", b"late", b"more", b"pass"] {
        send(&mut pair, client, bytes);
    }
    drive_judged(&mut pair, |segment| {
        assert_eq!(segment.to.port(), 53);
        match segment.kind.payload() {
            b"drop" => Treatment::Drop,
            b"twin" => Treatment::Duplicate,
            b"late" => Treatment::Delay(MS),
            b"more" => Treatment::Rewrite(b"more and more".to_vec()),
            _ => Treatment::Pass,
        }
    });
    let expected: [&[u8]; 5] = [b"twin", b"twin", b"more and more", b"pass", b"late"];
    assert_eq!(received(&mut pair, server), expected);
}

#[test]
fn a_datagram_that_nobody_judges_goes_its_way_whole() {
    let mut pair = pair();
    let (client, server) = datagram_sockets(&mut pair);
    pair.net.add_monitor(None, None);
    send(&mut pair, client, b"hello");
    let taken = pair.net.take_inspection();
    assert!(taken.is_some());
    pair.drive();
    assert_eq!(received(&mut pair, server), [b"hello"]);
}

#[test]
fn treatments_that_make_no_sense_say_so() {
    let mut pair = pair();
    let (stream, _) = pair.connected();
    let (client, _) = datagram_sockets(&mut pair);
    pair.net.add_monitor(None, None);
    pair.write(stream, b"12345").unwrap();
    let mut segment = pair.net.take_inspection().unwrap();
    assert_eq!(
        segment.apply(Treatment::Duplicate).unwrap_err().to_string(),
        "a monitor cannot send twice [data 10.0.0.1:32768 > 10.0.0.2:32768, 5 bytes from 1]: a \
         stream's receiver throws a second copy away"
    );
    send(&mut pair, client, b"123");
    let mut datagram = pair.net.take_inspection().unwrap();
    assert_eq!(
        datagram.apply(Treatment::Reset).unwrap_err().to_string(),
        "a monitor cannot reset the connection of [datagram 10.0.0.1:32768 > 10.0.0.2:53, 3 \
         bytes]: a datagram has no connection; drop it"
    );
}

#[test]
fn an_observer_sees_what_is_lost_and_what_is_sent_again() {
    let mut pair = pair();
    let (client, server) = pair.connected();
    pair.net.set_observed(true);
    let cut = Fault::partition([pair.client], [pair.server]);
    let cut = pair.net.add_fault(pair.now, cut, &mut pair.decide).unwrap();
    pair.write(client, b"hello").unwrap();
    pair.drive_until(pair.now + 300 * MS);
    pair.net.lift(pair.now, cut, &mut pair.decide).unwrap();
    pair.drive();
    assert_eq!(pair.read(server, 99).unwrap(), b"hello");

    let mut capture = Capture::new();
    let mut seen = vec![];
    while let Some(sighting) = pair.net.pop_sighting() {
        let data = matches!(sighting.segment.kind, SegmentKind::Data(_));
        if data {
            assert_eq!(sighting.segment.sequence, 1);
            seen.push(sighting.sighted);
        }
        capture.add(sighting);
    }
    let lost = [Sighted::Sent, Sighted::Dropped(Loss::Link)];
    let expected = [
        &lost[..],
        &lost[..],
        &[Sighted::Sent, Sighted::Delivered][..],
    ]
    .concat();
    assert_eq!(seen, expected);
    let mut file = vec![];
    let hosts = (pair.client, pair.server);
    capture
        .write(hosts, ("client", "server"), &mut file)
        .unwrap();
    let comments = file
        .windows(20)
        .filter(|part| part == b"lost: lost on its li");
    assert_eq!(comments.count(), 2);
}

#[test]
fn an_observer_sees_datagrams() {
    let mut pair = pair();
    let (client, server) = datagram_sockets(&mut pair);
    pair.net.set_observed(true);
    send(&mut pair, client, b"hello");
    pair.drive();
    let cut = Fault::one_way([pair.client], [pair.server]);
    pair.net.add_fault(pair.now, cut, &mut pair.decide).unwrap();
    send(&mut pair, client, b"hello");
    pair.drive();
    assert_eq!(received(&mut pair, server), [b"hello"]);
    let seen: Vec<_> = std::iter::from_fn(|| pair.net.pop_sighting()).collect();
    let sighted: Vec<_> = seen.iter().map(|seen| seen.sighted).collect();
    assert_eq!(
        sighted,
        [
            Sighted::Sent,
            Sighted::Delivered,
            Sighted::Sent,
            Sighted::Dropped(Loss::Link)
        ]
    );
    for seen in &seen {
        assert_eq!(seen.segment.kind, SegmentKind::Datagram(b"hello".to_vec()));
        assert_eq!(seen.segment.from_host, pair.client);
    }
    let mut capture = Capture::new();
    seen.into_iter().for_each(|sighting| capture.add(sighting));
    let mut file = vec![];
    let hosts = (pair.client, pair.server);
    capture
        .write(hosts, ("client", "server"), &mut file)
        .unwrap();
    let udp = |part: &[u8]| part[..8] == [0x80, 0, 0, 53, 0, 8 + 5, part[6], part[7]];
    assert_eq!(file.windows(8).filter(|part| udp(part)).count(), 2);
}
