//! Threads in the table of who waits on what.

use interpose::ThreadId;

use super::{On, State, Threads, What};
use crate::trace::Names;

impl Threads {
    /// A line for each thread that the code under test made or is blocked in.
    pub(in crate::world) fn lines(&self, names: &Names) -> Vec<String> {
        let shown = self.all.iter().filter(|(_, thread)| {
            !thread.idle && !matches!((thread.state, &thread.what), (_, What::Frame))
        });
        let lines = shown.filter_map(|(id, thread)| {
            let what = match thread.state {
                State::Ready | State::Running => "is ready to run".to_owned(),
                State::Blocked { on, since, .. } => {
                    format!("waits on {} since {since} s", self.awaited(on, names)?)
                }
                State::Ended => return None,
            };
            Some(format!("{} {what}", self.named(*id, names)))
        });
        lines.collect()
    }

    fn awaited(&self, on: On, names: &Names) -> Option<String> {
        Some(match on {
            On::Futex(..) => "a lock or a wake of another thread".to_owned(),
            On::Sleep => "the end of a sleep".to_owned(),
            On::Join(other) if self.all.contains_key(&other) => {
                format!("the end of {}", self.named(other, names))
            }
            On::Join(_) => "the end of a thread".to_owned(),
            On::Yield => "its turn".to_owned(),
            On::Park | On::Errand => return None,
        })
    }

    fn named(&self, id: ThreadId, names: &Names) -> String {
        let number = names.threads.get(&id.0);
        let text = number.map_or("?", |name| &**name);
        let own = self.all.get(&id).and_then(|thread| thread.name.as_deref());
        match own {
            Some(own) => format!("thread \"{text}\", called \"{own}\","),
            None => format!("thread \"{text}\""),
        }
    }
}
