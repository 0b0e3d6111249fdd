//! A world's hosts: their names, their addresses, and their loops.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv6Addr};
use std::panic::Location;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use event_loop::{EventLoop, TaskId};

pub(crate) mod clock;
pub(crate) mod death;
pub(crate) mod end;
pub(crate) mod process;

use self::clock::OwnClock;
use self::process::Process;
use super::core::Core;
use super::{OUTSIDE, World, here};
use crate::OnBlocking;
use crate::event_loop::SimLoop;
use crate::host::{Capability, HostConfig};
use crate::net::RuleError;
use crate::trace::Kind;

/// A host: a name, addresses, and the loop its tasks see.
pub(crate) struct Host {
    pub(crate) name: Arc<str>,
    pub(crate) addresses: Addresses,
    /// In the network; joined when somebody first asks.
    pub(crate) net: Option<net_sim::HostId>,
    /// Absent once the world is closed.
    pub(crate) ev: Option<EventLoop>,
    /// Whether the world runs its loop, and not a `run_*` call.
    pub(crate) hosted: bool,
    /// The task that runs the callbacks of a hosted loop: to anybody but the world it is none.
    pub(crate) driver: Option<TaskId>,
    pub(crate) process: Process,
    /// Absent where it goes by the world's.
    pub(crate) clock: Option<Arc<OwnClock>>,
    pub(crate) has_signals: bool,
    /// From how long on a poll is slow.
    pub(crate) slow_after: Option<Duration>,
}

/// Where a host is reached.
#[derive(Clone, Debug)]
pub(crate) enum Addresses {
    /// The world's `n`th, from 1: 10.0.0.n and fd00::n.
    Numbered(u32),
    /// What the test says, the first being the one it is known by.
    Given(Arc<[IpAddr]>),
}

impl Addresses {
    /// All of them.
    pub(crate) fn all(&self) -> Vec<IpAddr> {
        match self {
            Self::Numbered(n) => numbered(*n).into(),
            Self::Given(given) => given.to_vec(),
        }
    }

    /// What the host's name means to others: with the world's own addresses the IPv4 one alone,
    /// as in most clusters, for who connects tries every address of a name.
    pub(crate) fn of_name(&self) -> Vec<IpAddr> {
        match self {
            Self::Numbered(n) => vec![numbered(*n)[0]],
            Self::Given(given) => given.to_vec(),
        }
    }

    pub(crate) fn first(&self) -> IpAddr {
        match self {
            Self::Numbered(n) => numbered(*n)[0],
            Self::Given(given) => given[0],
        }
    }
}

/// Who has which name and address.
#[derive(Debug, Default)]
pub(crate) struct Directory {
    /// The hosts before this one are in `by_name`.
    named: usize,
    by_name: BTreeMap<Arc<str>, u32>,
    /// Addresses that a test has given.
    given: BTreeMap<IpAddr, u32>,
    /// The last number that was used for a host's addresses.
    numbered: u32,
}

impl Core {
    /// The host of this name, the first if there are several.
    pub(crate) fn host_named(&mut self, name: &str) -> Option<u32> {
        let known = &mut self.directory;
        for (index, host) in self.hosts.iter().enumerate().skip(known.named) {
            known
                .by_name
                .entry(host.name.clone())
                .or_insert(index as u32);
        }
        known.named = self.hosts.len();
        known.by_name.get(name).copied()
    }

    /// The host of this name; the error knows the names there are.
    pub(crate) fn expect_host(&mut self, name: &str) -> Result<u32, RuleError> {
        self.host_named(name).ok_or_else(|| RuleError::UnknownHost {
            given: name.to_owned(),
            known: self
                .hosts
                .iter()
                .map(|host| host.name.to_string())
                .collect(),
        })
    }

    /// The host that has this address.
    pub(crate) fn expect_host_at(&self, given: IpAddr) -> Result<u32, RuleError> {
        self.host_at(given.to_canonical())
            .ok_or(RuleError::UnknownAddress { given })
    }

