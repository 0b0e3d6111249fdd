//! The table of who waits on what, as a recorded run that is stuck shows it.

use std::collections::BTreeMap;
use std::panic::Location;
use std::sync::Arc;

use event_loop::backend::{Record, TaskMeta};
use event_loop::{Signal, TaskId};
use virtual_time::Instant;

use crate::trace::Names;

/// What a task waits for, as far as the world knows.
#[derive(Clone, Debug)]
pub(crate) enum Wait {
    Join(u64),
    /// The end of this blocking job, which was asked for there.
    Job(u64, &'static Location<'static>),
    Cancelled,
    Timer(Instant),
    Accept(u64),
    Connect(u64),
    Read(u64),
    Datagram(u64),
    Write(u64),
    /// The end of this host's process.
    Exit(Arc<str>),
    /// The addresses of this name.
    Lookup(Box<str>),
    Signal(Signal),
    /// Something of a primitive.
    Sync(&'static str, Arc<Record>),
}

/// What is known of a task when a run is stuck.
#[derive(Clone, Debug)]
pub(crate) enum Standing {
    /// It was never polled.
    New,
    /// It is queued, or being polled.
    Ready,
    /// It waits since then.
    Waits(Instant, Option<Wait>),
}

/// Where a task stands whose wait is of its own, as polling it once more has shown.
#[derive(Clone, Debug)]
pub(crate) enum Await {
    /// At these places.
    Places(Vec<String>),
    /// Nowhere: it kept no waker.
    Nowhere,
    /// It is ready.
    Over,
}

/// Who waits on what, a row a task, as it was when the run got stuck.
#[derive(Debug, Default)]
pub(crate) struct Table {
    rows: Vec<Row>,
    /// A line a thread.
    threads: Vec<String>,
    /// What else is to be said.
    notes: Vec<String>,
}

#[derive(Debug)]
struct Row {
    id: TaskId,
    /// The task and its place.
    who: String,
    what: What,
    /// The one task that can end the wait, and what it has.
    next: Option<(String, u64)>,
}

#[derive(Debug)]
enum What {
    Known(String),
    /// An await of its own, since then.
    Own(Instant, Option<Await>),
}

impl Table {
    pub(crate) fn add(&mut self, id: TaskId, standing: Standing, names: &Names) {
        let mut next = None;
        let what = match standing {
            Standing::New => What::Known("waits on its first poll".to_owned()),
            Standing::Ready => What::Known("is ready to run".to_owned()),
            Standing::Waits(since, None) => What::Own(since, None),
            Standing::Waits(since, Some(wait)) => {
                next = wait.next(names);
                let state = wait.state(names);
                let state = state.map_or_else(String::new, |state| format!(", {state}"));
                let what = wait.what(names);
                What::Known(format!("waits on {what} since {since} s{state}"))
            }
        };
        self.rows.push(Row {
            id,
            who: who(id.serial(), names),
            what,
            next,
        });
    }

    pub(crate) fn note(&mut self, note: String) {
        self.notes.push(note);
    }

    /// The tasks that wait for something of which the world knows nothing.
    pub(crate) fn unknown(&self) -> Vec<TaskId> {
        let unknown = self.rows.iter();
        let unknown = unknown.filter(|row| matches!(row.what, What::Own(..)));
        unknown.map(|row| row.id).collect()
    }

    /// Says where such a task stands.
    pub(crate) fn found(&mut self, id: TaskId, found: Await) {
        if let Some(row) = self.rows.iter_mut().find(|row| row.id == id)
            && let What::Own(_, awaits) = &mut row.what
        {
            *awaits = Some(found);
        }
    }

    /// A line a task, after one for those that wait for each other in a circle.
    pub(crate) fn lines(&self, names: &Names) -> Vec<String> {
        let rows = self.rows.iter().map(|row| match &row.what {
            What::Known(what) => format!("{} {what}", row.who),
            What::Own(since, awaits) => {
                format!(
                    "{} waits on {} since {since} s",
                    row.who,
                    own(awaits.as_ref())
                )
            }
        });
        let circle = self.circle(names).into_iter();
        circle
            .chain(rows)
            .chain(self.threads.iter().cloned())
            .chain(self.notes.iter().cloned())
            .collect()
    }

