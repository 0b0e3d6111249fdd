//! What a test asks of its world.

use std::fmt;
use std::ops::RangeInclusive;
use std::panic::Location;
use std::sync::Arc;
use std::time::Duration;

use event_loop::EventLoop;
use event_loop::time::Instant;

use crate::host::{Host, HostConfig};
use crate::net::{self, Hosts, RuleError};
use crate::world::World;
use crate::world::choices::Domain;

/// The world, as a test sees it: hosts, links, time, and choices of its own.
///
/// ```
/// use std::time::Duration;
/// use sim::{Config, Sim};
///
/// sim::check(&Config::new().seeds(10), |sim: Sim| async move {
///     let svc = sim.host("svc");
///     let client = sim.host("client");
///     sim.link(&svc, &client).latency(Duration::from_millis(1)..=Duration::from_millis(10));
///     let asked = client.spawn(async { event_loop::time::Instant::now() });
///     asked.await.unwrap();
/// });
/// ```
#[derive(Clone)]
pub struct Sim {
    pub(crate) world: Arc<World>,
    pub(crate) seed: u64,
}

impl Sim {
    /// The host of this name, made now if there is none. Its addresses are then the next of
    /// 10.0.0.0/8 and of fd00::/8, and other hosts reach it by its name, which stands for the
    /// former.
    ///
    /// # Panics
    /// If there is none and the run is over, or on a thread outside the world.
    #[must_use]
    #[track_caller]
    pub fn host(&self, name: &str) -> Host {
        let site = Location::caller();
        let known = self.world.ask(|core| (core.host_named(name), core.closed));
        let index = match known {
            (Some(index), _) => index,
            (None, true) => panic!("host(\"{name}\"): the run is over, and has no such host"),
            (None, false) => self.world.add_host(name, None, site),
        };
        self.handle(index)
    }

    /// The host of this name, made now with these addresses, the first of which it is known by.
    /// Its name stands for all of them, in this order.
    ///
    /// ```
    /// use sim::Config;
    ///
    /// sim::check(&Config::new().seeds(1), |sim| async move {
    ///     let db = sim.host_at("db", ["10.1.0.5", "fd00::1:5"]);
    ///     assert_eq!(db.ip(), std::net::IpAddr::from([10, 1, 0, 5]));
    /// });
    /// ```
    ///
    /// # Panics
    /// With the text of what [`try_host_at`](Self::try_host_at) returns; on a thread outside the
    /// world.
    #[must_use]
    #[track_caller]
    pub fn host_at(&self, name: &str, addresses: impl Hosts) -> Host {
        match self.try_host_at(name, addresses) {
            Ok(host) => host,
            Err(error) => panic!("{error}"),
        }
    }

    /// [`host_at`](Self::host_at), with what is wrong as an error.
    ///
    /// # Errors
    /// A text that is no address; a wildcard, loopback, multicast or IPv4-mapped address; one that
    /// a host has already; none at all. The name of a host that exists and has other addresses.
    /// The run is over.
    ///
    /// # Panics
    /// On a thread outside the world.
    #[track_caller]
    pub fn try_host_at(&self, name: &str, addresses: impl Hosts) -> Result<Host, RuleError> {
        let site = Location::caller();
        let wanted = net::addresses(&addresses, |text| {
            Err(RuleError::NotAnAddress {
                given: text.to_owned(),
            })
        })?;
        let known = self.world.ask(|core| match core.host_named(name) {
            Some(index) => {
                let has = core.hosts[index as usize].addresses.all();
                if has == wanted {
                    return Ok(Some(index));
                }
                Err(RuleError::HostExists {
                    host: name.to_owned(),
                    addresses: has,
                })
            }
            None if core.closed => Err(RuleError::Over),
            None => core.check_addresses(name, &wanted).map(|()| None),
        })?;
        let index = known.unwrap_or_else(|| self.world.add_host(name, Some(&wanted), site));
        Ok(self.handle(index))
    }

