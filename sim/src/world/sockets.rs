//! The world's sockets: whose they are in the network, and who waits for them.

use std::task::Waker;

use event_loop::backend::Slot;
use net_sim::{Net, SocketId};
use slab::Slab;

/// Every open socket of a world.
#[derive(Debug, Default)]
pub(crate) struct Sockets {
    open: Slab<Socket>,
    /// The place of each of the network's sockets in `open`.
    by_slot: Vec<Option<usize>>,
    /// The network may have news.
    dirty: bool,
}

#[derive(Debug)]
struct Socket {
    id: SocketId,
    host: u32,
    reader: Option<Waker>,
    writer: Option<Waker>,
    /// That of all others who wait for a change.
    watcher: Option<Waker>,
}

impl Socket {
    fn waker(&mut self, slot: Slot) -> &mut Option<Waker> {
        match slot {
            Slot::Read => &mut self.reader,
            Slot::Write => &mut self.writer,
            Slot::Watch => &mut self.watcher,
        }
    }
}

impl Sockets {
    pub(crate) fn insert(&mut self, id: SocketId, host: u32) -> usize {
        let index = self.open.insert(Socket {
            id,
            host,
            reader: None,
            writer: None,
            watcher: None,
        });
        if id.slot() >= self.by_slot.len() {
            self.by_slot.resize(id.slot() + 1, None);
        }
        self.by_slot[id.slot()] = Some(index);
        index
    }

    /// The socket's name in the network.
    pub(crate) fn id(&self, index: usize) -> Option<SocketId> {
        self.open.get(index).map(|socket| socket.id)
    }

    /// Whether `waker` is the one to be woken when the socket's readiness changes.
    pub(crate) fn knows(&mut self, index: usize, slot: Slot, waker: &Waker) -> bool {
        let socket = self.open.get_mut(index);
        let known = socket.and_then(|socket| socket.waker(slot).as_ref());
        known.is_some_and(|known| known.will_wake(waker))
    }

    /// `waker` is woken when the socket's readiness changes; returns what is not needed, to be
    /// dropped with the core closed.
    pub(crate) fn wait(
        &mut self,
        index: usize,
        id: SocketId,
        slot: Slot,
        waker: Waker,
    ) -> Option<Waker> {
        let Some(socket) = self.open.get_mut(index).filter(|socket| socket.id == id) else {
            return Some(waker);
        };
        socket.waker(slot).replace(waker)
    }

    /// Forgets the socket; what is returned is to be dropped with the core closed.
    pub(crate) fn remove(&mut self, index: usize) -> Option<(SocketId, [Option<Waker>; 3])> {
        let socket = self.open.try_remove(index)?;
        self.by_slot[socket.id.slot()] = None;
        if self.open.is_empty() {
            *self = Self {
                dirty: self.dirty,
                ..Self::default()
            };
        }
        Some((socket.id, [socket.reader, socket.writer, socket.watcher]))
    }

    /// Forgets a host's sockets; what is returned is to be dropped with the core closed.
    pub(crate) fn remove_of(&mut self, host: u32) -> Vec<Waker> {
        let of_host = self.open.iter().filter(|(_, socket)| socket.host == host);
        let indices: Vec<_> = of_host.map(|(index, _)| index).collect();
        let removed = indices.into_iter().filter_map(|index| self.remove(index));
        removed.flat_map(|(_, wakers)| wakers).flatten().collect()
    }

    /// Who waits, and for what.
    pub(crate) fn waits(&self) -> impl Iterator<Item = (&Waker, String)> {
        self.open.iter().flat_map(|(_, socket)| {
            let number = socket.id.serial();
            let reader = socket.reader.as_ref();
            let writer = socket.writer.as_ref();
            let reads = reader.map(|waker| (waker, format!("news of socket {number}")));
            let writes = writer.map(|waker| (waker, format!("room to write on socket {number}")));
            reads.into_iter().chain(writes)
        })
    }

    /// Every waker there is, for the end of the world.
    pub(crate) fn take_wakers(&mut self) -> Vec<Waker> {
        let wakers = self.open.iter_mut();
        wakers
            .flat_map(|(_, s)| [s.reader.take(), s.writer.take(), s.watcher.take()])
            .flatten()
            .collect()
    }

    pub(crate) fn is_dirty(&self) -> bool {
        self.dirty
    }

    /// There is no network.
    pub(crate) fn settle(&mut self) {
        self.dirty = false;
    }

    pub(crate) fn mark_dirty(&mut self) {
        self.dirty = true;
    }

    /// Whoever waits for what has changed, and on which host.
    pub(crate) fn collect(&mut self, net: &mut Net, mut wake: impl FnMut(u32, Waker)) {
        self.dirty = false;
        while let Some((id, ready)) = net.pop_changed() {
            let index = self.by_slot.get(id.slot()).copied().flatten();
            let Some(socket) = index.and_then(|index| self.open.get_mut(index)) else {
                continue;
            };
            if socket.id != id {
                continue;
            }
            let ended = ready.error || ready.hung_up;
            if ready.readable || ready.read_closed || ended {
                socket
                    .reader
                    .take()
                    .into_iter()
                    .for_each(|w| wake(socket.host, w));
            }
            if ready.writable || ended {
                socket
                    .writer
                    .take()
                    .into_iter()
                    .for_each(|w| wake(socket.host, w));
            }
            if let Some(watcher) = socket.watcher.take() {
                wake(socket.host, watcher);
            }
        }
    }
}
