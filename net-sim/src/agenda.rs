//! What the network waits for, and when the next of it is due.

use virtual_time::{Instant, TimerKey, Timers};

use crate::event::Event;

/// Events in (instant, sequence) order.
///
/// A loop asks after every call when the network wants to go on, and mostly nothing has changed
/// since: so the answer is kept.
#[derive(Debug, Default)]
pub(crate) struct Agenda {
    timers: Timers<Event>,
    next: Next,
}

#[derive(Debug)]
enum Next {
    Known(Option<Instant>),
    /// What was next is gone.
    Unknown,
}

impl Default for Next {
    fn default() -> Self {
        Self::Known(None)
    }
}

impl Agenda {
    #[inline]
    pub(crate) fn insert(&mut self, at: Instant, event: Event) -> TimerKey {
        if let Next::Known(next) = &mut self.next
            && next.is_none_or(|next| at < next)
        {
            *next = Some(at);
        }
        self.timers.insert(at, event)
    }

    pub(crate) fn cancel(&mut self, key: TimerKey) {
        if self.timers.cancel(key).is_some() {
            self.next = Next::Unknown;
        }
    }

    #[inline]
    pub(crate) fn next_deadline(&mut self) -> Option<Instant> {
        match self.next {
            Next::Known(next) => next,
            Next::Unknown => {
                let next = self.timers.next_deadline();
                self.next = Next::Known(next);
                next
            }
        }
    }

    /// Takes out the first event if it is due.
    #[inline]
    pub(crate) fn pop_due(&mut self, now: Instant) -> Option<(Instant, Event)> {
        if self.next_deadline()? > now {
            return None;
        }
        self.next = Next::Unknown;
        let (_, at, event) = self.timers.pop_due(now)?;
        Some((at, event))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tcp::ConnId;

    #[test]
    fn the_next_is_known_whatever_came_and_went() {
        let mut agenda = Agenda::default();
        let event = |n| Event::Handshake(ConnId(n));
        let at = Instant::from_nanos;
        assert_eq!(agenda.next_deadline(), None);
        agenda.insert(at(5), event(5));
        let soon = agenda.insert(at(3), event(3));
        agenda.insert(at(9), event(9));
        assert_eq!(agenda.next_deadline(), Some(at(3)));
        agenda.cancel(soon);
        assert_eq!(agenda.next_deadline(), Some(at(5)));
        assert!(agenda.pop_due(at(4)).is_none());
        assert!(matches!(agenda.pop_due(at(9)), Some((due, _)) if due == at(5)));
        agenda.insert(at(7), event(7));
        assert_eq!(agenda.next_deadline(), Some(at(7)));
        assert!(matches!(agenda.pop_due(at(9)), Some((due, _)) if due == at(7)));
        assert!(matches!(agenda.pop_due(at(9)), Some((due, _)) if due == at(9)));
        assert_eq!(agenda.next_deadline(), None);
    }
}
