//! What a test's world is like, and how often it is run.

use std::time::Duration;

use event_loop::BlockingQueue;
use net_sim::{Latency, LinkConfig};
use virtual_time::HostClock;

use crate::{OnBlocking, Profile};

/// What a test's world is like, and how often it is run. The defaults are the same on every
/// machine.
///
/// ```
/// use std::time::Duration;
/// use sim::{Config, Profile};
///
/// let config = Config::new().seeds(1_000).profile(Profile::TokioCt).latency(
///     Duration::from_millis(1)..=Duration::from_millis(10),
/// );
/// # let _ = config;
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct Config {
    pub(crate) seeds: u64,
    pub(crate) profile: Profile,
    pub(crate) limits: Limits,
    pub(crate) link: LinkConfig,
    pub(crate) slow_callback: Option<Duration>,
    pub(crate) granularity: Duration,
    pub(crate) blocking_threads: Option<usize>,
    pub(crate) blocking_queue: BlockingQueue,
    pub(crate) on_blocking: OnBlocking,
}

/// Where a run ends, whatever it does.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    pub(crate) time: Duration,
    pub(crate) polls: u64,
    pub(crate) polls_at_once: u64,
    pub(crate) stall_after: Option<Duration>,
    pub(crate) blocking_budget: Option<usize>,
}

impl Config {
    /// 100 seeds, profile `tokio-mt`, a virtual day, ten million polls, a million polls without
    /// time passing, links of 1 ms; who blocks the thread of a loop fails.
    pub fn new() -> Self {
        Self {
            seeds: 100,
            profile: Profile::default(),
            limits: Limits {
                time: Duration::from_hours(24),
                polls: 10_000_000,
                polls_at_once: 1_000_000,
                stall_after: None,
                blocking_budget: None,
            },
            link: LinkConfig::new(Latency::constant(Duration::from_millis(1))),
            slow_callback: None,
            granularity: Duration::ZERO,
            blocking_threads: None,
            blocking_queue: BlockingQueue::default(),
            on_blocking: OnBlocking::default(),
        }
    }

    /// How many runs a campaign has, the plain run included.
    ///
    /// # Panics
    /// If `seeds` is zero.
    pub fn seeds(mut self, seeds: u64) -> Self {
        assert!(
            seeds > 0,
            "seeds = 0: a campaign needs at least 1 run, the plain one"
        );
        self.seeds = seeds;
        self
    }

    /// Which orders and clocks are legal.
    pub const fn profile(mut self, profile: Profile) -> Self {
        self.profile = profile;
        self
    }

    /// How much virtual time a run may take.
    pub const fn time_limit(mut self, limit: Duration) -> Self {
        self.limits.time = limit;
        self
    }

    /// How many polls a run may take.
    pub const fn polls(mut self, limit: u64) -> Self {
        self.limits.polls = limit;
        self
    }

    /// How many polls a run may take without virtual time passing, without a task that begins or
    /// ends, and without a byte that a socket takes or gives. Two tasks that hand a million
    /// messages to each other through memory at one instant cannot be told from two that get
    /// nowhere: such a test needs more.
    pub const fn polls_at_once(mut self, limit: u64) -> Self {
        self.limits.polls_at_once = limit;
        self
    }

    /// After how much virtual time without progress the run has stalled, though timers fire.
    /// Without it, the time limit ends such a run.
    ///
    /// Progress is: the test's body is polled, a task begins or ends, a socket takes or gives a
    /// byte. A timer, or a segment under way, that is as far ahead as `span` puts the verdict off
    /// until it is due, for somebody may be asleep on purpose. So choose a span longer than the
    /// longest period in the test: a task that does its work in memory alone, a little at every
    /// tick, makes no progress that can be seen.
    ///
    /// ```
    /// use std::time::Duration;
    /// use event_loop::time::sleep;
    /// use sim::{Config, VerdictKind};
    ///
    /// let config = Config::new().stall_after(Duration::from_secs(60));
    /// let run = sim::run_once(&config, 0, |_| async {
    ///     let heartbeat = event_loop::spawn(async {
    ///         loop {
    ///             sleep(Duration::from_secs(1)).await;
    ///         }
    ///     });
    ///     heartbeat.await
    /// });
    /// assert_eq!(run.verdict.unwrap().kind, VerdictKind::Stall);
    /// ```
    ///
    /// # Panics
    /// If `span` is zero.
    pub const fn stall_after(mut self, span: Duration) -> Self {
        assert!(
            !span.is_zero(),
            "stall_after: a span of zero is no time to get anywhere"
        );
        self.limits.stall_after = Some(span);
        self
    }

