//! A pool of connections to the database: bounded, first come first served, and never poisoned.

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use event_loop::net::TcpStream;
use event_loop::sync::Semaphore;
use event_loop::time::{Instant, MissedTickBehavior, interval, timeout};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};

/// How many connections there may be, and how long things may take.
#[derive(Clone, Debug)]
pub(crate) struct PoolConfig {
    pub(crate) database: SocketAddr,
    pub(crate) max: usize,
    /// A connection that was idle for longer is closed.
    pub(crate) idle_timeout: Duration,
    /// A connection that was idle for longer is asked whether it still works.
    pub(crate) check_after: Duration,
    /// How long connecting and a health check may take, each.
    pub(crate) connect_timeout: Duration,
}

/// Cheap to clone; all clones are one pool.
#[derive(Clone)]
pub(crate) struct Pool {
    shared: Arc<Shared>,
}

struct Shared {
    config: PoolConfig,
    permits: Arc<Semaphore>,
    /// The one used last is at the back, and taken first.
    idle: Mutex<VecDeque<Idle>>,
    open: Arc<AtomicUsize>,
}

struct Idle {
    connection: Connection,
    since: Instant,
}

/// What the pool holds at the moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PoolStatus {
    pub(crate) open: usize,
    pub(crate) idle: usize,
    pub(crate) available: usize,
}

impl Pool {
    pub(crate) fn new(config: PoolConfig) -> Self {
        Self {
            shared: Arc::new(Shared {
                permits: Arc::new(Semaphore::new(config.max)),
                idle: Mutex::default(),
                open: Arc::default(),
                config,
            }),
        }
    }

    /// A connection that works, as far as one can know. Waiters are served in their order; who
    /// stops waiting leaves nothing behind.
    pub(crate) async fn get(&self) -> io::Result<Pooled> {
        let permit = self.shared.permits.acquire().await;
        // Given back with the connection.
        permit
            .map_err(|_| io::Error::other("the pool is closed"))?
            .forget();
        while let Some(idle) = self.shared.take_idle() {
            let mut connection = idle.connection;
            let fresh = idle.since.elapsed() < self.shared.config.check_after;
            if fresh || self.is_healthy(&mut connection).await {
                return Ok(self.lend(connection));
            }
        }
        let config = &self.shared.config;
        let connecting = Connection::open(config.database, self.shared.open.clone());
        match timeout(config.connect_timeout, connecting).await {
            Ok(Ok(connection)) => Ok(self.lend(connection)),
            failed => {
                self.shared.permits.add_permits(1);
                Err(failed?.err().unwrap_or_else(|| io::ErrorKind::Other.into()))
            }
        }
    }

    pub(crate) fn status(&self) -> PoolStatus {
        PoolStatus {
            open: self.shared.open.load(Ordering::Relaxed),
            idle: self.shared.idle().len(),
            available: self.shared.permits.available_permits(),
        }
    }

    /// Closes connections that nobody has needed for a while, for ever.
    pub(crate) async fn close_idle(self) {
        let mut ticks = interval(self.shared.config.idle_timeout / 2);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            let expired = self.shared.take_expired();
            drop(expired);
        }
    }

    /// Nobody gets a connection any more, and idle ones are closed.
    pub(crate) fn close(&self) {
        self.shared.permits.close();
        let idle = std::mem::take(&mut *self.shared.idle());
        drop(idle);
    }

    fn lend(&self, connection: Connection) -> Pooled {
        Pooled {
            connection: Some(connection),
            pool: self.shared.clone(),
        }
    }

    async fn is_healthy(&self, connection: &mut Connection) -> bool {
        let answered = timeout(self.shared.config.connect_timeout, connection.ask("PING")).await;
        matches!(answered, Ok(Ok(answer)) if answer == "PONG")
    }
}

impl Shared {
    fn idle(&self) -> MutexGuard<'_, VecDeque<Idle>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take_idle(&self) -> Option<Idle> {
        self.idle().pop_back()
    }

    fn take_expired(&self) -> Vec<Idle> {
        let mut idle = self.idle();
        let expired = idle.partition_point(|idle| idle.since.elapsed() >= self.config.idle_timeout);
        idle.drain(..expired).collect()
    }
}

/// A connection on loan; back in the pool when dropped, unless it is broken.
pub(crate) struct Pooled {
    connection: Option<Connection>,
    pool: Arc<Shared>,
}

impl Pooled {
    /// The database's answer to `question`, each a line.
    pub(crate) async fn ask(&mut self, question: &str) -> io::Result<String> {
        match &mut self.connection {
            Some(connection) => connection.ask(question).await,
            None => Err(io::ErrorKind::NotConnected.into()),
        }
    }
}

impl Drop for Pooled {
    fn drop(&mut self) {
        // With an answer under way the next question would get this one's.
        if let Some(connection) = self.connection.take_if(|it| it.reusable) {
            let since = Instant::now();
            let mut idle = self.pool.idle();
            if !self.pool.permits.is_closed() {
                idle.push_back(Idle { connection, since });
            }
        }
        // What is left is broken, and makes room for another.
        self.connection = None;
        self.pool.permits.add_permits(1);
    }
}

/// A connection, counted for as long as it is open.
struct Connection {
    stream: BufReader<TcpStream>,
    /// No answer is under way and nothing has failed.
    reusable: bool,
    open: Arc<AtomicUsize>,
}

impl Connection {
    async fn open(database: SocketAddr, open: Arc<AtomicUsize>) -> io::Result<Self> {
        let stream = TcpStream::connect(database).await?;
        stream.set_nodelay(true)?;
        open.fetch_add(1, Ordering::Relaxed);
        Ok(Self {
            stream: BufReader::new(stream),
            reusable: true,
            open,
        })
    }

    async fn ask(&mut self, question: &str) -> io::Result<String> {
        self.reusable = false;
        self.stream
            .write_all(format!("{question}\n").as_bytes())
            .await?;
        let mut answer = String::new();
        if self.stream.read_line(&mut answer).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.reusable = true;
        answer.truncate(answer.trim_end().len());
        Ok(answer)
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.open.fetch_sub(1, Ordering::Relaxed);
    }
}
