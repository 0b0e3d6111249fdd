//! The options that say when a silent peer is given up.

use std::time::Duration;

use crate::socket::State;
use crate::{Net, NetError, Result, SocketId};

/// When a peer that says nothing is asked for a sign of life, and how often.
///
/// ```
/// use std::time::Duration;
/// use net_sim::Keepalive;
///
/// // Linux's: two hours of silence, then nine questions.
/// let keepalive = Keepalive::default();
/// assert_eq!((keepalive.idle, keepalive.count), (Duration::from_hours(2), 9));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Keepalive {
    /// The silence before the first question, in whole seconds (`TCP_KEEPIDLE`).
    pub idle: Duration,
    /// What is between two questions, in whole seconds (`TCP_KEEPINTVL`).
    pub interval: Duration,
    /// How many questions may go without an answer (`TCP_KEEPCNT`).
    pub count: u32,
}

impl Default for Keepalive {
    fn default() -> Self {
        KeepaliveTimes::default().into()
    }
}

/// The same as sockets store it: seconds, and a count.
#[derive(Clone, Copy, Debug)]
pub(crate) struct KeepaliveTimes {
    idle: u16,
    interval: u16,
    count: u8,
}

impl Default for KeepaliveTimes {
    fn default() -> Self {
        Self {
            idle: 7_200,
            interval: 75,
            count: 9,
        }
    }
}

impl From<KeepaliveTimes> for Keepalive {
    fn from(times: KeepaliveTimes) -> Self {
        Self {
            idle: Duration::from_secs(times.idle.into()),
            interval: Duration::from_secs(times.interval.into()),
            count: times.count.into(),
        }
    }
}

impl Net {
    /// Whether a silent peer is asked for a sign of life.
    ///
    /// # Errors
    ///
    /// [`NetError::BadSocket`].
    pub fn keepalive(&self, id: SocketId) -> Result<bool> {
        Ok(self.options(id)?.keepalive)
    }

    /// Sets `SO_KEEPALIVE`.
    ///
    /// # Errors
    ///
    /// [`NetError::BadSocket`].
    pub fn set_keepalive(&mut self, id: SocketId, on: bool) -> Result<()> {
        self.options_mut(id)?.keepalive = on;
        if let State::Stream(conn, side) = self.socket(id)?.state {
            self.keepalive_changed(conn, side);
        }
        Ok(())
    }

    /// When a silent peer is asked, if it is.
    ///
    /// # Errors
    ///
    /// [`NetError::BadSocket`].
    pub fn keepalive_times(&self, id: SocketId) -> Result<Keepalive> {
        Ok(self.options(id)?.keepalive_times.into())
    }

    /// Sets `TCP_KEEPIDLE`, `TCP_KEEPINTVL` and `TCP_KEEPCNT`, fractions of a second cut off.
    ///
    /// # Errors
    ///
    /// [`NetError::InvalidInput`] for less than a second, more than 32,767 of them, or a count
    /// outside of 1 to 127; [`NetError::BadSocket`].
    pub fn set_keepalive_times(&mut self, id: SocketId, times: Keepalive) -> Result<()> {
        let within = |n: u64, most: u16| {
            let n = u16::try_from(n).ok();
            let n = n.filter(|n| (1..=most).contains(n));
            n.ok_or(NetError::InvalidInput)
        };
        self.options_mut(id)?.keepalive_times = KeepaliveTimes {
            idle: within(times.idle.as_secs(), 32_767)?,
            interval: within(times.interval.as_secs(), 32_767)?,
            count: within(times.count.into(), 127)? as u8,
        };
        if let State::Stream(conn, side) = self.socket(id)?.state {
            self.keepalive_changed(conn, side);
        }
        Ok(())
    }

    /// How long what was sent may stay without an acknowledgement.
    ///
    /// # Errors
    ///
    /// [`NetError::BadSocket`].
    pub fn user_timeout(&self, id: SocketId) -> Result<Option<Duration>> {
        let millis = self.options(id)?.user_timeout;
        Ok((millis > 0).then(|| Duration::from_millis(millis.into())))
    }

    /// Sets `TCP_USER_TIMEOUT`, which counts milliseconds; `None` and less than one are Linux's
    /// own idea of it.
    ///
    /// # Errors
    ///
    /// [`NetError::InvalidInput`] for more than 24 days, [`NetError::BadSocket`].
    pub fn set_user_timeout(&mut self, id: SocketId, timeout: Option<Duration>) -> Result<()> {
        let millis = timeout.map_or(0, |timeout| timeout.as_millis());
        let millis = i32::try_from(millis).map_err(|_| NetError::InvalidInput)?;
        self.options_mut(id)?.user_timeout = millis.unsigned_abs();
        Ok(())
    }
}
