//! What one host's clocks read at a given instant of the world.

use std::time::Duration;

use crate::Instant;

/// Femtoseconds in a nanosecond: a drift in parts per million counts in these, so that no
/// division loses anything and any change of drift is continuous.
const FEMTOS: u128 = 1_000_000;

/// The clocks of one host: a monotonic one and a wall clock.
///
/// Both run at the host's own rate and show its last tick. The wall clock may also be stepped.
/// All instants given to it are the world's, except where a parameter is called `host`.
///
/// ```
/// use std::time::Duration;
/// use virtual_time::{HostClock, Instant, WallStep};
///
/// let second = Duration::from_secs(1);
/// let mut clock = HostClock::ideal().with_drift_ppm(100);
/// let now = Instant::BEGIN + 10 * second;
/// assert_eq!(clock.monotonic(now), now + Duration::from_millis(1));
///
/// // NTP notices that the wall clock is ahead.
/// clock.step_wall(now, WallStep::Back(Duration::from_millis(1)));
/// assert_eq!(clock.wall(now), HostClock::DEFAULT_EPOCH + 10 * second);
/// assert_eq!(clock.monotonic(now), now + Duration::from_millis(1));
/// ```
#[derive(Clone, Debug)]
pub struct HostClock {
    /// Monotonic time at the beginning of the world, unrounded.
    offset: u64,
    /// Wall time at the beginning of the world.
    epoch: Duration,
    /// Nanoseconds between two ticks.
    tick: u64,
    /// Femtoseconds this clock moves in a nanosecond of the world.
    rate: u32,
    /// When the rate last changed, and what the monotonic clock then was, in nanoseconds and a
    /// remainder below [`FEMTOS`].
    changed: Instant,
    nanos: u128,
    femtos: u128,
    /// By instant: the nanoseconds by which the wall clock has been stepped from then on.
    steps: Vec<(Instant, i128)>,
}

/// A jump of a host's wall clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WallStep {
    /// The clock was slow.
    Forward(Duration),
    /// The clock was fast.
    Back(Duration),
}

impl HostClock {
    /// What wall clocks read when the world begins: 2026-01-01T00:00:00Z, as time since the Unix
    /// epoch.
    pub const DEFAULT_EPOCH: Duration = Duration::from_secs(1_767_225_600);
    /// The tick of a clock as tokio's timers see it.
    pub const TOKIO_GRANULARITY: Duration = Duration::from_millis(1);
    /// The tick of Windows' clocks.
    pub const WINDOWS_GRANULARITY: Duration = Duration::from_nanos(15_625_000);

    /// A clock that reads the world's time to the nanosecond.
    #[must_use]
    pub const fn ideal() -> Self {
        Self {
            offset: 0,
            epoch: Self::DEFAULT_EPOCH,
            tick: 1,
            rate: FEMTOS as u32,
            changed: Instant::BEGIN,
            nanos: 0,
            femtos: 0,
            steps: Vec::new(),
        }
    }

    /// Has the monotonic clock read `offset` when the world begins: the host was up that long.
    #[must_use]
    pub fn with_monotonic_offset(mut self, offset: Duration) -> Self {
        let offset = (Instant::BEGIN + offset).as_nanos();
        self.nanos = self.nanos - u128::from(self.offset) + u128::from(offset);
        self.offset = offset;
        self
    }

    /// Has the wall clock read `epoch` since the Unix epoch when the world begins.
    #[must_use]
    pub const fn with_epoch(mut self, epoch: Duration) -> Self {
        self.epoch = epoch;
        self
    }

    /// Has the clocks run `ppm` millionths fast, or slow if negative, from the beginning.
    ///
    /// # Panics
    ///
    /// As [`Self::set_drift_ppm`].
    #[must_use]
    pub fn with_drift_ppm(mut self, ppm: i32) -> Self {
        self.set_drift_ppm(Instant::BEGIN, ppm);
        self
    }

    /// Has the clocks move in ticks of `granularity` and show the last one. A tick of zero is
    /// taken as one nanosecond.
    #[must_use]
    pub fn with_granularity(mut self, granularity: Duration) -> Self {
        self.tick = (Instant::BEGIN + granularity).as_nanos().max(1);
        self
    }

    /// Changes the drift from `now` on. The clocks go on from where they are; what
    /// [`Self::world_deadline`] said about later instants no longer holds.
    ///
    /// # Panics
    ///
    /// When `ppm` is -1,000,000 or less: such a clock would stand still or run backwards.
    pub fn set_drift_ppm(&mut self, now: Instant, ppm: i32) {
        let rate = i64::from(ppm) + FEMTOS as i64;
        assert!(
            rate > 0,
            "a drift of {ppm} ppm would stop the clock; it must be above -1000000"
        );
        (self.nanos, self.femtos) = self.precisely(now);
        self.changed = self.changed.max(now);
        self.rate = u32::try_from(rate).expect("an i32 and a million fit");
    }

