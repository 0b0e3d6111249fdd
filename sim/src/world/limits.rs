//! How time passes in a world, and where a run ends that goes on for ever.

use std::task::Waker;
use std::time::Duration;

use virtual_time::Instant;

use super::core::Core;
use super::threads::Threads;
use super::verdict::VerdictKind;
use crate::config::Limits;
use crate::trace::Kind;

/// After this many polls at one instant, each further one takes [`TOLL`], so that code which
/// yields until a timer fires gets there.
const PATIENCE: u64 = 10_000;
const TOLL: Duration = Duration::from_micros(1);

impl Limits {
    pub(super) fn patience(&self) -> u64 {
        PATIENCE.min(self.polls_at_once)
    }
}

impl Core {
    #[inline]
    pub(super) fn count_poll(&mut self) {
        if !self.poll_cost.is_zero() {
            self.now += self.poll_cost;
        }
        self.count_turn();
    }

    /// Somebody goes on who is no task and no callback: that has no cost, but limits.
    #[inline]
    pub(super) fn count_turn(&mut self) {
        self.polls += 1;
        if self.polls > self.look_at {
            self.look_at_limits();
        }
    }

    /// A task began or ended, or bytes moved: somebody gets somewhere.
    #[inline]
    pub(crate) fn progress(&mut self) {
        self.polls_before_progress = self.polls;
        self.progress_at = self.now;
    }

    #[cold]
    fn look_at_limits(&mut self) {
        let limits = self.limits;
        let patience = limits.patience();
        let at_once = self.polls - self.polls_before;
        if at_once > patience {
            if self.time_will_tell() {
                self.now += TOLL;
                // Time passes, so no limit comes nearer but that of time; the next poll pays too.
                self.polls_before = self.polls - patience;
                if self.now > Instant::BEGIN + limits.time {
                    self.end_at_time_limit();
                }
            } else {
                let before = self.polls_before.max(self.polls_before_progress);
                let limit = limits.polls_at_once;
                if self.polls - before > limit {
                    let message = format!(
                        "{limit} polls and no time passed, no task began or ended, no byte \
                         moved, and no timer or arrival is to come; `polls_at_once` sets this limit"
                    );
                    self.end(VerdictKind::Livelock, message);
                }
                // There is nobody to be patient with until somebody sets a timer.
                self.look_at = before.saturating_add(limit);
            }
        }
        self.look_at = self.look_at.min(limits.polls);
        if self.polls > limits.polls {
            let limit = limits.polls;
            self.end(
                VerdictKind::PollLimit,
                format!("the run took more than {limit} polls; `polls` sets this limit"),
            );
        }
    }

    /// Time passes, and nobody runs meanwhile.
    pub(super) fn skip(&mut self, span: Duration) {
        self.now += span;
        self.polls_before = self.polls;
        // Who could not run has not failed to get anywhere.
        self.progress_at += span;
        if self.now > Instant::BEGIN + self.limits.time {
            self.end_at_time_limit();
        }
    }

    fn end_at_time_limit(&mut self) {
        let limit = self.limits.time;
        self.end(
            VerdictKind::TimeLimit,
            format!(
                "the run took more than {limit:?} of virtual time; `time_limit` sets this limit"
            ),
        );
    }

    fn end_stalled(&mut self, span: Duration) {
        self.end(
            VerdictKind::Stall,
            format!(
                "timers fire and nobody gets anywhere: for {span:?} the body was not polled, no \
                 task began or ended, and no byte moved; `stall_after` sets this limit"
            ),
        );
    }

    /// Something will be due.
    pub(super) fn expect(&mut self, at: Instant) {
        self.next_due = self.next_due.min(at);
        let patience = self.limits.patience();
        self.look_at = self.look_at.min(self.polls_before + patience);
        if let Some(span) = self.limits.stall_after
            && at >= self.now + span
        {
            self.sleeping_until = self.sleeping_until.max(at);
        }
    }

    /// Whether somebody waits for time to pass.
    fn time_will_tell(&mut self) -> bool {
        if self.next_event().is_some() {
            return true;
        }
        let iterations = self.iterations.as_ref();
        iterations.is_some_and(|iterations| iterations.waits_for_time(self.now))
    }

    fn next_event(&mut self) -> Option<Instant> {
        let timer = match &self.iterations {
            None => self.timers.next_deadline(),
            Some(iterations) => iterations.next_alarm(),
        };
        let threads = self.threads.as_mut();
        let thread = threads.and_then(|threads| threads.next_deadline());
        let net = self.next_arrival();
        let times = [timer, net, thread, self.next_deed(), self.next_kill()];
        times.into_iter().flatten().min()
    }

    fn next_arrival(&mut self) -> Option<Instant> {
        self.net.as_mut()?.next_event()
    }

    /// Arrivals first, then timers, as the loops of production do it.
    #[cold]
    pub(super) fn collect_due(&mut self, wakes: &mut Vec<Waker>) {
        if self.now >= self.next_due {
            if self.next_arrival().is_some_and(|at| at <= self.now) {
                self.with_net(|net, now, decide| net.advance(now, decide));
            }
            self.collect_sockets(wakes);
            while let Some((_, _, waker)) = self.timers.pop_due(self.now) {
                wakes.push(waker);
            }
            self.kill_due();
            self.rouse_due();
            self.wake_due_threads();
            self.next_due = self.next_event().unwrap_or(Instant::END);
        } else {
            self.collect_sockets(wakes);
            self.rouse_due();
        }
    }

    fn collect_sockets(&mut self, wakes: &mut Vec<Waker>) {
        if let Some(net) = &mut self.net {
            let iterations = &mut self.iterations;
            self.sockets.collect(net, |host, waker| match iterations {
                None => wakes.push(waker),
                Some(iterations) => iterations.arrived(host, waker),
            });
        } else {
            self.sockets.settle();
        }
    }

    /// Nothing can run: the clock goes to what is due next. False if the run has ended.
    #[cold]
    pub(super) fn pass_time(&mut self) -> bool {
        if let Some(recording) = &mut self.recording {
            recording.idle();
        }
        self.hurry_deed();
        let Some(next) = self.next_event() else {
            if self
                .threads
                .as_deref()
                .is_some_and(Threads::driver_is_blocked)
            {
                // Who is blocked there has more to say.
                return false;
            }
            let message = self.deadlock();
            self.end(VerdictKind::Deadlock, message);
            return false;
        };
        if let Some(span) = self.limits.stall_after
            && self.now >= (self.progress_at + span).max(self.sleeping_until)
        {
            self.end_stalled(span);
            return false;
        }
        if next > Instant::BEGIN + self.limits.time {
            self.end_at_time_limit();
            return false;
        }
        if next > self.now {
            self.now = next;
            self.trace.event(self.now, Kind::Time, 0, next.as_nanos());
        }
        self.polls_before = self.polls;
        self.look_at = (self.polls + self.limits.patience()).min(self.limits.polls);
        self.next_due = next;
        true
    }

    fn deadlock(&self) -> String {
        let drivers = self.hosts.iter().filter(|host| host.driver.is_some());
        let threads = self.threads.as_ref().map_or(0, |threads| threads.waiting());
        let who = match (self.tasks.len() - drivers.count(), threads) {
            (1, 0) => "the task waits".to_owned(),
            (n, 0) => format!("{n} tasks wait"),
            (tasks, threads) => {
                let s = |n| if n == 1 { "" } else { "s" };
                format!(
                    "{tasks} task{} and {threads} thread{} wait",
                    s(tasks),
                    s(threads)
                )
            }
        };
        format!("nothing can run and nothing is pending: {who} for ever")
    }
}
