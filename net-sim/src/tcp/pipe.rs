//! One direction of a connection: its bytes, its windows and what is under way.

mod recovery;

use std::collections::VecDeque;
use std::io::IoSlice;
use std::ops::Range;

use virtual_time::{Instant, TimerKey};

use self::recovery::HELD;
pub(super) use self::recovery::{Finding, Recovery};
use super::queue::Queue;

/// A receiver tells of a wider window once it gained this much, or half its buffer: an Ethernet
/// segment, as RFC 1122 section 4.2.3.3 asks against silly windows.
const MIN_WINDOW_GAIN: u64 = 1_460;

/// What one segment carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cargo {
    Syn,
    SynAck,
    /// The third part of the handshake.
    HandshakeAck,
    Data(usize),
    Fin,
    Rst,
}

impl Cargo {
    /// Bytes of the stream that it carries.
    pub(crate) const fn bytes(self) -> usize {
        match self {
            Self::Data(n) => n,
            _ => 0,
        }
    }
}

/// The end of the stream, on its way behind the bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fin {
    No,
    Queued,
    Sent,
    Arrived,
}

#[derive(Clone, Copy, Debug)]
struct Segment {
    at: Instant,
    cargo: Cargo,
}

#[derive(Clone, Copy, Debug)]
struct Acknowledgement {
    at: Instant,
    acked: u64,
    edge: u64,
}

/// The bytes from one end to the other, in one ring from the oldest unread to the last written.
///
/// Offsets count from the beginning of the stream:
/// `read <= arrived <= sent <= written`, and the ring holds `read..written`.
#[derive(Debug)]
pub(super) struct Pipe {
    ring: VecDeque<u8>,
    read: u64,
    arrived: u64,
    sent: u64,
    written: u64,
    fin: Fin,

    /// What the sender knows of the receiver: bytes that arrived, and where its window ends.
    acked: u64,
    edge: u64,
    /// Where the receiver last said that its window ends.
    promised: u64,
    send_buffer: usize,
    receive_buffer: usize,

    flight: Queue<Segment>,
    acks: Queue<Acknowledgement>,
    /// Nothing sent later arrives earlier: a stream's segments take the same way.
    last_arrival: Instant,
    last_ack: Instant,
    pub(super) arrival: Option<TimerKey>,
    pub(super) ack: Option<TimerKey>,
    /// Segments that arrive are dropped, and sent again when the receiver has room for the
    /// connection; so they stay in flight.
    pub(super) held: bool,
    /// The writer was told to wait.
    pub(super) blocked: bool,
    /// The receiver is gone and took back what its sender takes for sent: that waits for an
    /// answer until a RST comes.
    unanswered: bool,
    /// `None` as long as nothing goes wrong.
    pub(super) recovery: Option<Box<Recovery>>,
}

impl Pipe {
    pub(super) fn new(send_buffer: usize, receive_buffer: usize) -> Self {
        Self {
            ring: VecDeque::new(),
            read: 0,
            arrived: 0,
            sent: 0,
            written: 0,
            fin: Fin::No,
            acked: 0,
            edge: receive_buffer as u64,
            promised: receive_buffer as u64,
            send_buffer,
            receive_buffer,
            flight: Queue::new(),
            acks: Queue::new(),
            last_arrival: Instant::BEGIN,
            last_ack: Instant::BEGIN,
            arrival: None,
            ack: None,
            held: false,
            blocked: false,
            unanswered: false,
            recovery: None,
        }
    }

    // The writer's side.

