//! How long each task of row c sleeps: the same lengths for every contender.

use std::time::Duration;

/// Lengths of 1 ms to 1 s in whole microseconds, drawn by SplitMix64.
pub(super) struct SleepLengths {
    state: u64,
}

impl SleepLengths {
    /// The lengths of the task with that index.
    pub(super) fn of_task(index: u64) -> Self {
        Self { state: index }
    }

    /// The next length.
    pub(super) fn draw(&mut self) -> Duration {
        Duration::from_micros(1_000 + self.next() % 999_001)
    }

    fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_the_published_splitmix64() {
        let mut lengths = SleepLengths::of_task(1_234_567);
        assert_eq!(lengths.next(), 6_457_827_717_110_365_317);
        assert_eq!(lengths.next(), 3_203_168_211_198_807_973);
    }

    #[test]
    fn lengths_are_whole_microseconds_from_a_millisecond_to_a_second() {
        let mut lengths = SleepLengths::of_task(7);
        for _ in 0..10_000 {
            let length = lengths.draw();
            assert!(length >= Duration::from_millis(1) && length <= Duration::from_secs(1));
            assert_eq!(length.subsec_nanos() % 1_000, 0);
        }
    }
}
