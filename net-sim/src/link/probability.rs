//! How likely a fault is.

use std::fmt;

use crate::{ConfigError, Decide, Site};

/// In what parts a probability is counted.
const PARTS: u32 = 1_000_000;

/// A probability in millionths, from 0 to 1.
///
/// What happens with it is a choice among as few numbers as do, of which 0 says that it does
/// not happen; where it is 0 or 1 there is no choice.
///
/// ```
/// use net_sim::Probability;
///
/// assert_eq!(Probability::new(0.25)?, Probability::ratio(1, 4)?);
/// assert!(Probability::new(1.5).is_err());
/// assert!(Probability::new(f64::NAN).is_err());
/// # Ok::<(), net_sim::ConfigError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Probability {
    hits: u32,
    /// Has no divisor in common with `hits`.
    of: u32,
}

impl Probability {
    /// It never happens.
    pub const NEVER: Self = Self { hits: 0, of: 1 };
    /// It always happens.
    pub const ALWAYS: Self = Self { hits: 1, of: 1 };

    /// A probability from 0 to 1, to the nearest millionth; what is neither 0 nor 1 stays so.
    ///
    /// # Errors
    ///
    /// [`ConfigError::Probability`], also for what is no number.
    pub fn new(given: f64) -> Result<Self, ConfigError> {
        if !(0.0..=1.0).contains(&given) {
            return Err(ConfigError::Probability { given });
        }
        let millionths = (given * f64::from(PARTS)).round() as u32;
        if given == 0.0 || given == 1.0 {
            return Self::ratio(millionths, PARTS);
        }
        Self::ratio(millionths.clamp(1, PARTS - 1), PARTS)
    }

    /// So many times out of so many.
    ///
    /// # Errors
    ///
    /// [`ConfigError::Probability`] if that is above 1, or out of 0.
    pub fn ratio(hits: u32, of: u32) -> Result<Self, ConfigError> {
        if hits > of || of == 0 {
            let given = f64::from(hits) / f64::from(of);
            return Err(ConfigError::Probability { given });
        }
        let divisor = greatest_common_divisor(of, hits);
        Ok(Self {
            hits: hits / divisor,
            of: of / divisor,
        })
    }

    pub(super) const fn is_never(self) -> bool {
        self.hits == 0
    }

    /// Whether it happens this time.
    pub(super) fn strikes(self, site: Site, decide: &mut dyn Decide) -> bool {
        let n = u64::from(self.of);
        match self.hits {
            0 => false,
            _ if n == 1 => true,
            hits => decide.choose(site, n).min(n - 1) >= n - u64::from(hits),
        }
    }
}

/// As a number, such as `0.01`.
impl fmt::Display for Probability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", f64::from(self.hits) / f64::from(self.of))
    }
}

/// Never.
impl Default for Probability {
    fn default() -> Self {
        Self::NEVER
    }
}

impl TryFrom<f64> for Probability {
    type Error = ConfigError;

    fn try_from(given: f64) -> Result<Self, ConfigError> {
        Self::new(given)
    }
}

fn greatest_common_divisor(a: u32, b: u32) -> u32 {
    if b == 0 {
        a
    } else {
        greatest_common_divisor(b, a % b)
    }
}
