//! The names of a host's Unix sockets.

use std::collections::BTreeMap;

use super::{UnixAddr, UnixCredentials, UnixKind};
use crate::SocketId;

/// What a host knows of Unix sockets besides the sockets.
#[derive(Debug)]
pub(crate) struct Names {
    /// Every path, whether or not its socket is still there.
    paths: BTreeMap<Vec<u8>, SocketId>,
    /// Abstract names in use; each kind of socket has names of its own.
    abstracts: BTreeMap<(UnixKind, UnixAddr), SocketId>,
    /// How many names were made up.
    made_up: u32,
    pub(super) credentials: UnixCredentials,
    pub(super) refused: bool,
}

impl Names {
    pub(super) const fn new(credentials: UnixCredentials) -> Self {
        Self {
            paths: BTreeMap::new(),
            abstracts: BTreeMap::new(),
            made_up: 0,
            credentials,
            refused: false,
        }
    }

    pub(super) fn get(&self, kind: UnixKind, addr: &UnixAddr) -> Option<SocketId> {
        match addr.as_path() {
            Some(path) => self.paths.get(&plain(path)).copied(),
            None => self.abstracts.get(&(kind, addr.clone())).copied(),
        }
    }

    /// False if the name is taken already.
    pub(super) fn take(&mut self, kind: UnixKind, addr: &UnixAddr, id: SocketId) -> bool {
        if self.get(kind, addr).is_some() {
            return false;
        }
        match addr.as_path() {
            Some(path) => drop(self.paths.insert(plain(path), id)),
            None => drop(self.abstracts.insert((kind, addr.clone()), id)),
        }
        true
    }

    /// Gives a name back that goes with its socket, as abstract ones do.
    /// What a listener accepted has its address and not its name.
    pub(super) fn release(&mut self, kind: UnixKind, addr: &UnixAddr, id: SocketId) {
        if self.get(kind, addr) == Some(id) {
            self.abstracts.remove(&(kind, addr.clone()));
        }
    }

    pub(super) fn unlink(&mut self, path: &[u8]) -> bool {
        self.paths.remove(&plain(path)).is_some()
    }

    /// A free abstract name of five hexadecimal digits, as Linux makes up; `None` if there is
    /// none.
    pub(super) fn make_up(&mut self, kind: UnixKind) -> Option<UnixAddr> {
        for _ in 0..1 << 20 {
            let name = format!("{:05x}", self.made_up & 0xf_ffff);
            self.made_up = self.made_up.wrapping_add(1);
            let addr = UnixAddr::abstract_name(name).ok()?;
            if self.get(kind, &addr).is_none() {
                return Some(addr);
            }
        }
        None
    }
}

/// The place a path means: there are no links here, and every directory exists.
fn plain(path: &[u8]) -> Vec<u8> {
    let mut parts: Vec<&[u8]> = vec![];
    for part in path.split(|&byte| byte == b'/') {
        match part {
            b"" | b"." => {}
            b".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    let mut plain = parts.join(&b'/');
    if path.starts_with(b"/") {
        plain.insert(0, b'/');
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_place_has_many_paths() {
        for path in ["/run/a", "//run/./a", "/run/b/../a", "/../run/a/"] {
            assert_eq!(plain(path.as_bytes()), b"/run/a", "{path}");
        }
        assert_eq!(plain(b"./a"), b"a");
        assert_ne!(plain(b"a"), plain(b"/a"));
    }
}
