//! Looking at what is sent, and saying what becomes of it.

use net_sim::{Segment, Sighting, Treatment};

use super::hosts::{listed, meant};
use super::{Guard, Hosts, RuleError, expect, open};
use crate::world::here;
use crate::world::watchers::Code;

/// Shows every segment and datagram that two hosts, or groups of them, send to each other, as it
/// leaves and as it arrives or is lost, until the guard is dropped.
///
/// The observer runs between two polls, outside of any task. It changes nothing of the run but what
/// it does itself.
///
/// ```
/// use std::sync::Arc;
/// use std::sync::atomic::{AtomicU32, Ordering};
/// use event_loop::net::TcpStream;
/// use sim::Config;
/// use sim::net::{Sighted, SegmentKind, observe};
///
/// sim::check(&Config::new().seeds(5), |sim| async move {
///     let _ = sim.host("svc");
///     let resets = Arc::new(AtomicU32::new(0));
///     let count = resets.clone();
///     let _looking = observe("main", "svc", move |seen| {
///         if seen.sighted == Sighted::Sent && seen.segment.kind == SegmentKind::Rst {
///             count.fetch_add(1, Ordering::Relaxed);
///         }
///     });
///     TcpStream::connect("svc:80").await.unwrap_err();
///     assert_eq!(resets.load(Ordering::Relaxed), 1);
/// });
/// ```
///
/// # Panics
/// With the text of what [`try_observe`] returns.
#[track_caller]
pub fn observe(
    a: impl Hosts,
    b: impl Hosts,
    observer: impl FnMut(&Sighting) + Send + 'static,
) -> Guard {
    expect(try_observe(a, b, observer))
}

/// [`observe`], with what is wrong as an error.
///
/// # Errors
/// A host that does not exist; a group of none; called outside of a world, or when the run is over.
pub fn try_observe(
    a: impl Hosts,
    b: impl Hosts,
    observer: impl FnMut(&Sighting) + Send + 'static,
) -> Result<Guard, RuleError> {
    watch("observe", &a, &b, Code::Observer(Box::new(observer)))
}

/// Asks `monitor` of every segment and datagram that two hosts, or groups of them, send to each
/// other what is to become of it, until the guard is dropped.
///
/// The monitor runs between two polls, outside of any task. Of several on one link the oldest is
/// asked first. A [`Treatment`] that does not suit its segment fails the run.
///
/// ```
/// use event_loop::net::{TcpListener, TcpStream};
/// use sim::Config;
/// use sim::net::{Treatment, monitor};
/// use tokio::io::{AsyncReadExt, AsyncWriteExt};
///
/// sim::check(&Config::new().seeds(5), |sim| async move {
///     let listener = TcpListener::bind("10.0.0.1:80").await.unwrap();
///     let client = sim.host("client");
///     let _loud = monitor("client", "main", |segment| match segment.kind.payload() {
///         [] => Treatment::Pass,
///         text => Treatment::Rewrite(text.to_ascii_uppercase()),
///     });
///     let client = client.spawn(async {
///         let mut stream = TcpStream::connect("main:80").await?;
///         stream.write_all(b"hello").await
///     });
///     let (mut stream, _) = listener.accept().await.unwrap();
///     let mut text = String::new();
///     stream.read_to_string(&mut text).await.unwrap();
///     assert_eq!(text, "HELLO");
///     client.await.unwrap().unwrap();
/// });
/// ```
///
/// # Panics
/// With the text of what [`try_monitor`] returns.
#[track_caller]
pub fn monitor(
    a: impl Hosts,
    b: impl Hosts,
    monitor: impl FnMut(&Segment) -> Treatment + Send + 'static,
) -> Guard {
    expect(try_monitor(a, b, monitor))
}

/// [`monitor`](fn@monitor), with what is wrong as an error.
///
/// # Errors
/// As [`try_observe`].
pub fn try_monitor(
    a: impl Hosts,
    b: impl Hosts,
    monitor: impl FnMut(&Segment) -> Treatment + Send + 'static,
) -> Result<Guard, RuleError> {
    watch("monitor", &a, &b, Code::Monitor(Box::new(monitor)))
}

fn watch(name: &str, a: &impl Hosts, b: &impl Hosts, code: Code) -> Result<Guard, RuleError> {
    let world = here::world()?;
    let mut code = Some(code);
    // What is not taken is dropped with the core closed.
    let rule = open(&world, |core| {
        let (a, b) = (meant(core, &world, a)?, meant(core, &world, b)?);
        let text = format!("{name} {} | {}", listed(core, &a), listed(core, &b));
        Ok(code
            .take()
            .map(|code| core.rule_of_watcher(text, code, [a, b])))
    })?;
    Ok(Guard::new(&world, rule.expect("the core is opened once")))
}
