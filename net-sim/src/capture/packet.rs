//! Segments as the IP packets that they would be on a wire.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

use etherparse::{IpHeaders, Ipv4Header, Ipv6FlowLabel, Ipv6Header};
use etherparse::{PacketBuilder, PacketBuilderStep, TcpHeader, TcpOptionElement, ip_number};

use crate::{Segment, SegmentKind};

const TTL: u8 = 64;

/// What the longest IPv4 packet has room for behind the headers of IP and TCP, as captures of
/// hosts show whose network card cuts the segments.
const MOST_DATA: usize = 65_535 - 20 - 20;

/// Ethernet's.
const MSS: u16 = 1_460;

/// Windows are told in units of 256 bytes: enough for 16 MiB.
const WINDOW_SHIFT: u8 = 8;

/// What the first numbers of two sessions between the same addresses differ by.
const SESSION_STEP: u32 = 0x1357_9bdf;

/// Which connections there were between two addresses: each needs first numbers of its own, or
/// readers take its SYN for an old one's sent again.
#[derive(Debug, Default)]
pub(super) struct Sessions(BTreeMap<(SocketAddr, SocketAddr), Session>);

#[derive(Clone, Copy, Debug, Default)]
struct Session {
    first: u32,
    /// More than the handshake's first two segments was sent.
    begun: bool,
}

impl Sessions {
    /// The packets of a segment: one, unless no packet can hold it.
    pub(super) fn packets(&mut self, segment: &Segment) -> Vec<Vec<u8>> {
        if let SegmentKind::Datagram(payload) = &segment.kind {
            let ip = PacketBuilder::ip(ip_headers(segment));
            let udp = ip.udp(segment.from.port(), segment.to.port());
            let mut packet = Vec::with_capacity(udp.size(payload.len()));
            return match udp.write(&mut packet, payload) {
                Ok(()) => vec![packet],
                // No packet can hold it, and none does.
                Err(_) => vec![],
            };
        }
        let first = self.first_number(segment);
        let payload = segment.kind.payload();
        if payload.is_empty() {
            return vec![tcp(segment, first, 0, &[])];
        }
        let parts = payload.chunks(MOST_DATA).enumerate();
        parts
            .map(|(index, part)| tcp(segment, first, index * MOST_DATA, part))
            .collect()
    }

    fn first_number(&mut self, segment: &Segment) -> u32 {
        let (from, to) = (segment.from, segment.to);
        let session = self.0.entry((from.min(to), from.max(to))).or_default();
        match segment.kind {
            SegmentKind::Syn if session.begun => {
                session.begun = false;
                session.first = session.first.wrapping_add(SESSION_STEP);
            }
            SegmentKind::Syn | SegmentKind::SynAck => {}
            _ => session.begun = true,
        }
        session.first
    }
}

fn tcp(segment: &Segment, first: u32, offset: usize, part: &[u8]) -> Vec<u8> {
    let number = |n: u64| first.wrapping_add(n as u32);
    let sequence = number(segment.sequence + offset as u64);
    let handshake = matches!(segment.kind, SegmentKind::Syn | SegmentKind::SynAck);
    // The first windows are told in bytes. A small one is not to look shut.
    let window = if handshake {
        segment.window
    } else {
        segment.window.div_ceil(1 << WINDOW_SHIFT)
    };
    let window = u16::try_from(window).unwrap_or(u16::MAX);
    let mut header = TcpHeader::new(segment.from.port(), segment.to.port(), sequence, window);
    header.syn = handshake;
    header.fin = segment.kind == SegmentKind::Fin;
    header.rst = segment.kind == SegmentKind::Rst;
    header.ack = segment.kind != SegmentKind::Syn;
    header.psh = !part.is_empty();
    if header.ack {
        header.acknowledgment_number = number(segment.acknowledged);
    }
    if handshake {
        let options = [
            TcpOptionElement::MaximumSegmentSize(MSS),
            TcpOptionElement::Noop,
            TcpOptionElement::WindowScale(WINDOW_SHIFT),
        ];
        let fits = header.set_options(&options);
        debug_assert!(fits.is_ok(), "eight bytes of options");
    }
    let ip: PacketBuilderStep<IpHeaders> = PacketBuilder::ip(ip_headers(segment));
    let tcp = ip.tcp_header(header);
    let mut packet = Vec::with_capacity(tcp.size(part.len()));
    let written = tcp.write(&mut packet, part);
    debug_assert!(written.is_ok(), "the part was cut to fit: {written:?}");
    packet
}

fn ip_headers(segment: &Segment) -> IpHeaders {
    match (segment.from.ip(), segment.to.ip()) {
        (IpAddr::V4(from), IpAddr::V4(to)) => {
            let mut header = Ipv4Header {
                time_to_live: TTL,
                protocol: ip_number::TCP,
                source: from.octets(),
                destination: to.octets(),
                ..Ipv4Header::default()
            };
            header.dont_fragment = true;
            IpHeaders::Ipv4(header, Default::default())
        }
        (from, to) => {
            let header = Ipv6Header {
                traffic_class: 0,
                flow_label: Ipv6FlowLabel::ZERO,
                payload_length: 0,
                next_header: ip_number::TCP,
                hop_limit: TTL,
                source: octets(from),
                destination: octets(to),
            };
            IpHeaders::Ipv6(header, Default::default())
        }
    }
}

fn octets(ip: IpAddr) -> [u8; 16] {
    match ip {
        IpAddr::V4(ip) => ip.to_ipv6_mapped().octets(),
        IpAddr::V6(ip) => ip.octets(),
    }
}
