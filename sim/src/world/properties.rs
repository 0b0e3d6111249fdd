//! What a run has met of the properties that the code under test states.

use event_loop::backend::Site;
use event_loop::properties::Property;

use super::World;
use super::core::{Core, current_serial, task_site};
use super::verdict::VerdictKind;

/// The properties of a run, by their place in the catalogue.
#[derive(Debug, Default)]
pub(crate) struct Properties {
    /// Made when the first is met.
    met: Vec<Met>,
}

/// How often a run passed a place.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Met {
    pub(crate) reached: u64,
    pub(crate) hits: u64,
    /// Whether the run misbehaves there, once that is drawn.
    takes_part: Option<bool>,
}

impl Properties {
    /// The count of a place; `None` for one that was loaded after the catalogue was made.
    pub(crate) fn of(&self, index: usize) -> Option<&Met> {
        self.met.get(index)
    }

    fn at(&mut self, site: &Site, known: usize) -> Option<&mut Met> {
        if self.met.is_empty() {
            self.met = vec![Met::default(); known];
        }
        self.met.get_mut(site.index())
    }
}

impl Met {
    fn count(&mut self, hit: bool) {
        self.reached += 1;
        self.hits += u64::from(hit);
    }
}

impl World {
    /// The code passed a place that states something; true if a signal waits for that.
    pub(crate) fn property_met(&self, site: &Site, hit: bool) -> bool {
        let passed = self.aside(|core| {
            core.property(site, |met| met.count(hit));
            core.awaits_place(site)
        });
        passed.unwrap_or(false)
    }

    /// What a place states does not hold: the run ends when the poll returns.
    pub(crate) fn property_broken(&self, site: &Site, detail: &str) {
        if self.aside(|_| ()).is_none() {
            return;
        }
        self.tell_intrusion();
        let property = site.property();
        self.aside(|core| {
            core.property(site, |met| met.count(false));
            let message = broken(property, detail);
            if core.ended.is_none() {
                core.end(VerdictKind::Property, message);
                if let Some(verdict) = &mut core.ended {
                    verdict.location = Some(format!("{}:{}", property.file(), property.line()));
                }
            }
        });
    }

    /// Whether the code is to misbehave at a place, not once the run has failed or is over, and
    /// whether a signal waits for the place.
    pub(crate) fn buggify(&self, site: &Site) -> (bool, bool) {
        let passed = self.aside(|core| (core.buggify(site), core.awaits_place(site)));
        passed.unwrap_or_default()
    }

    /// Opens the core for what a foreign thread may ask in vain.
    fn aside<R>(&self, f: impl FnOnce(&mut Core) -> R) -> Option<R> {
        self.core.try_with(f).ok()
    }
}

impl Core {
    fn property<R>(&mut self, site: &Site, f: impl FnOnce(&mut Met) -> R) -> Option<R> {
        if self.ended.is_some() {
            return None;
        }
        self.properties.at(site, self.known_properties).map(f)
    }

    fn buggify(&mut self, site: &Site) -> bool {
        if self.closed || self.ended.is_some() {
            return false;
        }
        let Some(met) = self.properties.at(site, self.known_properties) else {
            return false;
        };
        let (task, label) = (current_serial(), site.property().label());
        let names = self.trace.names();
        let misbehaves = self
            .choices
            .buggify(&mut met.takes_part, label, || task_site(task, names));
        met.count(misbehaves);
        self.trace
            .choice(self.now, task, label, u64::from(misbehaves));
        misbehaves
    }
}

fn broken(property: &Property, detail: &str) -> String {
    use event_loop::properties::PropertyKind::Unreachable;
    let (kind, label) = (property.kind(), property.label());
    let what = match kind {
        Unreachable => "was reached",
        _ => "does not hold",
    };
    let colon = if detail.is_empty() { "" } else { ": " };
    format!("{} \"{label}\" {what}{colon}{detail}", kind.name())
}
