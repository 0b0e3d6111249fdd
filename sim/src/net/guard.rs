//! What a rule leaves in the hands of who asked for it.

use std::fmt;
use std::sync::Arc;

use net_sim::FaultStats;

use crate::world::World;

/// A rule that stands in the network until this is dropped.
///
/// `let _ = partition(…)` drops it at once, and the rule with it; `let _cut = …` holds it to the end of
/// its block.
///
/// A guard that is dropped when the run is over, or that a [`repair`](super::repair) came before,
/// does nothing.
///
/// ```
/// use std::time::Duration;
/// use event_loop::time::sleep;
/// use sim::Config;
/// use sim::net::partition;
///
/// sim::check(&Config::new().seeds(5), |sim| async move {
///     let _ = (sim.host("a"), sim.host("b"));
///     {
///         let _cut = partition("a", "b");
///         sleep(Duration::from_secs(3)).await;
///     } // Here they meet again.
///     partition("a", "main").keep(); // For the rest of the run.
///     let stats = partition("b", "main").lift();
///     assert_eq!(stats.applied, 0); // Nobody had anything to say.
/// });
/// ```
#[must_use = "the rule is lifted when its guard is dropped: hold the guard, or `keep` the rule"]
pub struct Guard {
    world: Arc<World>,
    rule: usize,
    kept: bool,
}

impl Guard {
    pub(super) fn new(world: &Arc<World>, rule: usize) -> Self {
        Self {
            world: world.clone(),
            rule,
            kept: false,
        }
    }

    /// Lifts the rule now, and says what it did.
    pub fn lift(mut self) -> FaultStats {
        self.kept = true;
        self.end()
    }

    /// Lets the rule stand for the rest of the run.
    pub fn keep(mut self) {
        self.kept = true;
    }

    /// What the rule did so far; nothing that is known on a thread outside the world.
    #[must_use]
    pub fn stats(&self) -> FaultStats {
        let stats = self.world.enter(|core| core.rule_stats(self.rule));
        stats.unwrap_or_default()
    }

    /// Lifts the rule, unless the run is over. On a thread outside of a world that goes on, that is
    /// a verdict, as every touch of a world from there.
    fn end(&self) -> FaultStats {
        let lifted = self.world.enter(|core| match core.closed {
            true => (core.rule_stats(self.rule), None),
            false => core.lift_rule(self.rule),
        });
        let (stats, code) = lifted.unwrap_or_default();
        drop(code);
        stats
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        if !self.kept {
            self.end();
        }
    }
}

impl fmt::Debug for Guard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = self.world.enter(|core| core.rules.text(self.rule));
        write!(f, "Guard({})", text.as_deref().unwrap_or("?"))
    }
}