    /// Notes in the trace every callback and every poll that takes this long or longer, and tells
    /// the loop's
    /// [slow-callback handler](event_loop::EventLoop::set_slow_callback_handler). What a run draws
    /// for the cost of a poll counts, and what [`block_for`](event_loop::block_for) takes. Default:
    /// nobody looks.
    pub const fn slow_callback(mut self, threshold: Duration) -> Self {
        self.slow_callback = Some(threshold);
        self
    }

    /// What becomes of a run whose code blocks the thread of a loop; by default it fails.
    pub const fn on_blocking(mut self, policy: OnBlocking) -> Self {
        self.on_blocking = policy;
        self
    }

    /// Has the hosts' clocks move in ticks of `granularity` and show the last one, as those of
    /// Windows do every 15.6 ms. By default they are exact.
    ///
    /// In profile `asyncio` timers then fire up to one tick early, as they do there; in the others
    /// never before their deadline by the clock of their host.
    pub const fn clock_granularity(mut self, granularity: Duration) -> Self {
        self.granularity = granularity;
        self
    }

    /// How many threads the blocking jobs of a host may have at once: what
    /// [`LoopConfig::blocking_threads`](event_loop::LoopConfig::blocking_threads) is in production.
    ///
    /// # Panics
    /// If `threads` is zero.
    pub fn blocking_threads(mut self, threads: usize) -> Self {
        assert!(
            threads > 0,
            "blocking_threads = 0: somebody has to run the jobs"
        );
        self.blocking_threads = Some(threads);
        self
    }

    /// What happens to the blocking jobs of a host that find every thread busy: what
    /// [`LoopConfig::blocking_queue`](event_loop::LoopConfig::blocking_queue) is in production.
    pub const fn blocking_queue(mut self, queue: BlockingQueue) -> Self {
        self.blocking_queue = queue;
        self
    }

    /// How many blocking jobs of a host may stand in line for a thread, before the run ends with
    /// the verdict [`Overload`](crate::VerdictKind::Overload). Without it an unbounded queue grows
    /// for as long as memory lasts, as in production.
    ///
    /// ```
    /// use event_loop::run_blocking;
    /// use sim::{Config, VerdictKind};
    ///
    /// let config = Config::new().blocking_threads(2).blocking_budget(10);
    /// let run = sim::run_once(&config, 0, |_| async {
    ///     for _ in 0..100 {
    ///         run_blocking(|| std::thread::sleep(std::time::Duration::from_millis(1))).detach();
    ///     }
    /// });
    /// assert_eq!(run.verdict.unwrap().kind, VerdictKind::Overload);
    /// ```
    pub const fn blocking_budget(mut self, jobs: usize) -> Self {
        self.limits.blocking_budget = Some(jobs);
        self
    }

    /// The clock of a host, where it is coarse.
    pub(crate) fn machine_clock(&self) -> Option<Box<HostClock>> {
        coarse(self.granularity)
    }

    /// The clock of a loop.
    pub(crate) fn loop_clock(&self) -> HostClock {
        HostClock::ideal().with_granularity(self.loop_granularity())
    }

    /// The clock of a loop, where it is coarse.
    pub(crate) fn coarse_loop_clock(&self) -> Option<Box<HostClock>> {
        coarse(self.loop_granularity())
    }

    fn loop_granularity(&self) -> Duration {
        let own = match self.profile {
            // libuv counts in milliseconds.
            Profile::Uvloop => Duration::from_millis(1),
            _ => Duration::ZERO,
        };
        self.granularity.max(own)
    }

    /// How long a segment is under way between two hosts, unless [`net::link`](crate::net::link)
    /// says more of them.
    ///
    /// # Panics
    /// If the range is empty.
    pub fn latency(mut self, range: std::ops::RangeInclusive<Duration>) -> Self {
        self.link.latency = Latency::uniform(range);
        self
    }

    /// What the link between two hosts is like, unless [`net::link`](crate::net::link) says more
    /// of them.
    ///
    /// ```
    /// use std::time::Duration;
    /// use sim::Config;
    /// use sim::net::{Latency, LinkConfig, Probability};
    ///
    /// let radio = LinkConfig::new(Latency::exponential(Duration::from_millis(5)))
    ///     .with_loss(Probability::ratio(1, 50)?);
    /// let config = Config::new().link(radio);
    /// # let _ = config;
    /// # Ok::<(), sim::net::ConfigError>(())
    /// ```
    pub fn link(mut self, link: LinkConfig) -> Self {
        self.link = link;
        self
    }
}

impl Default for Config {
    fn default() -> Self {
        Self::new()
    }
}

/// In a box, for few worlds have one and every world is moved about as it is made.
fn coarse(granularity: Duration) -> Option<Box<HostClock>> {
    let coarse = granularity > Duration::from_nanos(1);
    coarse.then(|| Box::new(HostClock::ideal().with_granularity(granularity)))
}
