//! Which signal is meant: one value for what systems number differently.

use std::fmt;

use super::SignalError;

/// What a process does about a signal that it does not handle.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Disposition {
    /// It ends at once, by that signal and without cleanup.
    Terminate,
    /// Nothing.
    Ignore,
    /// It pauses.
    Stop,
    /// It goes on if it was paused.
    Continue,
}

macro_rules! signals {
    ($($(#[doc = $doc:literal])+ $name:ident = $constant:ident, $linux:literal, $disposition:ident;)+) => {
        /// A signal. Its numbers are the platform's.
        ///
        /// Signals of the kernel's that only some systems have, and real-time signals, are none of
        /// these: their default disposition could not be restored once they were handled.
        ///
        /// ```
        /// use event_loop::Signal;
        ///
        /// assert_eq!(Signal::Term.to_string(), "SIGTERM");
        /// assert_eq!(Signal::from_raw(Signal::Term.as_raw()), Ok(Signal::Term));
        /// ```
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
        #[non_exhaustive]
        pub enum Signal {
            $($(#[doc = $doc])+ $name,)+
        }

        impl Signal {
            /// Every one of them.
            pub const ALL: &[Self] = &[$(Self::$name,)+];

            /// Its number on this platform; elsewhere than on Unix, that of Linux.
            #[must_use]
            pub const fn as_raw(self) -> i32 {
                match self {
                    $(
                        #[cfg(unix)]
                        Self::$name => libc::$constant,
                        #[cfg(not(unix))]
                        Self::$name => $linux,
                    )+
                }
            }

            /// Its name, such as `SIGTERM`.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$name => stringify!($constant),)+
                }
            }

            /// What a program in Rust does about it that does not handle it.
            #[must_use]
            pub const fn default_disposition(self) -> Disposition {
                match self {
                    $(Self::$name => Disposition::$disposition,)+
                }
            }
        }
    };
}

signals! {
    /// The terminal is gone; asks many services to read their configuration again.
    Hup = SIGHUP, 1, Terminate;
    /// Ctrl-C.
    Int = SIGINT, 2, Terminate;
    /// Ctrl-\, which leaves a core dump.
    Quit = SIGQUIT, 3, Terminate;
    /// An illegal instruction: not to be handled.
    Ill = SIGILL, 4, Terminate;
    /// A breakpoint.
    Trap = SIGTRAP, 5, Terminate;
    /// An abort.
    Abrt = SIGABRT, 6, Terminate;
    /// An error of the bus.
    Bus = SIGBUS, 7, Terminate;
    /// An arithmetic error: not to be handled.
    Fpe = SIGFPE, 8, Terminate;
    /// Ends the process whatever it does.
    Kill = SIGKILL, 9, Terminate;
    /// The program's own.
    Usr1 = SIGUSR1, 10, Terminate;
    /// An invalid access to memory: not to be handled.
    Segv = SIGSEGV, 11, Terminate;
    /// The program's own.
    Usr2 = SIGUSR2, 12, Terminate;
    /// A write to a pipe that nobody reads, which programs in Rust ignore from the start.
    Pipe = SIGPIPE, 13, Ignore;
    /// A timer of `alarm`.
    Alrm = SIGALRM, 14, Terminate;
    /// Asks to end: what orchestrators send first.
    Term = SIGTERM, 15, Terminate;
    /// A child process has ended, or has paused.
    Chld = SIGCHLD, 17, Ignore;
    /// Go on.
    Cont = SIGCONT, 18, Continue;
    /// Pauses the process whatever it does.
    Stop = SIGSTOP, 19, Stop;
    /// Ctrl-Z.
    Tstp = SIGTSTP, 20, Stop;
    /// A read from the terminal in the background.
    Ttin = SIGTTIN, 21, Stop;
    /// A write to the terminal in the background.
    Ttou = SIGTTOU, 22, Stop;
    /// Urgent data on a socket.
    Urg = SIGURG, 23, Ignore;
    /// The limit of processor time.
    Xcpu = SIGXCPU, 24, Terminate;
    /// The limit of file size.
    Xfsz = SIGXFSZ, 25, Terminate;
    /// A timer of the processor time.
    Vtalrm = SIGVTALRM, 26, Terminate;
    /// A profiler's timer.
    Prof = SIGPROF, 27, Terminate;
    /// The terminal's window has another size.
    Winch = SIGWINCH, 28, Ignore;
    /// Input or output is possible.
    Io = SIGIO, 29, Terminate;
    /// A system call that there is not.
    Sys = SIGSYS, 31, Terminate;
}

impl Signal {
    /// The signal of this number.
    ///
    /// # Errors
    /// [`SignalError::Invalid`] if it is the number of none.
    pub fn from_raw(number: i32) -> Result<Self, SignalError> {
        let mut all = Self::ALL.iter().copied();
        all.find(|signal| signal.as_raw() == number)
            .ok_or(SignalError::Invalid {
                number,
                why: "it is the number of no signal that can be handled and restored",
            })
    }

    /// Refuses the signals that nobody can handle.
    pub(super) fn expect_catchable(self) -> Result<(), SignalError> {
        match self {
            Self::Kill | Self::Stop => Err(SignalError::Uncatchable { signal: self }),
            Self::Ill | Self::Fpe | Self::Segv => Err(SignalError::Invalid {
                number: self.as_raw(),
                why: "it tells of a fault of the thread itself, which runs into the fault again \
                      as soon as the handler returns, long before a loop could do anything",
            }),
            _ => Ok(()),
        }
    }
}

impl fmt::Display for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