    /// Takes the first `n` bytes of `parts`.
    pub(super) fn write(&mut self, parts: &[IoSlice<'_>], n: usize) {
        let mut left = n;
        for part in parts {
            let taken = left.min(part.len());
            self.ring.extend(&part[..taken]);
            left -= taken;
        }
        self.written += n as u64;
    }

    /// Bytes that the send buffer takes now.
    pub(super) fn room(&self) -> usize {
        self.send_buffer.saturating_sub(self.unacked())
    }

    /// Linux's rule for `POLLOUT`: a third of the buffer is free.
    pub(super) fn is_writable(&self) -> bool {
        self.room() >= (self.unacked() / 2).max(1)
    }

    /// Shuts the sending side; false if it was.
    pub(super) fn shut(&mut self) -> bool {
        let first = self.fin == Fin::No;
        if first {
            self.fin = Fin::Queued;
        }
        first
    }

    pub(super) fn is_shut(&self) -> bool {
        self.fin != Fin::No
    }

    /// What the window lets go now; it is on its way from then on.
    pub(super) fn next_to_send(&mut self) -> Option<Cargo> {
        let unsent = self.written - self.sent;
        if unsent > 0 {
            let n = unsent.min(self.edge.saturating_sub(self.sent));
            self.sent += n;
            return (n > 0).then_some(Cargo::Data(n as usize));
        }
        // A FIN needs no window.
        (self.fin == Fin::Queued).then(|| {
            self.fin = Fin::Sent;
            Cargo::Fin
        })
    }

    /// Whether an acknowledgement would let the sender do something.
    pub(super) fn wants_ack(&self) -> bool {
        self.blocked || self.sent < self.written
    }

    /// When the next acknowledgement reaches the sender.
    pub(super) fn next_ack(&self) -> Option<Instant> {
        self.acks.first().map(|ack| ack.at)
    }

    /// Lets the sender know what has been acknowledged by `now`.
    pub(super) fn take_acks(&mut self, now: Instant) {
        while let Some(&ack) = self.acks.first()
            && ack.at <= now
        {
            self.acks.pop();
            self.learn(ack.acked, ack.edge);
        }
    }

    // Under way.

    /// When a segment sent now arrives that takes until `at` by itself.
    pub(super) fn in_order(&mut self, at: Instant) -> Instant {
        self.last_arrival = self.last_arrival.max(at);
        self.last_arrival
    }

    /// Whether a segment that has arrived must wait for others.
    pub(super) fn is_busy(&self) -> bool {
        self.held || !self.flight.is_empty()
    }

    pub(super) fn push(&mut self, at: Instant, cargo: Cargo) {
        if let Some(last) = self.flight.last_mut()
            && last.at == at
            && let (Cargo::Data(n), Cargo::Data(more)) = (&mut last.cargo, cargo)
        {
            *n += more;
            return;
        }
        self.flight.push(Segment { at, cargo });
    }

    /// When the next segment arrives.
    pub(super) fn next_arrival(&self) -> Option<Instant> {
        if self.held {
            return None;
        }
        let first = self.flight.first().map(|segment| segment.at);
        first.filter(|at| *at < HELD)
    }

    pub(super) fn pop_arrived(&mut self, now: Instant) -> Option<Cargo> {
        let due = self.next_arrival()? <= now;
        due.then(|| self.flight.pop())?.map(|segment| segment.cargo)
    }

    // The reader's side.

    pub(super) fn readable(&self) -> usize {
        (self.arrived - self.read) as usize
    }

    pub(super) fn end_has_arrived(&self) -> bool {
        self.fin == Fin::Arrived
    }

    pub(super) fn data_arrived(&mut self, n: usize) {
        self.arrived += n as u64;
    }

    /// Takes back what arrives where it is not wanted; what came before it stays.
    pub(super) fn discard(&mut self, n: usize) {
        let readable = self.readable();
        self.ring.drain(readable..readable + n);
        self.sent -= n as u64;
        self.forget_written(n);
        self.unanswered = true;
    }

    /// Takes back the end of the stream, which nobody is there to acknowledge.
    pub(super) fn discard_fin(&mut self) {
        self.fin = Fin::Sent;
        self.unanswered = true;
    }

    pub(super) fn fin_arrived(&mut self) {
        self.fin = Fin::Arrived;
    }

    /// Tells the sender what has arrived, and how far the window goes; it knows at `at`.
    pub(super) fn acknowledge(&mut self, now: Instant, at: Instant) {
        let edge = self.read + self.receive_buffer as u64;
        self.promised = self.promised.max(edge);
        self.last_ack = self.last_ack.max(at);
        if self.last_ack <= now && self.acks.is_empty() {
            self.learn(self.arrived, self.promised);
            return;
        }
        let ack = Acknowledgement {
            at: self.last_ack,
            acked: self.arrived,
            edge: self.promised,
        };
        match self.acks.last_mut() {
            Some(last) if last.at == ack.at => *last = ack,
            _ => self.acks.push(ack),
        }
    }

    /// Copies out the first bytes that `buf` and `limit` have room for.
    pub(super) fn peek(&self, buf: &mut [u8]) -> usize {
        let n = buf.len().min(self.readable());
        let (front, back) = self.ring.as_slices();
        let from_front = n.min(front.len());
        buf[..from_front].copy_from_slice(&front[..from_front]);
        buf[from_front..n].copy_from_slice(&back[..n - from_front]);
        n
    }

    /// Forgets the first `n` bytes. True if the sender should hear of the wider window: it at
    /// least doubled, as Linux has it, and by no silly amount.
    pub(super) fn consume(&mut self, n: usize) -> bool {
        self.ring.drain(..n);
        self.read += n as u64;
        let edge = self.read + self.receive_buffer as u64;
        let gain = edge.saturating_sub(self.promised);
        let known = self.promised - self.arrived;
        gain >= known && gain >= MIN_WINDOW_GAIN.min(self.receive_buffer as u64 / 2).max(1)
    }

    // Both.

    /// Forgets what has not left, as a sender does that cuts the connection.
    pub(super) fn drop_unsent(&mut self) {
        let unsent = (self.written - self.sent) as usize;
        self.ring.truncate(self.ring.len() - unsent);
        self.written = self.sent;
    }

    /// Forgets everything that has not arrived.
    pub(super) fn drop_unarrived(&mut self) -> impl Iterator<Item = TimerKey> + use<> {
        let scheduled = self.scheduled();
        self.unanswered |= self.waits();
        self.ring.truncate(self.readable());
        self.flight = Queue::new();
        self.acks = Queue::new();
        self.sent = self.arrived;
        self.forget_written((self.written - self.arrived) as usize);
        self.blocked = false;
        (self.arrival, self.ack) = (None, None);
        self.recovery = None;
        scheduled
    }

    /// Forgets what has arrived; only once nothing is behind it.
    pub(super) fn drop_unread(&mut self) {
        self.ring = VecDeque::new();
        self.read = self.arrived;
    }

    pub(super) fn buffered(&self) -> usize {
        self.ring.len()
    }

    pub(super) fn scheduled(&self) -> impl Iterator<Item = TimerKey> + use<> {
        let recovery = self.recovery.as_ref().and_then(|recovery| recovery.timer());
        self.arrival.into_iter().chain(self.ack).chain(recovery)
    }

    pub(super) fn set_send_buffer(&mut self, bytes: usize) {
        self.send_buffer = bytes;
    }

    /// Sets the first window, which the handshake tells the sender.
    pub(super) fn agree_receive_buffer(&mut self, bytes: usize) {
        self.receive_buffer = bytes;
        self.edge = bytes as u64;
        self.promised = bytes as u64;
    }

    /// A window that was promised is never taken back (RFC 9293, section 3.8.6).
    pub(super) fn set_receive_buffer(&mut self, bytes: usize) {
        self.receive_buffer = bytes;
    }

    /// When the last segment arrived or arrives.
    pub(super) fn last_arrival(&self) -> Instant {
        self.last_arrival
    }

    /// When the last acknowledgement reached or reaches the sender.
    pub(super) fn last_ack(&self) -> Instant {
        self.last_ack
    }

    // For those who watch.

    /// Offset behind the last byte that the sender let go.
    pub(super) fn sent(&self) -> u64 {
        self.sent
    }

    /// Offset behind the last byte that arrived.
    pub(super) fn arrived(&self) -> u64 {
        self.arrived
    }

    /// How far the receiver's window goes beyond what arrived.
    pub(super) fn window(&self) -> u64 {
        self.promised - self.arrived
    }

    pub(super) fn fin_was_sent(&self) -> bool {
        matches!(self.fin, Fin::Sent | Fin::Arrived)
    }

    /// `n` bytes from this offset, as far as they are still there.
    pub(super) fn copy(&self, offset: u64, n: usize) -> Vec<u8> {
        let range = self.range(offset, n);
        self.ring.range(range).copied().collect()
    }

    /// Puts other bytes in the place of those from this offset on.
    pub(super) fn overwrite(&mut self, offset: u64, bytes: &[u8]) {
        let range = self.range(offset, bytes.len());
        let places = self.ring.range_mut(range);
        places.zip(bytes).for_each(|(place, byte)| *place = *byte);
    }

    fn range(&self, offset: u64, n: usize) -> Range<usize> {
        let start = offset.saturating_sub(self.read) as usize;
        let start = start.min(self.ring.len());
        start..(start + n).min(self.ring.len())
    }

    /// The last `n` bytes written are gone; but until the sender hears of it they fill its buffer.
    fn forget_written(&mut self, n: usize) {
        self.written -= n as u64;
        self.send_buffer = self.send_buffer.saturating_sub(n);
    }

    fn unacked(&self) -> usize {
        (self.written - self.acked) as usize
    }

    fn learn(&mut self, acked: u64, edge: u64) {
        self.acked = self.acked.max(acked);
        self.edge = self.edge.max(edge);
    }
}
