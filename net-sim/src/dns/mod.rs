//! The names a network knows, and what a resolver answers who asks for one.

mod error;
mod lookup;
mod name;

use std::collections::BTreeMap;
use std::net::IpAddr;

pub use error::{DnsError, DnsFailure};
pub use lookup::Lookup;
pub(crate) use lookup::Query;
use name::Name;

use crate::{Latency, Net};

/// How many names an error tells of.
const NAMES_TOLD: usize = 12;

/// The table of names of a network; every change counts for the look-ups that begin after it.
///
/// Names are case-insensitive, and a dot at their end changes nothing. `localhost` and the texts
/// of addresses are known without an entry, and answered at once.
///
/// ```
/// use std::net::IpAddr;
/// use std::time::Duration;
/// use net_sim::{DnsFailure, Latency, Lookup, Net, Plain};
/// use virtual_time::Instant;
///
/// let mut net = Net::default();
/// let client = net.add_host(&["10.0.0.1".parse().unwrap()])?;
/// let replicas: [IpAddr; 2] = ["10.0.0.7".parse().unwrap(), "10.0.0.8".parse().unwrap()];
/// net.dns_mut().set("db.internal", replicas).unwrap();
/// let found = net.lookup(Instant::BEGIN, client, "DB.internal.", &mut Plain);
/// assert_eq!(found, Ok(Lookup::Found(replicas.to_vec())));
///
/// // A resolver that is slow, and then one that is broken for one name.
/// net.dns_mut().set_latency(Latency::constant(Duration::from_millis(20)));
/// net.dns_mut().fail("db.internal", Some(DnsFailure::ServerFailure)).unwrap();
/// let Ok(Lookup::Asked(query)) =
///     net.lookup(Instant::BEGIN, client, "db.internal", &mut Plain) else { panic!() };
/// let now = net.next_event().unwrap();
/// net.advance(now, &mut Plain);
/// let error = net.finish_lookup(query)?.unwrap_err();
/// assert_eq!(error.failure(), Some(DnsFailure::ServerFailure));
/// # net.close(now, query, &mut Plain)?;
/// # Ok::<(), net_sim::NetError>(())
/// ```
#[derive(Debug, Default)]
pub struct Dns {
    entries: BTreeMap<Name, Entry>,
    latency: Option<Latency>,
    failure: Option<DnsFailure>,
}

/// What is known of one name.
#[derive(Debug, Default)]
struct Entry {
    /// `None` for a name that is known by its failure or its latency alone.
    addresses: Option<Vec<IpAddr>>,
    latency: Option<Latency>,
    failure: Option<DnsFailure>,
}

impl Dns {
    /// Lets a name have these addresses, instead of those it had. Without any it exists and has
    /// none ([`DnsFailure::NoAddress`]).
    ///
    /// # Errors
    ///
    /// [`DnsError::BadName`].
    pub fn set(
        &mut self,
        name: &str,
        addresses: impl IntoIterator<Item = IpAddr>,
    ) -> Result<(), DnsError> {
        self.entry(name)?.addresses = Some(addresses.into_iter().collect());
        Ok(())
    }

    /// The same for a name that has no addresses yet; others keep theirs.
    ///
    /// # Errors
    ///
    /// [`DnsError::BadName`].
    pub fn set_default(
        &mut self,
        name: &str,
        addresses: impl IntoIterator<Item = IpAddr>,
    ) -> Result<(), DnsError> {
        let entry = self.entry(name)?;
        entry
            .addresses
            .get_or_insert_with(|| addresses.into_iter().collect());
        Ok(())
    }

    /// Forgets a name and all that was said of it; false if it was not known.
    pub fn remove(&mut self, name: &str) -> bool {
        Name::parse(name).is_ok_and(|name| self.entries.remove(&name).is_some())
    }

    /// Whether a name can be looked up at all.
    ///
    /// # Errors
    ///
    /// [`DnsError::BadName`].
    pub fn check(name: &str) -> Result<(), DnsError> {
        Name::parse(name).map(drop)
    }

    /// Lets look-ups of a name fail, or with `None` find its addresses again.
    ///
    /// # Errors
    ///
    /// [`DnsError::BadName`].
    pub fn fail(&mut self, name: &str, failure: Option<DnsFailure>) -> Result<(), DnsError> {
        self.entry(name)?.failure = failure;
        Ok(())
    }

    /// Lets look-ups of all names fail, as with a resolver that is down; `None` mends it.
    pub fn fail_all(&mut self, failure: Option<DnsFailure>) {
        self.failure = failure;
    }

    /// How long an answer takes, for names without a latency of their own. The default is
    /// [`Latency::ZERO`]: the answer is there when the asking call returns.
    pub fn set_latency(&mut self, latency: Latency) {
        self.latency = Some(latency);
    }

    /// How long the answer for one name takes; with `None` as long as for others.
    ///
    /// # Errors
    ///
    /// [`DnsError::BadName`].
    pub fn set_latency_of(&mut self, name: &str, latency: Option<Latency>) -> Result<(), DnsError> {
        self.entry(name)?.latency = latency;
        Ok(())
    }

    /// The names that have addresses, in alphabetical order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        let known = self
            .entries
            .iter()
            .filter(|(_, entry)| entry.addresses.is_some());
        known.map(|(name, _)| name.as_str())
    }

    fn entry(&mut self, name: &str) -> Result<&mut Entry, DnsError> {
        Ok(self.entries.entry(Name::parse(name)?).or_default())
    }

    fn failed(&self, name: &str, failure: DnsFailure) -> DnsError {
        let mut names = self.names().map(str::to_owned);
        let (known, more) = match failure {
            DnsFailure::NoSuchName => (names.by_ref().take(NAMES_TOLD).collect(), names.count()),
            _ => (vec![], 0),
        };
        DnsError::Failed {
            name: name.to_owned(),
            failure,
            known,
            more,
        }
    }
}

impl Net {
    /// The names of this network.
    #[must_use]
    pub const fn dns(&self) -> &Dns {
        &self.dns
    }

    /// The names of this network, to be changed.
    pub const fn dns_mut(&mut self) -> &mut Dns {
        &mut self.dns
    }
}
