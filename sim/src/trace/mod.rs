//! What happened in a run: hashed always, kept in full when a failing run is run again.

mod json;
mod text;
mod traffic;

use std::collections::BTreeMap;
use std::sync::Arc;

use event_loop::Signal;
use virtual_time::Instant;

use crate::host::ExitStatus;
use crate::world::entry::plain_name;

pub use json::JsonLines;
pub use text::Timeline;
pub(crate) use text::first_difference;
pub(crate) use traffic::Traffic;

/// What kind of thing happened. The numbers go into the hash: they only ever grow.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub(crate) enum Kind {
    Time = 1,
    Spawn = 2,
    Wake = 3,
    Poll = 4,
    Finish = 5,
    Abort = 6,
    RequestCancel = 7,
    TimerSet = 8,
    Choice = 9,
    Host = 10,
    Listen = 11,
    Connect = 12,
    Connected = 13,
    Accept = 14,
    Read = 15,
    Write = 16,
    Shutdown = 17,
    CloseSocket = 18,
    Entropy = 19,
    Failure = 20,
    End = 21,
    Block = 22,
    Slow = 23,
    Call = 24,
    Turn = 25,
    Lookup = 26,
    Fault = 27,
    Lift = 28,
    Link = 29,
    Name = 30,
    Bind = 31,
    Reset = 34,
    ConnectFailed = 35,
    ThreadMade = 36,
    ThreadWoken = 37,
    ThreadRuns = 38,
    ThreadBlocks = 39,
    ThreadEnds = 40,
    JobAsked = 50,
    JobBegan = 51,
    JobEnded = 52,
    Signal = 60,
    Start = 61,
    Exit = 62,
    PowerOff = 63,
    Pause = 64,
    Resume = 65,
}

impl Kind {
    const fn name(self) -> &'static str {
        match self {
            Self::Time => "time",
            Self::Spawn => "spawn",
            Self::Wake => "wake",
            Self::Poll => "poll",
            Self::Finish => "finish",
            Self::Abort => "abort",
            Self::RequestCancel => "request_cancel",
            Self::TimerSet => "timer",
            Self::Choice => "choice",
            Self::Host => "host",
            Self::Listen => "listen",
            Self::Connect => "connect",
            Self::Connected => "connected",
            Self::ConnectFailed => "connect_failed",
            Self::Accept => "accept",
            Self::Read => "read",
            Self::Write => "write",
            Self::Shutdown => "shutdown",
            Self::CloseSocket => "close",
            Self::Entropy => "entropy",
            Self::Failure => "failure",
            Self::End => "end",
            Self::Block => "block",
            Self::Slow => "slow",
            Self::Call => "call",
            Self::Turn => "turn",
            Self::Bind => "bind",
            Self::Lookup => "lookup",
            Self::Fault => "fault",
            Self::Lift => "lift",
            Self::Link => "link",
            Self::Name => "name",
            Self::Reset => "reset",
            Self::ThreadMade => "thread_made",
            Self::ThreadWoken => "thread_woken",
            Self::ThreadRuns => "thread_runs",
            Self::ThreadBlocks => "thread_blocks",
            Self::ThreadEnds => "thread_ends",
            Self::JobAsked => "job_asked",
            Self::JobBegan => "job_began",
            Self::JobEnded => "job_ended",
            Self::Signal => "signal",
            Self::Start => "start",
            Self::Exit => "exit",
            Self::PowerOff => "power_off",
            Self::Pause => "pause",
            Self::Resume => "resume",
        }
    }

    /// Which host the event is about, where it is about one.
    fn host(self, number: u64) -> Option<usize> {
        match self {
            Self::Host
            | Self::Signal
            | Self::Turn
            | Self::Call
            | Self::Start
            | Self::Exit
            | Self::PowerOff
            | Self::Pause
            | Self::Resume => Some(number as u32 as usize),
            Self::JobAsked | Self::JobBegan | Self::JobEnded => Some(job_of(number).0),
            _ => None,
        }
    }

    /// Whether it happens on that host, and is not done to it.
    const fn is_of_loop(self) -> bool {
        matches!(
            self,
            Self::Turn | Self::Call | Self::JobAsked | Self::JobBegan | Self::JobEnded
        )
    }

    /// What is to be said of the host.
    fn of_host(self, number: u64) -> Option<String> {
        let more = (number >> 32) as u32;
        match self {
            Self::Start => Some(format!("life {more}")),
            Self::Exit => Some(ExitStatus::of_number(more).to_string()),
            _ => None,
        }
    }

    /// What the event's number counts, where it has one.
    const fn unit(self) -> Option<&'static str> {
        match self {
            Self::TimerSet => Some("deadline_ns"),
            Self::Block | Self::Slow => Some("span_ns"),
            Self::Choice => Some("value"),
            Self::Listen | Self::Bind => Some("port"),
            Self::Connect
            | Self::Connected
            | Self::ConnectFailed
            | Self::Accept
            | Self::CloseSocket
            | Self::Shutdown
            | Self::Lookup => Some("socket"),
            Self::Read | Self::Write | Self::Entropy => Some("bytes"),
            Self::ThreadMade
            | Self::ThreadWoken
            | Self::ThreadRuns
            | Self::ThreadBlocks
            | Self::ThreadEnds => Some("thread"),
            Self::JobAsked | Self::JobBegan | Self::JobEnded => Some("job"),
            _ => None,
        }
    }
}

