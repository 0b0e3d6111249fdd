//! How long a segment is under way: a table from which each draws an entry.

use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

use super::quantiles;
use crate::{ConfigError, Decide, Site};

/// How many entries a uniform latency has: fine enough to vary every order of arrival, coarse
/// enough that a recorded choice stays a small number.
const UNIFORM_STEPS: u64 = 32;

/// The time that a segment is under way, as a table from which each segment draws one entry.
///
/// Entry 0 is what a plain run gets: make it the lowest or the typical one.
///
/// ```
/// use std::time::Duration;
/// use net_sim::{Latency, LinkConfig};
///
/// let ms = Duration::from_millis;
/// let lan = LinkConfig::new(Latency::constant(ms(1)));
/// let wan = LinkConfig::new(Latency::uniform(ms(20)..=ms(80)));
/// let tail = LinkConfig::new(Latency::table([ms(2), ms(2), ms(3), ms(200)]));
/// assert_eq!(wan.latency.typical(), ms(20));
/// # let _ = (lan, tail);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Latency(Shape);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Shape {
    Constant(Duration),
    /// `low + k * step` for `k` in `0..UNIFORM_STEPS`.
    Uniform {
        low: Duration,
        step: Duration,
    },
    Table(Arc<[Duration]>),
}

impl Latency {
    /// No time at all: what is sent has arrived when the sending call returns.
    pub const ZERO: Self = Self::constant(Duration::ZERO);

    /// Every segment takes `time`.
    #[must_use]
    pub const fn constant(time: Duration) -> Self {
        Self(Shape::Constant(time))
    }

    /// Any time of the range, in 32 equal steps; a plain run gets the lowest.
    ///
    /// # Panics
    ///
    /// If the range is empty.
    #[must_use]
    pub fn uniform(range: RangeInclusive<Duration>) -> Self {
        Self::try_uniform(range).unwrap_or_else(|error| panic!("{error}"))
    }

    /// As [`uniform`](Self::uniform), for times that come from a user.
    ///
    /// # Errors
    ///
    /// [`ConfigError::EmptyRange`].
    pub fn try_uniform(range: RangeInclusive<Duration>) -> Result<Self, ConfigError> {
        let (low, high) = range.into_inner();
        if low > high {
            let what = "latency";
            return Err(ConfigError::EmptyRange { what, low, high });
        }
        let span = u64::try_from((high - low).as_nanos()).unwrap_or(u64::MAX);
        let step = Duration::from_nanos(span / (UNIFORM_STEPS - 1));
        if step.is_zero() {
            return Ok(Self::constant(low));
        }
        Ok(Self(Shape::Uniform { low, step }))
    }

    /// Any of these times with equal chance, such as the quantiles of a measured distribution;
    /// a plain run gets the first.
    ///
    /// # Panics
    ///
    /// If `times` is empty.
    #[must_use]
    pub fn table(times: impl IntoIterator<Item = Duration>) -> Self {
        Self::try_table(times).unwrap_or_else(|error| panic!("{error}"))
    }

    /// As [`table`](Self::table), for times that come from a user.
    ///
    /// # Errors
    ///
    /// [`ConfigError::EmptyTable`].
    pub fn try_table(times: impl IntoIterator<Item = Duration>) -> Result<Self, ConfigError> {
        let times: Arc<[Duration]> = times.into_iter().collect();
        if times.is_empty() {
            return Err(ConfigError::EmptyTable);
        }
        Ok(Self(Shape::Table(times)))
    }

    /// Exponentially distributed, as the waits for what many share: most take less than the
    /// mean, few several times as long; a plain run gets nearly none. In 64 steps, from a
    /// hundredth of the mean to almost five times as long; [`plus`](Self::plus) adds what
    /// every segment takes.
    #[must_use]
    pub fn exponential(mean: Duration) -> Self {
        Self::table(quantiles::exponential(mean))
    }

    /// Log-normally distributed, as round trips over the internet are: half of the segments
    /// take less than the median, which a plain run takes, and one of a hundred longer than
    /// `p99`. In 64 steps.
    ///
    /// # Panics
    ///
    /// If the median is above the 99th percentile, or zero.
    #[must_use]
    pub fn log_normal(median: Duration, p99: Duration) -> Self {
        Self::try_log_normal(median, p99).unwrap_or_else(|error| panic!("{error}"))
    }

