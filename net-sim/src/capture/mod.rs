//! Captures: what was seen on the wire, as pcapng files that Wireshark and its kin read.

mod packet;

use std::collections::{BTreeSet, VecDeque};
use std::io;
use std::time::Duration;

use pcap_file::pcapng::PcapNgWriter;
use pcap_file::pcapng::blocks::enhanced_packet::{EnhancedPacketBlock, EnhancedPacketOption};
use pcap_file::pcapng::blocks::interface_description::{
    InterfaceDescriptionBlock, InterfaceDescriptionOption,
};
use pcap_file::{DataLink, PcapError};
use virtual_time::Instant;

use crate::{HostId, Segment, Sighted, Sighting};
use packet::Sessions;

/// What a capture keeps unless it is told otherwise.
const DEFAULT_LIMIT: usize = 64 << 20;

/// What a segment without payload takes, more or less.
const OVERHEAD: usize = 200;

/// `EnhancedPacketOption::Flags`: the packet was sent, not received.
const OUTBOUND: u32 = 2;

/// The segments that were sent on a network, up to a number of bytes.
///
/// A file of one pair of hosts has one interface for each, with the packets that this host
/// sent: raw IPv4 or IPv6 with headers, numbers and checksums as they would be on a wire, and
/// the nanosecond of virtual time as their time since 1970. A lost packet has a comment that
/// says why. A segment that no IP packet can hold is cut into several.
///
/// ```
/// use net_sim::drive::Pair;
/// use net_sim::{Capture, LinkConfig};
///
/// let mut pair = Pair::new(LinkConfig::default());
/// pair.net.set_observed(true);
/// let (client, _) = pair.connected();
/// pair.write(client, b"hello")?;
///
/// let mut capture = Capture::new();
/// while let Some(sighting) = pair.net.pop_sighting() {
///     capture.add(sighting);
/// }
/// let mut file = vec![];
/// capture.write((pair.client, pair.server), ("client", "server"), &mut file)?;
/// assert!(file.windows(5).any(|bytes| bytes == b"hello"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Capture {
    records: VecDeque<Record>,
    bytes: usize,
    limit: usize,
    forgotten: u64,
}

#[derive(Debug)]
struct Record {
    at: Instant,
    segment: Segment,
    lost: Option<String>,
}

impl Record {
    fn size(&self) -> usize {
        OVERHEAD + self.segment.kind.payload().len()
    }
}

impl Default for Capture {
    fn default() -> Self {
        Self::with_limit(DEFAULT_LIMIT)
    }
}

impl Capture {
    /// An empty capture that keeps the last 64 MiB.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// An empty capture that keeps about the last `bytes` bytes.
    #[must_use]
    pub const fn with_limit(bytes: usize) -> Self {
        Self {
            records: VecDeque::new(),
            bytes: 0,
            limit: bytes,
            forgotten: 0,
        }
    }

    /// Takes what an observer saw, in the order in which it was seen.
    pub fn add(&mut self, sighting: Sighting) {
        match sighting.sighted {
            Sighted::Sent => self.push(sighting, None),
            Sighted::Delivered => {}
            Sighted::Dropped(why) => {
                let same = |record: &&mut Record| {
                    let (kept, lost) = (&record.segment, &sighting.segment);
                    (kept.from, kept.to, kept.sequence) == (lost.from, lost.to, lost.sequence)
                        && kept.kind == lost.kind
                };
                match self.records.iter_mut().rev().find(same) {
                    Some(record) => record.lost = Some(why.to_string()),
                    None => self.push(sighting, Some(why.to_string())),
                }
            }
        }
    }

    /// The pairs of hosts that have sent something to each other, the older host first; a host
    /// that has talked to itself is a pair of its own.
    #[must_use]
    pub fn pairs(&self) -> BTreeSet<(HostId, HostId)> {
        let segments = self.records.iter().map(|record| &record.segment);
        segments.map(pair_of).collect()
    }

    /// How many segments were forgotten, the oldest first, because there were too many.
    #[must_use]
    pub const fn forgotten(&self) -> u64 {
        self.forgotten
    }

    /// Writes what the two hosts have sent to each other, with a name for either.
    ///
    /// # Errors
    ///
    /// Those of `out`.
    pub fn write(
        &self,
        (one, other): (HostId, HostId),
        (one_name, other_name): (&str, &str),
        out: impl io::Write,
    ) -> io::Result<()> {
        let mut file = PcapNgWriter::new(out).map_err(io_error)?;
        let mut interfaces = vec![(one, one_name)];
        if one != other {
            interfaces.push((other, other_name));
        }
        for (_, name) in &interfaces {
            file.write_pcapng_block(interface(name)).map_err(io_error)?;
        }
        let mut sessions = Sessions::default();
        for record in &self.records {
            let segment = &record.segment;
            if pair_of(segment) != (one.min(other), one.max(other)) {
                continue;
            }
            let sender = interfaces
                .iter()
                .position(|&(host, _)| host == segment.from_host);
            for packet in sessions.packets(segment) {
                let mut options = vec![EnhancedPacketOption::Flags(OUTBOUND)];
                if let Some(why) = &record.lost {
                    options.push(EnhancedPacketOption::Comment(format!("lost: {why}").into()));
                }
                let block = EnhancedPacketBlock {
                    interface_id: sender.unwrap_or(0) as u32,
                    timestamp: Duration::from_nanos(record.at.as_nanos()),
                    original_len: packet.len() as u32,
                    data: packet.into(),
                    options,
                };
                file.write_pcapng_block(block).map_err(io_error)?;
            }
        }
        file.into_inner().flush()
    }

    fn push(&mut self, sighting: Sighting, lost: Option<String>) {
        let record = Record {
            at: sighting.at,
            segment: sighting.segment,
            lost,
        };
        self.bytes += record.size();
        self.records.push_back(record);
        while self.bytes > self.limit
            && let Some(oldest) = self.records.pop_front()
        {
            self.bytes -= oldest.size();
            self.forgotten += 1;
        }
    }
}

fn pair_of(segment: &Segment) -> (HostId, HostId) {
    let (from, to) = (segment.from_host, segment.to_host);
    (from.min(to), from.max(to))
}

fn interface(name: &str) -> InterfaceDescriptionBlock<'static> {
    InterfaceDescriptionBlock {
        linktype: DataLink::RAW,
        snaplen: 0,
        options: vec![
            InterfaceDescriptionOption::IfName(name.to_owned().into()),
            // Nanoseconds.
            InterfaceDescriptionOption::IfTsResol(9),
        ],
    }
}

fn io_error(error: PcapError) -> io::Error {
    match error {
        PcapError::IoError(error) => error,
        other => io::Error::other(other),
    }
}
