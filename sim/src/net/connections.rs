//! What becomes of connections: refused, left hanging, not to be had, and cut.

use net_sim::Fault;

use super::hosts::{listed, meant};
use super::{Guard, Hosts, RuleError, expect, open};
use crate::world::here;

/// Refuses whoever connects to these hosts at a port, or at any with `None`, as if nobody listened
/// there. Connections there are already go on.
///
/// ```
/// use std::io::ErrorKind::ConnectionRefused;
/// use event_loop::net::{TcpListener, TcpStream};
/// use sim::Config;
/// use sim::net::refuse;
///
/// sim::check(&Config::new().seeds(5), |_sim| async move {
///     let _listener = TcpListener::bind("10.0.0.1:80").await.unwrap();
///     let refusing = refuse("main", 80);
///     let error = TcpStream::connect("main:80").await.unwrap_err();
///     assert_eq!(error.kind(), ConnectionRefused);
///     drop(refusing);
///     TcpStream::connect("main:80").await.unwrap();
/// });
/// ```
///
/// # Panics
/// With the text of what [`try_refuse`] returns.
#[track_caller]
pub fn refuse(hosts: impl Hosts, port: impl Into<Option<u16>>) -> Guard {
    expect(try_refuse(hosts, port))
}

/// [`refuse`], with what is wrong as an error.
///
/// # Errors
/// A host that does not exist; a group of none; called outside of a world, or when the run is over.
pub fn try_refuse(hosts: impl Hosts, port: impl Into<Option<u16>>) -> Result<Guard, RuleError> {
    at_port("refuse", &hosts, port.into(), Fault::refuse)
}

/// Leaves whoever connects to these hosts at a port, or at any with `None`, without an answer: the
/// connect is tried again after 1 s, 2 s, 4 s and so on, and fails with `TimedOut` when Linux
/// gives up, after 127 s.
///
/// ```
/// use std::time::Duration;
/// use event_loop::net::{TcpListener, TcpStream};
/// use event_loop::time::timeout;
/// use sim::Config;
/// use sim::net::hang;
///
/// sim::check(&Config::new().seeds(5), |_sim| async move {
///     let _listener = TcpListener::bind("10.0.0.1:80").await.unwrap();
///     let _hanging = hang("main", 80);
///     let connecting = timeout(Duration::from_secs(60), TcpStream::connect("main:80"));
///     assert!(connecting.await.is_err(), "a client without a timeout of its own waits on");
/// });
/// ```
///
/// # Panics
/// With the text of what [`try_hang`] returns.
#[track_caller]
pub fn hang(hosts: impl Hosts, port: impl Into<Option<u16>>) -> Guard {
    expect(try_hang(hosts, port))
}

/// [`hang`], with what is wrong as an error.
///
/// # Errors
/// As [`try_refuse`].
pub fn try_hang(hosts: impl Hosts, port: impl Into<Option<u16>>) -> Result<Guard, RuleError> {
    at_port("hang", &hosts, port.into(), Fault::hang)
}

/// Leaves the processes on these hosts no descriptor for another connection: `accept` fails with
/// `EMFILE`, again and again, while a connection waits for it.
///
/// ```
/// use event_loop::net::{TcpListener, TcpStream};
/// use sim::Config;
/// use sim::net::too_many_files;
///
/// sim::check(&Config::new().seeds(5), |sim| async move {
///     let listener = TcpListener::bind("10.0.0.1:80").await.unwrap();
///     let client = sim.host("client").spawn(TcpStream::connect("main:80"));
///     let full = too_many_files("main");
///     assert!(listener.accept().await.is_err());
///     full.lift();
///     listener.accept().await.unwrap();
///     client.await.unwrap().unwrap();
/// });
/// ```
///
/// # Panics
/// With the text of what [`try_too_many_files`] returns.
#[track_caller]
pub fn too_many_files(hosts: impl Hosts) -> Guard {
    expect(try_too_many_files(hosts))
}

/// [`too_many_files`], with what is wrong as an error.
///
/// # Errors
/// As [`try_refuse`].
pub fn try_too_many_files(hosts: impl Hosts) -> Result<Guard, RuleError> {
    at_port("too-many-files", &hosts, None, |hosts, _| {
        Fault::no_descriptors(hosts)
    })
}

/// Cuts every connection that there is between two hosts, or groups of them, and says how many
/// these were: both ends get a RST at once, as from a firewall that forgot them. New connections are
/// made as before.
///
/// ```
/// use std::io::ErrorKind::ConnectionReset;
/// use event_loop::net::{TcpListener, TcpStream};
/// use sim::Config;
/// use sim::net::reset;
/// use tokio::io::AsyncReadExt;
///
/// sim::check(&Config::new().seeds(5), |sim| async move {
///     let listener = TcpListener::bind("10.0.0.1:80").await.unwrap();
///     let client = sim.host("client").spawn(TcpStream::connect("main:80"));
///     let (mut stream, _) = listener.accept().await.unwrap();
///     let _client = client.await.unwrap();
///     assert_eq!(reset("client", "main"), 1);
///     let error = stream.read_u8().await.unwrap_err();
///     assert_eq!(error.kind(), ConnectionReset);
/// });
/// ```
///
/// # Panics
/// With the text of what [`try_reset`] returns.
#[track_caller]
pub fn reset(a: impl Hosts, b: impl Hosts) -> usize {
    expect(try_reset(a, b))
}

/// [`reset`], with what is wrong as an error.
///
/// # Errors
/// As [`try_refuse`].
pub fn try_reset(a: impl Hosts, b: impl Hosts) -> Result<usize, RuleError> {
    let world = here::world()?;
    open(&world, |core| {
        let (a, b) = (meant(core, &world, &a)?, meant(core, &world, &b)?);
        let between = format!("{} | {}", listed(core, &a), listed(core, &b));
        // Each pair once, however it is named.
        let ordered = |(x, y): (u32, u32)| (x.min(y), x.max(y));
        let each = a
            .iter()
            .flat_map(|&x| b.iter().map(move |&y| ordered((x, y))));
        let mut pairs: Vec<_> = each.collect();
        pairs.sort_unstable();
        pairs.dedup();
        Ok(core.reset(&between, &pairs))
    })
}

fn at_port(
    name: &str,
    hosts: &impl Hosts,
    port: Option<u16>,
    fault: impl FnOnce(Vec<net_sim::HostId>, Option<u16>) -> Fault,
) -> Result<Guard, RuleError> {
    let world = here::world()?;
    let rule = open(&world, |core| {
        let hosts = meant(core, &world, hosts)?;
        let port_text = port.map_or_else(String::new, |port| format!(" port {port}"));
        let text = format!("{name} {}{port_text}", listed(core, &hosts));
        let fault = fault(core.net_hosts(&hosts), port);
        Ok(core.rule_at(text, fault))
    })?;
    Ok(Guard::new(&world, rule))
}
