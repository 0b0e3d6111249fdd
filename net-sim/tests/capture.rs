//! Captures are read back by other people's parsers, with every checksum and number right.

use std::collections::BTreeMap;
use std::io::Write;
use std::net::{IpAddr, SocketAddr};
use std::process::{Command, Stdio};
use std::time::Duration;

use etherparse::{NetSlice, SlicedPacket, TransportSlice};
use net_sim::drive::Pair;
use net_sim::{Capture, HostId, Latency, LinkConfig, NetConfig, NetError, Plain};
use pcap_parser::pcapng::{Block, OptionCode};
use pcap_parser::{Linktype, parse_pcapng};

const MS: Duration = Duration::from_millis(1);

/// One packet as the parsers read it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Packet {
    interface: u32,
    nanos: u64,
    from: SocketAddr,
    to: SocketAddr,
    flags: String,
    sequence: u32,
    acknowledged: u32,
    window: u16,
    payload: Vec<u8>,
}

/// The names of a file's interfaces, and its packets.
fn parse(file: &[u8]) -> (Vec<String>, Vec<Packet>) {
    let (rest, capture) = parse_pcapng(file).expect("a whole pcapng file");
    assert!(rest.is_empty());
    let mut names = vec![];
    let mut packets = vec![];
    for block in capture
        .sections
        .iter()
        .flat_map(|section| section.blocks.iter())
    {
        match block {
            Block::SectionHeader(_) => {}
            Block::InterfaceDescription(interface) => {
                assert_eq!(interface.linktype, Linktype::RAW);
                assert_eq!(interface.ts_resolution(), Some(1_000_000_000));
                let name = interface.options.iter();
                let mut name = name.filter(|option| option.code == OptionCode::IfName);
                let name = name.next().expect("a name").as_bytes().unwrap();
                names.push(String::from_utf8(name.to_vec()).unwrap());
            }
            Block::EnhancedPacket(packet) => {
                assert_eq!(packet.caplen, packet.origlen);
                let nanos = (u64::from(packet.ts_high) << 32) | u64::from(packet.ts_low);
                let bytes = &packet.data[..packet.caplen as usize];
                packets.push(parse_packet(packet.if_id, nanos, bytes));
            }
            other => panic!("{other:?}"),
        }
    }
    (names, packets)
}

fn parse_packet(interface: u32, nanos: u64, bytes: &[u8]) -> Packet {
    let sliced = SlicedPacket::from_ip(bytes).expect("an IP packet");
    let transport = sliced.transport.expect("TCP or UDP");
    let (from, to): (IpAddr, IpAddr) = match sliced.net.expect("an IP header") {
        NetSlice::Ipv4(ip) => {
            let header = ip.header().to_header();
            assert_eq!(header.header_checksum, header.calc_header_checksum());
            assert_eq!(usize::from(header.total_len), bytes.len());
            (header.source.into(), header.destination.into())
        }
        NetSlice::Ipv6(ip) => {
            let header = ip.header().to_header();
            assert_eq!(usize::from(header.payload_length) + 40, bytes.len());
            (header.source.into(), header.destination.into())
        }
        other => panic!("{other:?}"),
    };
    let TransportSlice::Tcp(tcp) = transport else {
        panic!("no TCP");
    };
    let header = tcp.to_header();
    let expected = match (from, to) {
        (IpAddr::V4(from), IpAddr::V4(to)) => {
            header.calc_checksum_ipv4_raw(from.octets(), to.octets(), tcp.payload())
        }
        (IpAddr::V6(from), IpAddr::V6(to)) => {
            header.calc_checksum_ipv6_raw(from.octets(), to.octets(), tcp.payload())
        }
        _ => panic!("{from} and {to} are of two families"),
    };
    assert_eq!(header.checksum, expected.unwrap());
    let flags = [
        (header.syn, 'S'),
        (header.fin, 'F'),
        (header.rst, 'R'),
        (header.psh, 'P'),
        (header.ack, '.'),
    ];
    Packet {
        interface,
        nanos,
        from: SocketAddr::new(from, header.source_port),
        to: SocketAddr::new(to, header.destination_port),
        flags: flags.iter().filter(|(on, _)| *on).map(|(_, c)| c).collect(),
        sequence: header.sequence_number,
        acknowledged: header.acknowledgment_number,
        window: header.window_size,
        payload: tcp.payload().to_vec(),
    }
}

