//! A shutdown that a signal begins, and what the next ones do to it.

use std::future::poll_fn;
use std::task::{Context, Poll};

use super::{SecondSignal, Shutdown, ShutdownError, ShutdownPolicy};
use crate::signal::Disposition;
use crate::{EventLoop, Signal, SignalStream};

impl EventLoop {
    /// Shuts the loop down when the process gets one of the policy's
    /// [`signals`](ShutdownPolicy::signals), by default TERM and INT. They are listened to from
    /// here on, so a service calls this first of all; a second one does what the policy says.
    ///
    /// The returned future is of the report; who awaits it is not cut. Dropping it changes
    /// nothing.
    ///
    /// ```no_run
    /// use event_loop::net::TcpListener;
    /// use event_loop::{EventLoop, ShutdownPolicy};
    ///
    /// pub async fn serve(ev: EventLoop) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    ///     let shutdown = ev.shutdown_on_signal(ShutdownPolicy::new())?;
    ///     let listener = TcpListener::bind("0.0.0.0:8080").await?;
    ///     // It ends with an error once the shutdown has closed the listener.
    ///     while let Ok((stream, _)) = listener.accept().await {
    ///         event_loop::spawn(async move { drop(stream) }).detach();
    ///     }
    ///     eprintln!("{}", shutdown.await?);
    ///     Ok(())
    /// }
    /// ```
    ///
    /// # Errors
    /// [`ShutdownError::Policy`], [`ShutdownError::Signal`] and [`ShutdownError::Closed`].
    pub fn shutdown_on_signal(&self, policy: ShutdownPolicy) -> Result<Shutdown, ShutdownError> {
        policy.check()?;
        if self.is_closed() {
            return Err(ShutdownError::Closed);
        }
        let streams = policy.signals.iter().map(|signal| self.signal(*signal));
        let streams = streams.collect::<Result<Vec<_>, _>>()?;
        let awaits = Shutdown::of(self);
        let watcher = watch(self.unowned(), policy, streams);
        let watcher = self.spawn_named("shutdown on signal", watcher);
        if let Some(id) = watcher.id() {
            self.shared.shutdown.disown(id);
        }
        watcher.detach();
        Ok(awaits)
    }

    /// Whether a signal that nobody has heard asked for what the loop does, or has done, anyway.
    pub(crate) fn ends_as_asked_by(&self, signal: Signal) -> bool {
        self.shared.shutdown.is_claimed() && signal.default_disposition() == Disposition::Terminate
    }
}

/// Listens for as long as the loop is open: a signal that nobody listens to would end the process.
async fn watch(ev: EventLoop, policy: ShutdownPolicy, mut streams: Vec<SignalStream>) {
    loop {
        let signal = poll_fn(|cx| next(&mut streams, cx)).await;
        if !ev.shared.shutdown.is_claimed() {
            drop(ev.shutdown_because(&signal.to_string(), policy.clone()));
        } else if policy.second == SecondSignal::Escalate {
            ev.escalate();
        }
    }
}

fn next(streams: &mut [SignalStream], cx: &mut Context<'_>) -> Poll<Signal> {
    for stream in streams {
        if let Poll::Ready(Some(())) = stream.poll_recv(cx) {
            return Poll::Ready(stream.kind());
        }
    }
    Poll::Pending
}
