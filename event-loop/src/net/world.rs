//! A world's sockets, as listeners and streams hold them.

use std::future::poll_fn;
use std::io::{self, IoSlice, IoSliceMut};
use std::net::{Shutdown, SocketAddr};
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, Waker, ready};

use bytes::BufMut;
use tokio::io::ReadBuf;

use super::readiness::{Remembered, exhausts};
use super::watchers::Watchers;
use crate::backend::{Backend, Slot, SocketKey};
use crate::coop;
use crate::io::{Interest, Ready};
use crate::waiters::{Place, Waiters};

/// What a read into several buffers, or into one of unknown size, takes at once at most.
const MOST_AT_ONCE: usize = 64 * 1024;

/// A socket of a world; given back when dropped.
pub(super) struct WorldSocket {
    pub(super) backend: Arc<dyn Backend>,
    pub(super) key: SocketKey,
    pub(super) remembered: Remembered,
    /// Those who wait for readiness beside the one who reads and the one who writes.
    watchers: OnceLock<(Arc<Watchers>, Waker)>,
}

impl WorldSocket {
    pub(super) fn new(backend: Arc<dyn Backend>, key: SocketKey, remembered: Remembered) -> Self {
        Self {
            backend,
            key,
            remembered,
            watchers: OnceLock::new(),
        }
    }

    pub(super) fn poll_read(
        &self,
        cx: &mut Context<'_>,
        into: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        coop::poll_leaf(cx, |cx| {
            let polled = self.backend.poll_read(self.key, into, cx.waker());
            match polled {
                Poll::Ready(Ok(n)) => self.remembered.set_readable(!exhausts(n, into.len())),
                Poll::Ready(Err(_)) => {}
                Poll::Pending => self.remembered.set_readable(false),
            }
            polled
        })
    }

    pub(super) fn poll_write(&self, cx: &mut Context<'_>, from: &[u8]) -> Poll<io::Result<usize>> {
        coop::poll_leaf(cx, |cx| {
            let polled = self.backend.poll_write(self.key, from, cx.waker());
            match polled {
                Poll::Ready(Ok(n)) => self.remembered.set_writable(!exhausts(n, from.len())),
                Poll::Ready(Err(_)) => {}
                Poll::Pending => self.remembered.set_writable(false),
            }
            polled
        })
    }

    pub(super) fn poll_write_vectored(
        &self,
        cx: &mut Context<'_>,
        from: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        coop::poll_leaf(cx, |cx| {
            let written = self.backend.poll_write_vectored(self.key, from, cx.waker());
            // A short write tells tokio nothing where it has several buffers.
            self.remembered.set_writable(written.is_ready());
            written
        })
    }

    pub(super) fn try_read(&self, into: &mut [u8]) -> io::Result<usize> {
        numberless(self.reading(self.backend.try_read(self.key, into)))
    }

    pub(super) fn try_read_vectored(&self, into: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
        let room = into.iter().map(|buffer| buffer.len()).sum::<usize>();
        let mut bytes = vec![0; room.min(MOST_AT_ONCE)];
        let n = self.try_read(&mut bytes)?;
        let mut rest = &bytes[..n];
        for buffer in into {
            let (first, others) = rest.split_at(rest.len().min(buffer.len()));
            buffer[..first.len()].copy_from_slice(first);
            rest = others;
        }
        Ok(n)
    }

    pub(super) fn try_read_buf<B: BufMut>(&self, into: &mut B) -> io::Result<usize> {
        let room = into.chunk_mut().len();
        let mut bytes = vec![0; room.min(MOST_AT_ONCE)];
        let n = self.try_read(&mut bytes)?;
        into.put_slice(&bytes[..n]);
        Ok(n)
    }

    pub(super) fn try_write(&self, from: &[u8]) -> io::Result<usize> {
        self.try_write_vectored(&[IoSlice::new(from)])
    }