    /// As [`log_normal`](Self::log_normal), for times that come from a user.
    ///
    /// # Errors
    ///
    /// [`ConfigError::EmptyRange`].
    pub fn try_log_normal(median: Duration, p99: Duration) -> Result<Self, ConfigError> {
        spread("log-normal latency", median, p99)?;
        Self::try_table(quantiles::log_normal(median, p99))
    }

    /// With a heavy tail, as where requests pile up: Pareto's distribution, of which most take
    /// hardly longer than `least`, which a plain run takes, one of a hundred longer than
    /// `p99`, and some far longer. In 64 steps.
    ///
    /// # Panics
    ///
    /// If the least is above the 99th percentile, or zero.
    #[must_use]
    pub fn heavy_tail(least: Duration, p99: Duration) -> Self {
        Self::try_heavy_tail(least, p99).unwrap_or_else(|error| panic!("{error}"))
    }

    /// As [`heavy_tail`](Self::heavy_tail), for times that come from a user.
    ///
    /// # Errors
    ///
    /// [`ConfigError::EmptyRange`].
    pub fn try_heavy_tail(least: Duration, p99: Duration) -> Result<Self, ConfigError> {
        spread("heavy-tailed latency", least, p99)?;
        Self::try_table(quantiles::pareto(least, p99))
    }

    /// The same, with so much more for every segment.
    ///
    /// ```
    /// use std::time::Duration;
    /// use net_sim::Latency;
    ///
    /// let ms = Duration::from_millis;
    /// let busy_wan = Latency::exponential(ms(10)).plus(ms(40));
    /// assert!(busy_wan.typical() >= ms(40) && busy_wan.typical() < ms(41));
    /// ```
    #[must_use]
    pub fn plus(self, time: Duration) -> Self {
        Self(match self.0 {
            Shape::Constant(own) => Shape::Constant(own.saturating_add(time)),
            Shape::Uniform { low, step } => {
                let low = low.saturating_add(time);
                Shape::Uniform { low, step }
            }
            Shape::Table(times) => {
                let later = times.iter().map(|own| own.saturating_add(time));
                Shape::Table(later.collect())
            }
        })
    }

    /// What a segment of a plain run takes.
    #[must_use]
    pub fn typical(&self) -> Duration {
        self.entry(0)
    }

    pub(super) fn draw(&self, decide: &mut dyn Decide) -> Duration {
        self.draw_at(Site::LATENCY, decide)
    }

    /// The same where it is no segment that takes its time.
    pub(crate) fn draw_at(&self, site: Site, decide: &mut dyn Decide) -> Duration {
        match self.entries() {
            1 => self.entry(0),
            n => self.entry(decide.choose(site, n).min(n - 1)),
        }
    }

    fn entries(&self) -> u64 {
        match &self.0 {
            Shape::Constant(_) => 1,
            Shape::Uniform { .. } => UNIFORM_STEPS,
            Shape::Table(times) => times.len() as u64,
        }
    }

    fn entry(&self, choice: u64) -> Duration {
        match &self.0 {
            Shape::Constant(time) => *time,
            Shape::Uniform { low, step } => {
                let offset = (step.as_nanos() as u64).saturating_mul(choice);
                low.saturating_add(Duration::from_nanos(offset))
            }
            Shape::Table(times) => times[choice as usize],
        }
    }
}

/// Always this time.
impl From<Duration> for Latency {
    fn from(time: Duration) -> Self {
        Self::constant(time)
    }
}

/// [`Latency::try_uniform`].
impl TryFrom<RangeInclusive<Duration>> for Latency {
    type Error = ConfigError;

    fn try_from(range: RangeInclusive<Duration>) -> Result<Self, ConfigError> {
        Self::try_uniform(range)
    }
}

/// Whether a distribution can begin at `low` and have its 99th percentile at `high`.
fn spread(what: &'static str, low: Duration, high: Duration) -> Result<(), ConfigError> {
    if low > high || low.is_zero() {
        return Err(ConfigError::EmptyRange { what, low, high });
    }
    Ok(())
}
