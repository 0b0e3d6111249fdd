//! Socket calls: net-sim's state machine with wakers on top.

mod dns;
mod tcp;

use std::io;
use std::net::{Shutdown, SocketAddr};
use std::task::{Poll, Waker};

use event_loop::backend::{SocketKey, Sockets};
use net_sim::{How, Net, NetError, SocketId};

use super::SimLoop;
use crate::trace::Kind;
use crate::world::World;
use crate::world::core::{Core, current_serial};
use crate::world::sockets::Interest;
use crate::world::waits::Wait;

impl Sockets for SimLoop {
    fn close_socket(&self, socket: SocketKey) {
        let left = self.world.enter(|core| {
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
        self.world.ask_socket(socket, |net, id| net.local_addr(id))
    }

    fn peer_addr(&self, socket: SocketKey) -> io::Result<SocketAddr> {
        self.world.ask_socket(socket, |net, id| net.peer_addr(id))
    }

    fn poll_read(
        &self,
        socket: SocketKey,
        into: &mut [u8],
        waker: &Waker,
    ) -> Poll<io::Result<usize>> {
        self.world
            .poll_socket(socket, Interest::Read, waker, Wait::Read, |core, id| {
                let read = core.with_net(|net, now, decide| net.read(now, id, into, decide))?;
                core.trace
                    .event(core.now, Kind::Read, current_serial(), read as u64);
                if read > 0 {
                    core.progress();
                }
                Ok(read)
            })
    }

    fn poll_write(&self, socket: SocketKey, from: &[u8], waker: &Waker) -> Poll<io::Result<usize>> {
        self.world
            .poll_socket(socket, Interest::Write, waker, Wait::Write, |core, id| {
                let written = core.with_net(|net, now, decide| net.write(now, id, from, decide))?;
                core.trace
                    .event(core.now, Kind::Write, current_serial(), written as u64);
                if written > 0 {
                    core.progress();
                }
                Ok(written)
            })
    }

    fn shutdown(&self, socket: SocketKey, how: Shutdown) -> io::Result<()> {
        let how = match how {
            Shutdown::Read => How::Read,
            Shutdown::Write => How::Write,
            Shutdown::Both => How::Both,
        };
        self.world.call(|core| {
            let id = socket_id(core, socket)?;
            core.trace
                .event(core.now, Kind::Shutdown, current_serial(), id.serial());
            Ok(core.with_net(|net, now, decide| net.shutdown(now, id, how, decide))?)
        })
    }
}

impl World {
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
        interest: Interest,
        waker: &Waker,
        wait: impl FnOnce(u64) -> Wait,
        f: impl FnOnce(&mut Core, SocketId) -> net_sim::Result<R>,
    ) -> Poll<io::Result<R>> {
        let outcome = self.call(|core| {
            let id = socket_id(core, socket)?;
            match f(core, id) {
                Ok(value) => Ok(Ok(value)),
                Err(NetError::WouldBlock) => {
                    let known = core.sockets.knows(socket.0 as usize, interest, waker);
                    Ok(Err((id, known)))
                }
                Err(error) => Err(error.into()),
            }
        });
        match outcome {
            Ok(Ok(value)) => Poll::Ready(Ok(value)),
            Ok(Err((id, known))) => {
                if !known {
                    // Cloned here, and the replaced one dropped here, with the core closed.
                    let fresh = waker.clone();
                    let index = socket.0 as usize;
                    let left = self.enter(|core| core.sockets.wait(index, id, interest, fresh));
                    drop(left);
                }
                self.note(|| wait(id.serial()));
                Poll::Pending
            }
            Err(error) => Poll::Ready(Err(error)),
        }
    }

    /// A call from a task: refused once the world is closed.
    fn call<R>(&self, f: impl FnOnce(&mut Core) -> io::Result<R>) -> io::Result<R> {
        let closed = || Err(io::Error::other(event_loop::Closed));
        self.enter(|core| if core.closed { closed() } else { f(core) })
            .unwrap_or_else(closed)
    }
}

fn key(index: usize) -> SocketKey {
    SocketKey(index as u64)
}

fn socket_id(core: &Core, socket: SocketKey) -> io::Result<SocketId> {
    core.sockets
        .id(socket.0 as usize)
        .ok_or_else(|| NetError::BadSocket.into())
}
