//! What the listeners of every kind share: any number of tasks that accept, and a loop that may
//! close the socket ahead of its owner.

use std::future::poll_fn;
use std::io;
use std::sync::{Arc, PoisonError, RwLock};
use std::task::{Context, Poll, Waker};

use crate::context::Surroundings;
use crate::shutdown::{Accepting, ShuttingDown};
use crate::waiters::{Place, Waiters};
use crate::{EventLoop, context};

/// A listening socket, of whichever kind and loop.
pub(super) trait Accepts: Send + Sync + 'static {
    /// A connection, and where it comes from.
    type Accepted;

    /// The next connection. While there is none, `waker` is woken once there may be one; `cx` is of
    /// the task that asks.
    fn poll_accept(&self, cx: &mut Context<'_>, waker: &Waker) -> Poll<io::Result<Self::Accepted>>;
}

/// A listening socket that its loop knows.
pub(super) struct Listening<S>(Arc<Shared<S>>);

struct Shared<S> {
    /// Empty once the loop has closed it. Only `accept` and the close ever meet here.
    socket: RwLock<Option<S>>,
    acceptors: Arc<Waiters>,
    /// Wakes the acceptors.
    waker: Waker,
    /// The place of `poll_accept`, whose last caller alone is woken.
    last: Place,
}

impl<S: Accepts> Listening<S> {
    /// A socket that has begun to listen on `ev`.
    pub(super) fn new(ev: &EventLoop, socket: S) -> io::Result<Self> {
        let acceptors = Arc::<Waiters>::default();
        let shared = Arc::new(Shared {
            socket: RwLock::new(Some(socket)),
            waker: acceptors.clone().into(),
            last: Place::new(&acceptors),
            acceptors,
        });
        let known: Arc<dyn Accepting> = shared.clone();
        ev.shared.shutdown.add_listener(&known)?;
        Ok(Self(shared))
    }

    /// The next connection.
    pub(super) async fn accept(&self) -> io::Result<S::Accepted> {
        let place = Place::new(&self.0.acceptors);
        poll_fn(|cx| self.0.poll(&place, cx)).await
    }

    /// The same for hand-written futures: of several that poll, only the last is woken.
    pub(super) fn poll_accept(&self, cx: &mut Context<'_>) -> Poll<io::Result<S::Accepted>> {
        self.0.poll(&self.0.last, cx)
    }

    /// Asks the socket for something; an error once the loop has closed it.
    pub(super) fn ask<T>(&self, ask: impl FnOnce(&S) -> io::Result<T>) -> io::Result<T> {
        let socket = self.0.socket.read().unwrap_or_else(PoisonError::into_inner);
        ask(socket.as_ref().ok_or(ShuttingDown)?)
    }

    /// Takes the socket away from its loop, which closes it no more.
    pub(super) fn into_socket(self) -> io::Result<S> {
        Ok(self.0.take().ok_or(ShuttingDown)?)
    }
}

impl<S: Accepts> Shared<S> {
    /// Everybody is woken by a connection and asks again, so that one who is gone by then takes
    /// it from nobody.
    fn poll(&self, place: &Place, cx: &mut Context<'_>) -> Poll<io::Result<S::Accepted>> {
        let polled = self.ask_socket(cx);
        if polled.is_ready() {
            return polled;
        }
        place.wait(cx.waker());
        // Elsewhere than in a world the connection, or the close, may have come in between.
        match context::surroundings() {
            Surroundings::Production => self.ask_socket(cx),
            Surroundings::World | Surroundings::RecordedWorld => polled,
        }
    }

    fn ask_socket(&self, cx: &mut Context<'_>) -> Poll<io::Result<S::Accepted>> {
        let socket = self.socket.read().unwrap_or_else(PoisonError::into_inner);
        match &*socket {
            Some(socket) => socket.poll_accept(cx, &self.waker),
            None => Poll::Ready(Err(ShuttingDown.into())),
        }
    }

    fn take(&self) -> Option<S> {
        let mut socket = self.socket.write().unwrap_or_else(PoisonError::into_inner);
        socket.take()
    }
}

impl<S: Accepts> Accepting for Shared<S> {
    fn stop(&self) -> bool {
        let socket = self.take();
        let was_open = socket.is_some();
        // Closed before anybody hears of it.
        drop(socket);
        self.waker.wake_by_ref();
        was_open
    }
}
