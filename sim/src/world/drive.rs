//! Driving: the thread that is the world's takes one step after the other until its root is ready or
//! a verdict falls.

use std::future::Future;
use std::panic::{AssertUnwindSafe, Location, catch_unwind};
use std::pin::Pin;
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};
use std::task::{Context, Poll, Wake, Waker};

use event_loop::backend::{
    Polled, TaskMeta, as_task, drop_task, outside_tokio_s_budget, run_task, with_budget,
};
use interpose::BatonError;

use super::World;
use super::core::{Core, Step};
use super::presence::{Entered, Presence};
use super::ready::Ready;
use super::threads::ThreadId;
use super::verdict::VerdictKind;

/// How driving a world ended.
pub(crate) enum Drive {
    /// The root is ready.
    Done,
    /// A verdict has fallen.
    Verdict,
    /// The root, which was this task, panicked.
    Panicked(Box<dyn std::any::Any + Send>, TaskMeta),
}

impl World {
    /// Polls `root` as the task `name` of `host`, and everything else beside it, until it is
    /// ready or a verdict falls.
    pub(crate) fn drive(
        self: &Arc<Self>,
        presence: &mut Presence,
        host: u32,
        name: &str,
        site: &'static Location<'static>,
        root: Pin<&mut dyn Future<Output = ()>>,
    ) -> Drive {
        let root_meta = self.core(|core| {
            core.seat_driver();
            let meta = core.admit(host, Some(name), site);
            core.root = Some(meta);
            core.wake_root();
            core.begin_run(host);
            meta
        });
        let mut root = Root {
            meta: root_meta,
            waker: Waker::from(self.clone()),
            future: root,
        };
        let entered = &mut presence.entered;
        let mut wakes = Vec::new();
        let end = loop {
            // A destructor or waker that panics unwinds to here; all else is caught closer.
            let turns = || self.turns(Some(&mut root), None, entered, &mut wakes);
            match catch_unwind(AssertUnwindSafe(|| outside_tokio_s_budget(turns))) {
                Ok(Some(end)) => break end,
                // It is in no frame of its own.
                Ok(None) => {}
                Err(payload) => self.panicked(VerdictKind::Unread, &*payload),
            }
        };
        if self.recording && matches!(end, Drive::Verdict) {
            self.diagnose(&mut root, entered);
        }
        let left = self.core(|core| {
            core.end_run();
            let meta = core.root.take()?;
            core.finish(meta.id)
        });
        self.guarded(|| drop(left));
        end
    }

    /// Takes steps until the root is ready, which the world is driven for, or the frame can go on
    /// in which the driver is blocked: then there is no end to be told.
    pub(super) fn turns(
        self: &Arc<Self>,
        mut root: Option<&mut Root<'_>>,
        frame: Option<ThreadId>,
        entered: &mut Entered,
        wakes: &mut Vec<Waker>,
    ) -> Option<Drive> {
        let budget = self.profile.budget();
        let mut polled = Polled::Pending;
        loop {
            if self.inbox.has_any() {
                self.read_inbox();
            }
            let last = std::mem::replace(&mut polled, Polled::Pending);
            let step = self.core.with(|core| {
                let step = core.step(last, wakes, &self.inbox);
                self.set_now(core.now);
                self.polls.store(core.polls(), Ordering::Relaxed);
                step
            });
            match step {
                Step::Poll(runnable) => {
                    self.begin_poll(runnable.meta(), entered);
                    polled = with_budget(budget, || run_task(runnable));
                }
                Step::Root => {
                    // While a frame is blocked nothing of the root's host runs.
                    let Some(root) = &mut root else { continue };
                    self.begin_poll(&root.meta, entered);
                    let mut cx = Context::from_waker(&root.waker);
                    let poll = || {
                        with_budget(budget, || {
                            as_task(root.meta, || root.future.as_mut().poll(&mut cx))
                        })
                    };
                    match catch_unwind(AssertUnwindSafe(poll)) {
                        Ok(Poll::Pending) => {}
                        Ok(Poll::Ready(())) => {
                            self.tell_last_if_slow();
                            let (over, left) = self.core(Core::root_ready);
                            drop(left);
                            if over {
                                self.tell_intrusion();
                                return Some(Drive::Done);
                            }
                        }
                        Err(payload) => return Some(Drive::Panicked(payload, root.meta)),
                    }
                }
                Step::Call(host, call) => {
                    entered.host(self, host);
                    if self.recording {
                        self.note_polled(call.site());
                    }
                    call.run();
                }
                Step::Drop(runnable) => {
                    let meta = *runnable.meta();
                    entered.host(self, meta.host);
                    drop_task(runnable);
                    polled = Polled::Finished(meta.id);
                }
                Step::Thread(thread) if frame == Some(thread) => return None,
                Step::Thread(thread) => polled = self.resume(thread),
                Step::At(home, errand) => polled = self.send_home(home, *errand),
                Step::Left(extras) => drop(extras),
                Step::Bury(death) => self.bury(*death, entered),
                Step::Slow(slow) => {
                    entered.host(self, slow.host);
                    self.tell_slow(&slow);
                }
                Step::Wake => wakes.drain(..).for_each(Waker::wake),
                Step::Watch => {
                    self.watch(entered);
                    wakes.drain(..).for_each(Waker::wake);
                }
                Step::Intervene => self.intervene(entered),
                Step::Deed => self.do_deed(entered),
                Step::Done => {
                    self.tell_intrusion();
                    return Some(Drive::Done);
                }
                Step::End => return Some(Drive::Verdict),
            }
        }
    }

    #[inline]
    pub(super) fn begin_poll(&self, meta: &TaskMeta, entered: &mut Entered) {
        entered.host(self, meta.host);
        if self.recording {
            self.note_polled(meta.site);
        }
    }

    #[cold]
    pub(super) fn note_polled(&self, site: &'static Location<'static>) {
        // The watchdog reads it in real time.
        let _real = interpose::suspend();
        *self.polled.lock().unwrap_or_else(PoisonError::into_inner) = Some(site);
    }

    #[cold]
    fn read_inbox(&self) {
        self.tell_intrusion();
        for ready in self.inbox.take().unwrap_or_default() {
            self.core(|core| core.put(ready));
        }
    }
}

/// The future a world is driven for.
pub(super) struct Root<'a> {
    pub(super) meta: TaskMeta,
    pub(super) waker: Waker,
    pub(super) future: Pin<&'a mut dyn Future<Output = ()>>,
}

/// Wakes the future that the world is driven for.
///
/// Who keeps this waker keeps the world, but as [`World::close`] has left it: without its tasks
/// and loops.
impl Wake for World {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if let Err(why) = self.core.try_with(Core::wake_root) {
            self.inbox.put(Ready::Root, why == BatonError::NotHeld);
        }
    }
}
