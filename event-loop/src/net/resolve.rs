//! Names of hosts, looked up.

use std::future::poll_fn;
use std::io;
use std::net::{IpAddr, SocketAddr};

use super::readiness::Remembered;
use super::world::WorldSocket;
use super::{Target, ToSocketAddrs, open_loop};
use crate::backend::Lookup;
use crate::handle::Inner;
use crate::{EventLoop, coop};

/// The addresses of a host's name, in the order in which they are to be tried.
///
/// In production it asks the operating system, on a thread of the blocking pool; in a world, the
/// world's table of names, in which its hosts are. The text of an address is that address.
///
/// ```
/// use event_loop::{net, production, LoopConfig};
///
/// let ev = production::current_thread(LoopConfig::default()).unwrap();
/// let found = ev.run_borrowed(net::resolve("127.0.0.1")).unwrap().unwrap();
/// assert_eq!(found, [std::net::Ipv4Addr::LOCALHOST]);
/// ```
///
/// # Errors
/// That of the look-up, which names the name.
///
/// # Panics
/// If this thread has no current loop.
pub async fn resolve(name: &str) -> io::Result<Vec<IpAddr>> {
    if let Ok(ip) = name.parse() {
        return Ok(vec![ip]);
    }
    addresses_of(&open_loop()?, name).await
}

/// The addresses that a connect to `host` tries, in this order.
///
/// ```
/// use event_loop::{net, production, LoopConfig};
///
/// let ev = production::current_thread(LoopConfig::default()).unwrap();
/// let found = ev.run_borrowed(net::lookup_host("localhost:80")).unwrap().unwrap();
/// assert!(found.into_iter().all(|addr| addr.ip().is_loopback() && addr.port() == 80));
/// ```
///
/// # Errors
/// That of the look-up, which names the name.
///
/// # Panics
/// If this thread has no current loop.
pub async fn lookup_host(host: impl ToSocketAddrs) -> io::Result<impl Iterator<Item = SocketAddr>> {
    Ok(host.to_target()?.resolve(&open_loop()?).await?.into_iter())
}

impl Target {
    pub(crate) async fn resolve(self, ev: &EventLoop) -> io::Result<Vec<SocketAddr>> {
        let (name, port) = match self {
            Self::Addr(addr) => return Ok(vec![addr]),
            Self::Addrs(addrs) => return Ok(addrs),
            Self::Name(name, port) => (name, port),
        };
        let found = addresses_of(ev, &name).await?;
        let with_port = found.into_iter().map(|ip| SocketAddr::new(ip, port));
        Ok(with_port.collect())
    }
}

async fn addresses_of(ev: &EventLoop, name: &str) -> io::Result<Vec<IpAddr>> {
    let found = match &ev.shared.inner {
        Inner::Tokio(_) => match tokio::net::lookup_host((name, 0)).await {
            Ok(found) => found.map(|addr| addr.ip()).collect(),
            Err(error) => return Err(naming(name, error)),
        },
        Inner::Other(backend) => match backend.lookup(name)? {
            Lookup::Found(addresses) => addresses,
            Lookup::Asked(key) => {
                // Owned from here on: a look-up that is given up gives its socket back.
                let socket = WorldSocket::new(backend.clone(), key, Remembered::connected());
                let answered = poll_fn(|cx| {
                    coop::poll_leaf(cx, |cx| socket.backend.poll_lookup(key, name, cx.waker()))
                });
                answered.await?
            }
        },
    };
    if found.is_empty() {
        return Err(io::Error::new(
            io::ErrorKind::NotFound,
            format!("the name \"{name}\" has no address"),
        ));
    }
    Ok(found)
}

/// The error of a look-up, which does not say of what.
fn naming(name: &str, error: io::Error) -> io::Error {
    match error.raw_os_error() {
        // That the system lacks something, such as file descriptors, is no matter of the name.
        Some(_) => error,
        None => io::Error::new(error.kind(), format!("{error}: \"{name}\"")),
    }
}
