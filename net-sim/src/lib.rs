//! A simulated network as a state machine: hosts, links, names, and sockets of TCP, UDP and Unix with
//! the semantics of Linux. No I/O, no clock, no randomness: time is an argument, and every decision is asked for.
//!
//! ```
//! use std::time::Duration;
//! use net_sim::{Latency, LinkConfig, Net, NetError, Plain};
//! use virtual_time::Instant;
//!
//! let mut net = Net::default();
//! net.set_default_link(LinkConfig::new(Latency::constant(Duration::from_millis(5))));
//! let server = net.add_host(&["10.0.0.1".parse().unwrap()])?;
//! let client = net.add_host(&["10.0.0.2".parse().unwrap()])?;
//!
//! let mut now = Instant::BEGIN;
//! let listener = net.tcp_socket(server);
//! net.bind(now, listener, "10.0.0.1:80".parse().unwrap())?;
//! net.listen(now, listener, 128)?;
//!
//! let socket = net.tcp_socket(client);
//! let begun = net.connect(now, socket, "10.0.0.1:80".parse().unwrap(), &mut Plain);
//! assert_eq!(begun, Err(NetError::InProgress));
//! while let Some(next) = net.next_event() {
//!     now = next;
//!     net.advance(now, &mut Plain);
//! }
//! assert_eq!(now, Instant::BEGIN + Duration::from_millis(15)); // SYN, SYN-ACK, ACK.
//! net.finish_connect(socket)?;
//!
//! let (peer, _) = net.accept(now, listener, &mut Plain)?;
//! assert_eq!(net.write(now, socket, b"hello", &mut Plain)?, 5);
//! let mut buf = [0; 16];
//! assert_eq!(net.read(now, peer, &mut buf, &mut Plain), Err(NetError::WouldBlock));
//! now = net.next_event().unwrap();
//! net.advance(now, &mut Plain);
//! assert_eq!(net.read(now, peer, &mut buf, &mut Plain)?, 5);
//! # Ok::<(), NetError>(())
//! ```

mod agenda;
mod capture;
mod config_error;
mod decide;
mod dns;
pub mod drive;
mod error;
mod event;
mod fault;
mod host;
mod id;
mod link;
mod net;
mod pairings;
mod power;
mod readiness;
mod site;
mod socket;
mod tcp;
mod udp;
mod unix;
mod watch;

pub use capture::Capture;
pub use config_error::ConfigError;
pub use decide::{Decide, Plain};
pub use dns::{Dns, DnsError, DnsFailure, Lookup};
pub use error::{NetError, Result};
pub use fault::{Fault, FaultId, FaultStats};
pub use id::{HostId, SocketId};
pub use link::{Bandwidth, Corruption, Latency, LinkConfig, Probability};
pub use net::{Net, NetConfig};
pub use readiness::Readiness;
pub use site::Site;
pub use tcp::{How, Keepalive};
pub use udp::{Family, Received};
pub use unix::{UnixAddr, UnixCredentials, UnixKind};
pub use watch::{
    Inspection, Loss, MonitorId, Segment, SegmentKind, Sighted, Sighting, Treatment, Unfit,
};
