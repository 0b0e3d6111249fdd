//! The named places where this crate asks for a decision.

/// A named place in the code where something is decided, so that a recorded decision can be
/// told from all others and read by people.
///
/// ```
/// use net_sim::Site;
///
/// const RETRY: Site = Site::new("client.retry");
/// assert_eq!(RETRY.label, "client.retry");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub struct Site {
    /// What people read in a trace: crate or subject, a dot, and what is decided.
    pub label: &'static str,
}

impl Site {
    /// How long one segment is under way; entry 0 of the link's table is the typical time.
    pub const LATENCY: Self = Self::new("net.latency");
    /// How many of the bytes at hand one read returns; 0 is all that fit, and most
    /// likely.
    pub const SHORT_READ: Self = Self::new("net.short_read");
    /// How many of the bytes that fit one write takes; 0 is all of them, and most
    /// likely.
    pub const SHORT_WRITE: Self = Self::new("net.short_write");
    /// Before how many of those that came at the same instant over other links a connection
    /// comes to its listener; 0 is after all that were there.
    pub const TIE: Self = Self::new("net.tie");
    /// How much longer than its latency something takes, of its link's jitter; 0 is no longer.
    pub const JITTER: Self = Self::new("net.jitter");
    /// Whether something is lost on its link; 0 is that it arrives.
    pub const LOSS: Self = Self::new("net.loss");
    /// Whether a datagram arrives twice; 0 is once.
    pub const DUPLICATION: Self = Self::new("net.duplication");
    /// Whether others may overtake something; 0 is that it takes its time and no more.
    pub const REORDERING: Self = Self::new("net.reordering");
    /// Whether a bit of a datagram flips; 0 is that none does.
    pub const CORRUPTION: Self = Self::new("net.corruption");
    /// Which bit of a datagram flips, from the first of the first byte.
    pub const CORRUPT_BIT: Self = Self::new("net.corrupt_bit");
    /// Whether a swizzle leaves a host alone.
    pub const SWIZZLE_HOST: Self = Self::new("net.swizzle_host");
    /// Which host a swizzle stops or lets go next; 0 is the first of those left.
    pub const SWIZZLE_ORDER: Self = Self::new("net.swizzle_order");
    /// The moment within its turn at which a swizzle stops a host or lets it go; 0 is the first.
    pub const SWIZZLE_TIME: Self = Self::new("net.swizzle_time");

    /// How long the answer to a look-up takes; entry 0 of its table is the typical time.
    pub const DNS_LATENCY: Self = Self::new("dns.latency");
    /// Which of a name's addresses that are left comes next; 0 is the one entered first.
    pub const DNS_ORDER: Self = Self::new("dns.order");

    /// Which of the UDP sockets that share a port with `SO_REUSEPORT` gets what comes from one
    /// address; 0 is the oldest.
    pub const REUSE_PORT: Self = Self::new("net.reuse_port");

    /// A site with this label.
    #[must_use]
    pub const fn new(label: &'static str) -> Self {
        Self { label }
    }
}
