//! After a run is stuck: each task that waits for something the world knows nothing of is polled
//! once more, with a waker that tells from where it is cloned.
//!
//! The run has ended with its verdict. What this poll does is refused as after the close, and is no
//! part of the trace or the entries.

use std::backtrace::Backtrace;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Waker};

use event_loop::TaskId;
use event_loop::backend::{as_task, probe_task};

use super::World;
use super::core::Core;
use super::drive::Root;
use super::presence::Entered;
use super::waits::Await;
use crate::run::frames;
use crate::run::outcome::{Account, last_events};

/// How many tasks are looked into; a report lists fewer.
const LOOKED_INTO: usize = 32;

/// How many places are kept of one task: it may await several futures at once.
const PLACES: usize = 3;

impl World {
    /// Completes the table of who waits on what.
    #[cold]
    pub(super) fn diagnose(&self, root: &mut Root<'_>, entered: &mut Entered) {
        let unknown = self.core(|core| {
            let recording = core.recording.as_ref()?;
            let mut unknown = recording.table.as_ref()?.unknown();
            unknown.truncate(LOOKED_INTO);
            let wakers = core.tasks.in_creation_order(|_, _| true).into_iter();
            let unknown = wakers.filter(|(id, _)| unknown.contains(id));
            Some(unknown.collect::<Vec<_>>())
        });
        let Some(unknown) = unknown.filter(|unknown| !unknown.is_empty()) else {
            return;
        };
        self.refuse();
        let account = self.core(|core| core.failed_account());
        self.keep_account(account);
        for (id, waker) in unknown {
            let awaits = if id == root.meta.id {
                self.look_into_root(root, entered)
            } else {
                self.look_into_task(id, waker, entered)
            };
            self.core(|core| {
                if let (Some(recording), Some(awaits)) = (&mut core.recording, awaits)
                    && let Some(table) = &mut recording.table
                {
                    table.found(id, awaits);
                }
            });
        }
        self.core(|core| {
            let table = core
                .recording
                .as_ref()
                .and_then(|recording| recording.table.as_ref());
            if let (Some(table), Some(names), Some(verdict)) =
                (table, core.trace.names(), &mut core.ended)
            {
                let call = core.blockings.of_verdict.iter().cloned();
                verdict.blocked = call.chain(table.lines(names)).collect();
            }
        });
        self.keep_account(None);
    }

    /// The account of the run, for the watchdog while a task is looked into.
    fn keep_account(&self, account: Option<Account>) {
        let mut failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
        *failed = account.map(Box::new);
    }

    fn look_into_task(
        &self,
        id: TaskId,
        waker: Option<Waker>,
        entered: &mut Entered,
    ) -> Option<Await> {
        // A task is reached through its waker, which puts it among the late ones.
        self.guarded(|| waker.into_iter().for_each(Waker::wake));
        let runnable = self.core(|core| {
            let late = core.late.as_mut()?;
            let index = late
                .tasks
                .iter()
                .position(|runnable| runnable.meta().id == id)?;
            Some(late.tasks.swap_remove(index))
        })?;
        entered.host(self, runnable.meta().host);
        let clones = Clones::default();
        let probed = probe_task(runnable, clones.waker());
        self.core(|core| {
            if let Some(late) = &mut core.late {
                late.tasks.extend(probed.woken);
            }
        });
        self.judge(probed.over, &clones)
    }

    fn look_into_root(&self, root: &mut Root<'_>, entered: &mut Entered) -> Option<Await> {
        entered.host(self, root.meta.host);
        let clones = Clones::default();
        let waker = clones.waker();
        let mut cx = Context::from_waker(&waker);
        let poll = AssertUnwindSafe(|| as_task(root.meta, || root.future.as_mut().poll(&mut cx)));
        match catch_unwind(poll) {
            Ok(polled) => self.judge(polled.is_ready(), &clones),
            Err(payload) => {
                self.guarded(|| drop(payload));
                None
            }
        }
    }

    fn judge(&self, over: bool, clones: &Clones) -> Option<Await> {
        if over {
            return Some(Await::Over);
        }
        let backtraces = clones.take();
        if backtraces.is_empty() {
            return Some(Await::Nowhere);
        }
        // Its own files are read to say where that is.
        let _outside = interpose::suspend();
        self.core(|core| {
            let places = frames::awaits(&backtraces, core.trace.names()?);
            (!places.is_empty()).then_some(Await::Places(places))
        })
    }
}

impl Core {
    /// What is said of the run as its verdict has left it.
    fn failed_account(&mut self) -> Option<Account> {
        let verdict = self.ended.as_deref()?.clone();
        Some(Account {
            hash: self.trace.hash(),
            events: self.trace.events(),
            elapsed_nanos: self.now.as_nanos(),
            hosts: self.hosts.len(),
            strategy: self.strategy().to_owned(),
            entries: self
                .choices
                .deviations()
                .iter()
                .map(|entry| entry.to_string())
                .collect(),
            last: self.trace.log().map(last_events).unwrap_or_default(),
            ..Account::failed(verdict, self.polls())
        })
    }
}

/// From where a waker was cloned.
#[derive(Clone, Default)]
struct Clones(Arc<Mutex<Vec<Backtrace>>>);

impl Clones {
    fn waker(&self) -> Waker {
        let clones = self.clone();
        interpose::clone_hook(move || {
            let mut known = clones.0.lock().unwrap_or_else(PoisonError::into_inner);
            if known.len() < PLACES {
                let _outside = interpose::suspend();
                known.push(Backtrace::force_capture());
            }
        })
    }

    fn take(&self) -> Vec<Backtrace> {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
