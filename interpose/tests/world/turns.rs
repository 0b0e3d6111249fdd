//! A kernel whose threads take turns in virtual time: who blocks hands on to who is next.

use std::cell::Cell;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use interpose::{
    ClockId, Deadline, Entered, FutexWait, Interrupted, Kernel, Parking, ThreadId, ThreadJoin,
    enter,
};

/// What the clocks say when it begins.
pub const START: Duration = Duration::from_secs(1_000_000);

#[derive(Default)]
pub struct Turns {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    passed: Duration,
    seats: Vec<Seat>,
    ready: VecDeque<usize>,
    log: Vec<String>,
    /// What the next sleep or wait ends by, instead of what it waits for.
    interrupt: bool,
    refuse_threads: bool,
}

struct Seat {
    place: Arc<Parking>,
    waits: Waits,
    until: Option<Duration>,
    timed_out: bool,
}

#[derive(PartialEq, Eq, Debug)]
enum Waits {
    No,
    Sleep,
    Futex { word: usize, bitset: u32 },
    Join(usize),
    Ended,
}

thread_local! {
    static SEAT: Cell<usize> = const { Cell::new(0) };
}

impl Turns {
    /// A world that the calling thread is the first thread of.
    pub fn begin() -> (Arc<Self>, Entered) {
        let turns = Arc::new(Self::default());
        turns.state().seat();
        SEAT.set(0);
        (turns.clone(), enter(turns))
    }

    /// The calls so far, each with its time and thread.
    pub fn log(&self) -> Vec<String> {
        self.state().log.clone()
    }

    pub fn passed(&self) -> Duration {
        self.state().passed
    }

    pub fn interrupt_next(&self) {
        self.state().interrupt = true;
    }

    pub fn refuse_threads(&self) {
        self.state().refuse_threads = true;
    }

    fn state(&self) -> MutexGuard<'_, State> {
        let _outside = interpose::suspend();
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Blocks the calling thread; whether by its deadline.
    fn block(&self, waits: Waits, until: Option<Duration>) -> bool {
        let me = SEAT.get();
        let mut state = self.state();
        let seat = &mut state.seats[me];
        (seat.waits, seat.until, seat.timed_out) = (waits, until, false);
        let place = seat.place.clone();
        if state.hand_on() != Some(me) {
            drop(state);
            place.park();
            state = self.state();
        }
        state.seats[me].timed_out
    }
}

impl State {
    fn seat(&mut self) -> usize {
        self.seats.push(Seat {
            place: Arc::default(),
            waits: Waits::No,
            until: None,
            timed_out: false,
        });
        self.seats.len() - 1
    }

    fn note(&mut self, what: &str) {
        let line = format!("{:?} #{} {what}", self.passed, SEAT.get());
        self.log.push(line);
    }

    fn wake(&mut self, seat: usize, timed_out: bool) {
        self.seats[seat].waits = Waits::No;
        self.seats[seat].until = None;
        self.seats[seat].timed_out = timed_out;
        self.ready.push_back(seat);
    }

    /// Lets the next thread go on, at the next time that something is due if it must be.
    fn hand_on(&mut self) -> Option<usize> {
        if self.ready.is_empty() {
            let all = self.seats.iter().enumerate();
            let due = all.filter_map(|(at, seat)| Some((seat.until?, at))).min();
            if let Some((until, at)) = due {
                self.passed = self.passed.max(until);
                self.wake(at, true);
            }
        }
        let Some(next) = self.ready.pop_front() else {
            let ended = self.seats.iter().all(|seat| seat.waits == Waits::Ended);
            assert!(ended, "deadlock: {:#?}", self.log);
            return None;
        };
        if next != SEAT.get() {
            self.seats[next].place.unpark();
        }
        Some(next)
    }
}

impl Kernel for Turns {
    fn now(&self, _: ClockId) -> Duration {
        START + self.passed()
    }

    fn fill_random(&self, buf: &mut [u8]) {
        buf.fill(4);
    }

    fn cpus(&self) -> Option<u32> {
        Some(11)
    }

