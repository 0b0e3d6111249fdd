//! Who is meant: hosts by name, by handle, by address, and in groups.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use super::RuleError;
use crate::Host;
use crate::world::World;
use crate::world::core::Core;

/// One host or several: a name, a [`Host`], an address, or a group of them as an array, slice or
/// `Vec`.
///
/// ```
/// use sim::Config;
/// use sim::net::link;
/// # let ms = std::time::Duration::from_millis;
///
/// sim::check(&Config::new().seeds(1), |sim| async move {
///     let leader = sim.host("leader");
///     let followers = ["f1", "f2"].map(|name| sim.host(name));
///     link("leader", "f1").latency(ms(1)..=ms(5));
///     link(&leader, &followers).latency(ms(1)..=ms(5));
///     link(["leader", "f1"], "f2").latency(ms(1)..=ms(5));
/// });
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` names no host",
    note = "allowed are names, `sim::Host`, addresses, and arrays, slices and vectors of them"
)]
pub trait Hosts: sealed::Named {}

impl<T: sealed::Named + ?Sized> Hosts for T {}

/// The hosts that are meant, each once, in the order of their creation.
pub(super) fn meant(
    core: &mut Core,
    world: &Arc<World>,
    given: &impl Hosts,
) -> Result<Vec<u32>, RuleError> {
    let mut found = Vec::new();
    for name in named(given) {
        found.push(match name {
            Name::Text(text) => match text.parse() {
                Ok(address) => core.expect_host_at(address)?,
                Err(_) => core.expect_host(text)?,
            },
            Name::Address(address) => core.expect_host_at(address)?,
            Name::Handle(host) => of_handle(world, host)?,
        });
    }
    found.sort_unstable();
    found.dedup();
    if found.is_empty() {
        return Err(RuleError::NoHosts);
    }
    Ok(found)
}

/// The names of hosts, as rules are called in traces and reports.
pub(super) fn listed(core: &Core, hosts: &[u32]) -> String {
    let names: Vec<_> = hosts
        .iter()
        .map(|&host| &*core.hosts[host as usize].name)
        .collect();
    names.join(", ")
}

/// The addresses that are meant, in the order in which they are given; what `lookup` makes of a
/// name is its.
pub(crate) fn addresses(
    given: &impl Hosts,
    mut lookup: impl FnMut(&str) -> Result<Vec<IpAddr>, RuleError>,
) -> Result<Vec<IpAddr>, RuleError> {
    let mut found = Vec::new();
    for name in named(given) {
        match name {
            Name::Address(address) => found.push(address),
            Name::Handle(host) => found.extend(host.addresses.of_name()),
            Name::Text(text) => match text.parse() {
                Ok(address) => found.push(address),
                Err(_) => found.extend(lookup(text)?),
            },
        }
    }
    Ok(found)
}

fn named(given: &impl Hosts) -> Vec<Name<'_>> {
    let mut names = Vec::new();
    given.add_to(&mut names);
    names
}

fn of_handle(world: &Arc<World>, host: &Host) -> Result<u32, RuleError> {
    if Arc::ptr_eq(world, &host.world) {
        Ok(host.index)
    } else {
        Err(RuleError::HostOfAnotherWorld {
            host: host.name().to_owned(),
        })
    }
}

/// A host as a test says it.
#[derive(Debug)]
pub enum Name<'a> {
    Text(&'a str),
    Address(IpAddr),
    Handle(&'a Host),
}

mod sealed {
    use super::Name;

    pub trait Named {
        fn add_to<'a>(&'a self, names: &mut Vec<Name<'a>>);
    }
}

use sealed::Named;

impl Named for str {
    fn add_to<'a>(&'a self, names: &mut Vec<Name<'a>>) {
        names.push(Name::Text(self));
    }
}

impl Named for String {
    fn add_to<'a>(&'a self, names: &mut Vec<Name<'a>>) {
        names.push(Name::Text(self));
    }
}

impl Named for Host {
    fn add_to<'a>(&'a self, names: &mut Vec<Name<'a>>) {
        names.push(Name::Handle(self));
    }
}

impl Named for IpAddr {
    fn add_to<'a>(&'a self, names: &mut Vec<Name<'a>>) {
        names.push(Name::Address(*self));
    }
}

impl Named for Ipv4Addr {
    fn add_to<'a>(&'a self, names: &mut Vec<Name<'a>>) {
        names.push(Name::Address((*self).into()));
    }
}

impl Named for Ipv6Addr {
    fn add_to<'a>(&'a self, names: &mut Vec<Name<'a>>) {
        names.push(Name::Address((*self).into()));
    }
}

impl<T: Named + ?Sized> Named for &T {
    fn add_to<'a>(&'a self, names: &mut Vec<Name<'a>>) {
        (**self).add_to(names);
    }
}

impl<T: Named> Named for [T] {
    fn add_to<'a>(&'a self, names: &mut Vec<Name<'a>>) {
        self.iter().for_each(|one| one.add_to(names));
    }
}

impl<T: Named, const N: usize> Named for [T; N] {
    fn add_to<'a>(&'a self, names: &mut Vec<Name<'a>>) {
        self.as_slice().add_to(names);
    }
}

impl<T: Named> Named for Vec<T> {
    fn add_to<'a>(&'a self, names: &mut Vec<Name<'a>>) {
        self.as_slice().add_to(names);
    }
}
