//! What befalls single segments and datagrams on a link that is not perfect.

use std::time::Duration;

use super::Probability;
use crate::fault::Tally;
use crate::{Decide, Site};

/// How many entries a jitter has.
const JITTER_STEPS: u64 = 32;

/// What is wrong with a link; most have nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Flaws {
    pub(super) jitter: Duration,
    pub(super) loss: Probability,
    pub(super) duplication: Probability,
    pub(super) reordering: Probability,
    /// How much later what is reordered arrives.
    pub(super) reordered_by: Duration,
    pub(super) corruption: Probability,
    pub(super) corrupted: Corruption,
    /// The longest IP packet.
    pub(super) mtu: Option<usize>,
    /// How many bytes wait for a narrow link.
    pub(super) queue: Option<usize>,
}

/// What becomes of a datagram in which a bit has flipped on the way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Corruption {
    /// The receiver's checksum does not match, and it drops the datagram: what nearly always
    /// happens. A test of a program that is right in production goes no further.
    #[default]
    Dropped,
    /// The datagram arrives with one bit flipped, as where something on the way wrote the
    /// checksum anew after it broke the bit. Which bit is a choice.
    Delivered,
}

pub(super) const LOSS: &str = "loss";
pub(super) const DUPLICATION: &str = "duplication";
pub(super) const REORDERING: &str = "reordering";
pub(super) const CORRUPTION: &str = "corruption";
pub(super) const FULL_QUEUE: &str = "full queue";

impl Flaws {
    /// Whether nothing of it ever happens.
    pub(super) fn are_idle(&self) -> bool {
        let chances = [
            self.loss,
            self.duplication,
            self.reordering,
            self.corruption,
        ];
        let happen = chances.iter().any(|chance| !chance.is_never());
        !happen && self.jitter.is_zero() && self.mtu.is_none() && self.queue.is_none()
    }

    /// Notes that somebody asked for these.
    pub(super) fn ask(&self, tally: &mut Tally) {
        let asked = [
            (LOSS, !self.loss.is_never()),
            (DUPLICATION, !self.duplication.is_never()),
            (REORDERING, !self.reordering.is_never()),
            (CORRUPTION, !self.corruption.is_never()),
            (FULL_QUEUE, self.queue.is_some()),
        ];
        for (name, _) in asked.iter().filter(|(_, asked)| *asked) {
            tally.ask(name);
        }
    }

    pub(super) fn loses(&self, tally: &mut Tally, decide: &mut dyn Decide) -> bool {
        strikes(self.loss, LOSS, Site::LOSS, tally, decide)
    }

    pub(super) fn duplicates(&self, tally: &mut Tally, decide: &mut dyn Decide) -> bool {
        let site = Site::DUPLICATION;
        strikes(self.duplication, DUPLICATION, site, tally, decide)
    }

    /// The bit that flips in a datagram of so many bytes, or `None`. One without bytes has its
    /// header alone to be broken, and that never gets through.
    pub(super) fn corrupts(
        &self,
        bytes: usize,
        tally: &mut Tally,
        decide: &mut dyn Decide,
    ) -> Option<Flip> {
        let site = Site::CORRUPTION;
        if !strikes(self.corruption, CORRUPTION, site, tally, decide) {
            return None;
        }
        Some(match self.corrupted {
            Corruption::Delivered if bytes > 0 => {
                let bits = bytes as u64 * 8;
                let bit = decide.choose(Site::CORRUPT_BIT, bits).min(bits - 1);
                Flip::Bit(bit as usize)
            }
            _ => Flip::Noticed,
        })
    }

    /// How much longer than its latency something takes.
    pub(super) fn delay(&self, tally: &mut Tally, decide: &mut dyn Decide) -> Duration {
        let mut delay = Duration::ZERO;
        if !self.jitter.is_zero() {
            let last = JITTER_STEPS - 1;
            let step = decide.choose(Site::JITTER, JITTER_STEPS).min(last);
            delay = self.jitter * step as u32 / last as u32;
        }
        let site = Site::REORDERING;
        if strikes(self.reordering, REORDERING, site, tally, decide) {
            delay += self.reordered_by;
        }
        delay
    }
}

/// What a corrupted datagram is like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Flip {
    Noticed,
    Bit(usize),
}

fn strikes(
    probability: Probability,
    name: &'static str,
    site: Site,
    tally: &mut Tally,
    decide: &mut dyn Decide,
) -> bool {
    if probability.is_never() {
        return false;
    }
    let applied = probability.strikes(site, decide);
    tally.note(name, applied);
    applied
}