/// How events number a host's `job`.
pub(crate) const fn job_number(host: u32, job: u64) -> u64 {
    (host as u64) << 40 | job
}

/// The host and the job that [`job_number`] has made a number of.
const fn job_of(number: u64) -> (usize, u64) {
    ((number >> 40) as usize, number & ((1 << 40) - 1))
}

/// One event of a kept trace.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Event {
    pub(crate) at: Instant,
    pub(crate) kind: Kind,
    /// The serial of the task it is of; 0 where there is none.
    pub(crate) task: u64,
    pub(crate) number: u64,
    /// The label of a choice, the name of a signal.
    pub(crate) label: Option<&'static str>,
}

/// Who is who in a kept trace.
#[derive(Clone, Debug, Default)]
pub(crate) struct Names {
    pub(crate) hosts: Vec<String>,
    /// How entries call the loop of each host: no two alike.
    pub(crate) loops: Vec<String>,
    pub(crate) tasks: BTreeMap<u64, TaskName>,
    /// How traces, reports and entries call each thread.
    pub(crate) threads: BTreeMap<u64, Box<str>>,
    /// What the test did to its network, in the order in which it did.
    pub(crate) rules: Vec<String>,
    /// Whose each socket is, and with whom it talks.
    pub(crate) sockets: BTreeMap<u64, String>,
}

/// A task's name in traces, reports and entries, and its host.
#[derive(Clone, Debug)]
pub(crate) struct TaskName {
    pub(crate) text: Arc<str>,
    pub(crate) site: &'static std::panic::Location<'static>,
    pub(crate) host: u32,
}

impl Names {
    pub(crate) fn add_host(&mut self, name: &str) {
        let text = plain_name(name);
        let alike = self.hosts.iter().filter(|host| plain_name(host) == text);
        self.loops.push(match alike.count() {
            0 => text,
            n => format!("{text}~{}", n + 1),
        });
        self.hosts.push(name.to_owned());
    }

    /// A socket's number, and what is known of it.
    pub(crate) fn socket(&self, serial: u64) -> String {
        match self.sockets.get(&serial) {
            Some(text) => format!("{serial} ({text})"),
            None => serial.to_string(),
        }
    }
}

/// The trace of a run under way.
#[derive(Debug)]
pub(crate) struct Trace {
    hash: u64,
    events: u64,
    /// The hash and the number of events as the run's failure left them.
    sealed: Option<(u64, u64)>,
    log: Option<Box<Log>>,
}

/// A trace kept in full.
#[derive(Debug, Default)]
pub(crate) struct Log {
    pub(crate) events: Vec<Event>,
    pub(crate) names: Names,
    /// How many events are missing at the front.
    pub(crate) forgotten: u64,
}

/// More events than anybody reads; the older half goes when it is full.
const KEPT: usize = 1 << 20;

impl Trace {
    pub(crate) fn new(keep: bool) -> Self {
        // Any odd number will do; this is the fraction of pi, nothing up our sleeves.
        Self {
            hash: 0x243f_6a88_85a3_08d3,
            events: 0,
            sealed: None,
            log: keep.then(Box::default),
        }
    }

    /// One event. `task` is the serial of the task, `number` a size, id or time: never a payload,
    /// never an address.
    #[inline]
    pub(crate) fn event(&mut self, at: Instant, kind: Kind, task: u64, number: u64) {
        self.events += 1;
        self.hash = fold(self.hash ^ task ^ ((kind as u64) << 56)).wrapping_add(number);
        if self.log.is_some() {
            self.keep(Event {
                at,
                kind,
                task,
                number,
                label: None,
            });
        }
    }

