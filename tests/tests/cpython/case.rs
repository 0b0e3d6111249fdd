//! A loop of ours, and what happened on it.

use std::fmt::Display;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use event_loop::time::Instant;
use event_loop::{CallHandle, ErrorContext, EventLoop, TaskHandle};
use sim::Profile;

/// The steps of one case.
pub(crate) type Steps = fn(&Case);

/// Declares the cases of a module.
macro_rules! cases {
    ($($case:ident),+ $(,)?) => {
        pub(crate) const CASES: &[(&str, $crate::case::Steps)] = &[$((stringify!($case), $case)),+];
    };
}
pub(crate) use cases;

/// A loop, and what happened on it.
#[derive(Clone)]
pub(crate) struct Case {
    pub(crate) profile: Profile,
    pub(crate) ev: EventLoop,
    told: Arc<Mutex<Vec<String>>>,
}

impl Case {
    pub(crate) fn new(profile: Profile, ev: EventLoop) -> Self {
        let told = Arc::default();
        let case = Self { profile, ev, told };
        let handler = case.clone();
        let tell = move |_: &EventLoop, context: &ErrorContext| handler.tell(&context.message);
        case.ev.set_exception_handler(Some(tell));
        case
    }

    pub(crate) fn told(&self) -> Vec<String> {
        self.told.lock().unwrap().clone()
    }

    pub(crate) fn tell(&self, what: impl Display) {
        self.told.lock().unwrap().push(what.to_string());
    }

    /// A loop beside this one.
    pub(crate) fn another(&self) -> EventLoop {
        sim::factory(0, self.profile).unwrap()
    }

    pub(crate) fn soon(&self, name: &'static str) -> CallHandle {
        self.soon_then(name, |_| ())
    }

    /// Schedules a callback that tells `name` and does `then`.
    pub(crate) fn soon_then(
        &self,
        name: &'static str,
        then: impl FnOnce(&Self) + Send + 'static,
    ) -> CallHandle {
        self.ev.call_soon(self.step(name, then)).unwrap()
    }

    pub(crate) fn later(&self, delay: Duration, name: &'static str) -> CallHandle {
        self.later_then(delay, name, |_| ())
    }

    pub(crate) fn later_then(
        &self,
        delay: Duration,
        name: &'static str,
        then: impl FnOnce(&Self) + Send + 'static,
    ) -> CallHandle {
        self.ev.call_later(delay, self.step(name, then)).unwrap()
    }

    pub(crate) fn at(&self, when: Instant, name: &'static str) {
        self.ev.call_at(when, self.step(name, |_| ())).unwrap();
    }

    pub(crate) fn stop_later(&self, delay: Duration) {
        self.later_then(delay, "stop", |it| it.ev.stop());
    }

    /// Exactly one iteration.
    pub(crate) fn once(&self) {
        self.ev.stop();
        self.ev.run_forever().unwrap();
    }

    pub(crate) fn run_forever(&self) {
        self.ev.run_forever().unwrap();
    }

    pub(crate) fn complete(&self, main: impl Future<Output = ()> + Send + 'static) {
        self.ev.run_until_complete(main).unwrap();
    }

    /// A task that tells `name` and yields so many times.
    pub(crate) fn spawn_noting(&self, name: &'static str, yields: u32) -> TaskHandle<()> {
        let it = self.clone();
        self.ev.spawn(async move {
            it.tell(name);
            for n in 0..yields {
                event_loop::yield_now().await;
                it.tell(format_args!("{name}.{n}"));
            }
        })
    }

    /// Tells with which words something is refused.
    pub(crate) fn refused<T, E: Display>(&self, outcome: Result<T, E>) {
        match outcome {
            Ok(_) => self.tell("no error"),
            Err(error) => self.tell(error),
        }
    }

    fn step(
        &self,
        name: &'static str,
        then: impl FnOnce(&Self) + Send + 'static,
    ) -> impl FnOnce() + Send + 'static {
        let it = self.clone();
        move || {
            it.tell(name);
            then(&it);
        }
    }
}
