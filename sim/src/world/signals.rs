//! Signals: who listens on which host, and what becomes of a signal where nobody does.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::task::{Poll, Waker};

use event_loop::Signal;
use event_loop::backend::{Listener, SignalHandler, SignalKey};
use event_loop::signal::Disposition;

use super::World;
use super::choices::Domain;
use super::core::{Core, current_serial};
use crate::host::ExitStatus;

/// Who listens to signals.
#[derive(Debug, Default)]
pub(crate) struct Signals {
    listens: BTreeMap<u64, Listens>,
    /// How many there ever were.
    made: u64,
}

/// Somebody who listens to one signal.
#[derive(Debug)]
pub(crate) struct Listens {
    host: u32,
    signal: Signal,
    who: Who,
}

#[derive(Debug)]
enum Who {
    Handler(Arc<SignalHandler>),
    /// How many have come that it was not asked for, and who waits.
    Stream(u64, Option<Waker>),
}

/// Who is to hear of a signal, with the core closed.
#[derive(Debug, Default)]
struct Heard {
    handlers: Vec<Arc<SignalHandler>>,
    wakers: Vec<Waker>,
}

impl Signals {
    fn of(&self, host: u32, signal: Signal) -> impl Iterator<Item = &Listens> {
        let all = self.listens.values();
        all.filter(move |listens| (listens.host, listens.signal) == (host, signal))
    }

    /// Which signal a listener is of.
    pub(crate) fn signal(&self, key: SignalKey) -> Option<Signal> {
        Some(self.listens.get(&key.0)?.signal)
    }
}

impl Core {
    /// Somebody on a host listens to a signal from here on.
    pub(crate) fn listen(&mut self, host: u32, signal: Signal, listener: Listener) -> SignalKey {
        let signals = &mut self.signals;
        signals.made += 1;
        let who = match listener {
            Listener::Handler(handler) => Who::Handler(handler),
            Listener::Stream => Who::Stream(0, None),
        };
        let listens = Listens { host, signal, who };
        signals.listens.insert(signals.made, listens);
        SignalKey(signals.made)
    }

    /// How many on a host listen to a signal.
    pub(crate) fn signal_listeners(&self, host: u32, signal: Signal) -> usize {
        self.signals.of(host, signal).count()
    }

    /// Takes what has come for a stream, or leaves `waker` there in place of another, to be dropped
    /// with the core closed.
    pub(crate) fn poll_signal(
        &mut self,
        key: SignalKey,
        waker: Waker,
    ) -> (Poll<Option<()>>, Option<Waker>) {
        match self.signals.listens.get_mut(&key.0).map(|it| &mut it.who) {
            Some(Who::Stream(0, waiting)) => (Poll::Pending, waiting.replace(waker)),
            Some(Who::Stream(come, _)) => {
                *come -= 1;
                (Poll::Ready(Some(())), Some(waker))
            }
            Some(Who::Handler(_)) | None => (Poll::Ready(None), Some(waker)),
        }
    }

    /// Somebody listens no more: what there is of it is dropped with the core closed. What had come
    /// for it, and for nobody else, takes the default.
    #[must_use]
    pub(crate) fn unlisten(&mut self, key: SignalKey) -> Option<Listens> {
        let gone = self.signals.listens.remove(&key.0)?;
        if let Who::Stream(1.., _) = gone.who
            && self.signal_listeners(gone.host, gone.signal) == 0
        {
            self.take_default(gone.host, gone.signal);
        }
        Some(gone)
    }

    /// The process of a host has ended, and with it all that listened: to be dropped with the core
    /// closed.
    pub(super) fn forget_listeners(&mut self, host: u32) -> Vec<Listens> {
        let listens = &mut self.signals.listens;
        let gone = listens.extract_if(.., |_, listens| listens.host == host);
        gone.map(|(_, listens)| listens).collect()
    }

    /// A signal reaches a host: who is to hear of it.
    fn signal(&mut self, host: u32, signal: Signal) -> Heard {
        if self.has_ended(host) {
            return Heard::default();
        }
        self.trace.signal(self.now, current_serial(), host, signal);
        if signal == Signal::Cont {
            // Whether or not somebody listens.
            self.let_go_on(host);
        }
        let is_paused = self.hosts[host as usize].process.is_paused();
        if is_paused && signal != Signal::Kill {
            let is_ignored = signal.default_disposition() == Disposition::Ignore
                && self.signal_listeners(host, signal) == 0;
            if !is_ignored {
                self.hosts[host as usize].process.keep_pending(signal);
            }
            return Heard::default();
        }
        self.take_signal(host, signal)
    }

    /// A process that runs takes a signal: who is to hear of it.
    fn take_signal(&mut self, host: u32, signal: Signal) -> Heard {
        let mut heard = Heard::default();
        if self.signal_listeners(host, signal) == 0 {
            self.take_default(host, signal);
            return heard;
        }
        self.interrupt_loop(host);
        // Tokio learns of signals through a pipe, where those that have come since it looked are
        // one; it looks when it likes. The loops of Python read it byte by byte.
        let makes_one = self.iterations.is_none();
        let is_queued = |listens: &Listens| match &listens.who {
            Who::Handler(handler) => handler.is_queued(),
            Who::Stream(..) => false,
        };
        let is_late = self.signals.of(host, signal).any(is_queued);
        let joins = makes_one && is_late && self.choose(Domain::Schedule, "signal.twice", 2) == 0;
        for listens in self.signals.listens.values_mut() {
            if (listens.host, listens.signal) != (host, signal) {
                continue;
            }
            match &mut listens.who {
                Who::Handler(handler) if joins && handler.is_queued() => {}
                Who::Handler(handler) => heard.handlers.push(handler.clone()),
                Who::Stream(come, waiting) => {
                    *come = if makes_one { 1 } else { *come + 1 };
                    heard.wakers.extend(waiting.take());
                }
            }
        }
        heard
    }

    /// What a process does about a signal that nobody listens to.
    fn take_default(&mut self, host: u32, signal: Signal) {
        match signal.default_disposition() {
            Disposition::Terminate => self.exit_host(host, ExitStatus::from_signal(signal)),
            Disposition::Stop => self.stop_host(host),
            Disposition::Ignore | Disposition::Continue => {}
        }
    }
}

impl World {
    /// The process of a host gets a signal, at this moment.
    pub(crate) fn deliver_signal(&self, host: u32, signal: Signal) {
        self.hear(|core| Some(core.signal(host, signal)));
        self.deliver_pending(host);
    }

    /// The process of a host gets what has come while it was stopped, unless it still is.
    pub(crate) fn deliver_pending(&self, host: u32) {
        while self.hear(|core| {
            let process = &mut core.hosts[host as usize].process;
            let signal = match process.is_paused() {
                true => None,
                false => process.next_pending(),
            };
            signal.map(|signal| core.take_signal(host, signal))
        }) {}
    }

    /// Whether there was something to hear, which is told with the core closed.
    fn hear(&self, f: impl FnOnce(&mut Core) -> Option<Heard>) -> bool {
        let heard = self.enter(|core| match core.closed {
            true => None,
            false => f(core),
        });
        let Some(heard) = heard.flatten() else {
            return false;
        };
        for handler in heard.handlers {
            handler.call_soon();
        }
        heard.wakers.into_iter().for_each(Waker::wake);
        true
    }
}