    /// The host of this name, made now with a machine like this.
    ///
    /// ```
    /// use std::time::Duration;
    /// use sim::{Capability, Config, HostConfig};
    ///
    /// sim::check(&Config::new().seeds(1), |sim| async move {
    ///     let machine = HostConfig::new()
    ///         .drift_ppm(200)
    ///         .clock_granularity(Duration::from_nanos(15_625_000))
    ///         .without(Capability::Signals);
    ///     let windows = sim.host_with("windows", machine);
    ///     assert!(windows.event_loop().signal(sim::Signal::Int).is_err());
    /// });
    /// ```
    ///
    /// # Panics
    /// With the text of what [`try_host_with`](Self::try_host_with) returns; on a thread outside
    /// the world.
    #[must_use]
    #[track_caller]
    pub fn host_with(&self, name: &str, machine: HostConfig) -> Host {
        match self.try_host_with(name, machine) {
            Ok(host) => host,
            Err(error) => panic!("{error}"),
        }
    }

    /// [`host_with`](Self::host_with), with what is wrong as an error.
    ///
    /// # Errors
    /// A host of this name exists. Addresses as [`try_host_at`](Self::try_host_at) refuses them.
    /// The run is over.
    ///
    /// # Panics
    /// On a thread outside the world.
    #[track_caller]
    pub fn try_host_with(&self, name: &str, machine: HostConfig) -> Result<Host, RuleError> {
        let site = Location::caller();
        self.world.ask(|core| match core.host_named(name) {
            Some(index) => Err(RuleError::HostExists {
                host: name.to_owned(),
                addresses: core.hosts[index as usize].addresses.all(),
            }),
            None if core.closed => Err(RuleError::Over),
            None => match &machine.addresses {
                Some(wanted) => core.check_addresses(name, wanted),
                None => Ok(()),
            },
        })?;
        Ok(self.handle(self.world.add_machine(name, machine, site)))
    }

    /// The loop of the test itself, on host `main`; once the run is over, a closed one.
    ///
    /// # Panics
    /// On a thread outside the world.
    #[must_use]
    #[track_caller]
    pub fn event_loop(&self) -> EventLoop {
        self.host("main").event_loop()
    }

    /// The two directions between two hosts, to be configured: [`net::link`] for who
    /// has the world at hand.
    ///
    /// # Panics
    /// As [`net::link`].
    #[must_use = "a link does nothing until something is said of it"]
    #[track_caller]
    pub fn link(&self, a: impl Hosts, b: impl Hosts) -> net::Link {
        match net::Link::between(&self.world, &a, &b) {
            Ok(link) => link,
            Err(error) => panic!("{error}"),
        }
    }

    /// Virtual time.
    #[must_use]
    pub fn now(&self) -> Instant {
        Instant::from_nanos(self.world.now().as_nanos())
    }

    /// The seed of this run; 0 is the plain run.
    #[must_use]
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// A number of `0..n` that the seed decides; 0 in the plain run. `label` names the choice in
    /// traces and replays.
    ///
    /// # Panics
    /// If `n` is zero, or on a thread outside the world.
    #[must_use]
    #[track_caller]
    pub fn choose(&self, label: &'static str, n: u64) -> u64 {
        assert!(
            n > 0,
            "choose(\"{label}\", 0): there is nothing to choose from"
        );
        self.world
            .ask(|core| core.choose(Domain::Scenario, label, n))
    }

    /// A coin that the seed throws; false in the plain run.
    ///
    /// # Panics
    /// On a thread outside the world.
    #[must_use]
    #[track_caller]
    pub fn flip(&self, label: &'static str) -> bool {
        self.choose(label, 2) == 1
    }

    /// A duration of `range` that the seed decides, in whole nanoseconds; the shortest in the
    /// plain run.
    ///
    /// # Panics
    /// If the range is empty, or on a thread outside the world.
    #[must_use]
    #[track_caller]
    pub fn any_duration(&self, label: &'static str, range: RangeInclusive<Duration>) -> Duration {
        let (low, high) = range.into_inner();
        assert!(
            low <= high,
            "any_duration(\"{label}\"): the range {low:?}..={high:?} is empty"
        );
        let span = u64::try_from((high - low).as_nanos()).unwrap_or(u64::MAX);
        low + Duration::from_nanos(self.choose(label, span.saturating_add(1)))
    }
}

impl Sim {
    #[track_caller]
    pub(crate) fn handle(&self, index: u32) -> Host {
        let (name, addresses) = self.world.ask(|core| {
            let host = &core.hosts[index as usize];
            (host.name.clone(), host.addresses.clone())
        });
        Host::new(self.world.clone(), index, name, addresses)
    }
}

impl fmt::Debug for Sim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sim(seed {:#x}, {:?})", self.seed, self.now())
    }
}
