//! What can be bound or connected to: addresses, and names to be looked up.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};

/// An address, or a name and a port: `"10.0.0.1:80"`, `"db:5432"`, `("db", 5432)`, a
/// [`SocketAddr`], or a slice of these, to be tried in turn.
pub trait ToSocketAddrs {
    /// What is to be looked up, if anything.
    ///
    /// # Errors
    /// `InvalidInput` naming a text that is neither.
    fn to_target(&self) -> io::Result<Target>;
}

/// An address, or a name that has to be looked up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// An address.
    Addr(SocketAddr),
    /// Several.
    Addrs(Vec<SocketAddr>),
    /// A host's name and a port.
    Name(String, u16),
}

/// What there is to say of no addresses at all.
pub(super) fn no_address() -> io::Error {
    io::Error::new(
        io::ErrorKind::InvalidInput,
        "could not resolve to any address: give at least one",
    )
}

impl ToSocketAddrs for str {
    fn to_target(&self) -> io::Result<Target> {
        if let Ok(addr) = self.parse() {
            return Ok(Target::Addr(addr));
        }
        let (name, port) = self.rsplit_once(':').ok_or_else(|| malformed(self))?;
        let port = port.parse().map_err(|_| malformed(self))?;
        (name, port).to_target()
    }
}

fn malformed(text: &str) -> io::Error {
    io::Error::new(
        io::ErrorKind::InvalidInput,
        format!("\"{text}\" is no address: allowed are ip:port and name:port, port 0 to 65535"),
    )
}

impl ToSocketAddrs for String {
    fn to_target(&self) -> io::Result<Target> {
        self.as_str().to_target()
    }
}

impl ToSocketAddrs for (&str, u16) {
    fn to_target(&self) -> io::Result<Target> {
        Ok(match self.0.parse::<IpAddr>() {
            Ok(ip) => Target::Addr(SocketAddr::new(ip, self.1)),
            Err(_) => Target::Name(self.0.to_owned(), self.1),
        })
    }
}

impl ToSocketAddrs for (String, u16) {
    fn to_target(&self) -> io::Result<Target> {
        (self.0.as_str(), self.1).to_target()
    }
}

impl ToSocketAddrs for [SocketAddr] {
    fn to_target(&self) -> io::Result<Target> {
        Ok(Target::Addrs(self.to_vec()))
    }
}

impl<T: ToSocketAddrs + ?Sized> ToSocketAddrs for &T {
    fn to_target(&self) -> io::Result<Target> {
        (**self).to_target()
    }
}

macro_rules! plain_addresses {
    ($($address:ty),*) => {$(
        impl ToSocketAddrs for $address {
            fn to_target(&self) -> io::Result<Target> {
                Ok(Target::Addr((*self).into()))
            }
        }
    )*};
}

plain_addresses!(
    SocketAddr,
    SocketAddrV4,
    SocketAddrV6,
    (IpAddr, u16),
    (Ipv4Addr, u16),
    (Ipv6Addr, u16)
);
