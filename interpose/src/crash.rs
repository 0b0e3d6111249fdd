//! The crash note of a thread: a line that is written, and a command that is run, when a signal
//! ends the process under it.
//!
//! A failing run that aborts, overflows its stack or writes through a null pointer gets no chance
//! to report. So what would be needed to repeat it is written down beforehand, in a form a signal
//! handler may use.

use std::cell::{Cell, UnsafeCell};
use std::ffi::{CString, c_char};
use std::marker::PhantomData;
use std::ptr::{self, NonNull};
use std::rc::Rc;
use std::sync::atomic::{AtomicUsize, Ordering, compiler_fence};
use std::time::Duration;

#[cfg(all(
    target_os = "linux",
    any(target_arch = "x86_64", target_arch = "aarch64"),
    not(miri),
))]
mod handler;

#[cfg(not(all(
    target_os = "linux",
    any(target_arch = "x86_64", target_arch = "aarch64"),
    not(miri),
)))]
mod handler {
    //! No handler on this platform: notes are kept, and nothing reads them.
    pub(super) fn arm() {}
}

/// Notes `line` for the calling thread: if SIGABRT, SIGSEGV, SIGBUS, SIGILL or SIGFPE strikes it
/// while the note lives, the line is written to standard error, and then the signal goes on to
/// whoever would have had it.
///
/// A line feed is added if there is none. An empty line says nothing. Notes stack up: all of a
/// thread's are written, the newest first. Other threads' crashes write nothing.
///
/// Signals go on, so the standard library still tells of a stack overflow, a core is still dumped
/// and the exit status is still the signal's. Linux on x86-64 and aarch64; elsewhere nothing is
/// written.
///
/// ```
/// let mut note = interpose::note_crash(b"SIM_SEED=1 was running");
/// note.update(b"SIM_SEED=2 was running");
/// ```
pub fn note_crash(line: &[u8]) -> CrashNote {
    let note = NonNull::from(Box::leak(Box::new(Note {
        lines: [Line::new(), Line::new()],
        current: AtomicUsize::new(0),
        command: None,
        older: Cell::new(NEWEST.get()),
    })));
    let mut note = CrashNote {
        note,
        _not_send: PhantomData,
    };
    note.update(line);
    // The note is whole before the handler can find it.
    compiler_fence(Ordering::Release);
    NEWEST.set(note.note.as_ptr());
    note
}

/// A thread's crash note, kept while this guard lives; made by [`note_crash`].
#[derive(Debug)]
#[must_use = "the note is withdrawn when the guard is dropped"]
pub struct CrashNote {
    /// From `Box::leak`; a plain pointer, because the handler reads the note too.
    note: NonNull<Note>,
    _not_send: PhantomData<Rc<()>>,
}

impl CrashNote {
    /// The most bytes of a line that are kept; what is longer is cut.
    pub const CAPACITY: usize = 1024;

    /// Replaces the line. Costs a copy: no allocation, and no system call unless a crash that the
    /// process survived has taken the handler away.
    ///
    /// A signal that strikes meanwhile finds the old line or the new one, whole.
    #[inline]
    pub fn update(&mut self, line: &[u8]) {
        handler::arm();
        // SAFETY: the note lives until this guard's drop.
        let note = unsafe { self.note.as_ref() };
        let next = 1 - note.current.load(Ordering::Relaxed);
        // SAFETY: only this thread has the note, `&mut self` shuts out a second update, and the
        // handler touches nothing but the current line.
        unsafe { note.lines[next].set(line) };
        // The handler runs on this very thread, so the compiler alone must keep the order.
        compiler_fence(Ordering::Release);
        note.current.store(next, Ordering::Relaxed);
    }

    /// Adds a command that is run after the lines have been written, for instance this very program
    /// with the failing seed in its environment, whose report then replaces the one that was lost.
    ///
    /// Of a thread's notes only the newest that has a line and a command runs it.
    pub fn with_command(mut self, mut command: CrashCommand) -> Self {
        command.seal();
        // Hidden from the handler while it changes.
        self.unlink();
        // SAFETY: the note lives until this guard's drop, and with it unlinked nobody else can
        // reach it.
        let note = unsafe { self.note.as_mut() };
        for line in &mut note.lines {
            line.bytes.get_mut()[..PREFIX].copy_from_slice(&command.prefix);
        }
        note.command = Some(command);
        note.older.set(NEWEST.get());
        compiler_fence(Ordering::Release);
        NEWEST.set(self.note.as_ptr());
        self
    }

    /// Takes the note off the thread's list, wherever in it it is.
    fn unlink(&mut self) {
        let this = self.note.as_ptr().cast_const();
        let mut link = NEWEST.get();
        // SAFETY: every note on the list is alive, for a guard takes its own off first.
        let older = unsafe { (*this).older.get() };
        if link == this {
            NEWEST.set(older);
        }
        // SAFETY: as above.
        while let Some(note) = unsafe { link.as_ref() } {
            if note.older.get() == this {
                note.older.set(older);
            }
            link = note.older.get();
        }
        compiler_fence(Ordering::Release);
    }
}

impl Drop for CrashNote {
    fn drop(&mut self) {
        self.unlink();
        // SAFETY: made by `Box::leak` in `note_crash`, freed only here, and off the list.
        drop(unsafe { Box::from_raw(self.note.as_ptr()) });
    }
}

