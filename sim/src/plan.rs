//! What a test plans for its world: code at a time, and signals at a place of the code under test.

use std::fmt;
use std::ops::{Bound, RangeBounds};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use event_loop::Signal;
use event_loop::properties;
use event_loop::time::Instant;

use crate::world::choices::Domain;
use crate::world::plans::Raise as Planned;
use crate::{Host, Sim};

/// In which steps instants are drawn, in nanoseconds; the first where there is one of it. Programs
/// act at whole milliseconds and seconds, which hardly one of all nanoseconds hits.
const GRAINS: [u64; 6] = [1_000_000_000, 100_000_000, 10_000_000, 1_000_000, 1_000, 1];

impl Sim {
    /// Runs `deed` at that time, between two polls and in no task: an [`Instant`] of
    /// [`now`](Self::now)'s clock, or a [`Duration`] from now. It is the world's doing, so it may
    /// do to any host what a test may. A time in the past is now.
    ///
    /// What else happens at the same instant comes before it or after it, as the seed says; in the
    /// plain run after it. At the end of the run it is dropped.
    ///
    /// ```
    /// use std::time::Duration;
    /// use event_loop::Signal;
    /// use sim::Config;
    ///
    /// sim::check(&Config::new().seeds(10), |sim| async move {
    ///     let mut terms = sim.event_loop().signal(Signal::Term).unwrap();
    ///     sim.at(Duration::from_secs(3), || event_loop::signal::raise(Signal::Term).unwrap());
    ///     terms.recv().await;
    ///     // A run may have polls take some time.
    ///     assert_eq!(sim.now().as_nanos() / 1_000_000, 3_000);
    /// });
    /// ```
    ///
    /// # Panics
    /// On a thread outside the world.
    #[track_caller]
    pub fn at(&self, when: impl When, deed: impl FnOnce() + Send + 'static) {
        let at = virtual_time::Instant::from_nanos(when.instant(self.now()).as_nanos());
        let unused = self.world.ask(|core| core.plan(at, Box::new(deed)));
        drop(unused);
    }

    /// An instant that the seed decides, between `range` from now; the earliest in the plain run.
    ///
    /// Half of the time it is a round one, for that is when programs act: their timers are due at
    /// whole milliseconds and seconds.
    ///
    /// ```
    /// use std::time::Duration;
    /// use sim::Config;
    ///
    /// sim::check(&Config::new().seeds(10), |sim| async move {
    ///     let (low, high) = (Duration::from_secs(1), Duration::from_secs(30));
    ///     let term = sim.any_instant("term", low..high);
    ///     assert!((1_000_000_000..30_000_000_000).contains(&term.as_nanos()));
    /// });
    /// ```
    ///
    /// # Panics
    /// If the range is empty or has no end, or on a thread outside the world.
    #[must_use]
    #[track_caller]
    pub fn any_instant(&self, label: &'static str, range: impl RangeBounds<Duration>) -> Instant {
        let now = self.now();
        let nanos = |span: &Duration| (now + *span).as_nanos();
        let low = match range.start_bound() {
            Bound::Included(low) => nanos(low),
            Bound::Excluded(low) => nanos(low).saturating_add(1),
            Bound::Unbounded => now.as_nanos(),
        };
        let past = match range.end_bound() {
            Bound::Included(high) => nanos(high).saturating_add(1),
            Bound::Excluded(high) => nanos(high),
            Bound::Unbounded => panic!("any_instant(\"{label}\"): the range has no end"),
        };
        assert!(low < past, "any_instant(\"{label}\"): the range is empty");
        let drawn = self.world.ask(|core| {
            let steps = |grain: &u64| (past - 1) / grain - low / grain;
            let grains: Vec<_> = GRAINS.iter().filter(|grain| steps(grain) > 0).collect();
            let Some(last) = grains.len().checked_sub(1) else {
                return low;
            };
            let grain = match last {
                0 => 0,
                _ => core.choose(Domain::Scenario, "any_instant.grain", grains.len() as u64),
            };
            let grain = grains[grain as usize];
            match core.choose(Domain::Scenario, label, steps(grain) + 1) {
                0 => low,
                n => (low / grain + n) * grain,
            }
        });
        Instant::from_nanos(drawn)
    }

