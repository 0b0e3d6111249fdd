//! What of `tokio::io` needs no runtime, under the loop's own name: it is the same in production
//! and in a world, draws nothing and reads no clock.
//!
//! ```
//! use event_loop::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, duplex};
//!
//! let ev = event_loop::production::current_thread(Default::default()).unwrap();
//! let greeting = ev.run_borrowed(async {
//!     let (mut near, far) = duplex(64);
//!     near.write_all(b"hello\nworld\n").await.unwrap();
//!     let mut lines = BufReader::new(far).lines();
//!     lines.next_line().await.unwrap()
//! }).unwrap();
//! assert_eq!(greeting.as_deref(), Some("hello"));
//! # ev.close().unwrap();
//! ```

pub use tokio::io::{
    AsyncBufRead, AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncSeek, AsyncSeekExt, AsyncWrite,
    AsyncWriteExt, BufReader, BufStream, BufWriter, Chain, DuplexStream, Empty, Error, ErrorKind,
    Interest, Join, Lines, ReadBuf, ReadHalf, Ready, Repeat, Result, SeekFrom, SimplexStream, Sink,
    Split, Take, WriteHalf, copy, copy_bidirectional, copy_bidirectional_with_sizes, copy_buf,
    duplex, empty, join, repeat, simplex, sink, split,
};
