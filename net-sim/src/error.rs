//! What a call on the network can answer instead of a result.

use std::{error, fmt, io};

/// Why a call failed, one variant per errno that Linux gives in that place.
///
/// ```
/// use net_sim::NetError;
/// use std::io;
///
/// let error = io::Error::from(NetError::ConnectionRefused);
/// assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum NetError {
    /// Nothing can be done now; wait for readiness (`EAGAIN`).
    WouldBlock,
    /// The connection is being made; wait until the socket is writable (`EINPROGRESS`).
    InProgress,
    /// An earlier connect on this socket has not finished (`EALREADY`).
    AlreadyInProgress,
    /// The socket is connected or listening (`EISCONN`).
    IsConnected,
    /// Nobody listens at that address (`ECONNREFUSED`).
    ConnectionRefused,
    /// The peer cut the connection (`ECONNRESET`).
    ConnectionReset,
    /// An earlier connect failed and its error was already taken (`ECONNABORTED`).
    ConnectionAborted,
    /// The socket's sending side is shut, by itself or by a reset (`EPIPE`).
    BrokenPipe,
    /// The socket is not connected (`ENOTCONN`).
    NotConnected,
    /// The address is taken (`EADDRINUSE`).
    AddrInUse,
    /// The host has no such address, or no free port for it (`EADDRNOTAVAIL`).
    AddrNotAvailable,
    /// The peer never answered (`ETIMEDOUT`).
    TimedOut,
    /// The call does not fit this socket's state, or an argument makes no sense (`EINVAL`).
    InvalidInput,
    /// No Unix socket has this path (`ENOENT`).
    NotFound,
    /// The name is that of a Unix socket of the other kind (`EPROTOTYPE`).
    WrongType,
    /// The receiver talks to somebody else (`EPERM`).
    NotPermitted,
    /// Sockets of this kind know no such call (`EOPNOTSUPP`).
    NotSupported,
    /// The datagram is larger than any can be (`EMSGSIZE`).
    MessageTooLong,
    /// The socket has no peer, and the call names none (`EDESTADDRREQ`).
    DestinationRequired,
    /// Broadcasting was not asked for (`EACCES`).
    PermissionDenied,
    /// The address is of a family that the socket does not speak, or the host has no sockets of
    /// this family (`EAFNOSUPPORT`).
    FamilyNotSupported,
    /// Sockets of this family know no such option (`ENOPROTOOPT`).
    ProtocolNotAvailable,
    /// The host has no such interface (`ENODEV`).
    NoDevice,
    /// The process has no descriptor left (`EMFILE`).
    TooManyOpenFiles,
    /// No open socket or host has this id (`EBADF`).
    BadSocket,
    /// No host on the segment has that address (`EHOSTUNREACH`).
    HostUnreachable,
    /// The host has no address of that family (`ENETUNREACH`).
    NetworkUnreachable,
}

impl NetError {
    /// Linux's number of this error.
    #[must_use]
    pub const fn errno(self) -> i32 {
        match self {
            Self::WouldBlock => 11,
            Self::InProgress => 115,
            Self::AlreadyInProgress => 114,
            Self::IsConnected => 106,
            Self::ConnectionRefused => 111,
            Self::ConnectionReset => 104,
            Self::ConnectionAborted => 103,
            Self::BrokenPipe => 32,
            Self::NotConnected => 107,
            Self::AddrInUse => 98,
            Self::AddrNotAvailable => 99,
            Self::TimedOut => 110,
            Self::InvalidInput => 22,
            Self::NotFound => 2,
            Self::WrongType => 91,
            Self::NotPermitted => 1,
            Self::NotSupported => 95,
            Self::MessageTooLong => 90,
            Self::DestinationRequired => 89,
            Self::PermissionDenied => 13,
            Self::FamilyNotSupported => 97,
            Self::ProtocolNotAvailable => 92,
            Self::NoDevice => 19,
            Self::TooManyOpenFiles => 24,
            Self::BadSocket => 9,
            Self::HostUnreachable => 113,
            Self::NetworkUnreachable => 101,
        }
    }

