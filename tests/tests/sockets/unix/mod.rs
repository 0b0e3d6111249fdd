//! Unix sockets: the cases, and what they share.

pub(crate) mod cancelling;
pub(crate) mod datagrams;
pub(crate) mod names;
pub(crate) mod streams;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use event_loop::net::unix::{SocketAddr, unlink};
use event_loop::net::{UnixDatagram, UnixListener, UnixStream};
use tokio::io::AsyncReadExt;

/// A path of this case alone, which is unlinked with it.
struct Place(PathBuf);

impl Place {
    fn new() -> Self {
        static MADE: AtomicU32 = AtomicU32::new(0);
        let n = MADE.fetch_add(1, Ordering::Relaxed);
        let name = format!("sockets-{}-{n}", std::process::id());
        Self(std::env::temp_dir().join(name))
    }

    /// The same as an abstract name.
    fn abstract_name(&self) -> String {
        format!("\0{}", self.0.display())
    }

    /// Whether it is this place.
    fn is(&self, addr: &SocketAddr) -> bool {
        addr.as_pathname() == Some(&self.0)
    }
}

impl AsRef<Path> for Place {
    fn as_ref(&self) -> &Path {
        &self.0
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        // A case that is cut short is dropped outside of its loop.
        if event_loop::current().is_ok() {
            let _ = unlink(&self.0);
        }
    }
}

async fn connected() -> io::Result<(UnixStream, UnixStream)> {
    let place = Place::new();
    let listener = UnixListener::bind(&place)?;
    let client = UnixStream::connect(&place).await?;
    Ok((client, listener.accept().await?.0))
}

/// What is read up to the end, or to an error.
async fn to_the_end(stream: &mut UnixStream) -> io::Result<Vec<u8>> {
    let mut heard = vec![];
    stream.read_to_end(&mut heard).await?;
    Ok(heard)
}

async fn heard(socket: &UnixDatagram) -> io::Result<Vec<u8>> {
    let mut heard = vec![0; 100];
    let n = socket.recv(&mut heard).await?;
    heard.truncate(n);
    Ok(heard)
}
