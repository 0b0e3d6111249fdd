//! Look-ups: asked, under way, answered.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use virtual_time::{Instant, TimerKey};

use super::name::Name;
use super::{Dns, DnsError, DnsFailure};
use crate::event::Event;
use crate::socket::State;
use crate::{Decide, HostId, Net, NetError, Result, Site, SocketId};

/// How long `getaddrinfo` waits for servers that do not answer.
const TIMEOUT: Duration = Duration::from_secs(10);

/// What `getaddrinfo` gives for `localhost` where both are in the hosts file: its order is that
/// of RFC 6724.
const LOCALHOST: [IpAddr; 2] = [
    IpAddr::V6(Ipv6Addr::LOCALHOST),
    IpAddr::V4(Ipv4Addr::LOCALHOST),
];

/// What a look-up came to so far.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Lookup {
    /// The answer was there at once.
    Found(Vec<IpAddr>),
    /// It is under way: the socket is readable when the answer is there, which
    /// [`Net::finish_lookup`] takes. Closing the socket gives it up.
    Asked(SocketId),
}

/// A look-up under way, or answered.
#[derive(Debug)]
pub(crate) struct Query {
    answer: Result<Vec<IpAddr>, DnsError>,
    /// `None` once the answer is there.
    arrival: Option<TimerKey>,
}

impl Query {
    pub(crate) const fn is_answered(&self) -> bool {
        self.arrival.is_none()
    }

    pub(crate) const fn scheduled(&self) -> Option<TimerKey> {
        self.arrival
    }
}

impl Net {
    /// Looks a name up for a host. The answer is what is known when it is asked.
    ///
    /// The order of several addresses is a choice; 0 is that in which they were entered.
    ///
    /// # Errors
    ///
    /// That the look-up has failed already.
    ///
    /// # Panics
    ///
    /// If the host is of another network.
    pub fn lookup(
        &mut self,
        now: Instant,
        host: HostId,
        name: &str,
        decide: &mut impl Decide,
    ) -> Result<Lookup, DnsError> {
        self.check_host(host);
        self.observe(now);
        if let Ok(ip) = name.parse() {
            return Ok(Lookup::Found(vec![ip]));
        }
        let key = Name::parse(name)?;
        if key.as_str() == "localhost" {
            return Ok(Lookup::Found(LOCALHOST.to_vec()));
        }
        let (mut answer, delay) = self.ask(&key, name, decide);
        if let Ok(addresses) = &mut answer {
            shuffle(addresses, decide);
        }
        if delay.is_zero() {
            return answer.map(Lookup::Found);
        }
        let query = Query {
            answer,
            arrival: None,
        };
        let id = self.new_socket(host, State::Lookup(Box::new(query)));
        let arrival = self.events.insert(now + delay, Event::Answer(id));
        if let State::Lookup(query) = &mut self.sockets[id.slot()].state {
            query.arrival = Some(arrival);
        }
        Ok(Lookup::Asked(id))
    }

    /// The answer to a look-up; the socket stays open.
    ///
    /// # Errors
    ///
    /// [`NetError::WouldBlock`] while it is under way, [`NetError::InvalidInput`] if the socket is
    /// none of a look-up, [`NetError::BadSocket`]. Inside, why the look-up failed.
    pub fn finish_lookup(&mut self, id: SocketId) -> Result<Result<Vec<IpAddr>, DnsError>> {
        match &self.socket(id)?.state {
            State::Lookup(query) if query.is_answered() => Ok(query.answer.clone()),
            State::Lookup(_) => Err(NetError::WouldBlock),
            _ => Err(NetError::InvalidInput),
        }
    }

    /// The answer to a look-up is there.
    pub(crate) fn answer(&mut self, id: SocketId) {
        if let Ok(socket) = self.socket_mut(id)
            && let State::Lookup(query) = &mut socket.state
        {
            query.arrival = None;
            self.changed(id);
        }
    }

    /// What is known of a name, and when that is told.
    fn ask(
        &self,
        key: &Name,
        name: &str,
        decide: &mut dyn Decide,
    ) -> (Result<Vec<IpAddr>, DnsError>, Duration) {
        let Dns {
            entries,
            latency,
            failure,
        } = &self.dns;
        let entry = entries.get(key);
        let failed = |failure| Err(self.dns.failed(name, failure));
        let answer = match entry.and_then(|entry| entry.failure).or(*failure) {
            Some(DnsFailure::Timeout) => return (failed(DnsFailure::Timeout), TIMEOUT),
            Some(failure) => failed(failure),
            None => match entry.and_then(|entry| entry.addresses.as_deref()) {
                None => failed(DnsFailure::NoSuchName),
                Some([]) => failed(DnsFailure::NoAddress),
                Some(addresses) => Ok(addresses.to_vec()),
            },
        };
        let own = entry.and_then(|entry| entry.latency.as_ref());
        let delay = own.or(latency.as_ref()).map_or(Duration::ZERO, |latency| {
            latency.draw_at(Site::DNS_LATENCY, decide)
        });
        (answer, delay)
    }
}

/// Servers hand out a set of addresses in any order.
fn shuffle(addresses: &mut [IpAddr], decide: &mut dyn Decide) {
    for first in 0..addresses.len().saturating_sub(1) {
        let rest = &mut addresses[first..];
        let n = rest.len() as u64;
        let next = decide.choose(Site::DNS_ORDER, n).min(n - 1) as usize;
        rest[..=next].rotate_right(1);
    }
}
