//! A stream whose end waits for the peer's.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use event_loop::net::TcpStream;
use event_loop::time::Sleep;
use hyper::rt::{Read, ReadBuf, ReadBufCursor, Write};

/// How long a peer may take to end its side.
const PATIENCE: Duration = Duration::from_secs(1);

/// Shuts its sending side, then reads on until the peer ends too.
///
/// hyper closes a stream as soon as it has written its last byte. Whatever the peer has under way
/// by then (over HTTP/2 it grants windows all the time) is answered with a reset, which takes with
/// it what the kernel had not sent yet: RFC 1122, section 4.2.2.13; nginx's `lingering_close`.
pub(crate) struct Lingering {
    stream: TcpStream,
    shut: Option<Sleep>,
}

impl Lingering {
    pub(crate) fn new(stream: TcpStream) -> Self {
        Self { stream, shut: None }
    }
}

impl Read for Lingering {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        Read::poll_read(Pin::new(&mut self.stream), cx, into)
    }
}

impl Write for Lingering {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        from: &[u8],
    ) -> Poll<io::Result<usize>> {
        Write::poll_write(Pin::new(&mut self.stream), cx, from)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Write::poll_flush(Pin::new(&mut self.stream), cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if this.shut.is_none() {
            match ready!(Write::poll_shutdown(Pin::new(&mut this.stream), cx)) {
                // The peer has ended, and then reset what it could not read any more.
                Err(error) if error.kind() == io::ErrorKind::NotConnected => {
                    return Poll::Ready(Ok(()));
                }
                outcome => outcome?,
            }
        }
        let patience = this
            .shut
            .get_or_insert_with(|| event_loop::time::sleep(PATIENCE));
        let mut scratch = [0; 1024];
        while Pin::new(&mut *patience).poll(cx).is_pending() {
            let mut unheard = ReadBuf::new(&mut scratch);
            let read = ready!(Read::poll_read(
                Pin::new(&mut this.stream),
                cx,
                unheard.unfilled()
            ));
            if read.is_err() || unheard.filled().is_empty() {
                break;
            }
        }
        Poll::Ready(Ok(()))
    }
}