    /// Steps the wall clock at `at`, which may be now or later. The monotonic clock does not
    /// notice.
    pub fn step_wall(&mut self, at: Instant, step: WallStep) {
        let nanos = match step {
            WallStep::Forward(span) => span.as_nanos() as i128,
            WallStep::Back(span) => -(span.as_nanos() as i128),
        };
        let position = self.steps.partition_point(|step| step.0 <= at);
        let before = self.stepped(at);
        self.steps.insert(position, (at, before));
        for step in &mut self.steps[position..] {
            step.1 += nanos;
        }
    }

    /// What the monotonic clock reads: never less than at an earlier instant.
    #[must_use]
    pub fn monotonic(&self, now: Instant) -> Instant {
        let nanos = self.last_tick(self.precisely(now).0);
        Instant::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }

    /// What the wall clock reads, as time since the Unix epoch; it cannot be set before that.
    #[must_use]
    pub fn wall(&self, now: Instant) -> Duration {
        let passed = self.last_tick(self.precisely(now).0) - self.last_tick(self.offset.into());
        let nanos = (self.epoch.as_nanos() + passed) as i128 + self.stepped(now);
        let nanos = u128::try_from(nanos).unwrap_or(0);
        Duration::from_nanos_u128(nanos.min(Duration::MAX.as_nanos()))
    }

    /// The first instant of the world at which the monotonic clock reads at least `host`:
    /// what to wait for so that a timer never fires before its deadline by the host's own clock.
    ///
    /// It is [`Instant::END`] if the world ends before that, and some instant not after now if
    /// the clock has come so far already.
    ///
    /// ```
    /// use std::time::Duration;
    /// use virtual_time::{HostClock, Instant};
    ///
    /// let clock = HostClock::ideal().with_granularity(HostClock::TOKIO_GRANULARITY);
    /// let deadline = Instant::BEGIN + Duration::from_micros(1_001);
    /// assert_eq!(clock.world_deadline(deadline), Instant::BEGIN + Duration::from_millis(2));
    /// ```
    #[must_use]
    pub fn world_deadline(&self, host: Instant) -> Instant {
        let tick = u128::from(host.as_nanos()).next_multiple_of(u128::from(self.tick));
        let Some(nanos) = tick.checked_sub(self.nanos).filter(|&nanos| nanos > 0) else {
            return self.changed;
        };
        let passed = if self.rate == FEMTOS as u32 {
            nanos
        } else {
            (nanos * FEMTOS - self.femtos).div_ceil(u128::from(self.rate))
        };
        let world = u128::from(self.changed.as_nanos()) + passed;
        Instant::from_nanos(u64::try_from(world).unwrap_or(u64::MAX))
    }

    /// When the wall clock is next stepped after `now`.
    #[must_use]
    pub fn next_wall_step(&self, now: Instant) -> Option<Instant> {
        let position = self.steps.partition_point(|step| step.0 <= now);
        self.steps.get(position).map(|step| step.0)
    }

    /// Millionths by which the clocks run fast, or slow if negative.
    #[must_use]
    pub const fn drift_ppm(&self) -> i32 {
        // The rate was made from an `i32` and a million.
        (self.rate as i64 - FEMTOS as i64) as i32
    }

    /// The time between two ticks.
    #[must_use]
    pub const fn granularity(&self) -> Duration {
        Duration::from_nanos(self.tick)
    }

    /// The monotonic clock in nanoseconds and femtoseconds, before it is rounded to its tick.
    fn precisely(&self, now: Instant) -> (u128, u128) {
        let passed = u128::from((now - self.changed).as_nanos() as u64);
        if self.rate == FEMTOS as u32 {
            // Not only faster: most clocks have no drift, and dividing 128 bits is slow.
            return (self.nanos + passed, self.femtos);
        }
        let femtos = self.femtos + passed * u128::from(self.rate);
        (self.nanos + femtos / FEMTOS, femtos % FEMTOS)
    }

    fn last_tick(&self, nanos: u128) -> u128 {
        if self.tick == 1 {
            nanos
        } else {
            nanos - nanos % u128::from(self.tick)
        }
    }

    /// By how many nanoseconds the wall clock has been stepped until `now`.
    fn stepped(&self, now: Instant) -> i128 {
        let position = self.steps.partition_point(|step| step.0 <= now);
        position.checked_sub(1).map_or(0, |last| self.steps[last].1)
    }
}

