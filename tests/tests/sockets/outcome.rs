//! How the outcome of a call is told: the same text for the same outcome, whoever the kernel is.

use std::io;
use std::time::Duration;

use event_loop::net::{TcpListener, TcpStream};

/// Something that a call can come to.
pub(crate) trait Outcome {
    fn shown(&self) -> String;
}

impl Outcome for () {
    fn shown(&self) -> String {
        "done".into()
    }
}

impl Outcome for bool {
    fn shown(&self) -> String {
        if *self { "yes" } else { "no" }.into()
    }
}

impl Outcome for str {
    fn shown(&self) -> String {
        self.into()
    }
}

impl Outcome for String {
    fn shown(&self) -> String {
        self.clone()
    }
}

impl Outcome for u32 {
    fn shown(&self) -> String {
        self.to_string()
    }
}

impl Outcome for Duration {
    fn shown(&self) -> String {
        format!("{self:?}")
    }
}

impl Outcome for usize {
    fn shown(&self) -> String {
        self.to_string()
    }
}

/// Bytes, few enough to be read, and text.
impl Outcome for [u8] {
    fn shown(&self) -> String {
        format!("\"{}\"", self.escape_ascii())
    }
}

impl<const N: usize> Outcome for [u8; N] {
    fn shown(&self) -> String {
        self.as_slice().shown()
    }
}

impl Outcome for Vec<u8> {
    fn shown(&self) -> String {
        (**self).shown()
    }
}

impl Outcome for TcpStream {
    fn shown(&self) -> String {
        "a stream".into()
    }
}

impl Outcome for TcpListener {
    fn shown(&self) -> String {
        "a listener".into()
    }
}

/// The kind, and the number where the kernel gave one.
impl Outcome for io::Error {
    fn shown(&self) -> String {
        match self.raw_os_error() {
            Some(number) => format!("{:?} ({number})", self.kind()),
            None => format!("{:?}", self.kind()),
        }
    }
}

impl<T: Outcome> Outcome for Option<T> {
    fn shown(&self) -> String {
        self.as_ref().map_or_else(|| "none".into(), T::shown)
    }
}

impl<T: Outcome, E: Outcome> Outcome for Result<T, E> {
    fn shown(&self) -> String {
        match self {
            Ok(value) => value.shown(),
            Err(error) => error.shown(),
        }
    }
}

impl<T: Outcome + ?Sized> Outcome for &T {
    fn shown(&self) -> String {
        (**self).shown()
    }
}
