//! Code of the test's that is to run once at a given event of the run, between two steps.

use std::fmt;
use std::sync::Arc;

use super::World;
use super::core::Core;
use super::presence::Entered;

/// What is to be done, and when.
pub(crate) struct Intervention {
    /// Once the run has had so many events.
    pub(crate) at: u64,
    pub(crate) code: Code,
}

type Code = Box<dyn FnOnce(&Arc<World>) + Send>;

impl fmt::Debug for Intervention {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Intervention(at event {})", self.at)
    }
}

impl Core {
    /// Whether the moment has come.
    #[inline]
    pub(super) fn is_to_intervene(&self) -> bool {
        let pending = self.intervention.as_ref();
        pending.is_some_and(|intervention| self.trace.events() >= intervention.at)
    }
}

impl World {
    pub(crate) fn intervene_at(&self, intervention: Intervention) {
        let replaced = self.core(|core| core.intervention.replace(Box::new(intervention)));
        debug_assert!(replaced.is_none(), "one intervention a run");
    }

    /// Runs the code as `main` would outside of any task.
    pub(super) fn intervene(self: &Arc<Self>, entered: &mut Entered) {
        let Some(intervention) = self.core(|core| core.intervention.take()) else {
            return;
        };
        entered.host(self, 0);
        (intervention.code)(self);
    }
}
