//! What names mean.

use std::fmt;
use std::sync::Arc;

use net_sim::{ConfigError, Dns, DnsError, DnsFailure, Latency};

use super::{Guard, Hosts, RuleError, addresses, expect, open};
use crate::world::{World, here};

/// A name that hosts look up, to be pointed somewhere or broken. The names of hosts are known
/// without it.
///
/// ```
/// use std::time::Duration;
/// use event_loop::net::TcpStream;
/// use sim::Config;
/// use sim::net::{DnsFailure, dns};
///
/// sim::check(&Config::new().seeds(5), |sim| async move {
///     let _ = (sim.host("db-1"), sim.host("db-2"));
///     dns("db").to(["db-1", "db-2"]).latency(Duration::from_millis(20));
///     let down = dns("db").fails(DnsFailure::ServerFailure);
///     let error = TcpStream::connect("db:5432").await.unwrap_err();
///     assert!(error.to_string().contains("Temporary failure in name resolution"));
///     drop(down);
///     let error = TcpStream::connect("db:5432").await.unwrap_err();
///     assert_eq!(error.kind(), std::io::ErrorKind::ConnectionRefused);
/// });
/// ```
///
/// # Panics
/// With the text of what [`try_dns`] returns.
#[must_use = "a name means nothing until something is said of it"]
#[track_caller]
pub fn dns(name: &str) -> Name {
    expect(try_dns(name))
}

/// [`dns`], with what is wrong as an error.
///
/// # Errors
/// A text that nobody would look up; called outside of a world, or when the run is over.
pub fn try_dns(name: &str) -> Result<Name, RuleError> {
    let world = here::world()?;
    open(&world, |_| Ok(Dns::check(name)?))?;
    Ok(Name {
        world,
        name: name.to_owned(),
    })
}

/// A name that hosts look up: see [`dns`].
pub struct Name {
    world: Arc<World>,
    name: String,
}

impl Name {
    /// Points the name at these hosts or addresses, in this order, from now on.
    ///
    /// # Panics
    /// With the text of what [`try_to`](Self::try_to) returns.
    #[track_caller]
    pub fn to(self, hosts: impl Hosts) -> Self {
        expect(self.try_to(hosts))
    }

    /// [`to`](Self::to), with what is wrong as an error.
    ///
    /// # Errors
    /// A host that does not exist, or none; the run is over.
    pub fn try_to(self, hosts: impl Hosts) -> Result<Self, RuleError> {
        open(&self.world, |core| {
            let addresses = addresses(&hosts, |host| {
                let host = core.expect_host(host)?;
                Ok(core.hosts[host as usize].addresses.of_name())
            })?;
            if addresses.is_empty() {
                return Err(RuleError::NoAddress {
                    host: self.name.clone(),
                });
            }
            let listed: Vec<_> = addresses.iter().map(ToString::to_string).collect();
            core.note_name(&format!("{} = {}", self.name, listed.join(", ")));
            Ok(core.net().dns_mut().set(&self.name, addresses)?)
        })?;
        Ok(self)
    }

    /// How long an answer takes: a time, a range, or any other shape of [`Latency`].
    ///
    /// # Panics
    /// If the range is empty, or the run is over.
    #[track_caller]
    pub fn latency(self, latency: impl TryInto<Latency, Error: Into<ConfigError>>) -> Self {
        let latency = latency
            .try_into()
            .map_err(|error| RuleError::Link(error.into()));
        let set = latency.and_then(|latency| {
            open(&self.world, |core| {
                core.note_name(&format!("{} latency {:?}", self.name, latency.typical()));
                let dns = core.net().dns_mut();
                Ok(dns.set_latency_of(&self.name, Some(latency))?)
            })
        });
        expect(set);
        self
    }

    /// Lets each look-up of the name fail until the guard is dropped.
    ///
    /// # Panics
    /// If the run is over.
    #[track_caller]
    pub fn fails(self, failure: DnsFailure) -> Guard {
        let rule = open(&self.world, |core| {
            Ok(core.rule_of_name(&self.name, failure))
        });
        Guard::new(&self.world, expect(rule))
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Name({})", self.name)
    }
}

impl From<DnsError> for RuleError {
    fn from(error: DnsError) -> Self {
        Self::Name(error)
    }
}
