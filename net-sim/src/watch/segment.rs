//! What is on the wire, as those who look at it see it.

use std::fmt;
use std::net::SocketAddr;

use virtual_time::Instant;

use crate::HostId;

/// One TCP segment or UDP datagram.
///
/// A large write is one segment here. Numbers of a stream count from 0, the SYN; its first byte
/// has number 1.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Segment {
    /// The host that sent it.
    pub from_host: HostId,
    /// The host that it is sent to.
    pub to_host: HostId,
    /// The address and port that it was sent from.
    pub from: SocketAddr,
    /// The address and port that it is sent to.
    pub to: SocketAddr,
    /// What it is, and what it carries.
    pub kind: SegmentKind,
    /// The number of its first byte in the sender's stream, or that of the SYN or FIN itself; 0
    /// for a datagram.
    pub sequence: u64,
    /// The number that the sender expects next from the other side; 0 for a first SYN and for
    /// a datagram.
    pub acknowledged: u64,
    /// How many bytes from there the sender has room for.
    pub window: u64,
}

/// What a segment is.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SegmentKind {
    /// Asks for a connection.
    Syn,
    /// Grants it.
    SynAck,
    /// Acknowledges and nothing else. It is seen when it is sent only, and cannot be judged.
    Ack,
    /// Bytes of a stream.
    Data(Vec<u8>),
    /// The end of a stream.
    Fin,
    /// Ends a connection at once, or refuses it.
    Rst,
    /// A UDP datagram with its payload.
    Datagram(Vec<u8>),
}

impl SegmentKind {
    /// The bytes that it carries.
    #[must_use]
    pub fn payload(&self) -> &[u8] {
        match self {
            Self::Data(bytes) | Self::Datagram(bytes) => bytes,
            _ => &[],
        }
    }

    /// Whether it is part of a TCP connection.
    #[must_use]
    pub const fn is_tcp(&self) -> bool {
        !matches!(self, Self::Datagram(_))
    }

    const fn name(&self) -> &'static str {
        match self {
            Self::Syn => "SYN",
            Self::SynAck => "SYN-ACK",
            Self::Ack => "ACK",
            Self::Data(_) => "data",
            Self::Fin => "FIN",
            Self::Rst => "RST",
            Self::Datagram(_) => "datagram",
        }
    }
}

/// As in `data 10.0.0.1:32768 > 10.0.0.2:80, 5 bytes from 1`.
impl fmt::Display for Segment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} > {}", self.kind.name(), self.from, self.to)?;
        match &self.kind {
            SegmentKind::Data(bytes) => {
                write!(f, ", {} bytes from {}", bytes.len(), self.sequence)
            }
            SegmentKind::Datagram(bytes) => write!(f, ", {} bytes", bytes.len()),
            _ => Ok(()),
        }
    }
}

/// A segment, and what was seen of it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Sighting {
    /// When.
    pub at: Instant,
    /// What became of it just then.
    pub sighted: Sighted,
    /// The segment, as it was at that moment. Two segments of data that arrive together are
    /// seen arriving as one.
    pub segment: Segment,
}

/// What became of a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Sighted {
    /// It left its host. A segment that a monitor judges is seen leaving once it has been.
    Sent,
    /// It reached the other host.
    Delivered,
    /// It never will; of TCP's it is seen leaving once more then. What is under way as a
    /// partition begins is lost without being seen.
    Dropped(Loss),
}

/// Why a segment was lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Loss {
    /// A monitor said so.
    Monitor,
    /// Its link lost it, or was cut.
    Link,
}

impl fmt::Display for Loss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Monitor => "dropped by a monitor",
            Self::Link => "lost on its link",
        })
    }
}
