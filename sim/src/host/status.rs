//! How a process ends: its exit status, and what its main function may return.

use std::fmt::{self, Debug};
use std::process::ExitCode;

use event_loop::Signal;

/// How a life of a host's process ended: as [`std::process::ExitStatus`], but that a host may also
/// lose its power.
///
/// ```
/// use sim::{Config, ExitStatus};
///
/// sim::check(&Config::new().seeds(1), |sim| async move {
///     let svc = sim.host("svc").start(|_| async { Err::<(), _>("no disk") });
///     let status = svc.wait().await;
///     assert_eq!((status.code(), status.signal()), (Some(1), None));
///     assert_eq!(status, ExitStatus::from_code(1));
/// });
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct ExitStatus(How);

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
enum How {
    Code(i32),
    Signal(Signal),
    PowerOff,
}

impl ExitStatus {
    /// Its main function returned what stands for success.
    pub const SUCCESS: Self = Self(How::Code(0));
    /// [`Host::kill`](crate::Host::kill) ended it, or whoever else sent it a KILL.
    pub const KILLED: Self = Self(How::Signal(Signal::Kill));
    /// Its machine lost its power.
    pub const POWERED_OFF: Self = Self(How::PowerOff);
    /// Its main function panicked.
    pub(crate) const PANICKED: Self = Self(How::Code(101));

    /// The status of a process that ended of itself, with this code. As by the operating system,
    /// its lowest eight bits are kept.
    #[must_use]
    pub const fn from_code(code: i32) -> Self {
        Self(How::Code(code & 0xff))
    }

    /// The status of a process that this signal ended.
    #[must_use]
    pub const fn from_signal(signal: Signal) -> Self {
        Self(How::Signal(signal))
    }

    /// The code it ended with, of 0 to 255; `None` if a signal or the loss of power ended it.
    #[must_use]
    pub const fn code(self) -> Option<i32> {
        match self.0 {
            How::Code(code) => Some(code),
            How::Signal(_) | How::PowerOff => None,
        }
    }

    /// The signal that ended it, if one did.
    #[must_use]
    pub const fn signal(self) -> Option<Signal> {
        match self.0 {
            How::Signal(signal) => Some(signal),
            How::Code(_) | How::PowerOff => None,
        }
    }

    /// Whether it ended with code 0.
    #[must_use]
    pub const fn success(self) -> bool {
        matches!(self.0, How::Code(0))
    }

    /// Whether its machine lost its power.
    #[must_use]
    pub const fn is_powered_off(self) -> bool {
        matches!(self.0, How::PowerOff)
    }

    /// The number asyncio's `returncode` has for it: the code, or the signal's number below zero.
    #[must_use]
    pub const fn returncode(self) -> Option<i32> {
        match self.0 {
            How::Code(code) => Some(code),
            How::Signal(signal) => Some(-signal.as_raw()),
            How::PowerOff => None,
        }
    }

    /// As traces have it: the wait status of Unix, and a number that is none.
    pub(crate) const fn number(self) -> u32 {
        match self.0 {
            How::Code(code) => (code as u32) << 8,
            How::Signal(signal) => signal.as_raw() as u32,
            How::PowerOff => u32::MAX,
        }
    }

    pub(crate) fn of_number(number: u32) -> Self {
        let signal = Signal::from_raw((number & 0xff) as i32);
        Self(match signal {
            _ if number == u32::MAX => How::PowerOff,
            Ok(signal) => How::Signal(signal),
            Err(_) => How::Code((number >> 8) as i32),
        })
    }
}

/// As in `exit status: 1`, `signal: SIGKILL`.
impl fmt::Display for ExitStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            How::Code(code) => write!(f, "exit status: {code}"),
            How::Signal(signal) => write!(f, "signal: {signal}"),
            How::PowerOff => f.write_str("power off"),
        }
    }
}

