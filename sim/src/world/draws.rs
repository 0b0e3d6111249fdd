//! The seed's randomness: one stream a domain, so that one more draw in the network moves nothing in
//! the schedule.
//!
//! A stream is ChaCha8 keyed by seed and domain. But for its beginning: the first words of all
//! domains come out of one more stream, the *opening*, because most runs are short and setting up
//! a stream costs as much as ten polls.

use rand_chacha::{ChaCha8Core, ChaCha8Rng};
use rand_core::block::Generator;
use rand_core::{Rng, SeedableRng};

use super::choices::Domain;

/// How many words of the opening each domain has, in the order of [`Domain`]; together what
/// ChaCha makes at a time.
const SHARES: [u8; Domain::COUNT] = [32, 12, 4, 4, 8, 4];
const OPENING: usize = 64;
/// Where each domain's share ends.
const ENDS: [u8; Domain::COUNT] = {
    let mut ends = SHARES;
    let mut domain = 1;
    while domain < ends.len() {
        ends[domain] += ends[domain - 1];
        domain += 1;
    }
    assert!(ends[ends.len() - 1] as usize == OPENING);
    ends
};

/// What a run draws from.
#[derive(Debug)]
pub(super) struct Draws {
    seed: u64,
    opening: Option<Box<[u32; OPENING]>>,
    /// Each domain's next word of the opening.
    next: [u8; Domain::COUNT],
    streams: [Option<Box<ChaCha8Rng>>; Domain::COUNT],
}

impl Draws {
    /// The draws of a seed. Nothing is computed until the first.
    pub(super) fn new(seed: u64) -> Self {
        let mut next = [0; Domain::COUNT];
        next[1..].copy_from_slice(&ENDS[..Domain::COUNT - 1]);
        Self {
            seed,
            opening: None,
            next,
            streams: [const { None }; Domain::COUNT],
        }
    }

    /// Uniform in `0..n`: the high half of a product, whose bias of n / 2^32 or less nobody will
    /// see.
    #[inline]
    pub(super) fn below(&mut self, domain: Domain, n: u64) -> u64 {
        if n <= u64::from(u32::MAX) {
            return (u64::from(self.word(domain)) * n) >> 32;
        }
        let wide = u64::from(self.word(domain)) | u64::from(self.word(domain)) << 32;
        ((u128::from(wide) * u128::from(n)) >> 64) as u64
    }

    /// Random bytes.
    pub(super) fn fill(&mut self, domain: Domain, buf: &mut [u8]) {
        let mut rest = buf;
        while self.streams[domain as usize].is_none() && !rest.is_empty() {
            let (chunk, behind) = rest.split_at_mut(rest.len().min(4));
            let word = self.opening_word(domain).to_le_bytes();
            chunk.copy_from_slice(&word[..chunk.len()]);
            rest = behind;
        }
        if let Some(stream) = &mut self.streams[domain as usize] {
            stream.fill_bytes(rest);
        }
    }

    #[inline]
    fn word(&mut self, domain: Domain) -> u32 {
        let index = domain as usize;
        if let Some(stream) = &mut self.streams[index] {
            return stream.next_u32();
        }
        self.opening_word(domain)
    }

    fn opening_word(&mut self, domain: Domain) -> u32 {
        let index = domain as usize;
        let next = self.next[index];
        if next == ENDS[index] {
            let stream =
                self.streams[index].insert(Box::new(ChaCha8Rng::from_seed(key(self.seed, index))));
            return stream.next_u32();
        }
        self.next[index] += 1;
        let seed = self.seed;
        let opening = self.opening.get_or_insert_with(|| {
            let mut words = Box::new([0; OPENING]);
            ChaCha8Core::from_seed(key(seed, Domain::COUNT)).generate(&mut words);
            words
        });
        opening[usize::from(next)]
    }
}

fn key(seed: u64, stream: usize) -> [u8; 32] {
    let mut key = [0; 32];
    key[..8].copy_from_slice(&seed.to_le_bytes());
    key[8] = stream as u8;
    key
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_draw_in_one_domain_moves_nothing_in_another_past_the_opening_too() {
        let of = |disturb: bool| -> Vec<u64> {
            let mut draws = Draws::new(7);
            let draw = |_| {
                if disturb {
                    draws.below(Domain::Schedule, 10);
                    draws.fill(Domain::Application, &mut [0; 5]);
                }
                draws.below(Domain::Network, 1_000_000)
            };
            (0..200).map(draw).collect()
        };
        assert_eq!(of(false), of(true));
    }

    #[test]
    fn domains_differ_and_do_not_repeat_each_other() {
        let mut draws = Draws::new(7);
        let mut all: Vec<u64> = Vec::new();
        for domain in [Domain::Schedule, Domain::Network, Domain::Application] {
            all.extend((0..100).map(|_| draws.below(domain, u64::MAX)));
        }
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), 300);
    }

    #[test]
    fn a_small_range_is_drawn_evenly() {
        let mut draws = Draws::new(1);
        let mut counts = [0; 3];
        for _ in 0..30_000 {
            counts[draws.below(Domain::Schedule, 3) as usize] += 1;
        }
        assert!(
            counts.iter().all(|count| (9_700..10_300).contains(count)),
            "{counts:?}"
        );
    }
}