/// A command ready to be run by a signal handler: nothing is left to allocate or look up.
///
/// ```
/// use std::ffi::CString;
/// use std::time::Duration;
/// use interpose::{CrashCommand, note_crash};
///
/// let argv = ["/proc/self/exe", "--exact", "a_test"].map(|arg| CString::new(arg).unwrap());
/// let env = [CString::new("RUST_BACKTRACE=1").unwrap()];
/// let command = CrashCommand::new(argv, env)
///     .line_as("CRASHED_WHILE")
///     .time_limit(Duration::from_secs(10));
/// let note = note_crash(b"seed 7").with_command(command);
/// # drop(note);
/// ```
#[derive(Debug)]
pub struct CrashCommand {
    argv: Vec<CString>,
    env: Vec<CString>,
    /// `NAME=`, at the end of the bytes, for the variable that gets the line.
    prefix: [u8; PREFIX],
    prefix_len: usize,
    time_limit: Duration,
    /// What `execve` takes, pointing into `argv` and `env`: see `seal`.
    argv_pointers: Vec<*const c_char>,
    env_pointers: Vec<Cell<*const c_char>>,
}

impl CrashCommand {
    /// The program `argv[0]` (a path: no search is made) with the arguments `argv[1..]` and the
    /// environment `env`, each `NAME=value`, and nothing else of this process's environment.
    ///
    /// It gets this process's standard streams and working directory. A command that may crash too
    /// must not make a note with the same command again, or there is no end to it.
    ///
    /// # Panics
    /// If `argv` is empty.
    pub fn new(
        argv: impl IntoIterator<Item = CString>,
        env: impl IntoIterator<Item = CString>,
    ) -> Self {
        let argv: Vec<_> = argv.into_iter().collect();
        assert!(!argv.is_empty(), "a crash command needs a program to run");
        Self {
            argv,
            env: env.into_iter().collect(),
            prefix: [0; PREFIX],
            prefix_len: 0,
            time_limit: Duration::from_secs(60),
            argv_pointers: Vec::new(),
            env_pointers: Vec::new(),
        }
    }

    /// Passes the note's line, as it is when the signal strikes, in the environment variable `name`.
    ///
    /// # Panics
    /// If `name` is empty, longer than 63 bytes, or has a NUL or `=` in it.
    pub fn line_as(mut self, name: &str) -> Self {
        assert!(
            (1..PREFIX).contains(&name.len()) && !name.contains(['\0', '=']),
            "{name:?} cannot name the environment variable for a crash note's line: it needs 1 to \
             {} bytes, none of them NUL or '='",
            PREFIX - 1,
        );
        self.prefix_len = name.len() + 1;
        self.prefix[PREFIX - self.prefix_len..PREFIX - 1].copy_from_slice(name.as_bytes());
        self.prefix[PREFIX - 1] = b'=';
        self
    }

    /// Ends the command by SIGALRM after `limit`, a minute unless set; at least a microsecond.
    pub fn time_limit(mut self, limit: Duration) -> Self {
        self.time_limit = limit.max(Duration::from_micros(1));
        self
    }

    /// Makes the pointer lists. The strings they point to are never touched again, and moving their
    /// owner does not move them.
    fn seal(&mut self) {
        let argv = self.argv.iter().map(|arg| arg.as_ptr());
        self.argv_pointers = argv.chain([ptr::null()]).collect();
        let env = self.env.iter().map(|var| Cell::new(var.as_ptr()));
        // Room for the line's variable, which the handler fills in, and the end.
        let room = [Cell::new(ptr::null()), Cell::new(ptr::null())];
        self.env_pointers = env.chain(room).collect();
    }
}

/// Room before a line for `NAME=`, so that line and prefix are one C string without a copy.
const PREFIX: usize = 64;

/// What the handler finds: one of these per guard, in a list from the newest to the oldest.
#[derive(Debug)]
struct Note {
    /// One is current; the other is where `update` writes.
    lines: [Line; 2],
    current: AtomicUsize,
    command: Option<CrashCommand>,
    older: Cell<*const Note>,
}

#[derive(Debug)]
struct Line {
    /// Prefix, line, line feed.
    bytes: UnsafeCell<[u8; PREFIX + CrashNote::CAPACITY + 1]>,
    /// Of the line with its line feed; 0 when there is nothing to say, or it has been said.
    len: Cell<usize>,
}

impl Line {
    const fn new() -> Self {
        Self {
            bytes: UnsafeCell::new([0; PREFIX + CrashNote::CAPACITY + 1]),
            len: Cell::new(0),
        }
    }

    /// # Safety
    /// Nothing else may be reading or writing this line.
    #[inline]
    unsafe fn set(&self, line: &[u8]) {
        let line = line.strip_suffix(b"\n").unwrap_or(line);
        let line = &line[..line.len().min(CrashNote::CAPACITY)];
        if line.is_empty() {
            self.len.set(0);
            return;
        }
        // SAFETY: the caller's promise: this is the only reference.
        let bytes = unsafe { &mut *self.bytes.get() };
        bytes[PREFIX..][..line.len()].copy_from_slice(line);
        bytes[PREFIX + line.len()] = b'\n';
        self.len.set(line.len() + 1);
    }
}

thread_local! {
    // A plain pointer, const and without a destructor, so that a handler may read it at any moment
    // of the thread's life.
    static NEWEST: Cell<*const Note> = const { Cell::new(ptr::null()) };
}