    pub(super) fn try_write_vectored(&self, from: &[IoSlice<'_>]) -> io::Result<usize> {
        let interest = Interest::WRITABLE;
        if self.remembered.among(interest).is_empty()
            && self.backend.readiness(self.key, interest, None)?.is_empty()
        {
            // There may be some room; tokio hears of it when it is worth a write.
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let written = self.backend.try_write(self.key, from);
        self.remembered.set_writable(!would_block(&written));
        numberless(written)
    }

    pub(super) async fn peek(&self, into: &mut [u8]) -> io::Result<usize> {
        let mut place = None;
        poll_fn(|cx| {
            coop::poll_leaf(cx, |cx| {
                loop {
                    let peeked = self.reading(self.backend.try_peek(self.key, into));
                    if !would_block(&peeked) {
                        return Poll::Ready(peeked);
                    }
                    ready!(self.poll_watch(Interest::READABLE, &mut place, cx))?;
                }
            })
        })
        .await
    }

    pub(super) fn poll_peek(
        &self,
        cx: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<usize>> {
        coop::poll_leaf(cx, |cx| {
            loop {
                let peeked = self.backend.try_peek(self.key, into.initialize_unfilled());
                let peeked = self.reading(peeked);
                if !would_block(&peeked) {
                    into.advance(*peeked.as_ref().unwrap_or(&0));
                    return Poll::Ready(peeked);
                }
                ready!(self.poll_ready(Interest::READABLE, Slot::Read, cx.waker()))?;
            }
        })
    }

    pub(super) async fn ready(&self, interest: Interest) -> io::Result<Ready> {
        let mut place = None;
        let mut known = None;
        poll_fn(|cx| {
            let ready = self.poll_watch(interest, &mut place, cx);
            if ready.is_pending() {
                let heard = self.watching().0.listen(interest);
                if *known.get_or_insert(heard) != heard {
                    // It was ready, and somebody was faster: tokio tells that of nothing.
                    return Poll::Ready(Ok(Ready::EMPTY));
                }
            }
            ready
        })
        .await
    }

    pub(super) async fn readable(&self) -> io::Result<()> {
        self.ready(Interest::READABLE).await.map(drop)
    }

    pub(super) async fn writable(&self) -> io::Result<()> {
        self.ready(Interest::WRITABLE).await.map(drop)
    }

    pub(super) fn poll_read_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        coop::poll_leaf(cx, |cx| {
            let ready = self.poll_ready(Interest::READABLE, Slot::Read, cx.waker());
            ready.map_ok(drop)
        })
    }

    pub(super) fn poll_write_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        coop::poll_leaf(cx, |cx| {
            let ready = self.poll_ready(Interest::WRITABLE, Slot::Write, cx.waker());
            ready.map_ok(drop)
        })
    }

    /// As tokio does it: a connection that is over is as good as shut down.
    pub(super) fn shut_down(&self) -> io::Result<()> {
        match self.backend.shutdown(self.key, Shutdown::Write) {
            Err(error) if error.kind() == io::ErrorKind::NotConnected => Ok(()),
            ended => ended,
        }
    }

    pub(super) fn local_addr(&self) -> io::Result<SocketAddr> {
        self.backend.local_addr(self.key)
    }

    pub(super) fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.backend.peer_addr(self.key)
    }

    pub(super) fn take_error(&self) -> io::Result<Option<io::Error>> {
        self.backend.take_error(self.key)
    }

    /// Remembers what a read has shown that tokio learns nothing else from.
    fn reading(&self, read: io::Result<usize>) -> io::Result<usize> {
        self.remembered.set_readable(!would_block(&read));
        read
    }

    /// Any number of tasks may wait in this way, each in a place of its own.
    fn poll_watch(
        &self,
        interest: Interest,
        place: &mut Option<Place>,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<Ready>> {
        let ready = self.poll_ready(interest, Slot::Watch, self.watch_waker());
        if ready.is_pending() {
            place
                .get_or_insert_with(|| Place::new(self.watchers()))
                .wait(cx.waker());
        }
        ready
    }

    fn watchers(&self) -> &Arc<Waiters> {
        self.watching().0.waiters()
    }

    /// Wakes all who have a place among the watchers.
    pub(super) fn watch_waker(&self) -> &Waker {
        &self.watching().1
    }

    /// One of many waits for the next change in a place of its own.
    pub(super) fn pend_in<T>(
        &self,
        place: &mut Option<Place>,
        polled: Poll<T>,
        cx: &Context<'_>,
    ) -> Poll<T> {
        if polled.is_pending() {
            let place = place.get_or_insert_with(|| Place::new(self.watchers()));
            place.wait(cx.waker());
        }
        polled
    }

    fn watching(&self) -> &(Arc<Watchers>, Waker) {
        self.watchers.get_or_init(|| {
            let watchers = Arc::new(Watchers::new(self.backend.clone(), self.key));
            let waker = Waker::from(watchers.clone());
            (watchers, waker)
        })
    }

    fn poll_ready(&self, interest: Interest, slot: Slot, waker: &Waker) -> Poll<io::Result<Ready>> {
        let remembered = self.remembered.among(interest);
        // Who need not wait takes no other's place.
        let wait = remembered.is_empty().then_some((slot, waker));
        let ready = self.backend.readiness(self.key, interest, wait)? | remembered;
        if ready.is_empty() {
            return Poll::Pending;
        }
        self.remembered.add(ready);
        Poll::Ready(Ok(ready))
    }
}

/// A panic between two calls leaves nothing half done here, as tokio says of its sockets.
impl UnwindSafe for WorldSocket {}
impl RefUnwindSafe for WorldSocket {}

impl Drop for WorldSocket {
    fn drop(&mut self) {
        self.backend.close_socket(self.key);
    }
}

/// That it would block tokio says without the operating system's number.
fn numberless<T>(outcome: io::Result<T>) -> io::Result<T> {
    if would_block(&outcome) {
        return Err(io::ErrorKind::WouldBlock.into());
    }
    outcome
}

pub(super) fn would_block<T>(outcome: &io::Result<T>) -> bool {
    matches!(outcome, Err(error) if error.kind() == io::ErrorKind::WouldBlock)
}

/// For calls that say `WouldBlock` where they wait.
pub(super) fn pending<T>(outcome: io::Result<T>) -> Poll<io::Result<T>> {
    match would_block(&outcome) {
        true => Poll::Pending,
        false => Poll::Ready(outcome),
    }
}
