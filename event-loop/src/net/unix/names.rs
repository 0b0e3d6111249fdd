//! Paths and abstract names.

use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::SocketAddr as StdAddr;
use std::path::Path;

use super::SocketAddr;
use crate::handle::Inner;
use crate::net::open_loop;

/// Removes the path that a socket was bound to, so that another can be: a path stays when its
/// socket is closed.
///
/// In production this is `std::fs::remove_file`. In a world a socket's path is no file of the
/// machine's, and this is the only way to remove it.
///
/// ```no_run
/// use event_loop::net::{UnixListener, unix};
///
/// # fn serve() -> std::io::Result<()> {
/// let path = "/run/svc.sock";
/// // What an earlier process left.
/// let _ = unix::unlink(path);
/// let listener = UnixListener::bind(path)?;
/// # drop(listener);
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// Those of `unlink(2)`: `NotFound` if there is none.
///
/// # Panics
/// If this thread has no current loop.
pub fn unlink(path: impl AsRef<Path>) -> io::Result<()> {
    match &open_loop()?.shared.inner {
        Inner::Tokio(_) => std::fs::remove_file(path),
        Inner::Other(backend) => backend.unix_unlink(path.as_ref()),
    }
}

/// What a path means to tokio: on Linux one that begins with a zero byte is an abstract name.
pub(super) fn address(path: &Path) -> io::Result<SocketAddr> {
    let abstract_name = path.as_os_str().as_bytes().strip_prefix(b"\0");
    let addr = match abstract_name.and_then(abstract_address) {
        Some(addr) => addr,
        None => StdAddr::from_pathname(path),
    };
    addr.map(SocketAddr::from)
}

/// What a path means to tokio's datagram sockets.
pub(super) fn pathname(path: &Path) -> io::Result<SocketAddr> {
    StdAddr::from_pathname(path).map(SocketAddr::from)
}

#[cfg(any(target_os = "linux", target_os = "android"))]
fn abstract_address(name: &[u8]) -> Option<io::Result<StdAddr>> {
    #[cfg(target_os = "android")]
    use std::os::android::net::SocketAddrExt;
    #[cfg(target_os = "linux")]
    use std::os::linux::net::SocketAddrExt;

    Some(StdAddr::from_abstract_name(name))
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn abstract_address(_: &[u8]) -> Option<io::Result<StdAddr>> {
    None
}
