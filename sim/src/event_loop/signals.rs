//! The signals of a simulated loop.

use std::task::{Poll, Waker};

use event_loop::backend::{Listener, SignalKey, Signals};
use event_loop::{Signal, SignalError};

use super::SimLoop;
use crate::world::waits::Wait;

impl Signals for SimLoop {
    fn signal_listen(&self, signal: Signal, listener: Listener) -> Result<SignalKey, SignalError> {
        let mut listener = Some(listener);
        let listens = self.world.enter(|core| {
            let listener = listener.take_if(|_| !core.closed)?;
            Some(core.listen(self.host, signal, listener))
        });
        listens.flatten().ok_or(SignalError::Closed)
    }

    fn signal_poll(&self, key: SignalKey, waker: &Waker) -> Poll<Option<()>> {
        let waker = waker.clone();
        let asked = self.world.enter(|core| match core.closed {
            true => (Poll::Ready(None), None),
            false => core.poll_signal(key, waker),
        });
        let (polled, unused) = asked.unwrap_or((Poll::Ready(None), None));
        drop(unused);
        if polled.is_pending() && self.world.is_recording() {
            let signal = self.world.enter(|core| core.signals.signal(key)).flatten();
            if let Some(signal) = signal {
                self.note(|| Wait::Signal(signal));
            }
        }
        polled
    }

    fn signal_close(&self, key: SignalKey) {
        let gone = self.world.enter(|core| core.unlisten(key));
        drop(gone);
    }

    fn signal_listeners(&self, signal: Signal) -> usize {
        let listeners = self
            .world
            .enter(|core| core.signal_listeners(self.host, signal));
        listeners.unwrap_or(0)
    }

    fn signal_raise(&self, signal: Signal) -> Result<(), SignalError> {
        self.world.deliver_signal(self.host, signal);
        Ok(())
    }
}
