//! A client of the broker.

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};

use super::rt::net::TcpStream;

pub(super) struct Client {
    stream: BufReader<TcpStream>,
    /// What came before the answer that was waited for.
    early: VecDeque<String>,
}

impl Client {
    pub(super) async fn connect(address: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self {
            stream: BufReader::new(stream),
            early: VecDeque::new(),
        })
    }

    pub(super) async fn say(&mut self, line: &str) -> io::Result<()> {
        self.stream.write_all(format!("{line}\n").as_bytes()).await
    }

    /// Says something, and waits for its answer; what else comes is kept.
    pub(super) async fn ask(&mut self, line: &str) -> io::Result<String> {
        self.say(line).await?;
        self.answer().await
    }

    /// The answer to the first thing said that has none yet.
    pub(super) async fn answer(&mut self) -> io::Result<String> {
        loop {
            let heard = self.read().await?.ok_or(io::ErrorKind::UnexpectedEof)?;
            let verb = heard.split(' ').next();
            if matches!(verb, Some("OK" | "ERR" | "PONG")) {
                return Ok(heard);
            }
            self.early.push_back(heard);
        }
    }

    /// What it is told next; `None` at the end.
    pub(super) async fn hear(&mut self) -> io::Result<Option<String>> {
        match self.early.pop_front() {
            Some(heard) => Ok(Some(heard)),
            None => self.read().await,
        }
    }

    /// What it was told while it waited for an answer.
    pub(super) fn take_early(&mut self) -> Option<String> {
        self.early.pop_front()
    }

    /// Answers pings by the way.
    async fn read(&mut self) -> io::Result<Option<String>> {
        loop {
            match self.listen().await? {
                Some(line) if line == "PING" => self.say("PONG").await?,
                other => return Ok(other),
            }
        }
    }

    /// What comes next, pings as well.
    pub(super) async fn listen(&mut self) -> io::Result<Option<String>> {
        let mut line = String::new();
        if self.stream.read_line(&mut line).await? == 0 {
            return Ok(None);
        }
        line.truncate(line.trim_end().len());
        Ok(Some(line))
    }
}
