//! Properties that a service states in its own code: nothing in production, counted and judged in a
//! world.
//!
//! [`always!`](crate::always), [`sometimes!`](crate::sometimes), [`reachable!`](crate::reachable),
//! [`unreachable!`](crate::unreachable) and [`buggify!`](crate::buggify) cost one relaxed load and
//! a branch where no world was ever made in the process, and evaluate nothing. A label stands for
//! one place: [`catalogue`] lists every label that is linked into the program, met or not.

use std::fmt;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use crate::context;

/// States that a condition holds whenever this place is passed.
///
/// In a world, where it does not hold, the run fails with the label and the text that may follow it,
/// as soon as the poll returns; nothing is thrown. Elsewhere neither the condition nor the text is
/// evaluated.
///
/// ```
/// # let (held, limit) = (3, 4);
/// event_loop::always!(held <= limit, "the pool stays within its limit", "{held} of {limit}");
/// ```
#[macro_export]
macro_rules! always {
    ($holds:expr, $label:expr $(,)?) => {
        $crate::always!($holds, $label, "")
    };
    ($holds:expr, $label:expr, $($detail:tt)+) => {
        if $crate::__private::in_world() {
            let site = $crate::__property_site!(Always, $label);
            if $holds {
                $crate::__private::met(site, true);
            } else {
                $crate::__private::broken(site, ::core::format_args!($($detail)+));
            }
        }
    };
}

/// States that a condition holds at least once in a campaign when this place is passed.
///
/// ```
/// # let queue: Vec<u32> = Vec::new();
/// event_loop::sometimes!(queue.is_empty(), "a worker finds nothing to do");
/// ```
#[macro_export]
macro_rules! sometimes {
    ($met:expr, $label:expr $(,)?) => {
        if $crate::__private::in_world() {
            let site = $crate::__property_site!(Sometimes, $label);
            let met: bool = $met;
            $crate::__private::met(site, met);
        }
    };
}

/// States that this place is reached at least once in a campaign.
///
/// ```
/// # fn retry() {
/// event_loop::reachable!("a request is sent again");
/// # }
/// ```
#[macro_export]
macro_rules! reachable {
    ($label:expr $(,)?) => {
        if $crate::__private::in_world() {
            $crate::__private::met($crate::__property_site!(Reachable, $label), true);
        }
    };
}

/// States that this place is never reached.
///
/// In a world the run fails if it is, as soon as the poll returns; in production, unlike
/// [`std::unreachable!`], the code goes on.
///
/// ```
/// # let state = 1;
/// if state > 2 {
///     event_loop::unreachable!("a connection is in a known state", "state {state}");
/// }
/// ```
#[macro_export]
macro_rules! unreachable {
    ($label:expr $(,)?) => {
        $crate::unreachable!($label, "")
    };
    ($label:expr, $($detail:tt)+) => {
        if $crate::__private::in_world() {
            let site = $crate::__property_site!(Unreachable, $label);
            $crate::__private::broken(site, ::core::format_args!($($detail)+));
        }
    };
}

/// Whether to misbehave here, as production may now and then: false in production and in the
/// plain run, a choice of the seed in others.
///
/// A run draws once for each place whether it takes part, with a chance of 1 in 4; where it does,
/// each time is true with a chance of 1 in 4. What was true is an entry of the run, and replayed.
///
/// ```
/// # use std::time::Duration;
/// # async fn flush() {
/// if event_loop::buggify!("the disk is slow") {
///     event_loop::time::sleep(Duration::from_secs(3)).await;
/// }
/// # }
/// ```
#[macro_export]
macro_rules! buggify {
    ($label:expr $(,)?) => {
        $crate::__private::in_world()
            && $crate::__private::buggify($crate::__property_site!(Buggify, $label))
    };
}

/// The record of one place, known to the catalogue because it is linked.
#[doc(hidden)]
#[macro_export]
macro_rules! __property_site {
    ($kind:ident, $label:expr) => {{
        static SITE: $crate::__private::Site = $crate::__private::Site::new(
            $crate::properties::PropertyKind::$kind,
            $label,
            ::core::file!(),
            ::core::line!(),
            ::core::column!(),
        );
        $crate::__private::inventory::submit! { $crate::__private::Linked(&SITE) }
        &SITE
    }};
}

/// What is stated of a place.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[non_exhaustive]
pub enum PropertyKind {
    /// By [`always!`](crate::always).
    Always,
    /// By [`sometimes!`](crate::sometimes).
    Sometimes,
    /// By [`reachable!`](crate::reachable).
    Reachable,
    /// By [`unreachable!`](crate::unreachable).
    Unreachable,
    /// By [`buggify!`](crate::buggify).
    Buggify,
}

/// One label, and its place in the sources.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Property {
    label: &'static str,
    file: &'static str,
    line: u32,
    column: u32,
    kind: PropertyKind,
}

/// Two places bear the same label.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct DuplicateLabel {
    places: [Property; 2],
}

/// Every label that is linked into this program, met or not, by label, file and line. What a
/// library loaded later adds is not in it.
///
/// ```
/// for property in event_loop::properties::catalogue().unwrap() {
///     println!("{property}");
/// }
/// ```
///
/// # Errors
/// [`DuplicateLabel`], naming both places, if two bear one label.
pub fn catalogue() -> Result<&'static [Property], DuplicateLabel> {
    let all = linked();
    match all
        .array_windows()
        .find(|[one, other]| one.label == other.label)
    {
        Some(&places) => Err(DuplicateLabel { places }),
        None => Ok(all),
    }
}

