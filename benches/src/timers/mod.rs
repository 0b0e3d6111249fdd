//! Which structure should hold pending timers: the one in `virtual-time` beside those it beat.
//!
//! `cargo run --release -p benches -- timers`

mod heap4;
mod lists;
mod radix;

use std::hint::black_box;
use std::num::NonZeroU64;
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};
use virtual_time::{Instant, TimerKey, Timers};

use self::heap4::Heap4;
use self::lists::Lists;
use self::radix::RadixHeap;

/// As large as a `Waker`, and with a niche as it has.
type Value = (NonZeroU64, u64);

const SIZES: [usize; 3] = [100, 100_000, 10_000_000];
const OPERATIONS: u64 = 2_000_000;
/// The best of so many rounds counts: what disturbs a round only ever makes it slower.
const ROUNDS: usize = 3;

const MICROSECOND: u64 = 1_000;
const MILLISECOND: u64 = 1_000_000;
const HOUR: u64 = 3_600_000_000_000;

/// What a contender must do. Times are nanoseconds; deadlines before the last popped one are
/// not asked of it here.
trait Queue: Default {
    type Key: Copy;

    fn insert(&mut self, deadline: u64, value: Value) -> Self::Key;
    fn cancel(&mut self, key: Self::Key) -> Option<Value>;
    fn next_deadline(&mut self) -> Option<u64>;
    fn pop(&mut self) -> Option<(u64, Value)>;
}

/// Prints nanoseconds per operation of each structure, workload and number of pending timers: a
/// table, or a line of JSON each.
pub fn run(json: bool) {
    check_agreement();
    if !json {
        let [kept, lists, radix, heap4] = STRUCTURES;
        let title = "ns per operation";
        println!(
            "{title:<18}{:>12}{kept:>10}{lists:>10}{radix:>10}{heap4:>10}",
            "timers"
        );
    }
    for (name, work) in WORKLOADS {
        for timers in SIZES {
            let [kept, lists, radix, heap4] = [
                best(|| work.of::<Timers<Value>>(timers)),
                best(|| work.of::<Lists<Value>>(timers)),
                best(|| work.of::<RadixHeap<Value>>(timers)),
                best(|| work.of::<Heap4<Value>>(timers)),
            ];
            if json {
                for (structure, nanos) in STRUCTURES.into_iter().zip([kept, lists, radix, heap4]) {
                    println!(
                        "{{\"bench\":\"timers\",\"workload\":\"{name}\",\"timers\":{timers},\
                         \"structure\":\"{structure}\",\"ns_per_operation\":{nanos:.1}}}"
                    );
                }
            } else {
                println!(
                    "{name:<18}{timers:>12}{kept:>10.1}{lists:>10.1}{radix:>10.1}{heap4:>10.1}"
                );
            }
        }
    }
}

/// `kept` is `virtual_time::Timers`.
const STRUCTURES: [&str; 4] = ["kept", "lists", "radix", "heap4"];

#[derive(Clone, Copy)]
enum Workload {
    /// Look at the next deadline, pop it, insert one 1 ms to 1 s later, at this granularity.
    Hold { granularity: u64 },
    /// Insert a timer 1 h ahead and cancel it, beside the pending ones.
    UnusedTimeout,
    /// Cancel the oldest of many timeouts of about 30 s, insert it anew, look at the next
    /// deadline: connections whose idle timers are pushed back by traffic.
    Refresh,
    /// Insert all, pop all.
    FillAndDrain,
}

const WORKLOADS: [(&str, Workload); 5] = [
    (
        "hold, whole us",
        Workload::Hold {
            granularity: MICROSECOND,
        },
    ),
    (
        "hold, whole ms",
        Workload::Hold {
            granularity: MILLISECOND,
        },
    ),
    ("insert+cancel", Workload::UnusedTimeout),
    ("refresh", Workload::Refresh),
    ("fill+drain", Workload::FillAndDrain),
];

impl Workload {
    /// Nanoseconds per operation.
    fn of<Q: Queue>(self, timers: usize) -> f64 {
        match self {
            Self::Hold { granularity } => hold::<Q>(timers, granularity),
            Self::UnusedTimeout => unused_timeout::<Q>(timers),
            Self::Refresh => refresh::<Q>(timers),
            Self::FillAndDrain => fill_and_drain::<Q>(timers),
        }
    }
}

fn hold<Q: Queue>(timers: usize, granularity: u64) -> f64 {
    let mut draw = Draw(1);
    let mut queue = Q::default();
    for n in 0..timers as u64 {
        queue.insert(draw.deadline(0, granularity), value(n));
    }
    let mut turn = |count| {
        for n in 0..count {
            black_box(queue.next_deadline());
            let (now, _) = queue.pop().expect("every pop is followed by an insert");
            queue.insert(draw.deadline(now, granularity), value(n));
        }
    };
    // Until the pending deadlines have the distribution they will keep.
    turn(timers as u64);
    time_each(OPERATIONS, || turn(OPERATIONS))
}

