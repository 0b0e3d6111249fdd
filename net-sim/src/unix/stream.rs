//! Reading and writing streams; datagram sockets share the calls.

use std::io::IoSlice;

use super::UnixKind;
use super::inbox::{self, Bytes};
use super::state::{Inbox, Stage, Unix};
use crate::{Net, NetError, Result, SocketId};

impl Net {
    /// All that is there, as far as it fits: what was written is there when the write returns, so
    /// that nothing is left open as it is with TCP.
    pub(crate) fn unix_read(&mut self, id: SocketId, buf: &mut [u8]) -> Result<usize> {
        let Some(bytes) = self.readable_unix(id)? else {
            return Ok(0);
        };
        let n = bytes.peek(buf);
        let freed = bytes.consume(n);
        if let Some(peer) = self.unix(id)?.peer().filter(|_| freed > 0) {
            self.release_memory(peer, freed);
        }
        Ok(n)
    }

    pub(crate) fn unix_peek(&mut self, id: SocketId, buf: &mut [u8]) -> Result<usize> {
        Ok(match self.readable_unix(id)? {
            Some(bytes) => bytes.peek(buf),
            None => 0,
        })
    }

    pub(crate) fn unix_write(&mut self, id: SocketId, bufs: &[IoSlice<'_>]) -> Result<usize> {
        if self.unix(id)?.kind() == UnixKind::Datagram {
            return self.unix_send_parts(id, bufs, None);
        }
        let peer = self.unix(id)?.peer().ok_or(NetError::NotConnected)?;
        let send_buffer = self.socket(id)?.options.send_buffer;
        let len: usize = bufs.iter().map(|buf| buf.len()).sum();
        let mut sent = 0;
        let outcome = loop {
            let unix = self.unix_mut(id)?;
            if sent == 0 && unix.write_shut {
                break Err(NetError::BrokenPipe);
            }
            if sent == len {
                break Ok(());
            }
            if let Some(error) = unix.take_error() {
                break Err(error);
            }
            if unix.used >= send_buffer {
                unix.blocked = true;
                break Err(NetError::WouldBlock);
            }
            let n = (len - sent).min(inbox::chunk_of(send_buffer));
            let charge = inbox::stream_charge(n);
            let there = self.unix_mut(peer).ok().filter(|there| !there.read_shut);
            let Some(Unix {
                inbox: Inbox::Stream(bytes),
                ..
            }) = there
            else {
                break Err(NetError::BrokenPipe);
            };
            bytes.push(bufs, sent, n, charge);
            sent += n;
            self.unix_mut(id)?.used += charge;
        };
        if sent > 0 {
            self.changed(peer);
            return Ok(sent);
        }
        outcome.map(|()| 0)
    }

    /// The bytes to read from, if there are some or may come.
    fn readable_unix(&mut self, id: SocketId) -> Result<Option<&mut Bytes>> {
        let unix = self.unix_mut(id)?;
        let Inbox::Stream(bytes) = &mut unix.inbox else {
            return Err(NetError::NotSupported);
        };
        if !matches!(unix.stage, Stage::Connected(_)) {
            return Err(NetError::InvalidInput);
        }
        if bytes.len() > 0 {
            return Ok(Some(bytes));
        }
        match unix.error.take() {
            Some(error) => Err(error),
            None if unix.read_shut => Ok(None),
            None => Err(NetError::WouldBlock),
        }
    }
}
