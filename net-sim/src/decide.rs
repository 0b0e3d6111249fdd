//! Where the network's decisions come from.

use crate::Site;

/// The source of every decision that the network does not take by rule.
///
/// ```
/// use net_sim::{Decide, Site};
///
/// /// The least likely of everything.
/// struct Contrary;
///
/// impl Decide for Contrary {
///     fn choose(&mut self, _: Site, n: u64) -> u64 {
///         n - 1
///     }
/// }
///
/// assert_eq!(Contrary.choose(Site::LATENCY, 32), 31);
/// ```
pub trait Decide {
    /// A number from `0..n`, where 0 is what production would most likely do; `n` is at least 1.
    ///
    /// An answer of `n` or more counts as `n - 1`.
    fn choose(&mut self, site: Site, n: u64) -> u64;

    /// The same where anything but 0 is rare: who draws at random does so once in `once_in` times,
    /// which is at least 1.
    fn choose_rarely(&mut self, site: Site, n: u64, once_in: u64) -> u64 {
        let _ = once_in;
        self.choose(site, n)
    }
}

impl<D: Decide + ?Sized> Decide for &mut D {
    fn choose(&mut self, site: Site, n: u64) -> u64 {
        (**self).choose(site, n)
    }

    fn choose_rarely(&mut self, site: Site, n: u64, once_in: u64) -> u64 {
        (**self).choose_rarely(site, n, once_in)
    }
}

/// What production would most likely do, always: every choice is 0.
#[derive(Clone, Copy, Debug, Default)]
pub struct Plain;

impl Decide for Plain {
    fn choose(&mut self, _: Site, _: u64) -> u64 {
        0
    }
}
