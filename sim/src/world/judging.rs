//! How a verdict falls: what it says, and that nothing after it counts.

use event_loop::backend::current_task;

use super::core::{Core, current_serial};
use super::verdict::{Verdict, VerdictKind};
use super::waits::{Standing, Table};
use crate::trace::Kind;

impl Core {
    /// Ends the run, unless an earlier verdict has: that one is the cause.
    pub(crate) fn end(&mut self, kind: VerdictKind, message: String) {
        if self.ended.is_some() {
            return;
        }
        self.trace
            .event(self.now, Kind::Failure, current_serial(), kind as u64);
        let task = current_task().map(|meta| self.describe(meta.id));
        let blocked = match kind {
            VerdictKind::Deadlock
            | VerdictKind::Livelock
            | VerdictKind::PollLimit
            | VerdictKind::TimeLimit
            | VerdictKind::Stall => self.tabulate(),
            _ => Vec::new(),
        };
        self.seal();
        self.ended = Some(Box::new(Verdict {
            at_nanos: self.now.as_nanos(),
            event: self.trace.events(),
            task,
            blocked,
            ..Verdict::new(kind, message)
        }));
    }

    /// Who waits on what, if the run is recorded.
    fn tabulate(&mut self) -> Vec<String> {
        let (Some(recording), Some(names)) = (&mut self.recording, self.trace.names()) else {
            return Vec::new();
        };
        let mut table = Table::default();
        for (id, _) in self.tasks.in_creation_order(|_, _| true) {
            let standing = recording.standing(id.serial());
            // What runs callbacks waits for them: nobody has written that.
            let is_driver = self.hosts.iter().any(|host| host.driver == Some(id));
            if !(is_driver && matches!(standing, Standing::Waits(_, None))) {
                table.add(id, standing, names);
            }
        }
        if let Some(threads) = &self.threads {
            table.set_threads(threads.lines(names));
        }
        for host in &self.hosts {
            if host.process.is_paused() {
                table.note(format!("host \"{}\" is paused", host.name));
            }
        }
        let lines = table.lines(names);
        recording.table = Some(table);
        lines
    }

    /// The trace and the entries are complete: what the end of the run still does is no part of
    /// them.
    pub(super) fn seal(&mut self) {
        if let Some(recording) = &mut self.recording {
            recording.over(&mut self.choices, self.trace.names());
        }
        self.trace.seal();
        self.choices.seal();
    }
}
