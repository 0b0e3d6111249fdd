//! The world's side of net-sim's decisions.

use net_sim::{Decide, Site};
use virtual_time::Instant;

use super::choices::{Choices, Domain};
use super::core::{current_serial, task_site};
use crate::trace::Trace;

/// Draws the network's choices, and traces them.
pub(crate) struct Decider<'a> {
    pub(super) choices: &'a mut Choices,
    pub(super) trace: &'a mut Trace,
    pub(super) now: Instant,
}

impl Decide for Decider<'_> {
    #[inline]
    fn choose(&mut self, site: Site, n: u64) -> u64 {
        self.decide(site, n, 1)
    }

    #[inline]
    fn choose_rarely(&mut self, site: Site, n: u64, once_in: u64) -> u64 {
        self.decide(site, n, (n - 1) * (once_in - 1))
    }
}

impl Decider<'_> {
    #[inline]
    fn decide(&mut self, site: Site, n: u64, zeros: u64) -> u64 {
        // Whose choice it is only a kept trace says.
        let names = self.trace.names();
        let task = if names.is_some() { current_serial() } else { 0 };
        let value = self
            .choices
            .choose_among(Domain::Network, site.label, n, zeros, || {
                task_site(task, names)
            });
        self.trace.choice(self.now, task, site.label, value);
        value
    }
}