fn unused_timeout<Q: Queue>(timers: usize) -> f64 {
    let mut draw = Draw(1);
    let mut queue = Q::default();
    for n in 0..timers as u64 {
        queue.insert(draw.deadline(0, MICROSECOND), value(n));
    }
    time_each(OPERATIONS, || {
        for n in 0..OPERATIONS {
            let key = queue.insert(black_box(HOUR + n), value(n));
            black_box(queue.cancel(key));
        }
    })
}

fn refresh<Q: Queue>(timers: usize) -> f64 {
    let mut draw = Draw(1);
    let mut queue = Q::default();
    // Traffic refreshes every connection once in ten seconds, in turn.
    let apart = 10_000 * MILLISECOND / timers as u64;
    let mut now = 0;
    let mut keys: Vec<_> = (0..timers as u64)
        .map(|n| {
            now += apart;
            queue.insert(now + 30 * draw.deadline(0, MICROSECOND), value(n))
        })
        .collect();
    let mut oldest = 0;
    time_each(OPERATIONS, || {
        for n in 0..OPERATIONS {
            now += apart;
            while queue
                .next_deadline()
                .is_some_and(|deadline| deadline <= now)
            {
                queue.pop();
            }
            queue.cancel(keys[oldest]);
            keys[oldest] = queue.insert(now + 30 * draw.deadline(0, MICROSECOND), value(n));
            oldest = (oldest + 1) % timers;
        }
    })
}

fn fill_and_drain<Q: Queue>(timers: usize) -> f64 {
    let mut draw = Draw(1);
    let mut queue = Q::default();
    let repeats = (1_000_000 / timers).max(1);
    time_each((repeats * timers) as u64, || {
        let mut now = 0;
        for _ in 0..repeats {
            for n in 0..timers as u64 {
                queue.insert(draw.deadline(now, MICROSECOND), value(n));
            }
            while let Some((deadline, value)) = queue.pop() {
                now = deadline;
                black_box(value);
            }
        }
    })
}

fn time_each(operations: u64, work: impl FnOnce()) -> f64 {
    let start = cpu_time();
    work();
    (cpu_time() - start).as_secs_f64() * 1e9 / operations as f64
}

fn best(measure: impl Fn() -> f64) -> f64 {
    let budget = Duration::from_secs(4);
    let start = cpu_time();
    let mut best = measure();
    for _ in 1..ROUNDS {
        if cpu_time() - start > budget {
            break;
        }
        best = best.min(measure());
    }
    best
}

/// CPU time, not time on the wall: other programs should not count.
fn cpu_time() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::try_from(time).expect("CPU time is never negative")
}

/// A comparison of structures that do not do the same would be worthless.
fn check_agreement() {
    for granularity in [MICROSECOND, MILLISECOND] {
        let kept = trail::<Timers<Value>>(granularity);
        assert!(
            kept == trail::<Lists<Value>>(granularity),
            "lists differ from what is kept"
        );
        assert!(
            kept == trail::<RadixHeap<Value>>(granularity),
            "radix differs from what is kept"
        );
        assert!(
            kept == trail::<Heap4<Value>>(granularity),
            "heap4 differs from what is kept"
        );
    }
}

/// Everything that comes out of a mixture of all operations, in order.
fn trail<Q: Queue>(granularity: u64) -> Vec<(u64, Value)> {
    let mut draw = Draw(7);
    let mut queue = Q::default();
    let mut trail = Vec::new();
    let mut keys = Vec::new();
    let mut now = 0;
    for n in 0..20_000 {
        keys.push(queue.insert(draw.deadline(now, granularity), value(n)));
        match draw.next() % 4 {
            0 => {
                let at = draw.next() as usize % keys.len();
                let key = keys.swap_remove(at);
                trail.extend(queue.cancel(key).map(|value| (0, value)));
            }
            1 => {
                let next = queue.next_deadline();
                let popped = queue.pop();
                assert!(next == popped.map(|popped| popped.0));
                now = next.unwrap_or(now);
                trail.extend(popped);
            }
            _ => {}
        }
    }
    trail.extend(std::iter::from_fn(|| queue.pop()));
    trail
}

fn value(n: u64) -> Value {
    (NonZeroU64::MIN.saturating_add(n), n)
}

/// SplitMix64.
struct Draw(u64);

impl Draw {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// 1 ms to 1 s after `now`, in whole microseconds, rounded up to the granularity.
    fn deadline(&mut self, now: u64, granularity: u64) -> u64 {
        (now + MILLISECOND + self.next() % 999_001 * MICROSECOND).next_multiple_of(granularity)
    }
}

impl Queue for Timers<Value> {
    type Key = TimerKey;

    fn insert(&mut self, deadline: u64, value: Value) -> TimerKey {
        self.insert(Instant::from_nanos(deadline), value)
    }

    fn cancel(&mut self, key: TimerKey) -> Option<Value> {
        self.cancel(key)
    }

    fn next_deadline(&mut self) -> Option<u64> {
        self.next_deadline().map(Instant::as_nanos)
    }

    fn pop(&mut self) -> Option<(u64, Value)> {
        self.pop_due(Instant::END)
            .map(|(_, deadline, value)| (deadline.as_nanos(), value))
    }
}
