//! What the links between hosts are like.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use net_sim::{Bandwidth, ConfigError, Corruption, Latency, LinkConfig, Probability};

use super::hosts::{listed, meant};
use super::{Guard, Hosts, RuleError, expect, open};
use crate::world::core::Core;
use crate::world::{World, here};

/// The links between every host of `a` and every host of `b`, in both directions, to be configured.
/// What is said of them holds for what is sent from then on, for the rest of the run or
/// [until a guard is dropped](Link::until_dropped).
///
/// ```
/// use std::time::Duration;
/// use sim::Config;
/// use sim::net::{Bandwidth, Latency, link};
///
/// sim::check(&Config::new().seeds(5), |sim| async move {
///     let _ = (sim.host("svc"), sim.host("db-1"), sim.host("db-2"));
///     let ms = Duration::from_millis;
///     link("svc", ["db-1", "db-2"]).latency(ms(1)..=ms(80)).loss(0.01);
///     link("svc", "main")
///         .latency(Latency::log_normal(ms(20), ms(200)))
///         .bandwidth(Bandwidth::from_megabits(50));
/// });
/// ```
///
/// # Panics
/// With the text of what [`try_link`] returns.
#[must_use = "a link does nothing until something is said of it"]
#[track_caller]
pub fn link(a: impl Hosts, b: impl Hosts) -> Link {
    expect(try_link(a, b))
}

/// [`link`], with what is wrong as an error.
///
/// # Errors
/// A host that does not exist; no two hosts that differ; called outside of a world, or when the run
/// is over.
pub fn try_link(a: impl Hosts, b: impl Hosts) -> Result<Link, RuleError> {
    Link::between(&here::world()?, &a, &b)
}

/// The links from every host of `from` to every host of `to`, and not back.
///
/// ```
/// use sim::Config;
/// use sim::net::{Bandwidth, link_to};
///
/// sim::check(&Config::new().seeds(5), |sim| async move {
///     let _ = (sim.host("home"), sim.host("provider"));
///     link_to("home", "provider").bandwidth(Bandwidth::from_megabits(10));
///     link_to("provider", "home").bandwidth(Bandwidth::from_megabits(100));
/// });
/// ```
///
/// # Panics
/// With the text of what [`try_link_to`] returns.
#[must_use = "a link does nothing until something is said of it"]
#[track_caller]
pub fn link_to(from: impl Hosts, to: impl Hosts) -> Link {
    expect(try_link_to(from, to))
}

/// [`link_to`], with what is wrong as an error.
///
/// # Errors
/// As [`try_link`].
pub fn try_link_to(from: impl Hosts, to: impl Hosts) -> Result<Link, RuleError> {
    let world = here::world()?;
    let (ways, text) = open(&world, |core| {
        let (from, to) = (meant(core, &world, &from)?, meant(core, &world, &to)?);
        let text = format!("link {} > {}", listed(core, &from), listed(core, &to));
        Ok((ways(core, pairs(&from, &to), &from)?, text))
    })?;
    Ok(Link::new(&world, ways, text))
}

/// The links between all hosts of whom nothing else was said; at first as
/// [`Config::link`](crate::Config::link) says.
///
/// ```
/// use sim::Config;
/// use sim::net::default_link;
///
/// sim::check(&Config::new().seeds(5), |_sim| async move {
///     let lossy = default_link().loss(0.02).until_dropped();
///     // … what the service does in bad weather …
///     drop(lossy);
/// });
/// ```
///
/// # Panics
/// With the text of what [`try_default_link`] returns.
#[must_use = "a link does nothing until something is said of it"]
#[track_caller]
pub fn default_link() -> Link {
    expect(try_default_link())
}

/// [`default_link`], with what is wrong as an error.
///
/// # Errors
/// Called outside of a world, or when the run is over.
pub fn try_default_link() -> Result<Link, RuleError> {
    let world = here::world()?;
    open(&world, |_| Ok(()))?;
    Ok(Link::new(
        &world,
        vec![Way::Default],
        "default link".to_owned(),
    ))
}