    /// Sends a host a signal in the middle of what it does: at the moment at which its code next
    /// passes the place of this label, be it one of [`reachable!`](event_loop::reachable),
    /// [`sometimes!`](event_loop::sometimes), [`always!`](event_loop::always) or
    /// [`buggify!`](event_loop::buggify). So a signal within a critical section can be asked for by
    /// name. It is delivered once.
    ///
    /// ```
    /// use event_loop::Signal;
    /// use sim::Config;
    ///
    /// sim::check(&Config::new().seeds(10), |sim| async move {
    ///     let mut terms = sim.event_loop().signal(Signal::Term).unwrap();
    ///     let raise = sim.raise_during("between debit and credit", sim.host("main"), Signal::Term);
    ///     assert!(!raise.is_delivered());
    ///     event_loop::reachable!("between debit and credit");
    ///     assert!(raise.is_delivered());
    ///     terms.recv().await;
    /// });
    /// ```
    ///
    /// # Panics
    /// With the text of what [`try_raise_during`](Self::try_raise_during) returns; on a thread
    /// outside the world.
    #[track_caller]
    pub fn raise_during(&self, label: &str, host: Host, signal: Signal) -> Raise {
        match self.try_raise_during(label, host, signal) {
            Ok(raise) => raise,
            Err(unknown) => panic!("{unknown}"),
        }
    }

    /// [`raise_during`](Self::raise_during), with what is wrong as an error.
    ///
    /// # Errors
    /// No place of this label is linked into the program.
    ///
    /// # Panics
    /// On a thread outside the world.
    #[track_caller]
    pub fn try_raise_during(
        &self,
        label: &str,
        host: Host,
        signal: Signal,
    ) -> Result<Raise, UnknownLabel> {
        let labels = || properties::linked().iter().map(|property| property.label());
        let Some(label) = labels().find(|known| *known == label) else {
            let distance = |known: &&str| strsim::damerau_levenshtein(known, label);
            return Err(UnknownLabel {
                given: label.to_owned(),
                nearest: labels().min_by_key(distance),
            });
        };
        let done = Arc::new(AtomicBool::new(false));
        let raise = Planned {
            label,
            host: host.index,
            signal,
            done: done.clone(),
        };
        self.world.ask(|core| core.plan_raise(raise));
        Ok(Raise { label, done })
    }
}

/// When something is to be done: at an [`Instant`], or a [`Duration`] from now.
pub trait When: sealed::Sealed {
    /// The instant, given what time it is.
    #[doc(hidden)]
    fn instant(self, now: Instant) -> Instant;
}

impl When for Instant {
    fn instant(self, _: Instant) -> Instant {
        self
    }
}

impl When for Duration {
    fn instant(self, now: Instant) -> Instant {
        now + self
    }
}

mod sealed {
    pub trait Sealed {}
    impl Sealed for event_loop::time::Instant {}
    impl Sealed for std::time::Duration {}
}

/// A signal that waits for its place, made by [`Sim::raise_during`]. Dropping it changes nothing.
#[derive(Clone)]
pub struct Raise {
    label: &'static str,
    done: Arc<AtomicBool>,
}

impl Raise {
    /// Whether the code has passed the place.
    #[must_use]
    pub fn is_delivered(&self) -> bool {
        self.done.load(Ordering::Relaxed)
    }
}

impl fmt::Debug for Raise {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match self.is_delivered() {
            true => "delivered",
            false => "waiting",
        };
        write!(f, "Raise(\"{}\", {state})", self.label)
    }
}

/// No place of this label is linked into the program.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct UnknownLabel {
    given: String,
    nearest: Option<&'static str>,
}

impl fmt::Display for UnknownLabel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "no place is labelled \"{}\"", self.given)?;
        match self.nearest {
            Some(nearest) => write!(f, ": did you mean \"{nearest}\"?"),
            None => f.write_str(
                ": mark it in the code with reachable!, sometimes!, always! or buggify!",
            ),
        }
    }
}

impl std::error::Error for UnknownLabel {}
