//! What one run is made of, beside its test: run = f(test, config, seed, source).

use crate::world::entry::Entries;

/// One run to be made.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) seed: u64,
    pub(crate) source: Source,
    /// Keep the trace, the names and the deviations.
    pub(crate) record: bool,
}

/// Where a run's choices come from.
#[derive(Clone, Debug)]
pub(crate) enum Source {
    /// All 0: FIFO, an ideal clock, the lowest latencies.
    Plain,
    /// The seed's streams.
    Seeded,
    /// Listed entries, 0 elsewhere; the seed is for entropy only.
    Replayed(Entries),
}

impl Plan {
    /// The run of a seed: 0 is the plain run.
    pub(crate) fn of_seed(seed: u64) -> Self {
        let source = if seed == 0 {
            Source::Plain
        } else {
            Source::Seeded
        };
        Self {
            seed,
            source,
            record: false,
        }
    }

    /// The run that a list of entries describes.
    pub(crate) fn of_entries(seed: u64, entries: Entries) -> Self {
        Self {
            seed,
            source: Source::Replayed(entries),
            record: true,
        }
    }

    /// The same run, kept in full.
    pub(crate) fn recorded(mut self) -> Self {
        self.record = true;
        self
    }
}
