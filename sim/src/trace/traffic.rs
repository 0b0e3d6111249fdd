//! What the hosts of a recorded run sent to each other, as pcapng files.

use std::collections::BTreeMap;
use std::io;

use net_sim::{Capture, HostId};

/// The segments of a run, and the names of its hosts.
#[derive(Debug)]
pub(crate) struct Traffic {
    capture: Capture,
    names: BTreeMap<HostId, String>,
}

impl Traffic {
    pub(crate) const fn new(capture: Capture, names: BTreeMap<HostId, String>) -> Self {
        Self { capture, names }
    }

    /// The pairs of hosts that have sent something to each other.
    pub(crate) fn pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        let pairs = self.capture.pairs().into_iter();
        pairs.map(|(one, other)| (self.name(one), self.name(other)))
    }

    /// Writes what these two hosts sent to each other as one pcapng file.
    ///
    /// # Errors
    ///
    /// [`io::ErrorKind::NotFound`] if a host's name is unknown; those of `out`.
    pub(crate) fn write(&self, one: &str, other: &str, out: impl io::Write) -> io::Result<()> {
        let pair = (self.host(one)?, self.host(other)?);
        self.capture.write(pair, (one, other), out)
    }

    fn name(&self, host: HostId) -> &str {
        self.names.get(&host).map_or("?", String::as_str)
    }

    fn host(&self, name: &str) -> io::Result<HostId> {
        let mut hosts = self.names.iter();
        let found = hosts.find(|(_, known)| *known == name);
        found.map(|(host, _)| *host).ok_or_else(|| {
            let known: Vec<_> = self.names.values().map(String::as_str).collect();
            let text = format!(
                "no host named \"{name}\" has used the network; there are: {}",
                known.join(", ")
            );
            io::Error::new(io::ErrorKind::NotFound, text)
        })
    }
}
