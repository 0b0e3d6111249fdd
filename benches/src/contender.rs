//! Who does the work: our loop in a profile and with a strategy, or a peer.

use std::fmt;
use std::str::FromStr;

#[cfg(feature = "ours")]
use crate::ours::{Ours, Production, WholeTokio};
use crate::peers::{Bach, Shuttle, Tokio};
#[cfg(feature = "turmoil")]
use crate::peers::{Turmoil, TurmoilNet};
use crate::work::{self, LiveBytes, Work};

/// How the next task is picked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Picks {
    /// First come, first served.
    Fifo,
    /// Uniformly at random.
    Random,
    /// By priorities with three change points.
    Pct3,
}

/// The profile our loop runs in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Profile {
    /// Timers to the nanosecond.
    Exact,
    /// The default: as multi-threaded tokio may behave.
    TokioMt,
}

/// One that does a work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Contender {
    /// Our loop, as a test has it.
    Ours(Profile, Picks),
    /// Our handle in production: the current-thread loop on tokio.
    Production,
    /// The runtime below it, by itself: with all the drivers it has.
    WholeTokio,
    /// tokio, current-thread, its clock paused where there is one; for a network, its pipes.
    Tokio,
    /// bach 0.2.
    Bach,
    /// shuttle 0.9.
    Shuttle(Picks),
    /// madsim 0.2, in a binary of its own.
    Madsim,
    /// turmoil 0.7.
    Turmoil,
    /// turmoil-net 0.1.
    TurmoilNet,
}

impl Contender {
    /// Does the work in this process and gives its figure in the work's unit; `None` where the
    /// contender cannot do it.
    pub fn measure(self, work: Work, live_bytes: Option<LiveBytes>) -> Option<f64> {
        if work.is_networked() {
            return self.measure_network(work);
        }
        match self {
            #[cfg(feature = "ours")]
            Self::Ours(profile, picks) => {
                work::measure(&Ours::new(profile, picks)?, work, live_bytes)
            }
            #[cfg(feature = "ours")]
            Self::Production => work::measure_untimed(&Production, work),
            #[cfg(feature = "ours")]
            Self::WholeTokio => work::measure_untimed(&WholeTokio, work),
            Self::Tokio => work::measure(&Tokio::for_work(work), work, live_bytes),
            Self::Bach => work::measure(&Bach, work, live_bytes),
            Self::Shuttle(Picks::Random) => work::measure_untimed(&Shuttle::Random, work),
            Self::Shuttle(Picks::Pct3) => work::measure_untimed(&Shuttle::Pct3, work),
            Self::Shuttle(Picks::Fifo) | Self::Madsim | Self::Turmoil | Self::TurmoilNet => None,
            #[cfg(not(feature = "ours"))]
            Self::Ours(..) | Self::Production | Self::WholeTokio => None,
        }
    }

    fn measure_network(self, work: Work) -> Option<f64> {
        match self {
            #[cfg(feature = "ours")]
            Self::Ours(profile, picks) => {
                let ours = Ours::new(profile, picks)?;
                work::measure_streams(&ours, work)
                    .or_else(|| work::measure_datagrams(&ours, work))
                    .or_else(|| ours.measure_hosts(work))
            }
            #[cfg(feature = "turmoil")]
            Self::Turmoil => work::measure_streams(&Turmoil, work)
                .or_else(|| work::measure_datagrams(&Turmoil, work)),
            #[cfg(feature = "turmoil")]
            Self::TurmoilNet => work::measure_streams(&TurmoilNet, work)
                .or_else(|| work::measure_datagrams(&TurmoilNet, work)),
            Self::Bach => work::measure_datagrams(&Bach, work),
            Self::Tokio => work::measure_streams(&Tokio::for_work(work), work),
            _ => None,
        }
    }
}

impl Picks {
    fn name(self) -> &'static str {
        match self {
            Self::Fifo => "fifo",
            Self::Random => "random",
            Self::Pct3 => "pct3",
        }
    }
}

impl Profile {
    /// The name the tests' configuration gives it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Exact => "exact",
            Self::TokioMt => "tokio-mt",
        }
    }
}

impl fmt::Display for Contender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ours(profile, picks) => write!(f, "ours:{}:{}", profile.name(), picks.name()),
            Self::Production => f.write_str("ours:production"),
            Self::WholeTokio => f.write_str("tokio:drivers"),
            Self::Tokio => f.write_str("tokio"),
            Self::Bach => f.write_str("bach"),
            Self::Shuttle(picks) => write!(f, "shuttle:{}", picks.name()),
            Self::Madsim => f.write_str("madsim"),
            Self::Turmoil => f.write_str("turmoil"),
            Self::TurmoilNet => f.write_str("turmoil-net"),
        }
    }
}

impl FromStr for Contender {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        let all_picks = [Picks::Fifo, Picks::Random, Picks::Pct3];
        let ours = [Profile::Exact, Profile::TokioMt]
            .into_iter()
            .flat_map(|profile| all_picks.map(|picks| Self::Ours(profile, picks)));
        [
            Self::Production,
            Self::WholeTokio,
            Self::Tokio,
            Self::Bach,
            Self::Madsim,
            Self::Turmoil,
            Self::TurmoilNet,
        ]
        .into_iter()
        .chain(all_picks.map(Self::Shuttle))
        .chain(ours)
        .find(|contender| contender.to_string() == name)
        .ok_or_else(|| format!("no contender is called {name:?}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_leads_back_to_its_contender() {
        for contender in [
            Contender::Ours(Profile::TokioMt, Picks::Random),
            Contender::Production,
            Contender::WholeTokio,
            Contender::Shuttle(Picks::Pct3),
            Contender::Madsim,
            Contender::TurmoilNet,
        ] {
            assert_eq!(contender.to_string().parse(), Ok(contender));
        }
        assert!("tokyo".parse::<Contender>().is_err());
    }
}
