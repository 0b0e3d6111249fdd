//! The world's side of net-sim's decisions.

use net_sim::{Decide, Site};
use virtual_time::Instant;

use super::choices::{Choices, Domain};
use super::core::task_site;
use crate::trace::Trace;

/// Draws the network's choices, and traces them.
pub(crate) struct Decider<'a> {
    pub(super) choices: &'a mut Choices,
    pub(super) trace: &'a mut Trace,
    pub(super) now: Instant,
    pub(super) task: u64,
}

impl Decide for Decider<'_> {
    fn choose(&mut self, site: Site, n: u64) -> u64 {
        let names = self.trace.names();
        let task = self.task;
        let value = self
            .choices
            .choose(Domain::Network, site.label, n, || task_site(task, names));
        self.trace.choice(self.now, self.task, site.label, value);
        value
    }
}