impl Default for HostClock {
    fn default() -> Self {
        Self::ideal()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn at(seconds: u32) -> Instant {
        Instant::BEGIN + SECOND * seconds
    }

    #[test]
    fn an_ideal_clock_reads_the_worlds_time() {
        let clock = HostClock::default();
        for now in [Instant::BEGIN, at(1), Instant::END] {
            assert_eq!(clock.monotonic(now), now);
            assert_eq!(clock.world_deadline(now), now);
        }
        assert_eq!(clock.wall(at(1)), HostClock::DEFAULT_EPOCH + SECOND);
    }

    #[test]
    fn a_windows_clock_shows_its_last_tick_of_a_sixty_fourth_of_a_second() {
        let clock = HostClock::ideal().with_granularity(HostClock::WINDOWS_GRANULARITY);
        let tick = HostClock::WINDOWS_GRANULARITY;
        let just_before = Instant::from_nanos(2 * 15_625_000 - 1);
        assert_eq!(clock.monotonic(just_before), Instant::BEGIN + tick);
        assert_eq!(clock.wall(just_before), HostClock::DEFAULT_EPOCH + tick);
        assert_eq!(clock.world_deadline(just_before), Instant::BEGIN + 2 * tick);
        assert_eq!(clock.monotonic(at(1)), at(1));
    }

    #[test]
    fn a_host_that_was_up_before_the_world_has_the_same_wall_clock() {
        let clock = HostClock::ideal()
            .with_monotonic_offset(Duration::from_micros(1_500))
            .with_granularity(HostClock::TOKIO_GRANULARITY);
        assert_eq!(
            clock.monotonic(Instant::BEGIN),
            Instant::from_nanos(1_000_000)
        );
        assert_eq!(clock.wall(Instant::BEGIN), HostClock::DEFAULT_EPOCH);
        assert_eq!(
            clock.world_deadline(Instant::from_nanos(1_000_001)),
            Instant::from_nanos(500_000)
        );
        assert_eq!(
            clock.world_deadline(Instant::from_nanos(1_000_000)),
            Instant::BEGIN
        );
    }

    #[test]
    fn the_order_in_which_a_clock_is_described_does_not_matter() {
        let one = HostClock::ideal()
            .with_drift_ppm(-50)
            .with_monotonic_offset(SECOND);
        let other = HostClock::ideal()
            .with_monotonic_offset(SECOND)
            .with_drift_ppm(-50);
        assert_eq!(one.monotonic(at(7)), other.monotonic(at(7)));
        let reset = one.with_monotonic_offset(Duration::ZERO);
        assert_eq!(reset.monotonic(Instant::BEGIN), Instant::BEGIN);
    }

    #[test]
    fn drift_adds_up_to_the_nanosecond_over_fifty_years() {
        let clock = HostClock::ideal().with_drift_ppm(-1);
        let (seconds, lost) = (50 * 365 * 86_400, Duration::from_micros(1_576_800_000));
        assert_eq!(clock.monotonic(at(seconds)) + lost, at(seconds));
    }

    #[test]
    fn a_thousand_changes_of_drift_lose_no_femtosecond() {
        let mut clock = HostClock::ideal();
        for n in 0..1_000 {
            // Each leg of 7 ns alone would gain less than a nanosecond.
            clock.set_drift_ppm(
                Instant::from_nanos(n * 7),
                if n % 2 == 0 { 90_000 } else { 10_000 },
            );
        }
        assert_eq!(clock.drift_ppm(), 10_000);
        assert_eq!(
            clock.monotonic(Instant::from_nanos(7_000)),
            Instant::from_nanos(7_350)
        );
    }

    #[test]
    #[should_panic(expected = "would stop the clock")]
    fn a_clock_that_would_stand_still_is_refused() {
        let _ = HostClock::ideal().with_drift_ppm(-1_000_000);
    }

    #[test]
    fn steps_take_effect_at_their_instant_in_whatever_order_they_were_scheduled() {
        let mut clock = HostClock::ideal();
        clock.step_wall(at(20), WallStep::Back(5 * SECOND));
        clock.step_wall(at(10), WallStep::Forward(3 * SECOND));
        clock.step_wall(at(20), WallStep::Forward(SECOND));
        let wall = |seconds| (clock.wall(at(seconds)) - HostClock::DEFAULT_EPOCH).as_secs();
        assert_eq!([9, 10, 19, 20, 30].map(wall), [9, 13, 22, 19, 29]);
        assert_eq!(clock.next_wall_step(Instant::BEGIN), Some(at(10)));
        assert_eq!(clock.next_wall_step(at(10)), Some(at(20)));
        assert_eq!(clock.next_wall_step(at(20)), None);
    }

    #[test]
    fn a_wall_clock_stays_within_what_a_duration_since_1970_can_say() {
        let mut clock = HostClock::ideal();
        clock.step_wall(at(1), WallStep::Back(2 * HostClock::DEFAULT_EPOCH));
        assert_eq!(clock.wall(at(2)), Duration::ZERO);
        let late = HostClock::ideal().with_epoch(Duration::MAX);
        assert_eq!(late.wall(at(2)), Duration::MAX);
    }
}
