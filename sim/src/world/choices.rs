//! Choices: where every value that a run decides comes from, and how it is recorded.

use std::collections::BTreeMap;

use super::draws::Draws;
use super::entry::{Entries, Entry, plain_name};

/// What a decision is about.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Domain {
    /// Which wake is served next, and which branch of a `select!` is polled first.
    Schedule = 0,
    /// Latency, short reads and writes.
    Network = 1,
    /// What the run's world is like: poll cost.
    World = 2,
    /// What the test itself draws.
    Scenario = 3,
    /// What the code under test draws: entropy, hash keys.
    Application = 4,
    /// Where the code under test misbehaves because it was asked to.
    Buggify = 5,
}

impl Domain {
    /// How many there are.
    pub(super) const COUNT: usize = Self::Buggify as usize + 1;
}

/// Where values come from.
#[derive(Debug)]
enum Source {
    /// The plain run: always 0.
    Plain,
    /// The seed's streams.
    Seeded,
    /// Listed entries, 0 elsewhere.
    Replayed(Box<Entries>),
}

/// The decisions of one run.
#[derive(Debug)]
pub(crate) struct Choices {
    source: Source,
    draws: Draws,
    /// Present while the run is recorded or replayed, when sites have to be told apart.
    sites: Option<Box<Sites>>,
}

/// The decisions of a run by site.
#[derive(Debug, Default)]
struct Sites {
    /// The run has failed: what is decided now is no part of what replays it.
    sealed: bool,
    /// How often each (task, label) was asked, as entries spell them: what they cannot tell apart
    /// is one site.
    asked: BTreeMap<(String, String), u64>,
    deviations: Entries,
}

impl Choices {
    /// The plain run: every choice is 0. Entropy still differs from seed to seed.
    pub(crate) fn plain(seed: u64, record: bool) -> Self {
        Self::new(Source::Plain, seed, record)
    }

    /// Choices drawn from the seed.
    pub(crate) fn seeded(seed: u64, record: bool) -> Self {
        Self::new(Source::Seeded, seed, record)
    }

    /// The choices of `entries`.
    pub(crate) fn replayed(seed: u64, entries: Entries) -> Self {
        Self::new(Source::Replayed(Box::new(entries)), seed, true)
    }

    fn new(source: Source, seed: u64, sites: bool) -> Self {
        let sites = sites.then(Box::default);
        Self {
            source,
            draws: Draws::new(seed),
            sites,
        }
    }

    /// A value of `0..n`, 0 being what production would most likely do. `task` is asked for only
    /// where sites are kept.
    pub(crate) fn choose(
        &mut self,
        domain: Domain,
        label: &'static str,
        n: u64,
        task: impl FnOnce() -> String,
    ) -> u64 {
        self.choose_among(domain, label, n, 1, task)
    }

    /// A value of `0..n` where 0 is drawn `zeros` times as often as any other.
    #[inline]
    pub(crate) fn choose_among(
        &mut self,
        domain: Domain,
        label: &'static str,
        n: u64,
        zeros: u64,
        task: impl FnOnce() -> String,
    ) -> u64 {
        if n <= 1 {
            return 0;
        }
        self.value(label, n, task, |draws| {
            let drawn = draws.below(domain, n - 1 + zeros);
            (drawn + 1).saturating_sub(zeros)
        })
    }

    /// Whether the code under test misbehaves at a place: the first time in a run it is drawn
    /// whether the place takes part at all.
    pub(crate) fn buggify(
        &mut self,
        takes_part: &mut Option<bool>,
        label: &'static str,
        task: impl FnOnce() -> String,
    ) -> bool {
        let value = self.value(label, 2, task, |draws| {
            let mut one_in_four = || draws.below(Domain::Buggify, 4) == 0;
            let takes_part = *takes_part.get_or_insert_with(&mut one_in_four);
            u64::from(takes_part && one_in_four())
        });
        value == 1
    }

    fn value(
        &mut self,
        label: &'static str,
        n: u64,
        task: impl FnOnce() -> String,
        draw: impl FnOnce(&mut Draws) -> u64,
    ) -> u64 {
        let Some(sites) = &mut self.sites else {
            return match self.source {
                Source::Seeded => draw(&mut self.draws),
                Source::Plain | Source::Replayed(_) => 0,
            };
        };
        let site = (task(), plain_name(label));
        let occurrence = sites.asked.entry(site.clone()).or_insert(0);
        *occurrence += 1;
        let occurrence = *occurrence;
        let value = match &self.source {
            Source::Plain => 0,
            Source::Seeded => draw(&mut self.draws),
            Source::Replayed(entries) => {
                let listed = entries.values.get(&site);
                let value = listed.and_then(|values| values.get(&occurrence)).copied();
                value.unwrap_or(0).min(n - 1)
            }
        };
        if value != 0 {
            let (task, label) = site;
            self.deviation(Entry::Value {
                task,
                label,
                occurrence,
                value,
            });
        }
        value
    }

