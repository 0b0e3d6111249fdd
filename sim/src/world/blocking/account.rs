//! What is told of a call that blocked the thread of a loop.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use virtual_time::Instant;

/// How many are kept of a run; what follows is counted.
const KEPT: usize = 100;

/// After how many sleeps of a poll whose run has failed it is taken for one that never returns.
const PATIENCE: u64 = 10_000;

/// How many a report lists before the rest is counted.
const TOLD: usize = 5;

/// How many of those who were kept waiting are listed before the rest is counted.
const LISTED: usize = 5;

/// A call that blocked the thread of a loop: see [`OnBlocking`](crate::OnBlocking).
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Blocking {
    /// What the thread did in it.
    pub call: BlockingCall,
    /// Who made the call: the task that was being polled, or the callback that ran.
    pub who: String,
    /// The function that was called, if the run was recorded: `std::thread::sleep`.
    pub function: Option<String>,
    /// Where the code under test calls it, if the run was recorded: `src/drain.rs:41 in app::drain`.
    pub place: Option<String>,
    /// Where the run was asked for, or the host, whose loop was kept from going on.
    pub run: Option<String>,
    /// Virtual time when the call began, in nanoseconds since the world did.
    pub at_nanos: u64,
    /// How much virtual time it took; `None` if the run ended first, or nothing would ever have ended
    /// it.
    pub took: Option<Duration>,
    /// Whose end ended a call that would have taken for ever, and what it waited for itself.
    pub holder: Option<String>,
    /// Who of that host could have run meanwhile, if the run was recorded: the latest first.
    pub kept_waiting: Vec<KeptWaiting>,
}

/// What a thread does in a call that blocks it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum BlockingCall {
    /// It lets time pass.
    Sleep,
    /// It waits for another thread: for a lock, a message, to be unparked.
    Wait,
    /// It waits for the end of a thread.
    Join,
}

/// A task or callback that could have run while the thread of its loop was blocked.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub struct KeptWaiting {
    /// The task, or the callback, and its place.
    pub who: String,
    /// For how much virtual time.
    pub late: Duration,
}

/// The blocking calls of a run.
#[derive(Clone, PartialEq, Eq, Default, Debug, Serialize, Deserialize)]
pub(crate) struct Blockings {
    pub(crate) kept: Vec<Blocking>,
    /// How many there were, kept or not.
    pub(crate) count: u64,
    /// What is said of the call that the verdict fell in, before the table of who waits.
    #[serde(skip)]
    pub(in crate::world) of_verdict: Vec<String>,
    /// How many sleeps there were in a poll since the run has failed.
    #[serde(skip)]
    pub(super) after_end: u64,
    /// In a call that never ends others are dropped for it.
    #[serde(skip)]
    pub(super) gives_way: bool,
}

impl Blockings {
    pub(super) fn push(&mut self, blocking: Blocking) {
        self.count += 1;
        if self.kept.len() < KEPT {
            self.kept.push(blocking);
        }
    }

    /// A poll sleeps again and again though its run is over.
    pub(super) fn never_ends(&self) -> bool {
        self.after_end > PATIENCE
    }

    /// What is said of a run that went on.
    pub(crate) fn lines(&self) -> Vec<String> {
        let told = self.kept.iter().take(TOLD);
        let mut lines: Vec<_> = told.flat_map(Blocking::lines).collect();
        match self.count.saturating_sub(TOLD as u64) {
            0 => {}
            more => lines.push(format!("… and {more} more")),
        }
        lines
    }
}

impl Blocking {
    /// The sentence of the verdict; the same whether the run was recorded or not.
    pub(super) fn sentence(&self) -> String {
        const SETTING: &str = "`on_blocking` says what becomes of such a run";
        match (self.call, self.took) {
            (BlockingCall::Sleep, Some(took)) => {
                format!("the loop's thread slept for {took:?} in a blocking call; {SETTING}")
            }
            (BlockingCall::Join, Some(took)) => format!(
                "the loop's thread waited {took:?} for the end of another thread; {SETTING}"
            ),
            (BlockingCall::Wait, Some(took)) => {
                format!("the loop's thread waited for {took:?} in a blocking call; {SETTING}")
            }
            (BlockingCall::Join, None) => {
                "the loop's thread waits for the end of another thread, which never comes"
                    .to_owned()
            }
            (BlockingCall::Sleep | BlockingCall::Wait, None) => {
                "the loop's thread waits in a blocking call, and nobody is left who could end it"
                    .to_owned()
            }
        }
    }

    /// In what way somebody has what it waits for.
    fn held(&self) -> &'static str {
        let function = self.function.as_deref().unwrap_or_default();
        if function.contains("Mutex") {
            "the mutex is held across an await by"
        } else if function.contains("RwLock") {
            "the lock is held across an await by"
        } else {
            "what it waits for is in the hands of"
        }
    }

    /// What a report says of it: the call, then a line for each of those it kept waiting.
    pub(crate) fn lines(&self) -> Vec<String> {
        let mut lines = vec![self.to_string()];
        match &self.holder {
            Some(holder) => lines.push(format!("{} {holder}", self.held())),
            None if self.took.is_none() && self.call == BlockingCall::Wait => lines.push(
                "no other task holds it: the one that waits does, or the test's body, or nobody"
                    .to_owned(),
            ),
            None => {}
        }
        let called = self.function.as_deref().unwrap_or_default();
        if let Some(run) = self.run.as_ref().filter(|_| called.ends_with("block_on")) {
            lines.push(format!(
                "it is nested in the run of {run}, whose thread it takes: await the future instead"
            ));
        }
        let listed = self.kept_waiting.iter().take(LISTED);
        lines.extend(listed.map(|kept| format!("kept waiting: {kept}")));
        match self.kept_waiting.len().saturating_sub(LISTED) {
            0 => {}
            more => lines.push(format!("kept waiting: … and {more} more")),
        }
        lines
    }
}

/// The call and who made it, in one line.
impl fmt::Display for Blocking {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.function.as_deref().unwrap_or(match self.call {
            BlockingCall::Sleep => "a sleep",
            BlockingCall::Wait => "a wait",
            BlockingCall::Join => "a wait for the end of a thread",
        }))?;
        if let Some(place) = &self.place {
            write!(f, " at {place}")?;
        }
        write!(f, " by {}", self.who)?;
        let at = Instant::from_nanos(self.at_nanos);
        match self.took {
            Some(took) => write!(f, " at {at} s, for {took:?}"),
            None => write!(f, " since {at} s"),
        }
    }
}

/// Who, and how late.
impl fmt::Display for KeptWaiting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.who)?;
        match self.late {
            Duration::ZERO => Ok(()),
            late => write!(f, ", {late:?} late"),
        }
    }
}
