//! The live tasks of a production loop, for whoever asks who there is.
//!
//! Tokio knows them, but neither their names nor their order. A spawn and an end each lock one of
//! many small tables, so that workers seldom meet.

use std::iter;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use slab::Slab;

use super::task::TokioTask;
use crate::{TaskId, TaskInfo};

/// The tables, of which a task's serial chooses one.
const SHARDS: usize = 32;

/// The live tasks.
pub(crate) struct Registry {
    shards: Box<[Mutex<Slab<Arc<TokioTask>>>]>,
}

impl Registry {
    pub(crate) fn new() -> Self {
        Self {
            shards: iter::repeat_with(Mutex::default).take(SHARDS).collect(),
        }
    }

    /// Makes the `serial`th task, which is told its identity.
    pub(crate) fn add(
        &self,
        serial: u64,
        make: impl FnOnce(TaskId) -> TokioTask,
    ) -> Arc<TokioTask> {
        let mut shard = self.shard(serial);
        let entry = shard.vacant_entry();
        let slot = u32::try_from(entry.key()).unwrap_or(u32::MAX);
        entry
            .insert(Arc::new(make(TaskId::new(serial, slot))))
            .clone()
    }

    /// The record of a live task.
    pub(super) fn get(&self, id: TaskId) -> Option<Arc<TokioTask>> {
        let shard = self.shard(id.serial());
        let task = shard.get(id.slot() as usize)?;
        // Its place may be another's by now.
        (task.id() == id).then(|| task.clone())
    }

    /// The task is over.
    pub(crate) fn remove(&self, id: TaskId) {
        let left = self.shard(id.serial()).try_remove(id.slot() as usize);
        drop(left);
    }

    /// The live tasks, in creation order.
    pub(crate) fn tasks(&self) -> Vec<TaskInfo> {
        self.live().iter().map(|task| task.info()).collect()
    }

    /// The records of the live tasks, in creation order.
    pub(super) fn live(&self) -> Vec<Arc<TokioTask>> {
        let mut tasks = Vec::new();
        for shard in &self.shards {
            let shard = shard.lock().unwrap_or_else(PoisonError::into_inner);
            tasks.extend(shard.iter().map(|(_, task)| task.clone()));
        }
        tasks.sort_unstable_by_key(|task| task.id().serial());
        tasks
    }

    fn shard(&self, serial: u64) -> MutexGuard<'_, Slab<Arc<TokioTask>>> {
        let shard = &self.shards[serial as usize % SHARDS];
        shard.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
