//! `Timers` beside the plainest queue that could be right: a map ordered by (deadline, sequence).

use std::collections::BTreeMap;

use proptest::prelude::*;
use virtual_time::{Instant, TimerKey, Timers};

#[derive(Clone, Debug)]
enum Step {
    Insert { deadline: u64 },
    InsertAfterNow { nanos: u64 },
    InsertBatch { after: u64, spread: u64, count: u64 },
    Cancel { which: prop::sample::Index },
    CancelFirst,
    Change { which: prop::sample::Index },
    Advance { nanos: u64 },
    AdvanceToNext,
    Pop,
    PopGroup,
    Drain { count: usize },
    Clear,
}

/// Deadlines of every magnitude, many of them equal.
fn nanos() -> impl Strategy<Value = u64> {
    prop_oneof![
        0..5_u64,
        0..200_u64,
        (0..50_u64).prop_map(|ms| ms * 1_000_000),
        0..5_000_000_000_u64,
        (0..64_u32, 0..3_u64).prop_map(|(bit, n)| (1 << bit) + n - 1),
        Just(u64::MAX),
        any::<u64>(),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let which = any::<prop::sample::Index>;
    prop_oneof![
        2 => nanos().prop_map(|deadline| Step::Insert { deadline }),
        8 => nanos().prop_map(|nanos| Step::InsertAfterNow { nanos }),
        1 => (nanos(), 1..2_000_u64, 1..60_u64)
            .prop_map(|(after, spread, count)| Step::InsertBatch { after, spread, count }),
        4 => which().prop_map(|which| Step::Cancel { which }),
        3 => Just(Step::CancelFirst),
        1 => which().prop_map(|which| Step::Change { which }),
        2 => nanos().prop_map(|nanos| Step::Advance { nanos }),
        3 => Just(Step::AdvanceToNext),
        5 => Just(Step::Pop),
        2 => Just(Step::PopGroup),
        1 => (0..4_usize).prop_map(|count| Step::Drain { count }),
        1 => Just(Step::Clear),
    ]
}

/// The queue under test and its model, kept in step.
#[derive(Default)]
struct Pair {
    timers: Timers<u64>,
    model: BTreeMap<(u64, u64), u64>,
    /// Every key ever issued, with its deadline.
    issued: Vec<(TimerKey, u64)>,
    now: u64,
}

impl Pair {
    fn insert(&mut self, deadline: u64) {
        let sequence = self.issued.len() as u64;
        let key = self.timers.insert(Instant::from_nanos(deadline), sequence);
        self.model.insert((deadline, sequence), sequence);
        self.issued.push((key, deadline));
    }

    fn first(&self) -> Option<(u64, u64)> {
        self.model.keys().next().copied()
    }

    /// What the model gives up: the first entry, if due by `now`.
    fn pop_model(&mut self, now: u64) -> Option<(TimerKey, Instant, u64)> {
        let (deadline, sequence) = self.first().filter(|first| first.0 <= now)?;
        let value = self.model.remove(&(deadline, sequence))?;
        Some((
            self.issued[sequence as usize].0,
            Instant::from_nanos(deadline),
            value,
        ))
    }

    fn cancel(&mut self, sequence: usize) {
        let (key, deadline) = self.issued[sequence];
        let expected = self.model.remove(&(deadline, sequence as u64));
        assert_eq!(self.timers.deadline(key).is_some(), expected.is_some());
        assert_eq!(self.timers.cancel(key), expected);
        assert_eq!(self.timers.cancel(key), None);
    }

    fn take(&mut self, step: Step) {
        match step {
            Step::Insert { deadline } => self.insert(deadline),
            Step::InsertAfterNow { nanos } => self.insert(self.now.saturating_add(nanos)),
            Step::InsertBatch {
                after,
                spread,
                count,
            } => {
                for n in 0..count {
                    let jitter = n * 7_919 % spread;
                    self.insert(self.now.saturating_add(after).saturating_add(jitter));
                }
            }
            Step::Cancel { which } => {
                if !self.issued.is_empty() {
                    self.cancel(which.index(self.issued.len()));
                }
            }
            Step::CancelFirst => {
                if let Some((_, sequence)) = self.first() {
                    self.cancel(sequence as usize);
                }
            }
            Step::Change { which } => {
                if !self.issued.is_empty() {
                    let sequence = which.index(self.issued.len());
                    let (key, deadline) = self.issued[sequence];
                    let expected = self.model.get_mut(&(deadline, sequence as u64));
                    let found = self.timers.get_mut(key);
                    assert_eq!(found, expected);
                    if let (Some(found), Some(expected)) = (found, expected) {
                        *found += 1 << 32;
                        *expected += 1 << 32;
                    }
                }
            }
            Step::Advance { nanos } => self.now = self.now.saturating_add(nanos),
            Step::AdvanceToNext => {
                if let Some((deadline, _)) = self.first() {
                    self.now = self.now.max(deadline);
                }
            }
            Step::Pop => {
                let expected = self.pop_model(self.now);
                assert_eq!(self.timers.pop_due(Instant::from_nanos(self.now)), expected);
            }
            Step::PopGroup => {
                let deadline = self
                    .first()
                    .map(|first| first.0)
                    .filter(|&at| at <= self.now);
                let mut expected = Vec::new();
                while let Some((key, _, value)) = deadline.and_then(|at| self.pop_model(at)) {
                    expected.push((key, value));
                }
                let mut group = Vec::new();
                let at = self
                    .timers
                    .pop_group(Instant::from_nanos(self.now), &mut group);
                assert_eq!(at, deadline.map(Instant::from_nanos));
                assert_eq!(group, expected);
            }
            Step::Drain { count } => {
                let drained: Vec<_> = self.timers.drain().take(count).collect();
                let expected: Vec<_> = (0..count).map_while(|_| self.pop_model(u64::MAX)).collect();
                assert_eq!(drained, expected);
            }
            Step::Clear => {
                self.timers.clear();
                self.model.clear();
            }
        }
        assert_eq!(self.timers.len(), self.model.len());
        assert_eq!(self.timers.is_empty(), self.model.is_empty());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn any_interleaving_of_calls_gives_what_a_sorted_map_gives(
        steps in prop::collection::vec((step(), any::<bool>()), 0..200),
    ) {
        let mut pair = Pair::default();
        for (step, look) in steps {
            pair.take(step);
            // Looking may rearrange the queue, so that not every step is followed by a look.
            if look {
                let expected = pair.first().map(|first| Instant::from_nanos(first.0));
                prop_assert_eq!(pair.timers.next_deadline(), expected);
            }
        }
        let rest: Vec<_> = pair.timers.drain().collect();
        let expected: Vec<_> = std::iter::from_fn(|| pair.pop_model(u64::MAX)).collect();
        prop_assert_eq!(rest, expected);
    }
}

#[test]
fn equal_deadlines_come_out_in_registration_order_however_far_apart_they_were_registered() {
    let mut timers = Timers::new();
    let shared = Instant::from_nanos(1 << 40);
    let mut expected = Vec::new();
    for n in 0..1_000_u64 {
        timers.insert(shared, n);
        expected.push(n);
        let step = Instant::from_nanos((1 << 40) / 1_000 * n);
        timers.insert(step, u64::MAX);
        assert_eq!(timers.pop_due(step).map(|due| due.2), Some(u64::MAX));
    }
    let mut group = Vec::new();
    assert_eq!(timers.pop_group(shared, &mut group), Some(shared));
    assert_eq!(
        group.into_iter().map(|(_, n)| n).collect::<Vec<_>>(),
        expected
    );
}

#[test]
fn a_timer_at_the_end_of_time_is_due_then_and_not_before() {
    let mut timers = Timers::new();
    timers.insert(Instant::END, ());
    assert_eq!(timers.pop_due(Instant::from_nanos(u64::MAX - 1)), None);
    assert!(timers.pop_due(Instant::END).is_some());
    timers.insert(Instant::END, ());
    timers.insert(Instant::BEGIN, ());
    assert_eq!(timers.next_deadline(), Some(Instant::BEGIN));
}

#[test]
fn clearing_drops_the_values_in_deadline_order() {
    struct Noisy<'a>(u64, &'a std::cell::RefCell<Vec<u64>>);
    impl Drop for Noisy<'_> {
        fn drop(&mut self) {
            self.1.borrow_mut().push(self.0);
        }
    }
    let dropped = std::cell::RefCell::new(Vec::new());
    let mut timers = Timers::new();
    for nanos in [70, 3, 500, 3_000_000, 0] {
        timers.insert(Instant::from_nanos(nanos), Noisy(nanos, &dropped));
    }
    timers.clear();
    assert_eq!(*dropped.borrow(), [0, 3, 70, 500, 3_000_000]);
}
