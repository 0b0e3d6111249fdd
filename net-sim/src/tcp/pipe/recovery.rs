//! What did not get through: segments that are lost or held, and what the sender makes of it.

use std::time::Duration;

use virtual_time::{Instant, TimerKey};

use super::super::queue::Queue;
use super::{Cargo, Fin, Pipe, Segment};
use crate::link::Passage;

/// When that arrives which its sender must send again first.
const LOST: Instant = Instant::END;
/// When that arrives which a rule holds.
pub(super) const HELD: Instant = Instant::from_nanos(u64::MAX - 1);

/// Linux's `TCP_RTO_MAX`.
const LONGEST_TIMEOUT: Duration = Duration::from_secs(120);

/// A sender's timer, from the first sign of trouble until all is acknowledged. It is there for
/// what the simulator knows to be in trouble: a segment that is merely slow needs none.
#[derive(Debug, Default)]
pub(crate) struct Recovery {
    timer: Option<(TimerKey, Instant)>,
    /// When the sender takes what is not acknowledged for lost.
    deadline: Instant,
    /// How often it did since the last progress.
    tries: u32,
    /// When it first did.
    since: Option<Instant>,
    /// What had been acknowledged then.
    acked: u64,
    /// Something sent later got through, so that the sender learns of the loss at once: not yet,
    /// since then, or it has and sent again.
    hint: Hint,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Hint {
    #[default]
    None,
    Given,
    Used,
}

/// What the timer finds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::tcp) enum Finding {
    /// There is nothing to be done, or nothing that the sender waits for.
    Well,
    /// The sender cannot know yet.
    Early(Instant),
    /// The sender knows what is lost.
    Known,
    /// Nothing was heard for so long since the first timeout.
    Timeout(Duration),
}

impl Recovery {
    pub(in crate::tcp) fn timer(&self) -> Option<TimerKey> {
        self.timer.map(|(key, _)| key)
    }
}

impl Pipe {
    /// A rule closed the way: what is under way is lost or waits. Says how many segments that was.
    pub(in crate::tcp) fn stop(&mut self, now: Instant, to: Passage) -> u64 {
        let (until, at) = match to {
            Passage::Open => return 0,
            Passage::Held => (HELD, HELD),
            Passage::Cut => (LOST, LOST),
        };
        let mut stopped = 0;
        for segment in self.flight.iter_mut() {
            if (now..until).contains(&segment.at) {
                segment.at = at;
                stopped += 1;
            }
        }
        self.last_arrival = self.last_arrival.min(now);
        stopped
    }

    /// Takes segments out that nobody sends again of their own accord: parts of the handshake,
    /// which has a timer of its own, and a RST.
    pub(in crate::tcp) fn take_lost_control(&mut self) -> Vec<Cargo> {
        let gone = |segment: &Segment| {
            let control = matches!(segment.cargo, Cargo::Syn | Cargo::SynAck | Cargo::Rst);
            control && segment.at == LOST
        };
        let (mut kept, mut taken) = (Queue::new(), vec![]);
        while let Some(segment) = self.flight.pop() {
            if gone(&segment) {
                taken.push(segment.cargo);
            } else {
                kept.push(segment);
            }
        }
        self.flight = kept;
        taken
    }

    /// What was held arrives at `now`.
    pub(in crate::tcp) fn release(&mut self, now: Instant) {
        let held = |segment: &&mut Segment| segment.at == HELD;
        for segment in self.flight.iter_mut().filter(held) {
            segment.at = now;
        }
        self.last_arrival = self.last_arrival.max(now);
    }

    pub(in crate::tcp) fn push_lost(&mut self, cargo: Cargo) {
        self.push(LOST, cargo);
    }

    pub(in crate::tcp) fn push_held(&mut self, cargo: Cargo) {
        self.push(HELD, cargo);
    }

