//! What a primitive knows of itself in a run that is recorded: where it was made, who holds it, and
//! how many are at the ends of a channel.

use std::fmt;
use std::panic::Location;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use crate::backend::TaskMeta;
use crate::context::{self, Surroundings, surroundings};

/// A primitive, for the table of who waits on what.
#[derive(Debug)]
pub struct Record {
    kind: Kind,
    site: &'static Location<'static>,
    holders: Mutex<Holders>,
    senders: AtomicUsize,
    receivers: AtomicUsize,
}

/// What kind of primitive it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Mutex,
    RwLock,
    Semaphore,
    Notify,
    Barrier,
    OnceCell,
    SetOnce,
    Channel,
    Oneshot,
    Watch,
    Broadcast,
}

#[derive(Debug, Default)]
struct Holders {
    list: Vec<Holder>,
    last: u64,
}

#[derive(Clone, Copy, Debug)]
struct Holder {
    ticket: u64,
    /// Absent where no task of a world has taken it.
    task: Option<TaskMeta>,
    site: &'static Location<'static>,
}

impl Record {
    /// What somebody waits for who wants `wanted` of it.
    #[must_use]
    pub fn awaited(&self, wanted: &str) -> String {
        let Self { kind, site, .. } = self;
        match wanted {
            "" => format!("the {kind} made at {site}"),
            wanted => format!("{wanted} the {kind} made at {site}"),
        }
    }

    /// By whom it is held, or how many are left at the ends of a channel.
    #[must_use]
    pub fn state(&self, name: impl Fn(&TaskMeta) -> String) -> Option<String> {
        if self.kind.is_channel() {
            let senders = counted(self.senders.load(Ordering::Relaxed), "sender");
            let receivers = counted(self.receivers.load(Ordering::Relaxed), "receiver");
            return Some(format!("with {senders} and {receivers} left"));
        }
        let holders = self.holders();
        let shown = holders.list.iter().take(SHOWN);
        let mut list: Vec<_> = shown
            .map(|held| {
                format!(
                    "{} ({} at {})",
                    held.who(&name),
                    self.kind.taken(),
                    held.site
                )
            })
            .collect();
        match holders.list.len().saturating_sub(SHOWN) {
            0 => {}
            more => list.push(format!("{more} more")),
        }
        let (last, others) = list.split_last()?;
        Some(match others {
            [] => format!("held by {last}"),
            others => format!("held by {} and {last}", others.join(", ")),
        })
    }

    /// The task that holds it, if one alone does.
    #[must_use]
    pub fn holder(&self) -> Option<TaskMeta> {
        match &*self.holders().list {
            [alone] => alone.task,
            _ => None,
        }
    }

    fn new(kind: Kind, site: &'static Location<'static>) -> Self {
        Self {
            kind,
            site,
            holders: Mutex::default(),
            senders: AtomicUsize::new(1),
            receivers: AtomicUsize::new(1),
        }
    }

    fn holders(&self) -> MutexGuard<'_, Holders> {
        self.holders.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How many holders are named.
const SHOWN: usize = 3;

fn counted(n: usize, what: &str) -> String {
    match n {
        0 => format!("no {what}"),
        1 => format!("1 {what}"),
        n => format!("{n} {what}s"),
    }
}

impl Holder {
    fn who(&self, name: &impl Fn(&TaskMeta) -> String) -> String {
        let task = self.task.as_ref();
        task.map_or_else(|| "no task".to_owned(), name)
    }
}

impl Kind {
    fn is_channel(self) -> bool {
        matches!(
            self,
            Self::Channel | Self::Oneshot | Self::Watch | Self::Broadcast
        )
    }

    fn taken(self) -> &'static str {
        match self {
            Self::Mutex | Self::RwLock => "locked",
            Self::OnceCell => "begun",
            _ => "taken",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Mutex => "mutex",
            Self::RwLock => "rwlock",
            Self::Semaphore => "semaphore",
            Self::Notify => "notify",
            Self::Barrier => "barrier",
            Self::OnceCell => "once-cell",
            Self::SetOnce => "set-once",
            Self::Channel => "channel",
            Self::Oneshot => "oneshot channel",
            Self::Watch => "watch channel",
            Self::Broadcast => "broadcast channel",
        })
    }
}

/// Where a primitive was made, and its record once a recorded run has need of one.
pub(crate) struct Origin {
    kind: Kind,
    site: &'static Location<'static>,
    record: OnceLock<Arc<Record>>,
}

impl Origin {
    #[track_caller]
    pub(super) const fn here(kind: Kind) -> Self {
        Self {
            kind,
            site: Location::caller(),
            record: OnceLock::new(),
        }
    }