    fn sleep(&self, clock: ClockId, until: Deadline) -> Option<Result<(), Interrupted>> {
        let mut state = self.state();
        let until = match until {
            Deadline::After(time) => state.passed + time,
            Deadline::At(time) => time.saturating_sub(START).max(state.passed),
        };
        state.note(&format!("sleeps by {clock:?} until {until:?}"));
        if std::mem::take(&mut state.interrupt) {
            let half = (until - state.passed) / 2;
            state.passed += half;
            return Some(Err(Interrupted { left: half }));
        }
        drop(state);
        self.block(Waits::Sleep, Some(until));
        Some(Ok(()))
    }

    fn futex_wait(
        &self,
        word: usize,
        bitset: u32,
        deadline: Option<(ClockId, Duration)>,
        still: &dyn Fn() -> bool,
    ) -> Option<FutexWait> {
        assert!(still());
        let mut state = self.state();
        state.note(&match deadline {
            Some((clock, at)) => format!("waits until {:?} by {clock:?}", at.saturating_sub(START)),
            None => "waits".into(),
        });
        if std::mem::take(&mut state.interrupt) {
            return Some(FutexWait::Interrupted);
        }
        let until = deadline.map(|(_, until)| until.saturating_sub(START).max(state.passed));
        drop(state);
        Some(match self.block(Waits::Futex { word, bitset }, until) {
            true => FutexWait::TimedOut,
            false => FutexWait::Woken,
        })
    }

    fn futex_wake(&self, word: usize, bitset: u32, count: u32) -> Option<u32> {
        let mut state = self.state();
        let mut woken = 0;
        for at in 0..state.seats.len() {
            let waits = &state.seats[at].waits;
            let here = matches!(waits, Waits::Futex { word: at, bitset: by } if *at == word && by & bitset != 0);
            if here && woken < count {
                state.wake(at, false);
                woken += 1;
            }
        }
        if woken > 0 {
            state.note(&format!("wakes {woken}"));
        }
        Some(woken)
    }

    fn yield_now(&self) -> bool {
        let mut state = self.state();
        state.note("yields");
        state.ready.push_back(SEAT.get());
        drop(state);
        self.block(Waits::No, None);
        true
    }

    fn thread_making(&self, detached: bool) -> Option<Result<ThreadId, i32>> {
        let mut state = self.state();
        if state.refuse_threads {
            return Some(Err(libc::EAGAIN));
        }
        let seat = state.seat();
        state.note(&format!(
            "makes #{seat}{}",
            if detached { " detached" } else { "" }
        ));
        state.ready.push_back(seat);
        Some(Ok(ThreadId(seat as u64)))
    }

    fn thread_not_made(&self, thread: ThreadId) {
        let mut state = self.state();
        let seat = thread.0 as usize;
        state.note(&format!("did not make #{seat}"));
        state.ready.retain(|&ready| ready != seat);
        state.seats[seat].waits = Waits::Ended;
    }

    fn thread_began(&self, thread: ThreadId) {
        let seat = thread.0 as usize;
        SEAT.set(seat);
        let place = self.state().seats[seat].place.clone();
        place.park();
        self.state().note("begins");
    }

    fn thread_ended(&self, thread: ThreadId) {
        assert!(!interpose::in_world());
        let seat = thread.0 as usize;
        assert_eq!(SEAT.get(), seat);
        let mut state = self.state();
        state.note("ends");
        state.seats[seat].waits = Waits::Ended;
        for at in 0..state.seats.len() {
            if state.seats[at].waits == Waits::Join(seat) {
                state.wake(at, false);
            }
        }
        state.hand_on();
    }

    fn thread_join(
        &self,
        thread: ThreadId,
        deadline: Option<(ClockId, Duration)>,
    ) -> Option<ThreadJoin> {
        let seat = thread.0 as usize;
        let mut state = self.state();
        state.note(&format!("joins #{seat}"));
        if state.seats[seat].waits == Waits::Ended {
            return Some(ThreadJoin::Ended);
        }
        let until = deadline.map(|(_, until)| until.saturating_sub(START).max(state.passed));
        drop(state);
        Some(match self.block(Waits::Join(seat), until) {
            true => ThreadJoin::TimedOut,
            false => ThreadJoin::Ended,
        })
    }

    fn thread_detached(&self, thread: ThreadId) {
        self.state().note(&format!("lets #{} go", thread.0));
    }
}