    fn host_at(&self, address: IpAddr) -> Option<u32> {
        let given = self.directory.given.get(&address).copied();
        given.or_else(|| {
            let mut hosts = self.hosts.iter();
            let has = |host: &Host| match host.addresses {
                Addresses::Numbered(n) => numbered(n).contains(&address),
                Addresses::Given(_) => false,
            };
            hosts.position(has).map(|index| index as u32)
        })
    }

    /// Checks what a host that is to be made shall have for addresses.
    pub(crate) fn check_addresses(&self, host: &str, given: &[IpAddr]) -> Result<(), RuleError> {
        if given.is_empty() {
            return Err(RuleError::NoAddress {
                host: host.to_owned(),
            });
        }
        for (index, &address) in given.iter().enumerate() {
            let special = [
                (address.is_unspecified(), "a wildcard"),
                (address.is_loopback(), "a loopback address"),
                (address.is_multicast(), "a multicast address"),
                (address == IpAddr::from([255; 4]), "the broadcast address"),
                (address.to_canonical() != address, "an IPv4-mapped address"),
            ];
            if let Some((_, what)) = special.into_iter().find(|(is, _)| *is) {
                return Err(RuleError::SpecialAddress {
                    host: host.to_owned(),
                    address,
                    what,
                });
            }
            let owner = self.host_at(address);
            let owner = owner.map(|owner| self.hosts[owner as usize].name.to_string());
            let twice = given[..index].contains(&address).then(|| host.to_owned());
            if let Some(owner) = owner.or(twice) {
                return Err(RuleError::AddressTaken {
                    host: host.to_owned(),
                    address,
                    owner,
                });
            }
        }
        Ok(())
    }

    fn take_addresses(&mut self, host: u32, given: Option<&[IpAddr]>) -> Addresses {
        let known = &mut self.directory;
        if let Some(given) = given {
            known.given.extend(given.iter().map(|&ip| (ip, host)));
            return Addresses::Given(given.into());
        }
        loop {
            known.numbered += 1;
            let is_free = |ip| !known.given.contains_key(ip);
            if known.given.is_empty() || numbered(known.numbered).iter().all(is_free) {
                return Addresses::Numbered(known.numbered);
            }
        }
    }
}

impl World {
    /// Adds a host with a loop of its own, run by the world.
    pub(crate) fn add_host(
        self: &Arc<Self>,
        name: &str,
        addresses: Option<&[IpAddr]>,
        site: &'static Location<'static>,
    ) -> u32 {
        self.host_loop(name, addresses, None, site)
    }

    /// Adds a host whose machine is like this.
    pub(crate) fn add_machine(
        self: &Arc<Self>,
        name: &str,
        machine: HostConfig,
        site: &'static Location<'static>,
    ) -> u32 {
        let clock = machine.ppm.map(|ppm| {
            let [tick, of_loops] = [&self.machine_clock, &self.loop_clock].map(|clock| {
                let tick = clock.as_ref().map_or(Duration::ZERO, |it| it.granularity());
                tick.max(machine.granularity)
            });
            let clock = OwnClock::new(ppm, tick, of_loops);
            for (at, step) in machine.steps {
                clock.step(virtual_time::Instant::BEGIN + at, step);
            }
            Arc::new(clock)
        });
        let index = self.host_loop(name, machine.addresses.as_deref(), clock, site);
        self.core(|core| {
            for lacks in machine.lacks {
                match lacks {
                    Capability::Signals => core.hosts[index as usize].has_signals = false,
                    Capability::UnixSockets => {
                        let id = core.net_host(index);
                        core.net().set_unix_sockets(id, false);
                    }
                }
            }
        });
        index
    }

    fn host_loop(
        self: &Arc<Self>,
        name: &str,
        addresses: Option<&[IpAddr]>,
        clock: Option<Arc<OwnClock>>,
        site: &'static Location<'static>,
    ) -> u32 {
        let (index, ev) = self.add_clocked_loop(name, addresses, clock);
        ev.mark_hosted(site);
        self.core(|core| core.hosts[index as usize].hosted = true);
        self.house(index);
        index
    }

