//! Panics inside a world: not printed, for most are of runs that are run again, but remembered.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::panic::{self, PanicHookInfo};
use std::sync::Once;

/// How many panics of a thread are remembered, so that the one a verdict is about is found.
const REMEMBERED: usize = 16;

thread_local! {
    static QUIET: Cell<u32> = const { Cell::new(0) };
    static PANICS: RefCell<Vec<(String, String)>> = const { RefCell::new(Vec::new()) };
}

/// Puts a filter before the process's panic hook, once: panics of worlds are remembered, all
/// others go on to the hook there was.
pub(crate) fn install() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let previous = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if QUIET.try_with(Cell::get).unwrap_or(0) > 0 {
                remember(info);
            } else {
                previous(info);
            }
        }));
    });
}

/// While it lives, this thread's panics are remembered instead of printed.
#[derive(Debug)]
pub(crate) struct Quiet(());

impl Quiet {
    pub(crate) fn begin() -> Self {
        QUIET.set(QUIET.get() + 1);
        Self(())
    }
}

impl Drop for Quiet {
    fn drop(&mut self) {
        QUIET.set(QUIET.get() - 1);
    }
}

/// Forgets this thread's panics: a run begins.
pub(crate) fn forget() {
    PANICS.with_borrow_mut(Vec::clear);
}

/// What this thread remembers, for another that goes on in its place.
pub(crate) fn take() -> Vec<(String, String)> {
    PANICS.try_with(RefCell::take).unwrap_or_default()
}

/// Remembers what another thread did.
pub(crate) fn remember_all(others: Vec<(String, String)>) {
    if others.is_empty() {
        return;
    }
    PANICS.with_borrow_mut(|panics| {
        panics.extend(others);
        let old = panics.len().saturating_sub(REMEMBERED);
        panics.drain(..old);
    });
}

/// `file:line` of this thread's latest panic with this text.
pub(crate) fn location_of(text: &str) -> Option<String> {
    PANICS.with_borrow(|panics| {
        panics
            .iter()
            .rev()
            .find(|(known, _)| known == text)
            .map(|(_, at)| at.clone())
    })
}

/// This thread's panics before the latest with this text, oldest first, as `file:line text`.
pub(crate) fn before(text: &str) -> Vec<String> {
    PANICS.with_borrow(|panics| {
        let last = panics
            .iter()
            .rposition(|(known, _)| known == text)
            .unwrap_or(panics.len());
        panics[..last]
            .iter()
            .map(|(text, at)| format!("{at}  {}", first_line(text)))
            .collect()
    })
}

/// The first line of a text, marked if there are more.
pub(crate) fn first_line(text: &str) -> String {
    match text.split_once('\n') {
        Some((first, _)) => format!("{first} …"),
        None => text.to_owned(),
    }
}

/// The text of a panic's payload.
pub(crate) fn text_of(payload: &(dyn Any + Send)) -> String {
    let text = payload
        .downcast_ref::<&str>()
        .map(|text| (*text).to_owned());
    text.or_else(|| payload.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "a panic whose payload is not text".to_owned())
}

fn remember(info: &PanicHookInfo<'_>) {
    let at = info
        .location()
        .map(|at| format!("{}:{}", at.file(), at.line()));
    let panic = (text_of(info.payload()), at.unwrap_or_default());
    // A panic while the list is in use is a panic in here: nothing sensible is left to do.
    let _ = PANICS.try_with(|panics| {
        if let Ok(mut panics) = panics.try_borrow_mut() {
            if panics.len() == REMEMBERED {
                panics.remove(0);
            }
            panics.push(panic);
        }
    });
}
