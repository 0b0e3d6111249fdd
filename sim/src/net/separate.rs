//! Who does not reach whom: partitions, holds and clogs, and their end.

use std::sync::Arc;
use std::time::Duration;

use net_sim::Fault;

use super::hosts::{listed, meant};
use super::{Guard, Hosts, RuleError, expect, open};
use crate::world::core::Core;
use crate::world::rules::Shape;
use crate::world::{World, here};

/// Cuts two hosts, or groups of them, off from each other: what either sends to the other is lost.
///
/// What was written waits in its socket and goes on after the partition.
///
/// ```
/// use std::time::Duration;
/// use event_loop::net::TcpStream;
/// use event_loop::time::timeout;
/// use sim::Config;
/// use sim::net::partition;
///
/// sim::check(&Config::new().seeds(5), |sim| async move {
///     let _ = sim.host("svc");
///     let cut = partition("main", "svc");
///     let connecting = timeout(Duration::from_secs(10), TcpStream::connect("svc:80"));
///     assert!(connecting.await.is_err(), "nobody says anything");
///     drop(cut);
///     let refused = TcpStream::connect("svc:80").await.unwrap_err();
///     assert_eq!(refused.kind(), std::io::ErrorKind::ConnectionRefused);
/// });
/// ```
///
/// # Panics
/// With the text of what [`try_partition`] returns.
#[track_caller]
pub fn partition(a: impl Hosts, b: impl Hosts) -> Guard {
    expect(try_partition(a, b))
}

/// [`partition`], with what is wrong as an error.
///
/// # Errors
/// A host that does not exist, or that is on both sides; a group of none; called outside of a
/// world, or when the run is over.
pub fn try_partition(a: impl Hosts, b: impl Hosts) -> Result<Guard, RuleError> {
    between(Shape::Partition, &a, &b)
}

/// Loses what some hosts send to others, and not what those answer.
///
/// ```
/// use sim::Config;
/// use sim::net::one_way;
///
/// sim::check(&Config::new().seeds(5), |sim| async move {
///     let _ = (sim.host("leader"), sim.host("follower"));
///     // The leader hears of nobody, and everybody hears of the leader.
///     let _deaf = one_way("follower", "leader");
/// });
/// ```
///
/// # Panics
/// With the text of what [`try_one_way`] returns.
#[track_caller]
pub fn one_way(from: impl Hosts, to: impl Hosts) -> Guard {
    expect(try_one_way(from, to))
}

/// [`one_way`], with what is wrong as an error.
///
/// # Errors
/// As [`try_partition`].
pub fn try_one_way(from: impl Hosts, to: impl Hosts) -> Result<Guard, RuleError> {
    between(Shape::OneWay, &from, &to)
}

/// Keeps what two hosts, or groups of them, send to each other until it is lifted or
/// [released](release); then it arrives.
///
/// ```
/// use sim::Config;
/// use sim::net::hold;
///
/// sim::check(&Config::new().seeds(5), |sim| async move {
///     let _ = (sim.host("svc"), sim.host("db"));
///     let held = hold("svc", "db");
///     // … what the service does while its database is silent …
///     held.lift();
/// });
/// ```
///
/// # Panics
/// With the text of what [`try_hold`] returns.
#[track_caller]
pub fn hold(a: impl Hosts, b: impl Hosts) -> Guard {
    expect(try_hold(a, b))
}

/// [`hold`], with what is wrong as an error.
///
/// # Errors
/// As [`try_partition`].
pub fn try_hold(a: impl Hosts, b: impl Hosts) -> Result<Guard, RuleError> {
    between(Shape::Hold, &a, &b)
}

/// Keeps all that these hosts send to others and are sent by others, those included that are made
/// later; for a pair of hosts there is [`hold`].
///
/// ```
/// use sim::Config;
/// use sim::net::clog;
///
/// sim::check(&Config::new().seeds(5), |sim| async move {
///     let _ = (sim.host("svc"), sim.host("db"));
///     clog("db").keep();
/// });
/// ```
///
/// # Panics
/// With the text of what [`try_clog`] returns.
#[track_caller]
pub fn clog(hosts: impl Hosts) -> Guard {
    expect(try_clog(hosts))
}

/// [`clog`], with what is wrong as an error.
///
/// # Errors
/// A host that does not exist; a group of none; called outside of a world, or when the run is over.
pub fn try_clog(hosts: impl Hosts) -> Result<Guard, RuleError> {
    at("clog", &hosts, Fault::clog)
}