/// Each sender's numbers go on where they were, from SYN to FIN, and acknowledge no more than
/// was sent.
fn check_numbers(packets: &[Packet]) {
    let mut next: BTreeMap<(SocketAddr, SocketAddr), u32> = BTreeMap::new();
    for packet in packets {
        let way = (packet.from, packet.to);
        // A refusal is all that its sender ever says.
        if packet.flags.contains('S') || !next.contains_key(&way) {
            assert!(packet.flags.contains(['S', 'R']), "{packet:?}");
            next.insert(way, packet.sequence);
        }
        let expected = next.get_mut(&way).expect("inserted above");
        assert_eq!(packet.sequence, *expected, "{packet:?}");
        let counts = u32::from(packet.flags.contains(['S', 'F']));
        *expected = expected.wrapping_add(packet.payload.len() as u32 + counts);
        if packet.flags.contains('.') {
            let peers = next[&(packet.to, packet.from)];
            assert!(packet.acknowledged <= peers, "{packet:?}");
        }
    }
}

fn captured<D>(pair: &mut Pair<D>) -> Vec<u8> {
    let mut capture = Capture::new();
    while let Some(sighting) = pair.net.pop_sighting() {
        capture.add(sighting);
    }
    file(&capture, (pair.client, pair.server))
}

fn file(capture: &Capture, pair: (HostId, HostId)) -> Vec<u8> {
    let mut file = vec![];
    capture
        .write(pair, ("client", "server"), &mut file)
        .unwrap();
    file
}

/// A conversation with everything: a megabyte one way, an answer, two more connections from the
/// same port, one of them reset, and one refused.
fn conversation() -> Pair {
    let link = LinkConfig::new(Latency::constant(5 * MS));
    let mut pair = Pair::with(NetConfig::default(), link, Plain);
    pair.net.set_observed(true);
    let (client, server) = pair.connected();
    let mut left = 1_000_000;
    while left > 0 {
        match pair.write(client, &vec![b'x'; left]) {
            Ok(n) => left -= n,
            Err(NetError::WouldBlock) => drop(pair.step()),
            Err(error) => panic!("{error}"),
        }
        while pair
            .read(server, 300_000)
            .is_ok_and(|read| !read.is_empty())
        {}
    }
    pair.close(client).unwrap();
    pair.drive();
    while pair
        .read(server, 300_000)
        .is_ok_and(|read| !read.is_empty())
    {
        pair.drive();
    }
    pair.close(server).unwrap();
    pair.drive();
    for _ in 0..2 {
        let listener = pair.listen(80, 1).unwrap();
        let id = pair.net.tcp_socket(pair.client);
        let from = SocketAddr::new(Pair::CLIENT, 4_000);
        pair.net.bind(pair.now, id, from).unwrap();
        let to = SocketAddr::new(Pair::SERVER, 80);
        let begun = pair.net.connect(pair.now, id, to, &mut pair.decide);
        assert_eq!(begun, Err(NetError::InProgress));
        pair.drive();
        let server = pair.accept(listener).unwrap();
        pair.write(id, b"unread").unwrap();
        pair.drive();
        pair.close(server).unwrap();
        pair.close(id).unwrap();
        pair.close(listener).unwrap();
        pair.drive();
    }
    pair.connect(9);
    pair.drive();
    pair
}

#[test]
fn a_capture_is_a_conversation_with_names_times_checksums_and_numbers() {
    let mut pair = conversation();
    let (names, packets) = parse(&captured(&mut pair));
    assert_eq!(names, ["client", "server"]);
    check_numbers(&packets);

    let sent: usize = packets.iter().map(|packet| packet.payload.len()).sum();
    assert_eq!(sent, 1_000_000 + 2 * b"unread".len());
    assert!(packets.is_sorted_by_key(|packet| packet.nanos));
    for packet in &packets {
        let from_client = packet.from.ip() == Pair::CLIENT;
        assert_eq!(packet.interface, u32::from(!from_client));
    }
    let first: Vec<_> = packets[..3]
        .iter()
        .map(|packet| (packet.nanos, &*packet.flags))
        .collect();
    assert_eq!(first, [(0, "S"), (5_000_000, "S."), (10_000_000, ".")]);
    let resets = packets.iter().filter(|packet| packet.flags == "R.");
    assert_eq!(resets.count(), 3);
}

