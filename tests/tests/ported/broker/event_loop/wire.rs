//! The protocol: what a client says, and what it is told, a line each.

use std::fmt;
use std::io;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use event_loop::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use event_loop::sync::mpsc;
use event_loop::time::timeout;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// The longest line a client may send.
const MAX_LINE: usize = 64 * 1024;
/// How many events are put into one write.
const BATCH: usize = 8;

/// What a client says.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Command {
    Subscribe(String),
    Unsubscribe(String),
    Publish(Message),
    Ping,
    Pong,
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Message {
    pub(crate) topic: String,
    pub(crate) text: String,
}

/// What a client is told.
#[derive(Clone, Debug)]
pub(crate) enum Event {
    Done,
    Refused(&'static str),
    Message(Arc<Message>),
    /// So many messages of a topic were too much for this client.
    Missed(String, u64),
    Ping,
    Pong,
    /// Nothing follows: the broker shuts down.
    Bye,
}

impl FromStr for Command {
    type Err = &'static str;

    fn from_str(line: &str) -> Result<Self, Self::Err> {
        let (verb, rest) = line.split_once(' ').unwrap_or((line, ""));
        let (topic, text) = rest.split_once(' ').unwrap_or((rest, ""));
        let topic = topic.to_owned();
        match verb {
            "PING" => Ok(Self::Ping),
            "PONG" => Ok(Self::Pong),
            "SUBSCRIBE" | "UNSUBSCRIBE" | "PUBLISH" if topic.is_empty() => Err("no topic"),
            "SUBSCRIBE" => Ok(Self::Subscribe(topic)),
            "UNSUBSCRIBE" => Ok(Self::Unsubscribe(topic)),
            "PUBLISH" => {
                let text = text.to_owned();
                Ok(Self::Publish(Message { topic, text }))
            }
            _ => Err("no such command"),
        }
    }
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Done => writeln!(f, "OK"),
            Self::Refused(why) => writeln!(f, "ERR {why}"),
            Self::Message(message) => writeln!(f, "MSG {} {}", message.topic, message.text),
            Self::Missed(topic, count) => writeln!(f, "MISSED {topic} {count}"),
            Self::Ping => writeln!(f, "PING"),
            Self::Pong => writeln!(f, "PONG"),
            Self::Bye => writeln!(f, "BYE"),
        }
    }
}

/// The lines that a client sends.
pub(crate) struct Lines {
    reader: OwnedReadHalf,
    buffer: BytesMut,
    /// So much of it holds no end of a line.
    searched: usize,
}

impl Lines {
    pub(crate) fn new(reader: OwnedReadHalf) -> Self {
        Self {
            reader,
            buffer: BytesMut::new(),
            searched: 0,
        }
    }

    /// The next line, or `None` at the end. Cancellation loses nothing: what was read stays here.
    pub(crate) async fn next(&mut self) -> io::Result<Option<String>> {
        loop {
            let unsearched = &self.buffer[self.searched..];
            if let Some(end) = unsearched.iter().position(|&byte| byte == b'\n') {
                let line = self.buffer.split_to(self.searched + end + 1);
                self.searched = 0;
                let line = std::str::from_utf8(&line).map_err(io::Error::other)?;
                return Ok(Some(line.trim_end().to_owned()));
            }
            self.searched = self.buffer.len();
            if self.buffer.len() > MAX_LINE {
                return Err(io::Error::other("the line is too long"));
            }
            if self.reader.read_buf(&mut self.buffer).await? == 0 {
                return Ok(None);
            }
        }
    }

    /// Reads on to the end, for nothing: a connection that is closed with something unread is
    /// reset, and what was written to it is lost on the way.
    pub(crate) async fn discard(mut self) -> io::Result<()> {
        tokio::io::copy(&mut self.reader, &mut tokio::io::sink()).await?;
        Ok(())
    }
}

/// Writes what is queued until there is nobody left to queue more.
pub(crate) async fn write_queued(
    mut writer: OwnedWriteHalf,
    mut queued: mpsc::Receiver<Event>,
    limit: Duration,
) -> io::Result<()> {
    let mut batch = Vec::with_capacity(BATCH);
    while queued.recv_many(&mut batch, BATCH).await > 0 {
        let text: String = batch.drain(..).map(|event| event.to_string()).collect();
        timeout(limit, writer.write_all(text.as_bytes())).await??;
    }
    writer.shutdown().await
}
