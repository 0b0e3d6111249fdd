//! Scenes: code on the loop interface, and a script of what is done to it from outside. The same
//! scene is played on production's loops, in a child process that gets real signals, and on a host
//! of a world; whoever plays it looks at the lines that it says and at how it ends.

pub mod plain;
pub mod shutdown;
pub mod signals;

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use event_loop::{EventLoop, LoopConfig, LoopError, production};

/// Every scene; the program that plays them finds them here.
pub fn all() -> impl Iterator<Item = &'static Scene> {
    let files = [
        plain::SCENES,
        shutdown::SCENES,
        signals::SCENES,
        signals::OF_PROCESSES,
    ];
    files.into_iter().flatten()
}

/// Code and script.
#[derive(Clone, Copy, Debug)]
pub struct Scene {
    /// Unlike that of any other.
    pub name: &'static str,
    /// What runs in the process; its value is the exit code.
    pub main: fn(EventLoop, Stage) -> Main,
    /// What is done to the process, in this order.
    pub script: &'static [Cue],
}

/// The future of a scene's main function.
pub type Main = Pin<Box<dyn Future<Output = u8> + Send>>;

/// When something is done to the process.
#[derive(Clone, Copy, Debug)]
pub struct Cue {
    /// Once it has said this line.
    pub after: &'static str,
    /// What is done.
    pub act: Act,
}

/// What is done to a process from outside.
#[derive(Clone, Copy, Debug)]
pub enum Act {
    /// It gets the signal of this number.
    Signal(i32),
}

impl Cue {
    /// The process gets a signal once it has said a line.
    #[must_use]
    pub const fn signal(after: &'static str, signal: i32) -> Self {
        let act = Act::Signal(signal);
        Self { after, act }
    }
}

/// The loop of production that plays a scene.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Flavour {
    /// [`production::current_thread`].
    CurrentThread,
    /// [`production::multi_thread`], with two workers.
    MultiThread,
}

impl Flavour {
    /// Both.
    pub const ALL: [Self; 2] = [Self::CurrentThread, Self::MultiThread];

    /// As the program of scenes is told it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::CurrentThread => "current-thread",
            Self::MultiThread => "multi-thread",
        }
    }

    /// A fresh loop.
    ///
    /// # Errors
    /// As the factories of [`production`].
    pub fn make(self) -> Result<EventLoop, LoopError> {
        match self {
            Self::CurrentThread => production::current_thread(LoopConfig::default()),
            Self::MultiThread => production::multi_thread(LoopConfig::default().worker_threads(2)),
        }
    }
}

/// Where a scene says what happens.
#[derive(Clone)]
pub struct Stage {
    hear: Arc<dyn Fn(String) + Send + Sync>,
    acted: Arc<dyn Fn() + Send + Sync>,
}

impl Stage {
    /// A stage whose lines go to `hear`; `acted` blocks until one more cue was followed.
    pub fn new(
        hear: impl Fn(String) + Send + Sync + 'static,
        acted: impl Fn() + Send + Sync + 'static,
    ) -> Self {
        Self {
            hear: Arc::new(hear),
            acted: Arc::new(acted),
        }
    }

    /// Says a line.
    pub fn say(&self, line: impl fmt::Display) {
        (self.hear)(line.to_string());
    }

    /// Blocks until what is done to the process next, on the cue of a line it has said, was done:
    /// a scene must not guess how long that takes.
    pub fn acted(&self) {
        (self.acted)();
    }
}

impl fmt::Debug for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Stage")
    }
}

/// What came of a scene.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Played {
    /// What it said.
    pub lines: Vec<String>,
    /// How it ended.
    pub ended: Ended,
}

/// How a process ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ended {
    /// Of itself, with this code.
    Code(i32),
    /// By the signal of this number.
    Signal(i32),
}