/// Links between hosts: see [`link`].
///
/// Each of these calls panics with the text of what [`try_change`](Self::try_change) returns.
#[derive(Clone)]
pub struct Link {
    world: Arc<World>,
    ways: Vec<Way>,
    text: String,
    /// What each was like before anything was said of it here.
    before: Vec<LinkConfig>,
}

/// A direction that has a shape.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Way {
    /// All that have none of their own.
    Default,
    Between(u32, u32),
}

impl Link {
    /// How long a segment is under way: a time, a range from which each draws, or any other shape
    /// of [`Latency`].
    #[track_caller]
    pub fn latency(self, latency: impl TryInto<Latency, Error: Into<ConfigError>>) -> Self {
        let latency = expect(valid(latency));
        let text = format!("latency {:?}", latency.typical());
        self.change(&text, |mut link| {
            link.latency = latency.clone();
            Ok(link)
        })
    }

    /// How much longer a segment takes at most.
    #[track_caller]
    pub fn jitter(self, most: Duration) -> Self {
        self.change(&format!("jitter {most:?}"), |link| {
            Ok(link.with_jitter(most))
        })
    }

    /// How likely a segment is lost: of a stream it is sent again, later, and all behind it waits.
    #[track_caller]
    pub fn loss(self, chance: impl TryInto<Probability, Error: Into<ConfigError>>) -> Self {
        let chance = expect(valid(chance));
        self.change(&format!("loss {chance}"), |link| Ok(link.with_loss(chance)))
    }

    /// How likely a datagram arrives twice.
    #[track_caller]
    pub fn duplicate(self, chance: impl TryInto<Probability, Error: Into<ConfigError>>) -> Self {
        let chance = expect(valid(chance));
        self.change(&format!("duplicate {chance}"), |link| {
            Ok(link.with_duplication(chance))
        })
    }

    /// How likely a segment arrives so much later that others overtake it.
    #[track_caller]
    pub fn reorder(
        self,
        chance: impl TryInto<Probability, Error: Into<ConfigError>>,
        by: Duration,
    ) -> Self {
        let chance = expect(valid(chance));
        self.change(&format!("reorder {chance} by {by:?}"), |link| {
            Ok(link.with_reordering(chance, by))
        })
    }

    /// How likely a bit flips in a datagram, and whether the checksum tells.
    #[track_caller]
    pub fn corrupt(
        self,
        chance: impl TryInto<Probability, Error: Into<ConfigError>>,
        then: Corruption,
    ) -> Self {
        let chance = expect(valid(chance));
        self.change(&format!("corrupt {chance}"), |link| {
            Ok(link.with_corruption(chance, then))
        })
    }

    /// How fast bytes leave; those sent meanwhile wait their turn.
    #[track_caller]
    pub fn bandwidth(self, bandwidth: Bandwidth) -> Self {
        self.change("bandwidth", |link| Ok(link.with_bandwidth(bandwidth)))
    }

    /// How many bytes wait for a narrow link at most: a datagram that finds the queue full is lost.
    #[track_caller]
    pub fn queue(self, bytes: usize) -> Self {
        self.change(&format!("queue {bytes} bytes"), |link| {
            Ok(link.with_queue(bytes))
        })
    }

    /// How long an IP packet may be, in bytes; longer datagrams go in pieces.
    #[track_caller]
    pub fn mtu(self, bytes: usize) -> Self {
        self.change(&format!("mtu {bytes} bytes"), |link| link.with_mtu(bytes))
    }

