//! What can be wrong with what a test says of its network.

use std::fmt;
use std::net::IpAddr;

/// Why the network cannot be made what a test wants it to be: what was given, and what is allowed.
///
/// ```
/// use sim::Config;
/// use sim::net::RuleError;
///
/// sim::check(&Config::new().seeds(1), |sim| async move {
///     let _ = (sim.host("svc"), sim.host("client"));
///     let error = sim::net::try_partition("svc", "cleint").unwrap_err();
///     assert!(matches!(error, RuleError::UnknownHost { .. }));
///     assert_eq!(
///         error.to_string(),
///         "no host is named \"cleint\"; there are: main, svc, client; did you mean \"client\"?",
///     );
/// });
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum RuleError {
    /// Called on a thread that is in no world.
    NoWorld {
        /// The name of the thread that asked.
        thread: String,
    },
    /// The run is over.
    Over,
    /// No host has this name.
    UnknownHost {
        /// The name.
        given: String,
        /// The names there are, in the order of the hosts' creation.
        known: Vec<String>,
    },
    /// No host has this address.
    UnknownAddress {
        /// The address.
        given: IpAddr,
    },
    /// A handle of a host that is of another world.
    HostOfAnotherWorld {
        /// Its name.
        host: String,
    },
    /// A shape that no link can have; the text names what was given.
    Link(net_sim::ConfigError),
    /// A name that cannot be looked up.
    Name(net_sim::DnsError),
    /// A group without hosts.
    NoHosts,
    /// A host that is on both sides.
    SameHost {
        /// Its name.
        host: String,
    },
    /// A host that exists already, with other addresses.
    HostExists {
        /// Its name.
        host: String,
        /// The addresses it has.
        addresses: Vec<IpAddr>,
    },
    /// A host or a name with no address at all.
    NoAddress {
        /// Its name.
        host: String,
    },
    /// A text that is no address.
    NotAnAddress {
        /// The text.
        given: String,
    },
    /// An address that no host can have.
    SpecialAddress {
        /// The host that was to have it.
        host: String,
        /// The address.
        address: IpAddr,
        /// What it is instead, with its article.
        what: &'static str,
    },
    /// An address that another host has.
    AddressTaken {
        /// The host that was to have it.
        host: String,
        /// The address.
        address: IpAddr,
        /// The host that has it.
        owner: String,
    },
}

impl fmt::Display for RuleError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoWorld { thread } => write!(
                f,
                "thread '{thread}' is in no world, so there is no network to change: call this \
                 from the body of a `#[sim::test]` or from one of its tasks"
            ),
            Self::Over => f.write_str(
                "the run is over, and its network with it: change the network while the test's \
                 body runs",
            ),
            Self::UnknownHost { given, known } => {
                write!(
                    f,
                    "no host is named \"{given}\"; there are: {}",
                    known.join(", ")
                )?;
                match nearest(given, known) {
                    Some(near) => write!(f, "; did you mean \"{near}\"?"),
                    None => Ok(()),
                }
            }
            Self::UnknownAddress { given } => write!(
                f,
                "no host has the address {given}: name the host, or give it this address by \
                 sim.host_at(\"…\", \"{given}\")"
            ),
            Self::HostOfAnotherWorld { host } => write!(
                f,
                "host \"{host}\" is of another world, such as that of an earlier run: take it \
                 from this one, by sim.host(\"{host}\")"
            ),
            Self::Link(error) => error.fmt(f),
            Self::Name(error) => error.fmt(f),
            Self::NoHosts => f.write_str("a group has no host: name at least one"),
            Self::SameHost { host } => write!(
                f,
                "host \"{host}\" is on both sides: a host always reaches itself, so name \
                 different ones"
            ),
            Self::HostExists { host, addresses } => write!(
                f,
                "host \"{host}\" exists already, with {}: a host is given its addresses when it \
                 is first named",
                Listed(addresses)
            ),
            Self::NoAddress { host } => {
                write!(f, "\"{host}\" is given no address: it needs at least one")
            }
            Self::NotAnAddress { given } => write!(
                f,
                "\"{given}\" is no address: write one of IPv4 or IPv6, such as 10.1.0.5 or fd00::5"
            ),
            Self::SpecialAddress {
                host,
                address,
                what,
            } => write!(
                f,
                "host \"{host}\" cannot have {address}, which is {what}: give it an address of its \
                 own, such as 10.1.0.5 or fd00::5"
            ),
            Self::AddressTaken {
                host,
                address,
                owner,
            } if host == owner => write!(f, "host \"{host}\" is given {address} twice"),
            Self::AddressTaken {
                host,
                address,
                owner,
            } => write!(
                f,
                "host \"{host}\" cannot have {address}: host \"{owner}\" has it"
            ),
        }
    }
}

impl std::error::Error for RuleError {}

/// The name that was probably meant: at most a third of it is typed wrong.
fn nearest<'a>(given: &str, known: &'a [String]) -> Option<&'a String> {
    let distance = |name: &str| strsim::osa_distance(given, name);
    let near = known.iter().min_by_key(|name| distance(name))?;
    (distance(near) * 3 <= near.len()).then_some(near)
}

struct Listed<'a, T>(&'a [T]);

impl<T: fmt::Display> fmt::Display for Listed<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, item) in self.0.iter().enumerate() {
            let comma = if index == 0 { "" } else { ", " };
            write!(f, "{comma}{item}")?;
        }
        Ok(())
    }
}
