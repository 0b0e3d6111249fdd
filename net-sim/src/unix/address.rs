//! Addresses of Unix sockets.

use std::fmt;
use std::sync::Arc;

use crate::{NetError, Result};

/// Most bytes of a path or an abstract name: `sun_path` without the byte that ends it, or that
/// makes it abstract.
const LONGEST: usize = 107;

/// What a Unix socket is bound to.
///
/// ```
/// use net_sim::{NetError, UnixAddr};
///
/// let addr = UnixAddr::path("/run/svc.sock")?;
/// assert_eq!(addr.as_path(), Some(&b"/run/svc.sock"[..]));
/// assert_eq!(addr.to_string(), "/run/svc.sock");
/// assert_eq!(UnixAddr::abstract_name("svc")?.to_string(), "@svc");
/// assert_eq!(UnixAddr::path("x".repeat(108)), Err(NetError::InvalidInput));
/// # Ok::<(), NetError>(())
/// ```
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct UnixAddr(Repr);

#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
enum Repr {
    #[default]
    Unnamed,
    Path(Arc<[u8]>),
    Abstract(Arc<[u8]>),
}

impl UnixAddr {
    /// The address of a socket that was never bound; to bind to it makes up an abstract name.
    pub const UNNAMED: Self = Self(Repr::Unnamed);

    /// A place in the file system.
    ///
    /// # Errors
    ///
    /// [`NetError::InvalidInput`] if it is empty, longer than 107 bytes, or has a zero byte.
    pub fn path(path: impl AsRef<[u8]>) -> Result<Self> {
        let path = path.as_ref();
        if path.is_empty() || path.len() > LONGEST || path.contains(&0) {
            return Err(NetError::InvalidInput);
        }
        Ok(Self(Repr::Path(path.into())))
    }

    /// A name of Linux's own, which is free once its socket is closed. It may have zero bytes.
    ///
    /// # Errors
    ///
    /// [`NetError::InvalidInput`] if it is longer than 107 bytes.
    pub fn abstract_name(name: impl AsRef<[u8]>) -> Result<Self> {
        let name = name.as_ref();
        if name.len() > LONGEST {
            return Err(NetError::InvalidInput);
        }
        Ok(Self(Repr::Abstract(name.into())))
    }

    /// The path, if it is one.
    #[must_use]
    pub fn as_path(&self) -> Option<&[u8]> {
        match &self.0 {
            Repr::Path(path) => Some(path),
            _ => None,
        }
    }

    /// The abstract name, if it is one.
    #[must_use]
    pub fn as_abstract_name(&self) -> Option<&[u8]> {
        match &self.0 {
            Repr::Abstract(name) => Some(name),
            _ => None,
        }
    }

    /// Whether it is no address at all.
    #[must_use]
    pub const fn is_unnamed(&self) -> bool {
        matches!(self.0, Repr::Unnamed)
    }
}

/// As in Linux's `ss` and `/proc/net/unix`, but for bytes that cannot be shown.
impl fmt::Display for UnixAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Repr::Unnamed => f.write_str("(unnamed)"),
            Repr::Path(path) => write!(f, "{}", path.escape_ascii()),
            Repr::Abstract(name) => write!(f, "@{}", name.escape_ascii()),
        }
    }
}

impl fmt::Debug for UnixAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "UnixAddr({self})")
    }
}