    /// The current task waits for `wanted` of it.
    #[cold]
    pub(super) fn note(&self, wanted: &'static str) {
        note(wanted, self.record());
    }

    /// The current task has taken it, by a call at `site`.
    #[inline]
    pub(super) fn hold(&self, site: &'static Location<'static>) -> Held {
        match surroundings() {
            Surroundings::RecordedWorld => Held(Some(Holding::new(self.record(), site))),
            Surroundings::Production | Surroundings::World => Held(None),
        }
    }

    #[cold]
    fn record(&self) -> &Arc<Record> {
        self.record
            .get_or_init(|| Arc::new(Record::new(self.kind, self.site)))
    }
}

fn note(wanted: &'static str, record: &Arc<Record>) {
    context::with_current(|ev| {
        if let Some(backend) = ev.and_then(|ev| ev.backend()) {
            backend.note_wait(wanted, record);
        }
    });
}

/// Goes with a guard or permit, and with it: while it lives, its task is among the holders.
///
/// Outside recorded runs there is nothing in it.
pub(crate) struct Held(Option<Box<Holding>>);

struct Holding {
    record: Arc<Record>,
    ticket: u64,
}

impl Held {
    /// Moves it to another guard.
    #[inline]
    pub(super) fn take(&mut self) -> Self {
        Self(self.0.take())
    }

    /// Another share of the same holder's.
    pub(super) fn share(&self) -> Self {
        Self(self.0.as_ref().map(|held| held.share()))
    }
}

impl Holding {
    #[cold]
    fn new(record: &Arc<Record>, site: &'static Location<'static>) -> Box<Self> {
        let task = context::current_task();
        Self::add(record, task, site)
    }

    #[cold]
    fn share(&self) -> Box<Self> {
        let known = {
            let holders = self.record.holders();
            let known = holders.list.iter().find(|held| held.ticket == self.ticket);
            *known.expect("a holder is listed until its guard is dropped")
        };
        Self::add(&self.record, known.task, known.site)
    }

    fn add(
        record: &Arc<Record>,
        task: Option<TaskMeta>,
        site: &'static Location<'static>,
    ) -> Box<Self> {
        let mut holders = record.holders();
        holders.last += 1;
        let ticket = holders.last;
        holders.list.push(Holder { ticket, task, site });
        drop(holders);
        Box::new(Self {
            record: record.clone(),
            ticket,
        })
    }
}

impl Drop for Holding {
    fn drop(&mut self) {
        let mut holders = self.record.holders();
        holders.list.retain(|held| held.ticket != self.ticket);
    }
}

/// One end of a channel, counted where the channel was made in a recorded run.
pub(crate) struct End<const SENDS: bool>(Option<Arc<Record>>);

/// A sending end.
pub(crate) type SenderEnd = End<true>;

/// A receiving end.
pub(crate) type ReceiverEnd = End<false>;

/// What is not counted as an end.
#[derive(Clone)]
pub(crate) struct WeakEnd(Option<Arc<Record>>);

/// The two ends of a channel that is being made.
#[inline]
#[track_caller]
pub(super) fn ends(kind: Kind) -> (SenderEnd, ReceiverEnd) {
    if surroundings() == Surroundings::RecordedWorld {
        let record = Arc::new(Record::new(kind, Location::caller()));
        return (End(Some(record.clone())), End(Some(record)));
    }
    (End(None), End(None))
}

impl<const SENDS: bool> End<SENDS> {
    /// The current task waits for `wanted` of the channel.
    #[cold]
    pub(super) fn note(&self, wanted: &'static str) {
        if let Some(record) = &self.0 {
            note(wanted, record);
        }
    }

    pub(super) fn downgrade(&self) -> WeakEnd {
        WeakEnd(self.0.clone())
    }

    fn count(record: &Record) -> &AtomicUsize {
        if SENDS {
            &record.senders
        } else {
            &record.receivers
        }
    }
}

impl<const SENDS: bool> Clone for End<SENDS> {
    #[inline]
    fn clone(&self) -> Self {
        self.downgrade().upgrade()
    }
}

impl<const SENDS: bool> Drop for End<SENDS> {
    #[inline]
    fn drop(&mut self) {
        if let Some(record) = &self.0 {
            Self::count(record).fetch_sub(1, Ordering::Relaxed);
        }
    }
}

impl WeakEnd {
    pub(super) fn upgrade<const SENDS: bool>(self) -> End<SENDS> {
        if let Some(record) = &self.0 {
            End::<SENDS>::count(record).fetch_add(1, Ordering::Relaxed);
        }
        End(self.0)
    }
}