    /// Gives a host a home of its own where others are to go on while it is blocked. The first
    /// lives where the root does.
    pub(super) fn house(self: &Arc<Self>, host: u32) {
        if host > 0
            && self.on_blocking != OnBlocking::Fail
            && interpose::SUPPORTED
            && let Err(why) = self.give_home(host)
        {
            let name = self.core(|core| core.hosts[host as usize].name.clone());
            panic!("host(\"{name}\"): no thread for its tasks: {why}");
        }
    }

    /// Adds a host whose loop somebody else runs.
    pub(crate) fn add_loop(
        self: &Arc<Self>,
        name: &str,
        addresses: Option<&[IpAddr]>,
    ) -> (u32, EventLoop) {
        self.add_clocked_loop(name, addresses, None)
    }

    fn add_clocked_loop(
        self: &Arc<Self>,
        name: &str,
        addresses: Option<&[IpAddr]>,
        machine_clock: Option<Arc<OwnClock>>,
    ) -> (u32, EventLoop) {
        let index = self.core(|core| core.hosts.len() as u32);
        let backend = SimLoop::new(self.clone(), index, 0, machine_clock.clone());
        let ev = EventLoop::from_backend(Arc::new(backend));
        if machine_clock.is_some() {
            self.own_clocks.store(true, Ordering::Relaxed);
        }
        self.core(|core| {
            if let (Some(loops), Some(clock)) = (&mut core.iterations, &machine_clock) {
                loops.set_clock(index, clock.clone());
            }
            if let Some(names) = core.trace.names() {
                names.add_host(name);
            }
            core.trace.event(core.now, Kind::Host, 0, u64::from(index));
            let addresses = core.take_addresses(index, addresses);
            core.hosts.push(Host {
                name: name.into(),
                addresses,
                net: None,
                ev: Some(ev.unowned()),
                hosted: false,
                slow_after: None,
                driver: None,
                process: Process::default(),
                clock: machine_clock,
                has_signals: true,
            });
            if core.net.is_some() {
                core.join_hosts();
            }
        });
        self.furnish(&ev);
        (index, ev)
    }

    /// From here on this thread goes by the clock of this host.
    pub(super) fn go_by_clock_of(&self, host: u32) {
        if self.own_clocks.load(Ordering::Relaxed) {
            let clock = self.enter(|core| core.hosts.get(host as usize)?.clock.clone());
            here::set_clock(clock.flatten());
        }
    }

    /// Gives a loop what the test's configuration says of all of them.
    pub(super) fn furnish(&self, ev: &EventLoop) {
        if let Some(threshold) = self.slow_callback {
            let early = ev.set_slow_callback(Some(threshold));
            debug_assert_eq!(early, Ok(()));
        }
        let sized = match self.blocking_threads {
            Some(threads) => ev.set_blocking_threads(threads),
            None => Ok(()),
        };
        let bounded = ev.set_blocking_queue(self.blocking_queue);
        debug_assert_eq!((sized, bounded), (Ok(()), Ok(())));
    }

    /// The loop of a host, for the test; once the run is over, one that refuses everything.
    ///
    /// # Panics
    /// On a thread outside the world.
    #[track_caller]
    pub(crate) fn loop_of(self: &Arc<Self>, host: u32) -> EventLoop {
        match self.event_loop(host) {
            Some(ev) => ev,
            None if self.is_over() => {
                let ev =
                    EventLoop::from_backend(Arc::new(SimLoop::new(self.clone(), host, 0, None)));
                ev.close_now();
                ev
            }
            None => panic!("{OUTSIDE}"),
        }
    }

    /// The loop of a host; `None` once the run is over.
    pub(crate) fn event_loop(&self, host: u32) -> Option<EventLoop> {
        self.enter(|core| {
            core.hosts
                .get(host as usize)
                .and_then(|host| host.ev.clone())
        })
        .flatten()
    }
}

fn numbered(n: u32) -> [IpAddr; 2] {
    let [_, b, c, d] = n.to_be_bytes();
    let v6 = Ipv6Addr::from(0xfd00_u128 << 112 | u128::from(n));
    [IpAddr::from([10, b, c, d]), v6.into()]
}