    /// A choice of the world.
    #[inline]
    pub(crate) fn choice(&mut self, at: Instant, task: u64, label: &'static str, value: u64) {
        self.events += 1;
        self.hash = fold(self.hash ^ ((Kind::Choice as u64) << 56)).wrapping_add(value);
        if self.log.is_some() {
            self.keep(Event {
                at,
                kind: Kind::Choice,
                task,
                number: value,
                label: Some(label),
            });
        }
    }

    /// A signal reaches a host.
    pub(crate) fn signal(&mut self, at: Instant, task: u64, host: u32, signal: Signal) {
        let number = u64::from(host) << 32 | u64::from(signal.as_raw().unsigned_abs());
        self.events += 1;
        self.hash = fold(self.hash ^ task ^ ((Kind::Signal as u64) << 56)).wrapping_add(number);
        if self.log.is_some() {
            self.keep(Event {
                at,
                kind: Kind::Signal,
                task,
                number: u64::from(host),
                label: Some(signal.name()),
            });
        }
    }

    /// The run has failed: what comes now is no part of its trace. Nothing of this is asked on the
    /// way of an event.
    pub(crate) fn seal(&mut self) {
        self.sealed.get_or_insert((self.hash, self.events));
    }

    pub(crate) fn hash(&self) -> u64 {
        fold(self.sealed.map_or(self.hash, |(hash, _)| hash))
    }

    pub(crate) fn events(&self) -> u64 {
        self.sealed.map_or(self.events, |(_, events)| events)
    }

    pub(crate) fn names(&mut self) -> Option<&mut Names> {
        self.log.as_deref_mut().map(|log| &mut log.names)
    }

    pub(crate) fn log(&self) -> Option<&Log> {
        self.log.as_deref()
    }

    pub(crate) fn take_log(&mut self) -> Option<Box<Log>> {
        self.log.take()
    }

    #[cold]
    fn keep(&mut self, event: Event) {
        let Some(log) = self.log.as_mut().filter(|_| self.sealed.is_none()) else {
            return;
        };
        if log.events.len() == KEPT {
            log.events.drain(..KEPT / 2);
            log.forgotten += (KEPT / 2) as u64;
        }
        log.events.push(event);
    }
}

/// A folded multiplication: every bit of the input moves every bit of the output.
#[inline]
const fn fold(word: u64) -> u64 {
    let product = (word as u128) * 0x9e37_79b9_7f4a_7c15;
    (product as u64) ^ ((product >> 64) as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hash_of(events: &[(Kind, u64, u64)]) -> u64 {
        let mut trace = Trace::new(false);
        for &(kind, task, number) in events {
            trace.event(Instant::BEGIN, kind, task, number);
        }
        trace.hash()
    }

    #[test]
    fn the_order_of_events_moves_the_hash() {
        let (a, b) = ((Kind::Poll, 1, 0), (Kind::Poll, 2, 0));
        assert_ne!(hash_of(&[a, b]), hash_of(&[b, a]));
    }

    #[test]
    fn a_size_moves_the_hash() {
        assert_ne!(
            hash_of(&[(Kind::Read, 1, 5)]),
            hash_of(&[(Kind::Read, 1, 6)])
        );
    }

    #[test]
    fn what_follows_a_seal_is_not_of_the_trace() {
        let mut trace = Trace::new(true);
        trace.event(Instant::BEGIN, Kind::Failure, 1, 0);
        trace.seal();
        let sealed = (trace.hash(), trace.events());
        trace.event(Instant::BEGIN, Kind::Finish, 1, 0);
        trace.choice(Instant::BEGIN, 1, "label", 1);
        trace.seal();
        assert_eq!((trace.hash(), trace.events()), sealed);
        assert_eq!(sealed.0, hash_of(&[(Kind::Failure, 1, 0)]));
        assert_eq!(trace.take_log().unwrap().events.len(), 1);
    }

    #[test]
    fn keeping_the_events_does_not_move_the_hash() {
        let mut kept = Trace::new(true);
        kept.event(Instant::BEGIN, Kind::Poll, 1, 0);
        assert_eq!(kept.hash(), hash_of(&[(Kind::Poll, 1, 0)]));
        assert_eq!(kept.take_log().unwrap().events.len(), 1);
    }
}