/// What a process's main function may return, as [`std::process::Termination`]: nothing, an
/// [`ExitCode`], an [`ExitStatus`], a result of them, or `!`.
pub trait Termination {
    /// What the process ends with.
    fn exit(self) -> Exit;
}

/// What a main function has come to: an exit status and, if it failed, why.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Exit {
    pub(crate) status: ExitStatus,
    pub(crate) failure: Option<String>,
}

impl Exit {
    /// An end with this status.
    #[must_use]
    pub const fn new(status: ExitStatus) -> Self {
        Self {
            status,
            failure: None,
        }
    }

    /// A failure, with code 1. If nobody asks for the process's exit status, the run fails with
    /// this text.
    #[must_use]
    pub fn failed(why: impl Into<String>) -> Self {
        Self {
            status: ExitStatus::from_code(1),
            failure: Some(why.into()),
        }
    }
}

impl Termination for () {
    fn exit(self) -> Exit {
        Exit::new(ExitStatus::SUCCESS)
    }
}

/// A main function that loops for ever returns `!`, which has no name of its own yet.
impl Termination for <fn() -> ! as never::Returns>::Value {
    fn exit(self) -> Exit {
        self
    }
}

mod never {
    /// What a function returns.
    pub trait Returns {
        type Value;
    }

    impl<T> Returns for fn() -> T {
        type Value = T;
    }
}

impl Termination for ExitStatus {
    fn exit(self) -> Exit {
        Exit::new(self)
    }
}

impl Termination for Exit {
    fn exit(self) -> Exit {
        self
    }
}

impl Termination for ExitCode {
    fn exit(self) -> Exit {
        // It tells its number to nobody but the operating system.
        let code = (0..=u8::MAX).find(|&code| Self::from(code) == self);
        Exit::new(ExitStatus::from_code(code.unwrap_or(1).into()))
    }
}

impl<T: Termination, E: Debug> Termination for Result<T, E> {
    fn exit(self) -> Exit {
        match self {
            Ok(value) => value.exit(),
            Err(error) => Exit::failed(format!("Error: {error:?}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_main_function_ends_with_what_it_returns() {
        assert_eq!(().exit().status, ExitStatus::SUCCESS);
        assert_eq!(ExitCode::from(7).exit().status, ExitStatus::from_code(7));
        assert_eq!(ExitCode::SUCCESS.exit().status, ExitStatus::SUCCESS);
        let failed = Err::<(), _>("no disk").exit();
        assert_eq!(failed.status.code(), Some(1));
        assert_eq!(failed.failure.as_deref(), Some("Error: \"no disk\""));
        let inner = Ok::<_, String>(ExitCode::from(3)).exit();
        assert_eq!((inner.status.code(), inner.failure), (Some(3), None));
        assert_eq!(
            ExitStatus::KILLED.exit().status.signal(),
            Some(Signal::Kill)
        );
    }

    #[test]
    fn a_code_has_eight_bits_and_a_signal_a_number_below_zero() {
        assert_eq!(ExitStatus::from_code(-1).code(), Some(255));
        assert_eq!(ExitStatus::from_code(256), ExitStatus::SUCCESS);
        assert_eq!(ExitStatus::KILLED.returncode(), Some(-9));
        assert_eq!(ExitStatus::POWERED_OFF.returncode(), None);
    }

    #[test]
    fn traces_tell_a_status_by_a_number() {
        let all = [
            ExitStatus::SUCCESS,
            ExitStatus::PANICKED,
            ExitStatus::from_code(255),
            ExitStatus::KILLED,
            ExitStatus::from_signal(Signal::Usr2),
            ExitStatus::POWERED_OFF,
        ];
        for status in all {
            assert_eq!(ExitStatus::of_number(status.number()), status);
        }
        assert_eq!(
            all.map(|status| status.to_string())[3..],
            ["signal: SIGKILL", "signal: SIGUSR2", "power off"]
        );
    }
}