/// Clogs hosts one by one, and lets them go one by one in another order, all within `span`.
///
/// Who takes part, when, and both orders are choices of the seed. This finds what a single stop
/// does not: elections that overlap, and a host that comes back to others than it left.
///
/// ```
/// use std::time::Duration;
/// use event_loop::time::sleep;
/// use sim::Config;
/// use sim::net::swizzle;
///
/// sim::check(&Config::new().seeds(5), |sim| async move {
///     let replicas = ["r1", "r2", "r3"].map(|name| sim.host(name));
///     let span = Duration::from_secs(10);
///     let _swizzled = swizzle(&replicas, span);
///     sleep(span).await;
/// });
/// ```
///
/// # Panics
/// With the text of what [`try_swizzle`] returns.
#[track_caller]
pub fn swizzle(hosts: impl Hosts, span: Duration) -> Guard {
    expect(try_swizzle(hosts, span))
}

/// [`swizzle`], with what is wrong as an error.
///
/// # Errors
/// As [`try_clog`].
pub fn try_swizzle(hosts: impl Hosts, span: Duration) -> Result<Guard, RuleError> {
    at("swizzle", &hosts, |hosts| Fault::swizzle(hosts, span))
}

/// Lifts every partition and every hold between two hosts, or groups of them, whoever asked for
/// it; what the same rules do between others stands on, and so does what is at a host as a whole,
/// such as a [`clog`].
///
/// ```
/// use sim::Config;
/// use sim::net::{partition, repair};
///
/// sim::check(&Config::new().seeds(5), |sim| async move {
///     let _ = (sim.host("a"), sim.host("b"), sim.host("c"));
///     partition("a", ["b", "c"]).keep();
///     repair("a", "b"); // And c is still cut off.
/// });
/// ```
///
/// # Panics
/// With the text of what [`try_repair`] returns.
#[track_caller]
pub fn repair(a: impl Hosts, b: impl Hosts) {
    expect(try_repair(a, b));
}

/// [`repair`], with what is wrong as an error.
///
/// # Errors
/// As [`try_clog`].
pub fn try_repair(a: impl Hosts, b: impl Hosts) -> Result<(), RuleError> {
    lift(&[Shape::Partition, Shape::OneWay, Shape::Hold], &a, &b)
}

/// Lifts every [`hold`] between two hosts, or groups of them: what was kept arrives.
///
/// ```
/// use sim::Config;
/// use sim::net::{hold, release};
///
/// sim::check(&Config::new().seeds(5), |sim| async move {
///     let _ = (sim.host("svc"), sim.host("db"));
///     hold("svc", "db").keep();
///     release("db", "svc");
/// });
/// ```
///
/// # Panics
/// With the text of what [`try_release`] returns.
#[track_caller]
pub fn release(a: impl Hosts, b: impl Hosts) {
    expect(try_release(a, b));
}

/// [`release`], with what is wrong as an error.
///
/// # Errors
/// As [`try_clog`].
pub fn try_release(a: impl Hosts, b: impl Hosts) -> Result<(), RuleError> {
    lift(&[Shape::Hold], &a, &b)
}

fn between(shape: Shape, a: &impl Hosts, b: &impl Hosts) -> Result<Guard, RuleError> {
    let world = here::world()?;
    let rule = open(&world, |core| {
        let (a, b) = sides(core, &world, a, b)?;
        let (one, other) = (listed(core, &a), listed(core, &b));
        let text = match shape {
            Shape::OneWay => format!("one-way {one} > {other}"),
            Shape::Hold => format!("hold {one} | {other}"),
            _ => format!("partition {one} | {other}"),
        };
        Ok(core.rule_between(shape, text, a, b))
    })?;
    Ok(Guard::new(&world, rule))
}

fn at(
    name: &str,
    hosts: &impl Hosts,
    fault: impl FnOnce(Vec<net_sim::HostId>) -> Fault,
) -> Result<Guard, RuleError> {
    let world = here::world()?;
    let rule = open(&world, |core| {
        let hosts = meant(core, &world, hosts)?;
        let text = format!("{name} {}", listed(core, &hosts));
        let fault = fault(core.net_hosts(&hosts));
        Ok(core.rule_at(text, fault))
    })?;
    Ok(Guard::new(&world, rule))
}

fn lift(shapes: &[Shape], a: &impl Hosts, b: &impl Hosts) -> Result<(), RuleError> {
    let world = here::world()?;
    open(&world, |core| {
        let (a, b) = (meant(core, &world, a)?, meant(core, &world, b)?);
        core.lift_between(shapes, &a, &b);
        Ok(())
    })
}

/// Two groups that have no host in common.
fn sides(
    core: &mut Core,
    world: &Arc<World>,
    a: &impl Hosts,
    b: &impl Hosts,
) -> Result<(Vec<u32>, Vec<u32>), RuleError> {
    let (a, b) = (meant(core, world, a)?, meant(core, world, b)?);
    match a.iter().find(|host| b.contains(host)) {
        Some(&host) => Err(RuleError::SameHost {
            host: core.hosts[host as usize].name.to_string(),
        }),
        None => Ok((a, b)),
    }
}