    /// A position of `0..n` for a strategy that picks at random. Not recorded here: an order is
    /// recorded as holds.
    #[inline]
    pub(crate) fn pick(&mut self, n: u64) -> u64 {
        self.draws.below(Domain::Schedule, n)
    }

    /// Fills `buf` with the seed's entropy for the code under test.
    pub(crate) fn fill(&mut self, buf: &mut [u8]) {
        self.draws.fill(Domain::Application, buf);
    }

    /// Records that a wake was passed over.
    pub(crate) fn hold(&mut self, task: &str, wake: u64, times: u32) {
        self.deviation(Entry::Hold {
            task: task.to_owned(),
            wake,
            times,
        });
    }

    /// How often the entries have the `wake`th wake of `task` passed over.
    pub(crate) fn listed_hold(&self, task: &str, wake: u64) -> u32 {
        match &self.source {
            Source::Replayed(entries) => entries
                .holds
                .get(task)
                .and_then(|holds| holds.get(&wake))
                .copied()
                .unwrap_or(0),
            Source::Plain | Source::Seeded => 0,
        }
    }

    /// The run has failed: from here on nothing is recorded.
    pub(crate) fn seal(&mut self) {
        if let Some(sites) = &mut self.sites {
            sites.sealed = true;
        }
    }

    /// What is recorded so far.
    pub(crate) fn deviations(&self) -> Entries {
        self.sites
            .as_ref()
            .map(|sites| sites.deviations.clone())
            .unwrap_or_default()
    }

    /// Every recorded deviation from the plain run.
    pub(crate) fn take_deviations(&mut self) -> Entries {
        self.sites
            .as_mut()
            .map(|sites| std::mem::take(&mut sites.deviations))
            .unwrap_or_default()
    }

    fn deviation(&mut self, entry: Entry) {
        if let Some(sites) = self.sites.as_mut().filter(|sites| !sites.sealed) {
            sites.deviations.insert(entry);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANY: &str = "any";

    fn draws(choices: &mut Choices, domain: Domain) -> Vec<u64> {
        (0..32)
            .map(|_| choices.choose(domain, ANY, 1_000, String::new))
            .collect()
    }

    #[test]
    fn a_plain_run_chooses_zero() {
        assert_eq!(
            draws(&mut Choices::plain(7, false), Domain::Network),
            vec![0; 32]
        );
    }

    #[test]
    fn a_draw_in_one_domain_moves_nothing_in_another() {
        let expected = draws(&mut Choices::seeded(7, false), Domain::Network);
        let mut disturbed = Choices::seeded(7, false);
        draws(&mut disturbed, Domain::Scenario);
        disturbed.pick(10);
        assert_eq!(draws(&mut disturbed, Domain::Network), expected);
    }

    #[test]
    fn zeros_are_drawn_more_often_and_the_others_evenly() {
        let drawn = |choices: &mut Choices| -> Vec<u64> {
            (0..16_000)
                .map(|_| choices.choose_among(Domain::Network, ANY, 5, 60, String::new))
                .collect()
        };
        let mut recorded = Choices::seeded(7, true);
        let values = drawn(&mut recorded);
        for value in 1..5 {
            let times = values.iter().filter(|drawn| **drawn == value).count();
            assert!((200..300).contains(&times), "{value} {times} times");
        }
        assert!(values.iter().all(|value| *value < 5));
        let mut replayed = Choices::replayed(0, recorded.take_deviations());
        assert_eq!(drawn(&mut replayed), values);
        assert_eq!(drawn(&mut Choices::plain(7, false)), vec![0; 16_000]);
    }

    #[test]
    fn seeds_differ() {
        let of = |seed| draws(&mut Choices::seeded(seed, false), Domain::Network);
        assert_ne!(of(1), of(2));
    }

    #[test]
    fn what_is_recorded_replays_the_same_values() {
        let mut recorded = Choices::seeded(7, true);
        let expected = draws(&mut recorded, Domain::Network);
        let mut replayed = Choices::replayed(0, recorded.take_deviations());
        assert_eq!(draws(&mut replayed, Domain::Network), expected);
    }

    #[test]
    fn recording_does_not_move_the_draws() {
        let of = |record| draws(&mut Choices::seeded(7, record), Domain::Network);
        assert_eq!(of(false), of(true));
    }
}
