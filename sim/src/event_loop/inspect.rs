//! Who is live on a host, and what each task waits for as far as its wakers tell.
//!
//! It is asked of the wakers, and not of a recording, so that a program is told the same in every
//! run.

use std::collections::BTreeMap;
use std::task::Waker;

use event_loop::TaskInfo;

use crate::world::core::Core;
use crate::world::siblings::SiblingId;

impl Core {
    /// The live tasks of one loop of a host, in creation order.
    pub(crate) fn tasks_of(&self, host: u32, of_loop: Option<SiblingId>) -> Vec<TaskInfo> {
        let Some(of) = self.hosts.get(host as usize) else {
            return Vec::new();
        };
        let root = self.root.map(|meta| meta.id).filter(|_| !of.hosted);
        let waits = self.waits();
        let live = self.tasks.live().into_iter();
        live.filter(|task| task.origin.host == host && self.is_task_of(of_loop, task.id))
            .filter(|task| Some(task.id) != root && Some(task.id) != of.driver)
            .map(|task| {
                let mut info = TaskInfo::new(task.id, task.name, task.origin.site);
                let waits_on = task.waker.and_then(|waker| waits.get(&of_waker(waker)));
                info.waits_on = waits_on.cloned();
                info
            })
            .collect()
    }

    /// What the owner of each waker waits for: the first of its timers, or a socket.
    fn waits(&self) -> BTreeMap<usize, String> {
        let mut timers = BTreeMap::new();
        let in_iterations = self.iterations.iter().flat_map(|loops| loops.sleepers());
        for (deadline, waker) in self.timers.iter().chain(in_iterations) {
            let first = timers.entry(of_waker(waker)).or_insert(deadline);
            *first = deadline.min(*first);
        }
        let timers = timers.into_iter();
        let timers = timers
            .map(|(waker, deadline)| (waker, format!("its timer at {}", loop_time(deadline))));
        // Who has both waits for the socket, and gives up when the time is out.
        let sockets = self.sockets.waits();
        timers
            .chain(sockets.map(|(waker, text)| (of_waker(waker), text)))
            .collect()
    }
}

fn loop_time(at: virtual_time::Instant) -> String {
    format!("{:?}", event_loop::time::Instant::from_nanos(at.as_nanos()))
}

/// Whose waker it is: addresses are compared here, and neither ordered nor shown.
fn of_waker(waker: &Waker) -> usize {
    waker.data().addr()
}