    /// Whoever was to get this does not know of the connection any more: its sender goes on
    /// sending it until it is told so.
    pub(in crate::tcp) fn refuse(&mut self, cargo: Cargo) {
        if cargo == Cargo::Fin {
            self.fin = Fin::Sent;
        }
        self.flight.push_front(Segment { at: LOST, cargo });
        self.recovery.get_or_insert_default();
    }

    /// Forgets what its sender will not send again, as a sender does that cuts the connection,
    /// with everything behind it. Returns the timer that is not needed any more.
    pub(in crate::tcp) fn drop_lost(&mut self) -> Option<TimerKey> {
        let recovery = self.recovery.take()?;
        let (mut kept, mut bytes, mut cut) = (Queue::new(), 0, false);
        while let Some(segment) = self.flight.pop() {
            cut |= segment.at == LOST;
            if cut {
                bytes += segment.cargo.bytes();
            } else {
                kept.push(segment);
            }
        }
        self.flight = kept;
        self.ring.truncate(self.ring.len() - bytes);
        self.sent -= bytes as u64;
        self.written -= bytes as u64;
        recovery.timer()
    }

    /// Acknowledgements that have not arrived never do.
    pub(in crate::tcp) fn lose_acks(&mut self, now: Instant) {
        self.take_acks(now);
        self.acks = Queue::new();
        self.last_ack = self.last_ack.min(now);
    }

    /// The receiver acknowledges, and nobody hears it.
    pub(in crate::tcp) fn acknowledge_in_vain(&mut self) {
        let edge = self.read + self.receive_buffer as u64;
        self.promised = self.promised.max(edge);
        self.recovery.get_or_insert_default();
    }

    /// The first segment that is to be sent again.
    pub(in crate::tcp) fn first_lost(&self) -> Option<Cargo> {
        let lost = |segment: &&Segment| segment.at == LOST && segment.cargo != Cargo::HandshakeAck;
        self.flight.iter().find(lost).map(|segment| segment.cargo)
    }

    /// Where in the stream the first segment is that is to be sent again.
    pub(in crate::tcp) fn first_lost_offset(&self) -> u64 {
        let lost = |segment: &Segment| segment.at == LOST && segment.cargo != Cargo::HandshakeAck;
        let before = self.flight.iter().take_while(|segment| !lost(segment));
        self.arrived + before.map(|s| s.cargo.bytes() as u64).sum::<u64>()
    }

    /// The first segment that was lost arrives, or is held, after all. What it carries says
    /// all that the third part of the handshake does.
    pub(in crate::tcp) fn mend_first(&mut self, at: Option<Instant>) {
        let at = at.unwrap_or(HELD);
        for segment in self.flight.iter_mut().filter(|segment| segment.at == LOST) {
            segment.at = at;
            if segment.cargo != Cargo::HandshakeAck {
                break;
            }
        }
    }

    /// Something gets through at `at`, and with it what a lost third part of the handshake
    /// says. True if something before it is lost.
    pub(in crate::tcp) fn got_through(&mut self, at: Instant) -> bool {
        if let Some(first) = self.flight.iter_mut().next()
            && first.cargo == Cargo::HandshakeAck
            && first.at == LOST
        {
            first.at = at;
        }
        self.first_lost().is_some()
    }

    /// Whether the third part of the handshake is lost.
    pub(in crate::tcp) fn handshake_is_lost(&self) -> bool {
        let first = self.flight.first();
        first.is_some_and(|s| s.cargo == Cargo::HandshakeAck && s.at == LOST)
    }

    /// The acceptor gave up to wait for the third part of the handshake.
    pub(in crate::tcp) fn forget_handshake(&mut self) {
        if self.handshake_is_lost() {
            self.flight.pop();
        }
    }

    /// When the timer is to be set, if it is: the sender waits for something, and has waited
    /// without an answer as often as `recovery` says.
    pub(in crate::tcp) fn timeout_to_set(
        &mut self,
        now: Instant,
        first: Duration,
    ) -> Option<Instant> {
        self.take_acks(now);
        let (waits, acked) = (self.waits(), self.acked);
        let recovery = self.recovery.get_or_insert_default();
        if !waits || recovery.timer.is_some() {
            return None;
        }
        if acked > recovery.acked {
            **recovery = Recovery::default();
            recovery.acked = acked;
        }
        recovery.deadline = now + timeout(first, recovery.tries);
        Some(recovery.deadline)
    }

