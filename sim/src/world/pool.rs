//! The pools of a world's hosts: the simulated threads their blocking jobs run on, what happens to
//! the jobs, and how many may stand in line.

use std::collections::BTreeMap;
use std::panic::Location;
use std::sync::Arc;

use event_loop::BlockingError;
use event_loop::backend::{JobId, Worker, current_task};

use super::World;
use super::core::Core;
use super::threads::ThreadId;
use super::verdict::VerdictKind;
use crate::trace::{Kind, job_number};

/// The threads of a host's pool that have nothing to do, or have not noticed yet that they have.
#[derive(Debug, Default)]
pub(crate) struct Resting {
    idle: Vec<ThreadId>,
    given: BTreeMap<ThreadId, Worker>,
}

impl World {
    /// Has a thread of the host's pool run `worker`: one that rests, or a new one.
    pub(crate) fn run_worker(
        self: &Arc<Self>,
        host: u32,
        worker: Worker,
    ) -> Result<(), BlockingError> {
        let mut worker = Some(worker);
        let asked = self.enter(|core| {
            if core.closed {
                return None;
            }
            let pool = core.pools.entry(host).or_default();
            let idle = pool.idle.pop();
            if let (Some(thread), Some(worker)) = (idle, worker.take_if(|_| idle.is_some())) {
                pool.given.insert(thread, worker);
            }
            Some((idle, core.hosts[host as usize].name.clone()))
        });
        let (idle, name) = asked.flatten().ok_or(BlockingError::Closed)?;
        if let Some(thread) = idle {
            self.unpark_thread(thread);
            return Ok(());
        }
        let world = Arc::downgrade(self);
        let made = self.spawn_thread(&format!("{name}-blocking"), host, move || {
            while let Some(next) = worker.take() {
                next.run();
                // Nothing here keeps the world while a job runs, should the thread vanish.
                worker = world.upgrade().and_then(|world| world.rest(host));
            }
        });
        made.map_err(|why| BlockingError::NoThread(why.to_string()))?;
        Ok(())
    }

    /// How many threads of the host's pool have nothing to do.
    pub(crate) fn idle_workers(&self, host: u32) -> usize {
        let idle = self.enter(|core| core.pools.get(&host).map_or(0, |pool| pool.idle.len()));
        idle.unwrap_or(0)
    }

    /// The calling thread of the pool waits for its next work; without any it ends.
    fn rest(&self, host: u32) -> Option<Worker> {
        let thread = self.current_thread()?;
        self.core(|core| core.pools.entry(host).or_default().idle.push(thread));
        let goes_on = self.park_thread();
        let given = self.core(|core| {
            let pool = core.pools.entry(host).or_default();
            pool.idle.retain(|other| *other != thread);
            pool.given.remove(&thread)
        });
        given.filter(|_| goes_on)
    }
}

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
