//! The pools of a world's hosts: what happens to their jobs, and how many may stand in line.

use std::panic::Location;

use event_loop::backend::{JobId, current_task};

use super::core::Core;
use super::verdict::VerdictKind;
use crate::trace::{Kind, job_number};

impl Core {
    /// Something happens to a job of a host's.
    pub(crate) fn note_job(&mut self, kind: Kind, host: u32, job: JobId) {
        let task = current_task().map_or(0, |meta| meta.id.serial());
        let number = job_number(host, job.serial());
        self.trace.event(self.now, kind, task, number);
    }

    /// Ends the run if more jobs of a host stand in line than the test allows.
    pub(crate) fn check_line(
        &mut self,
        host: u32,
        job: JobId,
        site: &'static Location<'static>,
        in_line: usize,
    ) {
        let Some(budget) = self
            .limits
            .blocking_budget
            .filter(|budget| in_line > *budget)
        else {
            return;
        };
        let host = self.hosts.get(host as usize);
        let host = host.map_or_else(|| "?".into(), |host| host.name.clone());
        let message = format!(
            "{in_line} blocking jobs have not begun on host {host}, and the budget is {budget}: \
             the last is job {job}, asked for at {site}; bound the queue, or ask for fewer at a time"
        );
        self.end(VerdictKind::Overload, message);
    }
}
