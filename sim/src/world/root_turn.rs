//! Profile `tokio-ct`: when the future the world is driven for has its turn.
//!
//! Tokio's current-thread scheduler works in turns. At the beginning of each it polls the future of
//! `block_on` if that was woken, then up to 61 tasks; when none is left the turn ends early. So the
//! root's place among the tasks of its host is fixed, and the queue decides only when the host goes
//! on: an entry of it that is picked stands for whichever is next.

use std::collections::VecDeque;

use event_loop::backend::Runnable;

use super::core::Core;
use super::ready::Ready;

/// How many tasks a turn has: tokio's `event_interval`.
const TASKS: u32 = 61;

/// The host whose loop polls the root: the first of every world.
const HOST: u32 = 0;

/// The turn under way.
#[derive(Debug, Default)]
pub(super) struct RootTurn {
    woken: bool,
    /// How many more tasks this turn has.
    left: u32,
    /// How many tasks can run.
    ready: usize,
    /// Those whose entry was picked when it was another's turn.
    kept: VecDeque<Runnable>,
}

impl RootTurn {
    /// A wake, before it is queued.
    #[inline]
    pub(super) fn woken(&mut self, ready: &Ready, host: u32) {
        match ready {
            Ready::Root => self.woken = true,
            Ready::Task(_) if host == HOST => self.ready += 1,
            Ready::Task(_) | Ready::Thread(_) => {}
        }
    }

    /// A poll has ended. Where no task is left, so has the turn.
    #[inline]
    pub(super) fn look(&mut self) {
        if self.ready == 0 {
            self.left = 0;
        }
    }

    pub(super) fn take_kept(&mut self) -> VecDeque<Runnable> {
        std::mem::take(&mut self.kept)
    }

    /// Who is next, of whom it is known.
    fn next(&mut self) -> Option<Ready> {
        if self.left == 0 {
            self.left = TASKS;
            if std::mem::take(&mut self.woken) {
                return Some(Ready::Root);
            }
        }
        let task = self.kept.pop_front()?;
        self.left -= 1;
        self.ready -= 1;
        Some(Ready::Task(task))
    }
}

impl Core {
    /// Who runs where `picked` came out of the queue; `None` if it is yet to be found.
    #[inline]
    pub(super) fn in_turn(&mut self, picked: Ready) -> Option<Ready> {
        let Some(turn) = &mut self.root_turn else {
            return Some(picked);
        };
        match picked {
            Ready::Task(task) if task.meta().host != HOST => return Some(Ready::Task(task)),
            Ready::Thread(_) => return Some(picked),
            Ready::Task(task) => turn.kept.push_back(task),
            Ready::Root => {}
        }
        let next = turn.next();
        if next.is_none()
            && turn.woken
            && let Some(meta) = self.root
        {
            // The tasks before it in this turn are behind its entry.
            self.queue(Ready::Root, &meta);
        }
        next
    }
}
