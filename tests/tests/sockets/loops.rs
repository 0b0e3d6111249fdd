//! The loops that a case is run on, and one run of it.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use event_loop::time::timeout;
use event_loop::{EventLoop, LoopConfig, production};
use sim::{Config, Profile};

use crate::case::Body;
use crate::stage::{Side, Stage};

/// How many seeds a case is run with in each profile and layout, the plain run included.
pub(crate) const SEEDS: u64 = 8;

/// How long the kernel has for what is under way, in one attempt after the other. A machine that
/// is busy may deliver late, even on the loopback.
const KERNEL_PAUSES: [u64; 3] = [2, 30, 300];

/// The same in a world, where it costs nothing: more than any round trip.
pub(crate) const WORLD_PAUSE: Duration = Duration::from_secs(1);

/// When production has hung. A world says so itself.
const WATCHDOG: Duration = Duration::from_secs(30);

/// One loop's origin.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Loop {
    CurrentThread,
    MultiThread,
    Simulated {
        profile: Profile,
        layout: Layout,
        seed: u64,
    },
}

/// Where the two ends of a connection are.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Layout {
    /// Both on one host, by its loopback.
    Loopback,
    /// Each on a host of its own, some milliseconds apart.
    TwoHosts,
}

/// What a case told, or why it did not come to its end.
pub(crate) type Told = Result<Vec<String>, String>;

impl Loop {
    /// The run that the document shows, and that production is measured by.
    pub(crate) const REFERENCE: Self = Self::Simulated {
        profile: Profile::TokioMt,
        layout: Layout::Loopback,
        seed: 0,
    };

    pub(crate) fn all() -> impl Iterator<Item = Self> {
        // Other kernels have other sockets: Linux is the measure.
        let kernel: &[Self] = if cfg!(target_os = "linux") {
            &[Self::CurrentThread, Self::MultiThread]
        } else {
            &[]
        };
        let worlds = Profile::ALL.into_iter().flat_map(|profile| {
            [Layout::Loopback, Layout::TwoHosts]
                .into_iter()
                .flat_map(move |layout| {
                    (0..SEEDS).map(move |seed| Self::Simulated {
                        profile,
                        layout,
                        seed,
                    })
                })
        });
        kernel.iter().copied().chain(worlds)
    }

    pub(crate) fn layout(self) -> Layout {
        match self {
            Self::Simulated { layout, .. } => layout,
            Self::CurrentThread | Self::MultiThread => Layout::Loopback,
        }
    }

    pub(crate) fn is_simulated(self) -> bool {
        matches!(self, Self::Simulated { .. })
    }

    pub(crate) fn seed(self) -> Option<u64> {
        match self {
            Self::Simulated { seed, .. } => Some(seed),
            Self::CurrentThread | Self::MultiThread => None,
        }
    }

    /// Runs a case. Production, which cannot know when all that is under way has arrived, gets
    /// another attempt with more time where it comes to something else than `expected`.
    pub(crate) fn run(self, case: impl Fn(Stage) -> Body, expected: Option<&Told>) -> Told {
        let Self::Simulated {
            profile,
            layout,
            seed,
        } = self
        else {
            let mut told = Ok(vec![]);
            for pause in KERNEL_PAUSES.map(Duration::from_millis) {
                told = catch_unwind(AssertUnwindSafe(|| self.produce(&case, pause)))
                    .unwrap_or_else(|panic| Err(text_of(&*panic).to_owned()));
                if Some(&told) == expected {
                    break;
                }
            }
            return told;
        };
        let (told, hash) = simulate(&case, profile, layout, seed);
        // Once for each kind of loop, and of a run in which something was decided.
        if seed == 1 && told.is_ok() && simulate(&case, profile, layout, seed).1 != hash {
            return Err("a second run of the same seed was another".into());
        }
        told
    }

    fn produce(self, case: impl FnOnce(Stage) -> Body, pause: Duration) -> Told {
        let ev = self.make();
        let here = Side::loopback(ev.unowned());
        let stage = Stage::new(here.clone(), here, pause);
        let log = stage.log();
        let body = case(stage);
        let body = async move { timeout(WATCHDOG, body).await };
        match ev.run_until_complete(body) {
            Ok(Ok(Ok(()))) => Ok(log.take()),
            Ok(Ok(Err(error))) => Err(format!("the case failed: {error}, after {:?}", log.take())),
            Ok(Err(_)) => Err(format!("it hangs, after {:?}", log.take())),
            Err(error) => Err(error.to_string()),
        }
    }

    fn make(self) -> EventLoop {
        let config = LoopConfig::default();
        let made = if self == Self::MultiThread {
            production::multi_thread(config.worker_threads(2))
        } else {
            production::current_thread(config)
        };
        made.expect("a loop can be made")
    }
}

fn simulate(
    case: impl FnOnce(Stage) -> Body,
    profile: Profile,
    layout: Layout,
    seed: u64,
) -> (Told, u64) {
    let config = Config::new()
        .profile(profile)
        .latency(Duration::from_millis(1)..=Duration::from_millis(10));
    let run = sim::run_once(&config, seed, |sim| async move {
        let main = sim.host("main");
        let (server, client) = match layout {
            Layout::Loopback => {
                let here = Side::loopback(main.event_loop());
                (here.clone(), here)
            }
            Layout::TwoHosts => {
                let client = sim.host("client");
                (
                    Side::new(main.event_loop(), main.ip()),
                    Side::new(client.event_loop(), client.ip()),
                )
            }
        };
        let stage = Stage::new(server, client, WORLD_PAUSE);
        let log = stage.log();
        (case(stage).await, log.take())
    });
    let told = match (run.verdict, run.value) {
        (Some(verdict), _) => Err(verdict.to_string()),
        (None, Some((Ok(()), told))) => Ok(told),
        (None, Some((Err(error), told))) => {
            Err(format!("the case failed: {error}, after {told:?}"))
        }
        (None, None) => Err("no outcome and no verdict".into()),
    };
    (told, run.hash)
}

fn text_of(panic: &(dyn std::any::Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("a panic without text")
}

impl fmt::Display for Loop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CurrentThread => f.write_str("production current-thread"),
            Self::MultiThread => f.write_str("production multi-thread"),
            Self::Simulated {
                profile, layout, ..
            } => {
                let layout = match layout {
                    Layout::Loopback => "loopback",
                    Layout::TwoHosts => "two hosts",
                };
                write!(f, "{profile} {layout}")
            }
        }
    }
}
