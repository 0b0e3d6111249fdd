//! Socket calls: net-sim's state machine with wakers on top.

mod dns;
mod readiness;
mod tcp;
mod udp;
#[cfg(unix)]
mod unix;

use std::io::{self, IoSlice};
use std::net::{Shutdown, SocketAddr};
use std::task::{Poll, Waker};

use event_loop::backend::{Slot, SocketKey, Sockets};
use event_loop::io::{Interest, Ready};
use net_sim::{How, Net, NetError, SocketId};

use super::SimLoop;
use crate::trace::Kind;
use crate::world::core::{Core, current_serial};
use crate::world::waits::Wait;

impl Sockets for SimLoop {
    fn close_socket(&self, socket: SocketKey) {
        let left = self.world.enter(|core| {
            if !core.has_loop(self.host, self.epoch) {
                // The operating system has closed it, and its number may be another's.
                return None;
            }
            let (id, wakers) = core.sockets.remove(socket.0 as usize)?;
            if core.closed {
                return Some(wakers);
            }
            core.trace
                .event(core.now, Kind::CloseSocket, current_serial(), id.serial());
            // A socket of this table is open in the network: it cannot fail.
            let _ = core.with_net(|net, now, decide| net.close(now, id, decide));
            Some(wakers)
        });
        drop(left);
    }

    fn local_addr(&self, socket: SocketKey) -> io::Result<SocketAddr> {
        self.ask_socket(socket, |net, id| net.local_addr(id))
    }

    fn peer_addr(&self, socket: SocketKey) -> io::Result<SocketAddr> {
        self.ask_socket(socket, |net, id| net.peer_addr(id))
    }

    fn take_error(&self, socket: SocketKey) -> io::Result<Option<io::Error>> {
        let error = self.ask_socket(socket, |net, id| net.socket_error(id))?;
        Ok(error.map(io::Error::from))
    }

    fn readiness(
        &self,
        socket: SocketKey,
        interest: Interest,
        wait: Option<(Slot, &Waker)>,
    ) -> io::Result<Ready> {
        let (id, ready) = self.call(|core| {
            let id = socket_id(core, socket)?;
            let ready = core.with_net(|net, _, _| net.readiness(id))?;
            Ok((id, readiness::of(ready, interest)))
        })?;
        if let (true, Some((slot, waker))) = (ready.is_empty(), wait) {
            self.wait(socket, id, slot, waker);
            let wait = match interest.is_readable() {
                true => Wait::Read,
                false => Wait::Write,
            };
            self.note(|| wait(id.serial()));
        }
        Ok(ready)
    }

    fn poll_read(
        &self,
        socket: SocketKey,
        into: &mut [u8],
        waker: &Waker,
    ) -> Poll<io::Result<usize>> {
        self.poll_socket(socket, Slot::Read, waker, Wait::Read, |core, id| {
            read(core, id, into)
        })
    }

    fn poll_write(&self, socket: SocketKey, from: &[u8], waker: &Waker) -> Poll<io::Result<usize>> {
        self.poll_socket(socket, Slot::Write, waker, Wait::Write, |core, id| {
            let written = core.with_net(|net, now, decide| net.write(now, id, from, decide))?;
            Ok(wrote(core, written))
        })
    }