    /// Changes what the links are like, by what may fail; `text` is what traces call it.
    ///
    /// ```
    /// use sim::Config;
    /// use sim::net::{Probability, RuleError, link};
    ///
    /// sim::check(&Config::new().seeds(1), |sim| async move {
    ///     let _ = sim.host("svc");
    ///     let chance = 1.5;
    ///     let changed = link("main", "svc")
    ///         .try_change("loss", |link| Ok(link.with_loss(Probability::new(chance)?)));
    ///     let error = changed.unwrap_err();
    ///     assert!(matches!(error, RuleError::Link(_)));
    ///     assert_eq!(error.to_string(), "a probability of 1.5: it is from 0 to 1");
    /// });
    /// ```
    ///
    /// # Errors
    /// What `change` returns; the run is over.
    pub fn try_change(
        self,
        text: &str,
        change: impl Fn(LinkConfig) -> Result<LinkConfig, ConfigError>,
    ) -> Result<Self, RuleError> {
        // The test's own code runs with the core closed.
        let old = open(&self.world, |core| {
            Ok(self
                .ways
                .iter()
                .map(|&way| core.link_of(way))
                .collect::<Vec<_>>())
        })?;
        let new = old
            .iter()
            .cloned()
            .map(change)
            .collect::<Result<Vec<_>, _>>()?;
        if new != old {
            open(&self.world, |core| {
                core.note_link(&format!("{} {text}", self.text));
                for (&way, config) in self.ways.iter().zip(new) {
                    core.set_link(way, config);
                }
                Ok(())
            })?;
        }
        Ok(self)
    }

    /// Gives a guard: when that is dropped, the links are as they were when they were first named
    /// here, whatever was said of them since.
    #[track_caller]
    pub fn until_dropped(self) -> Guard {
        let rule = open(&self.world, |core| {
            let before = self.ways.iter().copied().zip(self.before.clone());
            Ok(core.rule_of_links(self.text.clone(), before.collect()))
        });
        Guard::new(&self.world, expect(rule))
    }

    pub(crate) fn between(
        world: &Arc<World>,
        a: &impl Hosts,
        b: &impl Hosts,
    ) -> Result<Self, RuleError> {
        let (ways, text) = open(world, |core| {
            let (a, b) = (meant(core, world, a)?, meant(core, world, b)?);
            let text = format!("link {} | {}", listed(core, &a), listed(core, &b));
            let both = pairs(&a, &b).chain(pairs(&b, &a));
            Ok((ways(core, both, &a)?, text))
        })?;
        Ok(Self::new(world, ways, text))
    }

    fn new(world: &Arc<World>, ways: Vec<Way>, text: String) -> Self {
        let before = world.ask(|core| ways.iter().map(|&way| core.link_of(way)).collect());
        Self {
            world: world.clone(),
            ways,
            text,
            before,
        }
    }

    #[track_caller]
    fn change(
        self,
        text: &str,
        change: impl Fn(LinkConfig) -> Result<LinkConfig, ConfigError>,
    ) -> Self {
        expect(self.try_change(text, change))
    }
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Link({})", self.text)
    }
}

impl From<ConfigError> for RuleError {
    fn from(error: ConfigError) -> Self {
        Self::Link(error)
    }
}

fn valid<T>(given: impl TryInto<T, Error: Into<ConfigError>>) -> Result<T, RuleError> {
    given
        .try_into()
        .map_err(|error| RuleError::Link(error.into()))
}

/// Everybody of one group with everybody else of the other.
fn pairs<'a>(from: &'a [u32], to: &'a [u32]) -> impl Iterator<Item = (u32, u32)> + 'a {
    let each = from
        .iter()
        .flat_map(|&from| to.iter().map(move |&to| (from, to)));
    each.filter(|(from, to)| from != to)
}

/// Each way once; an error with one of `hosts` if there is none.
fn ways(
    core: &Core,
    pairs: impl Iterator<Item = (u32, u32)>,
    hosts: &[u32],
) -> Result<Vec<Way>, RuleError> {
    let mut ways: Vec<_> = pairs.map(|(from, to)| Way::Between(from, to)).collect();
    ways.sort_unstable();
    ways.dedup();
    match ways.is_empty() {
        false => Ok(ways),
        true => Err(RuleError::SameHost {
            host: core.hosts[hosts[0] as usize].name.to_string(),
        }),
    }
}
