//! The signals of a simulated loop.

use std::task::{Poll, Waker};

use event_loop::backend::{Backend, Listener, SignalKey, Signals};
use event_loop::{Signal, SignalError};

use super::SimLoop;
use crate::world::waits::Wait;

impl Signals for SimLoop {
    fn signal_listen(&self, signal: Signal, listener: Listener) -> Result<SignalKey, SignalError> {
        let listens = self.open(|core| {
            let host = &core.hosts[self.host as usize];
            if !host.has_signals {
                return Err(SignalError::Unsupported {
                    host: host.name.to_string(),
                });
            }
            Ok(core.listen(self.host, signal, listener))
        });
        listens.unwrap_or(Err(SignalError::Closed))
    }

    fn signal_poll(&self, key: SignalKey, waker: &Waker) -> Poll<Option<()>> {
        let waker = waker.clone();
        let asked = self.open(|core| core.poll_signal(key, waker));
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
        self.open(|core| core.signal_listeners(self.host, signal))
            .unwrap_or(0)
    }

    fn signal_raise(&self, signal: Signal) -> Result<(), SignalError> {
        if self.is_closed() {
            return Err(SignalError::Closed);
        }
        self.world.deliver_signal(self.host, signal);
        Ok(())
    }
}
