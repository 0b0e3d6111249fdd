//! When a silent peer is asked for a sign of life.

use std::time::Duration;

/// When a peer that says nothing is asked whether it is still there, and how often, in socket2's
/// terms; what is not given stays as it is.
///
/// ```
/// use std::time::Duration;
/// use event_loop::net::{TcpKeepalive, TcpSocket};
///
/// # let ev = event_loop::production::current_thread(Default::default()).unwrap();
/// # ev.run_borrowed(async {
/// let socket = TcpSocket::new_v4()?;
/// let keepalive = TcpKeepalive::new()
///     .with_time(Duration::from_secs(30))
///     .with_interval(Duration::from_secs(5))
///     .with_retries(3);
/// socket.set_tcp_keepalive(&keepalive)?;
/// assert!(socket.keepalive()?);
/// # std::io::Result::Ok(())
/// # }).unwrap().unwrap();
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[must_use]
pub struct TcpKeepalive {
    time: Option<Duration>,
    interval: Option<Duration>,
    retries: Option<u32>,
}

impl TcpKeepalive {
    /// Changes nothing yet.
    pub const fn new() -> Self {
        Self {
            time: None,
            interval: None,
            retries: None,
        }
    }

    /// The silence before the first question (`TCP_KEEPIDLE`); fractions of a second are cut off.
    pub const fn with_time(mut self, time: Duration) -> Self {
        self.time = Some(time);
        self
    }

    /// What is between two questions (`TCP_KEEPINTVL`); fractions of a second are cut off.
    pub const fn with_interval(mut self, interval: Duration) -> Self {
        self.interval = Some(interval);
        self
    }

    /// How many questions may go without an answer before the connection is given up
    /// (`TCP_KEEPCNT`).
    pub const fn with_retries(mut self, retries: u32) -> Self {
        self.retries = Some(retries);
        self
    }

    /// The silence before the first question, if it is given.
    #[must_use]
    pub const fn time(&self) -> Option<Duration> {
        self.time
    }

    /// What is between two questions, if it is given.
    #[must_use]
    pub const fn interval(&self) -> Option<Duration> {
        self.interval
    }

    /// How many questions may go without an answer, if it is given.
    #[must_use]
    pub const fn retries(&self) -> Option<u32> {
        self.retries
    }

    /// The same for sockets of the operating system.
    pub(super) fn for_socket2(&self) -> socket2::TcpKeepalive {
        let mut all = socket2::TcpKeepalive::new();
        if let Some(time) = self.time {
            all = all.with_time(time);
        }
        if let Some(interval) = self.interval {
            all = all.with_interval(interval);
        }
        if let Some(retries) = self.retries {
            all = all.with_retries(retries);
        }
        all
    }
}
