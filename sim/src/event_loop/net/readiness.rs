//! Readiness in tokio's terms.

use event_loop::io::{Interest, Ready};
use net_sim::Readiness;

/// What of a socket's readiness somebody with this interest is told: mio's reading of epoll's
/// flags, and tokio's masks.
pub(super) fn of(now: Readiness, interest: Interest) -> Ready {
    let when = |is: bool, ready| if is { ready } else { Ready::EMPTY };
    let only_error = now.error && !(now.readable || now.writable);
    let read_closed = now.hung_up || (now.readable && now.read_closed);
    let write_closed = now.hung_up || (now.writable && now.error) || only_error;

    let mut ready = Ready::EMPTY;
    if interest.is_readable() {
        ready |= when(now.readable, Ready::READABLE) | when(read_closed, Ready::READ_CLOSED);
    }
    if interest.is_writable() {
        ready |= when(now.writable, Ready::WRITABLE) | when(write_closed, Ready::WRITE_CLOSED);
    }
    if interest.is_error() {
        ready |= when(now.error, Ready::ERROR);
    }
    ready
}