    /// What is known of the threads, below the tasks.
    pub(crate) fn set_threads(&mut self, lines: Vec<String>) {
        self.threads = lines;
    }

    /// The first tasks that wait for each other all around.
    fn circle(&self, names: &Names) -> Option<String> {
        let next = self
            .rows
            .iter()
            .filter_map(|row| Some((row.id.serial(), row.next.as_ref()?)));
        let next: BTreeMap<_, _> = next.collect();
        next.keys().find_map(|&first| {
            let mut text = format!("in a circle: {}", named(first, names));
            let mut at = first;
            // In more steps one would be on a circle that others have led to.
            for _ in 0..next.len() {
                let (via, whose) = next.get(&at)?;
                at = *whose;
                text += &format!(" → {via} {}", named(at, names));
                if at == first {
                    return Some(text);
                }
            }
            None
        })
    }
}

impl Wait {
    pub(super) fn what(&self, names: &Names) -> String {
        match self {
            Self::Join(other) => format!("the end of {}", named(*other, names)),
            Self::Job(job, site) => format!("the end of job {job}, asked for at {site},"),
            Self::Cancelled => "a request to cancel".to_owned(),
            Self::Timer(at) => format!("its timer at {at} s"),
            Self::Accept(socket) => format!("a connection on socket {}", names.socket(*socket)),
            Self::Connect(socket) => format!("its connect on socket {}", names.socket(*socket)),
            Self::Read(socket) => format!("bytes on socket {}", names.socket(*socket)),
            Self::Datagram(socket) => format!("a datagram on socket {}", names.socket(*socket)),
            Self::Write(socket) => format!("room to write on socket {}", names.socket(*socket)),
            Self::Exit(host) => format!("the end of the process of host \"{host}\""),
            Self::Lookup(name) => format!("the addresses of \"{name}\""),
            Self::Signal(signal) => format!("the signal {signal}"),
            Self::Sync(wanted, of) => of.awaited(wanted),
        }
    }

    /// What is to be said of the thing itself.
    fn state(&self, names: &Names) -> Option<String> {
        // A primitive in a static may be held since an earlier run, by a task that none here is.
        let holder = |meta: &TaskMeta| match names.tasks.get(&meta.id.serial()) {
            Some(name) if name.site == meta.site => format!("task \"{}\"", name.text),
            _ => format!("a task spawned at {}", meta.site),
        };
        match self {
            Self::Sync(_, of) => of.state(holder),
            _ => None,
        }
    }

    /// The one task that can end the wait, and what it has.
    fn next(&self, names: &Names) -> Option<(String, u64)> {
        match self {
            Self::Join(other) => Some(("the end of".to_owned(), *other)),
            Self::Sync(wanted, of) => {
                let holder = of.holder()?;
                let serial = holder.id.serial();
                let known = names.tasks.get(&serial)?.site == holder.site;
                known.then(|| (format!("{}, held by", of.awaited(wanted)), serial))
            }
            _ => None,
        }
    }
}

/// What is said of a wait that only the task itself knows.
fn own(awaits: Option<&Await>) -> String {
    let more = match awaits {
        None => String::new(),
        Some(Await::Places(places)) => format!(" at {}", places.join(" and at ")),
        Some(Await::Nowhere) => ", for which it keeps no waker,".to_owned(),
        Some(Await::Over) => ", which is ready: was its wake lost?".to_owned(),
    };
    format!("an await of its own{more}")
}

fn named(serial: u64, names: &Names) -> String {
    let text = names.tasks.get(&serial).map_or("?", |name| &*name.text);
    format!("task \"{text}\"")
}

fn who(serial: u64, names: &Names) -> String {
    let site = names.tasks.get(&serial).map(|name| name.site.to_string());
    format!("{} ({})", named(serial, names), site.unwrap_or_default())
}