#[test]
fn what_no_packet_can_hold_is_cut() {
    let mut pair = conversation();
    let (_, packets) = parse(&captured(&mut pair));
    let longest = packets.iter().map(|packet| packet.payload.len()).max();
    assert_eq!(longest, Some(65_495));
}

#[test]
fn connections_between_the_same_ports_begin_with_different_numbers() {
    let mut pair = conversation();
    let (_, packets) = parse(&captured(&mut pair));
    let mut syns: Vec<_> = packets
        .iter()
        .filter(|packet| packet.flags == "S" && packet.from.port() == 4_000)
        .map(|packet| packet.sequence)
        .collect();
    assert_eq!(syns.len(), 2);
    syns.dedup();
    assert_eq!(syns.len(), 2);
}

#[test]
fn ipv6_is_captured_as_ipv6() {
    let mut pair = Pair::new(LinkConfig::default());
    let other = pair.net.add_host(&["fd00::1".parse().unwrap()]).unwrap();
    pair.net.set_observed(true);
    let listener = pair.net.tcp_socket(other);
    let at = "[fd00::1]:80".parse().unwrap();
    pair.net.bind(pair.now, listener, at).unwrap();
    pair.net.listen(pair.now, listener, 1).unwrap();
    let client = pair.net.tcp_socket(other);
    let _ = pair.net.connect(pair.now, client, at, &mut pair.decide);
    pair.drive();
    pair.write(client, b"hello").unwrap();

    let mut capture = Capture::new();
    while let Some(sighting) = pair.net.pop_sighting() {
        capture.add(sighting);
    }
    assert_eq!(
        capture.pairs().into_iter().collect::<Vec<_>>(),
        [(other, other)]
    );
    let (names, packets) = parse(&file(&capture, (other, other)));
    assert_eq!(names, ["client"]);
    check_numbers(&packets);
    assert!(packets.iter().all(|packet| packet.from.is_ipv6()));
}

#[test]
fn a_capture_keeps_the_last_of_more_than_it_holds() {
    let mut pair = Pair::new(LinkConfig::default());
    pair.net.set_observed(true);
    let (client, server) = pair.connected();
    let mut capture = Capture::with_limit(10_000);
    for byte in 0..200 {
        pair.write(client, &[byte; 100]).unwrap();
        pair.read(server, 100).unwrap();
        while let Some(sighting) = pair.net.pop_sighting() {
            capture.add(sighting);
        }
    }
    assert!(capture.forgotten() > 0);
    let (_, packets) = parse(&file(&capture, (pair.client, pair.server)));
    assert!(packets.len() < 60);
    assert!(packets.iter().any(|packet| packet.payload == [199; 100]));
}

/// Wireshark's own reader finds nothing to complain of, where it is installed.
#[test]
fn wireshark_has_nothing_to_say_against_a_capture() {
    let mut pair = conversation();
    let file = captured(&mut pair);
    let tshark = Command::new("tshark")
        .args(["-r", "-", "-T", "fields", "-e", "frame.number"])
        .args(["-e", "tcp.len", "-e", "_ws.expert.message"])
        .args([
            "-o",
            "tcp.check_checksum:TRUE",
            "-o",
            "ip.check_checksum:TRUE",
        ])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn();
    let Ok(mut tshark) = tshark else {
        println!("skipped: there is no tshark on this machine");
        return;
    };
    let mut input = tshark.stdin.take().unwrap();
    let expected = parse(&file).1.len();
    let writer = std::thread::spawn(move || input.write_all(&file));
    let output = tshark.wait_with_output().unwrap();
    writer.join().unwrap().unwrap();
    assert!(output.status.success());
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(text.lines().count(), expected, "{text}");
    let harmless = [
        "",
        "Connection establish request (SYN): server port",
        "Connection establish acknowledge (SYN+ACK): server port",
        "Connection finish (FIN)",
        "Connection reset (RST)",
        "TCP Zero Window segment",
        "TCP window update",
        "TCP window specified by the receiver is now completely full",
        "This frame initiates the connection closing",
        "This frame undergoes the connection closing",
        "A new tcp session is started with the same ports earlier in this trace",
    ];
    for line in text.lines() {
        let said = line.split('\t').nth(2).unwrap_or_default();
        let fine = harmless
            .iter()
            .any(|text| !text.is_empty() && said.starts_with(text));
        assert!(said.is_empty() || fine, "{line}");
    }
}
