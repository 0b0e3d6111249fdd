//! What a test has planned: its code that is to run at a time, and signals at a place of the code
//! under test.

use std::collections::BTreeMap;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use event_loop::Signal;
use event_loop::backend::{Site, current_task};
use virtual_time::Instant;

use super::World;
use super::choices::Domain;
use super::core::Core;
use super::presence::Entered;
use super::verdict::VerdictKind;

/// In seeded runs as many polls of its instant may come before a deed, but for one.
const PLACES: u64 = 16;

/// What is planned and has not happened.
#[derive(Default)]
pub(crate) struct Plans {
    deeds: BTreeMap<(Instant, u64), Deed>,
    /// How many deeds there ever were.
    made: u64,
    /// How many more polls come before the deed that is due.
    wait: Option<u64>,
    raises: Vec<Raise>,
}

/// Code of the test's.
pub(crate) type Deed = Box<dyn FnOnce() + Send>;

/// A signal for a host, at a place that its code passes.
#[derive(Clone, Debug)]
pub(crate) struct Raise {
    pub(crate) label: &'static str,
    pub(crate) host: u32,
    pub(crate) signal: Signal,
    pub(crate) done: Arc<AtomicBool>,
}

impl fmt::Debug for Plans {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Plans({} deeds, {:?})", self.deeds.len(), self.raises)
    }
}

impl Core {
    /// Takes a deed, to be done at `at`; gives it back if the run is over.
    pub(crate) fn plan(&mut self, at: Instant, deed: Deed) -> Option<Deed> {
        if self.closed || self.ended.is_some() {
            return Some(deed);
        }
        let at = at.max(self.now);
        let plans = self.plans.get_or_insert_default();
        plans.made += 1;
        plans.deeds.insert((at, plans.made), deed);
        self.expect(at);
        None
    }

    /// Takes a signal that waits for its place.
    pub(crate) fn plan_raise(&mut self, raise: Raise) {
        self.plans.get_or_insert_default().raises.push(raise);
    }

    /// When the next deed is due.
    pub(super) fn next_deed(&self) -> Option<Instant> {
        let next = self.plans.as_ref()?.deeds.first_key_value();
        next.map(|((at, _), _)| *at)
    }

    /// Whether a deed is to be done now, between two polls. Which two of those of its instant is
    /// the seed's, in the plain run the first: what a test does at a whole second would else always
    /// come before whatever the code does at it.
    #[inline]
    pub(super) fn has_deed(&mut self) -> bool {
        self.plans.is_some() && self.deed_is_due()
    }

    #[cold]
    fn deed_is_due(&mut self) -> bool {
        if self.next_deed().is_none_or(|at| at > self.now) {
            return false;
        }
        let wait = self.plans.as_ref().and_then(|plans| plans.wait);
        let wait = wait.unwrap_or_else(|| self.choose(Domain::World, "sim.at", PLACES));
        if let Some(plans) = &mut self.plans {
            plans.wait = wait.checked_sub(1);
        }
        wait == 0
    }

    /// Nothing can run: a deed that is due waits for nobody.
    pub(super) fn hurry_deed(&mut self) {
        let now = self.now;
        if let Some(plans) = &mut self.plans
            && plans
                .deeds
                .first_key_value()
                .is_some_and(|(key, _)| key.0 <= now)
        {
            plans.wait = Some(0);
        }
    }

    /// Whether a signal waits for the task that is being polled to pass this place.
    pub(super) fn awaits_place(&self, site: &Site) -> bool {
        let Some(plans) = &self.plans else {
            return false;
        };
        plans.raises.iter().any(|raise| is_passed(raise, site))
    }
}

fn is_passed(raise: &Raise, site: &Site) -> bool {
    let host = current_task().map(|meta| meta.host);
    raise.label == site.property().label() && host.is_none_or(|host| host == raise.host)
}

impl World {
    /// Does the deed that is due, as `main` would outside of any task.
    pub(super) fn do_deed(&self, entered: &mut Entered) {
        let deed = self.core(|core| {
            let plans = core.plans.as_mut()?;
            plans.wait = None;
            plans.deeds.pop_first()
        });
        let Some((_, deed)) = deed else { return };
        entered.host(self, 0);
        if let Err(payload) = catch_unwind(AssertUnwindSafe(deed)) {
            self.panicked(VerdictKind::Panic, &*payload);
        }
    }

    /// The code passes a place that signals wait for: they are delivered here, in its midst.
    pub(crate) fn raise_at(&self, site: &Site) {
        let due = self.enter(|core| {
            let plans = core.plans.as_mut()?;
            let due = plans.raises.extract_if(.., |raise| is_passed(raise, site));
            Some(due.collect::<Vec<_>>())
        });
        for raise in due.flatten().unwrap_or_default() {
            raise.done.store(true, Ordering::Relaxed);
            self.deliver_signal(raise.host, raise.signal);
        }
    }
}