impl PropertyKind {
    /// The name of its macro.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Always => "always",
            Self::Sometimes => "sometimes",
            Self::Reachable => "reachable",
            Self::Unreachable => "unreachable",
            Self::Buggify => "buggify",
        }
    }
}

impl Property {
    /// What is stated, in the author's words.
    #[must_use]
    pub const fn label(&self) -> &'static str {
        self.label
    }

    /// Which macro states it.
    #[must_use]
    pub const fn kind(&self) -> PropertyKind {
        self.kind
    }

    /// The file of the macro.
    #[must_use]
    pub const fn file(&self) -> &'static str {
        self.file
    }

    /// The line of the macro.
    #[must_use]
    pub const fn line(&self) -> u32 {
        self.line
    }
}

impl fmt::Display for Property {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            label,
            file,
            line,
            kind,
            ..
        } = self;
        write!(f, "{} \"{label}\" ({file}:{line})", kind.name())
    }
}

impl fmt::Display for DuplicateLabel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [one, other] = self.places;
        write!(
            f,
            "two properties bear one label: {one} and {other}; give one of them another label"
        )
    }
}

impl std::error::Error for DuplicateLabel {}

/// Whether a world was ever made in this process; only then a thread looks whether it is in one.
static WORLDS: AtomicBool = AtomicBool::new(false);

/// A world is being made: from here on properties are looked at. Also the size of the catalogue,
/// in which each [`Site`] knows its index.
#[doc(hidden)]
pub fn expect_worlds() -> usize {
    let len = linked().len();
    WORLDS.store(true, Ordering::Relaxed);
    len
}

/// Every property in the catalogue's order, two of one label too. A place that is linked twice, as
/// a library under test and a dependency of its test is, is one.
#[doc(hidden)]
pub fn linked() -> &'static [Property] {
    static ALL: OnceLock<Vec<Property>> = OnceLock::new();
    ALL.get_or_init(|| {
        let sites: Vec<_> = inventory::iter::<Linked>().map(|linked| linked.0).collect();
        let mut all: Vec<_> = sites.iter().map(|site| site.property).collect();
        all.sort_unstable();
        all.dedup();
        for site in sites {
            if let Ok(index) = all.binary_search(&site.property) {
                site.index.store(index as u32, Ordering::Relaxed);
            }
        }
        all
    })
}

/// The record of one place.
#[doc(hidden)]
#[derive(Debug)]
pub struct Site {
    property: Property,
    index: AtomicU32,
}

/// A record that the linker has kept.
#[doc(hidden)]
#[derive(Debug)]
pub struct Linked(pub &'static Site);

inventory::collect!(Linked);

impl Site {
    /// Of this place.
    #[must_use]
    pub const fn new(
        kind: PropertyKind,
        label: &'static str,
        file: &'static str,
        line: u32,
        column: u32,
    ) -> Self {
        Self {
            property: Property {
                label,
                file,
                line,
                column,
                kind,
            },
            index: AtomicU32::new(u32::MAX),
        }
    }

    /// What is stated.
    #[must_use]
    pub const fn property(&self) -> &Property {
        &self.property
    }

    /// Its place in the catalogue; beyond its end for what was loaded later.
    #[must_use]
    pub fn index(&self) -> usize {
        self.index.load(Ordering::Relaxed) as usize
    }
}

/// Whether this thread is inside a world: all that production pays for.
#[inline(always)]
pub fn in_world() -> bool {
    WORLDS.load(Ordering::Relaxed) && is_inside()
}

#[cold]
#[inline(never)]
fn is_inside() -> bool {
    context::with_current(|ev| ev.is_some_and(|ev| ev.backend().is_some()))
}

/// The place was passed, and what it states was met or not.
#[cold]
pub fn met(site: &'static Site, met: bool) {
    let awaited = context::with_current(|ev| {
        let backend = ev.and_then(|ev| ev.backend());
        backend.is_some_and(|backend| backend.property_met(site, met))
    });
    if awaited {
        raise_at(site);
    }
}

/// What is stated does not hold.
#[cold]
pub fn broken(site: &'static Site, detail: fmt::Arguments<'_>) {
    // The text is made by code of the service's, with nothing of ours in use.
    let detail = detail.to_string();
    context::with_current(|ev| {
        if let Some(backend) = ev.and_then(|ev| ev.backend()) {
            backend.property_broken(site, &detail);
        }
    });
}

/// Whether to misbehave at this place.
#[cold]
#[must_use]
pub fn buggify(site: &'static Site) -> bool {
    let (misbehaves, awaited) = context::with_current(|ev| {
        let backend = ev.and_then(|ev| ev.backend());
        backend.map_or((false, false), |backend| backend.buggify(site))
    });
    if awaited {
        raise_at(site);
    }
    misbehaves
}

/// Signals wait for the code to pass this place. They run code of the service's, such as its
/// wakers: with nothing of ours in use.
fn raise_at(site: &'static Site) {
    let backend = context::with_current(|ev| ev?.backend().cloned());
    if let Some(backend) = backend {
        backend.raise_at(site);
    }
}