    /// Linux's text for this error.
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Self::WouldBlock => "Resource temporarily unavailable",
            Self::InProgress => "Operation now in progress",
            Self::AlreadyInProgress => "Operation already in progress",
            Self::IsConnected => "Transport endpoint is already connected",
            Self::ConnectionRefused => "Connection refused",
            Self::ConnectionReset => "Connection reset by peer",
            Self::ConnectionAborted => "Software caused connection abort",
            Self::BrokenPipe => "Broken pipe",
            Self::NotConnected => "Transport endpoint is not connected",
            Self::AddrInUse => "Address already in use",
            Self::AddrNotAvailable => "Cannot assign requested address",
            Self::TimedOut => "Connection timed out",
            Self::InvalidInput => "Invalid argument",
            Self::NotFound => "No such file or directory",
            Self::WrongType => "Protocol wrong type for socket",
            Self::NotPermitted => "Operation not permitted",
            Self::NotSupported => "Operation not supported",
            Self::MessageTooLong => "Message too long",
            Self::DestinationRequired => "Destination address required",
            Self::PermissionDenied => "Permission denied",
            Self::FamilyNotSupported => "Address family not supported by protocol",
            Self::ProtocolNotAvailable => "Protocol not available",
            Self::NoDevice => "No such device",
            Self::TooManyOpenFiles => "Too many open files",
            Self::BadSocket => "Bad file descriptor",
            Self::HostUnreachable => "No route to host",
            Self::NetworkUnreachable => "Network is unreachable",
        }
    }

    /// Whether the call is to be repeated when the socket is ready.
    #[must_use]
    pub const fn is_would_block(self) -> bool {
        matches!(self, Self::WouldBlock | Self::InProgress)
    }

    const fn kind(self) -> io::ErrorKind {
        match self {
            Self::WouldBlock | Self::InProgress | Self::AlreadyInProgress => {
                io::ErrorKind::WouldBlock
            }
            Self::ConnectionRefused => io::ErrorKind::ConnectionRefused,
            Self::ConnectionReset => io::ErrorKind::ConnectionReset,
            Self::ConnectionAborted => io::ErrorKind::ConnectionAborted,
            Self::BrokenPipe => io::ErrorKind::BrokenPipe,
            Self::NotConnected => io::ErrorKind::NotConnected,
            Self::AddrInUse => io::ErrorKind::AddrInUse,
            Self::AddrNotAvailable => io::ErrorKind::AddrNotAvailable,
            Self::TimedOut => io::ErrorKind::TimedOut,
            Self::InvalidInput => io::ErrorKind::InvalidInput,
            Self::NotSupported => io::ErrorKind::Unsupported,
            Self::NotFound => io::ErrorKind::NotFound,
            Self::NotPermitted => io::ErrorKind::PermissionDenied,
            Self::HostUnreachable => io::ErrorKind::HostUnreachable,
            Self::NetworkUnreachable => io::ErrorKind::NetworkUnreachable,
            Self::PermissionDenied => io::ErrorKind::PermissionDenied,
            Self::TooManyOpenFiles
            | Self::BadSocket
            | Self::IsConnected
            | Self::WrongType
            | Self::MessageTooLong
            | Self::DestinationRequired
            | Self::FamilyNotSupported
            | Self::ProtocolNotAvailable
            | Self::NoDevice => io::ErrorKind::Other,
        }
    }
}

/// Linux's text and number, as in `Connection refused (os error 111)`.
impl fmt::Display for NetError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (os error {})", self.text(), self.errno())
    }
}

impl error::Error for NetError {}

impl From<NetError> for io::Error {
    /// On Linux the very error that the system call would have given; elsewhere one of the
    /// same kind and text.
    fn from(error: NetError) -> Self {
        if cfg!(target_os = "linux") {
            Self::from_raw_os_error(error.errno())
        } else {
            Self::new(error.kind(), error)
        }
    }
}

/// What every call on the network returns.
pub type Result<T, E = NetError> = std::result::Result<T, E>;