    pub(in crate::tcp) fn set_timer(&mut self, key: TimerKey, at: Instant) {
        let recovery = self.recovery.get_or_insert_default();
        recovery.timer = Some((key, at));
    }

    /// `None` if the timer is set for `at` or earlier, else the one to be cancelled if there is
    /// one.
    pub(in crate::tcp) fn timer_after(&self, at: Instant) -> Option<Option<TimerKey>> {
        let set = self.recovery.as_ref().and_then(|recovery| recovery.timer);
        match set {
            None => Some(None),
            Some((key, set)) => (set > at).then_some(Some(key)),
        }
    }

    /// Lets the sender know of a loss before its timer says so; false if it used that already.
    pub(in crate::tcp) fn hint(&mut self) -> bool {
        let recovery = self.recovery.get_or_insert_default();
        let fresh = recovery.hint == Hint::None;
        if fresh {
            recovery.hint = Hint::Given;
        }
        fresh
    }

    /// The timer fired. `closed` is whether one of the two ways is.
    pub(in crate::tcp) fn look(&mut self, now: Instant, closed: bool) -> Finding {
        self.take_acks(now);
        let (waits, troubled) = (self.waits(), closed || self.is_troubled());
        let acked = self.acked;
        let recovery = self.recovery.get_or_insert_default();
        recovery.timer = None;
        if !troubled {
            self.recovery = None;
            return Finding::Well;
        }
        if !waits {
            **recovery = Recovery::default();
            return Finding::Well;
        }
        if acked > recovery.acked {
            **recovery = Recovery::default();
            recovery.acked = acked;
            return Finding::Known;
        }
        if now < recovery.deadline {
            if recovery.hint != Hint::Given {
                return Finding::Early(recovery.deadline);
            }
            recovery.hint = Hint::Used;
            return Finding::Known;
        }
        Finding::Timeout(now - *recovery.since.get_or_insert(now))
    }

    /// Counts one more timeout, and says when the next one is: no later than `most` after the
    /// first.
    pub(in crate::tcp) fn back_off(
        &mut self,
        now: Instant,
        first: Duration,
        most: Option<Duration>,
    ) -> Instant {
        let recovery = self.recovery.get_or_insert_default();
        recovery.tries += 1;
        recovery.deadline = now + timeout(first, recovery.tries);
        if let (Some(most), Some(since)) = (most, recovery.since) {
            recovery.deadline = recovery.deadline.min(since + most).max(now);
        }
        recovery.deadline
    }

    /// When the sender takes for lost what it has just sent again without a timeout.
    pub(in crate::tcp) fn new_deadline(&mut self, now: Instant, first: Duration) -> Instant {
        let recovery = self.recovery.get_or_insert_default();
        recovery.deadline = now + timeout(first, 0);
        recovery.deadline
    }

    /// Whether the sender has something to send, or sent and not acknowledged.
    pub(in crate::tcp) fn waits(&self) -> bool {
        let bytes = self.acked < self.sent || self.sent < self.written;
        bytes || self.unanswered || matches!(self.fin, Fin::Queued | Fin::Sent)
    }

    /// Whether something is wrong that time alone will not mend.
    fn is_troubled(&self) -> bool {
        let stuck = self.flight.iter().any(|segment| segment.at >= HELD);
        let (acked, edge) = match self.acks.last() {
            Some(last) => (last.acked, last.edge),
            None => (self.acked, self.edge),
        };
        stuck || acked < self.arrived || edge < self.promised
    }
}

/// How long the sender waits after so many timeouts.
fn timeout(first: Duration, tries: u32) -> Duration {
    first
        .saturating_mul(1 << tries.min(16))
        .min(LONGEST_TIMEOUT)
}
