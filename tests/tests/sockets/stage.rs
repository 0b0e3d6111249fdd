//! What a case is given: two sides to make sockets on, a pause, and somebody to tell.

use std::future::Future;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use event_loop::EventLoop;
use event_loop::net::{TcpListener, TcpStream};
use event_loop::time::sleep;

use crate::loops::WORLD_PAUSE;
use crate::outcome::Outcome;

/// What a case is given. The body itself runs on the server's side.
#[derive(Clone)]
pub(crate) struct Stage {
    pub(crate) server: Side,
    pub(crate) client: Side,
    pause: Duration,
    log: Log,
}

/// A host, or what stands for one: on a loopback both sides are the same.
#[derive(Clone)]
pub(crate) struct Side {
    ev: EventLoop,
    ip: IpAddr,
}

/// What a case told so far; shared by its tasks.
#[derive(Clone, Default)]
pub(crate) struct Log(Arc<Mutex<Vec<String>>>);

impl Stage {
    pub(crate) fn new(server: Side, client: Side, pause: Duration) -> Self {
        Self {
            server,
            client,
            pause,
            log: Log::default(),
        }
    }

    /// Tells what came of a call: the same everywhere.
    pub(crate) fn note(&self, call: &str, outcome: impl Outcome) {
        self.log.push(format!("{call}: {}", outcome.shown()));
    }

    /// Tells what came of a call that the kernel leaves open, `because` of something.
    ///
    /// # Panics
    /// If it is none of `allowed`.
    #[track_caller]
    pub(crate) fn note_one_of(
        &self,
        call: &str,
        outcome: impl Outcome,
        allowed: &[&str],
        because: &str,
    ) {
        let shown = outcome.shown();
        assert!(
            allowed.contains(&shown.as_str()),
            "{call}: {shown}, which is none of {allowed:?}"
        );
        let allowed = allowed.join(" or ");
        self.log.push(format!("{call}: {allowed}, for {because}"));
    }

    /// Lets everything arrive that is under way.
    pub(crate) async fn settle(&self) {
        sleep(self.pause).await;
    }

    /// Tells whether a call is still waiting once everything has arrived, and what came of it if
    /// it is not.
    pub(crate) async fn note_waiting<T: Outcome>(
        &self,
        call: &str,
        future: Pin<&mut (impl Future<Output = T> + Send)>,
    ) {
        let rest = self.settle();
        tokio::select! {
            biased;
            outcome = future => self.log.push(format!("{call}: {}", outcome.shown())),
            () = rest => self.log.push(format!("{call}: waits")),
        }
    }

    /// Whether a call is still waiting once everything has arrived.
    pub(crate) async fn still_waits(&self, future: Pin<&mut (impl Future + Send)>) -> bool {
        let rest = self.settle();
        tokio::select! {
            biased;
            _ = future => false,
            () = rest => true,
        }
    }

    /// More bytes than the two buffers of a connection hold: those of a kernel grow.
    pub(crate) fn more_than_fits(&self) -> usize {
        match self.pause {
            WORLD_PAUSE => 500_000,
            _ => 16 << 20,
        }
    }

    /// A listener on the server's side, and where it is.
    pub(crate) async fn listen(&self) -> io::Result<(TcpListener, SocketAddr)> {
        let listener = TcpListener::bind(self.server.at(0)).await?;
        let address = listener.local_addr()?;
        Ok((listener, address))
    }

    /// A stream from the client's side.
    pub(crate) async fn connect(&self, address: SocketAddr) -> io::Result<TcpStream> {
        self.client.run(TcpStream::connect(address)).await
    }

    /// Both ends of a new connection: the client's, which connected, and the server's.
    pub(crate) async fn pair(&self) -> io::Result<(TcpStream, TcpStream)> {
        let (listener, address) = self.listen().await?;
        let (client, accepted) =
            futures::future::try_join(self.connect(address), listener.accept()).await?;
        Ok((client, accepted.0))
    }

    pub(crate) fn log(&self) -> Log {
        self.log.clone()
    }
}

impl Side {
    pub(crate) fn new(ev: EventLoop, ip: IpAddr) -> Self {
        Self { ev, ip }
    }

    pub(crate) fn loopback(ev: EventLoop) -> Self {
        Self::new(ev, Ipv4Addr::LOCALHOST.into())
    }

    /// An address of this side; port 0 asks for a free one.
    pub(crate) fn at(&self, port: u16) -> SocketAddr {
        SocketAddr::new(self.ip, port)
    }

    /// Runs a future as a task of this side: the sockets it makes are this side's.
    pub(crate) async fn run<F>(&self, future: F) -> F::Output
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        let task = self.ev.spawn(future);
        task.await.expect("a task of a case comes to its end")
    }
}

impl Log {
    /// What was told since the last time.
    pub(crate) fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn push(&self, line: String) {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(line);
    }
}