    fn poll_write_vectored(
        &self,
        socket: SocketKey,
        from: &[IoSlice<'_>],
        waker: &Waker,
    ) -> Poll<io::Result<usize>> {
        self.poll_socket(socket, Slot::Write, waker, Wait::Write, |core, id| {
            write_vectored(core, id, from)
        })
    }

    fn try_read(&self, socket: SocketKey, into: &mut [u8]) -> io::Result<usize> {
        self.call(|core| {
            let id = socket_id(core, socket)?;
            Ok(read(core, id, into)?)
        })
    }

    fn try_write(&self, socket: SocketKey, from: &[IoSlice<'_>]) -> io::Result<usize> {
        self.call(|core| {
            let id = socket_id(core, socket)?;
            Ok(write_vectored(core, id, from)?)
        })
    }

    fn try_peek(&self, socket: SocketKey, into: &mut [u8]) -> io::Result<usize> {
        self.ask_socket(socket, |net, id| net.peek(id, into))
    }

    fn shutdown(&self, socket: SocketKey, how: Shutdown) -> io::Result<()> {
        let how = match how {
            Shutdown::Read => How::Read,
            Shutdown::Write => How::Write,
            Shutdown::Both => How::Both,
        };
        self.call(|core| {
            let id = socket_id(core, socket)?;
            core.trace
                .event(core.now, Kind::Shutdown, current_serial(), id.serial());
            Ok(core.with_net(|net, now, decide| net.shutdown(now, id, how, decide))?)
        })
    }
}

impl SimLoop {
    fn ask_socket<R>(
        &self,
        socket: SocketKey,
        f: impl FnOnce(&mut Net, SocketId) -> net_sim::Result<R>,
    ) -> io::Result<R> {
        self.call(|core| {
            let id = socket_id(core, socket)?;
            Ok(f(core.net(), id)?)
        })
    }

    /// A call that waits while it would block.
    fn poll_socket<R>(
        &self,
        socket: SocketKey,
        slot: Slot,
        waker: &Waker,
        wait: impl FnOnce(u64) -> Wait,
        f: impl FnOnce(&mut Core, SocketId) -> net_sim::Result<R>,
    ) -> Poll<io::Result<R>> {
        let outcome = self.call(|core| {
            let id = socket_id(core, socket)?;
            match f(core, id) {
                Ok(value) => Ok(Ok(value)),
                Err(NetError::WouldBlock) => {
                    let known = core.sockets.knows(socket.0 as usize, slot, waker);
                    Ok(Err((id, known)))
                }
                Err(error) => Err(error.into()),
            }
        });
        match outcome {
            Ok(Ok(value)) => Poll::Ready(Ok(value)),
            Ok(Err((id, known))) => {
                if !known {
                    self.wait(socket, id, slot, waker);
                }
                self.note(|| wait(id.serial()));
                Poll::Pending
            }
            Err(error) => Poll::Ready(Err(error)),
        }
    }

    /// From here on `waker` is the one of this slot. It is cloned, and the replaced one dropped,
    /// with the core closed.
    fn wait(&self, socket: SocketKey, id: SocketId, slot: Slot, waker: &Waker) {
        let fresh = waker.clone();
        let index = socket.0 as usize;
        let left = self
            .world
            .enter(|core| core.sockets.wait(index, id, slot, fresh));
        drop(left);
    }

    /// A call from a task: refused once the world is closed or the process over.
    fn call<R>(&self, f: impl FnOnce(&mut Core) -> io::Result<R>) -> io::Result<R> {
        self.open(f)
            .unwrap_or_else(|| Err(io::Error::other(event_loop::Closed)))
    }
}

fn read(core: &mut Core, id: SocketId, into: &mut [u8]) -> net_sim::Result<usize> {
    let read = core.with_net(|net, now, decide| net.read(now, id, into, decide))?;
    core.trace
        .event(core.now, Kind::Read, current_serial(), read as u64);
    if read > 0 {
        core.progress();
    }
    Ok(read)
}

fn write_vectored(core: &mut Core, id: SocketId, from: &[IoSlice<'_>]) -> net_sim::Result<usize> {
    let written = core.with_net(|net, now, decide| net.write_vectored(now, id, from, decide))?;
    Ok(wrote(core, written))
}

/// Notes that bytes were written, and how many.
fn wrote(core: &mut Core, written: usize) -> usize {
    core.trace
        .event(core.now, Kind::Write, current_serial(), written as u64);
    if written > 0 {
        core.progress();
    }
    written
}

fn key(index: usize) -> SocketKey {
    SocketKey(index as u64)
}

fn socket_id(core: &Core, socket: SocketKey) -> io::Result<SocketId> {
    core.sockets
        .id(socket.0 as usize)
        .ok_or_else(|| NetError::BadSocket.into())
}
