//! One client: its commands, its subscriptions, its queue, and how it ends.

use std::collections::HashMap;
use std::io;
use std::sync::Arc;

use event_loop::net::TcpStream;
use event_loop::sync::broadcast::error::RecvError;
use event_loop::sync::{Notify, broadcast, mpsc, oneshot, watch};
use event_loop::task::{AbortHandle, JoinSet};
use event_loop::time::{Instant, MissedTickBehavior, interval_at};

use super::serve::{Config, SlowClients};
use super::topics::Topics;
use super::wire::{Command, Event, Lines, Message, write_queued};

/// How a client's session ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    /// The client closed its connection.
    Left,
    /// Nothing was heard of it for too long.
    Silent,
    /// It did not read fast enough.
    TooSlow,
    /// Its connection broke, or it broke the protocol.
    Failed,
    /// The broker shut down, and the client has got all that was queued for it.
    Dismissed,
}

/// Serves one client to its end.
pub(crate) async fn serve_client(
    stream: TcpStream,
    config: Arc<Config>,
    topics: Arc<Topics>,
    shutdown: watch::Receiver<bool>,
) -> Ended {
    let (reader, writer) = stream.into_split();
    let (outbox, queued) = mpsc::channel(config.queue);
    let mut lines = Lines::new(reader);
    let mut writing = std::pin::pin!(write_queued(writer, queued, config.write_timeout));
    let session = Session {
        topics: topics.clone(),
        outbox,
        subscriptions: HashMap::new(),
        forwarders: JoinSet::new(),
        overrun: Arc::default(),
        config,
    };
    let ended = event_loop::select! {
        ended = session.run(&mut lines, shutdown) => ended.unwrap_or(Ended::Failed),
        // Before the session's end it can only fail.
        _ = &mut writing => Ended::Failed,
    };
    topics.prune();
    let flushed = match ended {
        Ended::Left | Ended::Dismissed => writing.await,
        Ended::Silent | Ended::TooSlow | Ended::Failed => Ok(()),
    };
    if flushed.is_err() {
        return Ended::Failed;
    }
    ended
}

struct Session {
    config: Arc<Config>,
    topics: Arc<Topics>,
    /// What the client is to be told.
    outbox: mpsc::Sender<Event>,
    subscriptions: HashMap<String, Subscription>,
    /// One for each subscription.
    forwarders: JoinSet<()>,
    /// Told when a topic went on without this client.
    overrun: Arc<Notify>,
}

struct Subscription {
    forwarder: AbortHandle,
    /// Closed once the forwarder is gone.
    gone: oneshot::Receiver<()>,
}

impl Session {
    async fn run(
        mut self,
        lines: &mut Lines,
        mut shutdown: watch::Receiver<bool>,
    ) -> io::Result<Ended> {
        let mut heard = Instant::now();
        let mut keep_alive = interval_at(heard + self.config.keep_alive, self.config.keep_alive);
        keep_alive.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let overrun = self.overrun.clone();
        loop {
            event_loop::select! {
                line = lines.next() => {
                    let Some(line) = line? else {
                        return Ok(Ended::Left);
                    };
                    heard = Instant::now();
                    self.obey(&line).await?;
                }
                _ = keep_alive.tick() => {
                    if heard.elapsed() > self.config.keep_alive * 2 {
                        return Ok(Ended::Silent);
                    }
                    // If there is no room it has enough to answer for.
                    let _ = self.outbox.try_send(Event::Ping);
                }
                Some(_ended) = self.forwarders.join_next() => {}
                () = overrun.notified() => return Ok(Ended::TooSlow),
                _ = shutdown.changed() => break,
            }
        }
        // They end with their topics, which the broker closes.
        while self.forwarders.join_next().await.is_some() {}
        self.tell(Event::Bye).await?;
        Ok(Ended::Dismissed)
    }

    async fn obey(&mut self, line: &str) -> io::Result<()> {
        let answer = match line.parse() {
            Ok(Command::Subscribe(topic)) => self.subscribe(topic),
            Ok(Command::Unsubscribe(topic)) => self.unsubscribe(&topic).await,
            Ok(Command::Publish(message)) => match self.topics.publish(message) {
                Ok(()) => Event::Done,
                Err(_closed) => Event::Refused("shutting down"),
            },
            Ok(Command::Ping) => Event::Pong,
            Ok(Command::Pong) => return Ok(()),
            Err(why) => Event::Refused(why),
        };
        self.tell(answer).await
    }

    fn subscribe(&mut self, topic: String) -> Event {
        if self.subscriptions.contains_key(&topic) {
            return Event::Done;
        }
        let Ok(messages) = self.topics.subscribe(&topic) else {
            return Event::Refused("shutting down");
        };
        let (going, gone) = oneshot::channel();
        let forwarding = Forwarder {
            topic: topic.clone(),
            messages,
            outbox: self.outbox.clone(),
            slow_clients: self.config.slow_clients,
            overrun: self.overrun.clone(),
            _going: going,
        };
        let forwarder = self.forwarders.spawn(forwarding.run());
        let subscription = Subscription { forwarder, gone };
        self.subscriptions.insert(topic, subscription);
        Event::Done
    }

    /// No message of the topic comes after the answer.
    async fn unsubscribe(&mut self, topic: &str) -> Event {
        if let Some(subscription) = self.subscriptions.remove(topic) {
            subscription.forwarder.abort();
            let _closed = subscription.gone.await;
        }
        Event::Done
    }

    async fn tell(&self, event: Event) -> io::Result<()> {
        let sent = self.outbox.send(event).await;
        sent.map_err(|_| io::ErrorKind::BrokenPipe.into())
    }
}

/// Brings one topic's messages to one client's queue.
struct Forwarder {
    topic: String,
    messages: broadcast::Receiver<Arc<Message>>,
    outbox: mpsc::Sender<Event>,
    slow_clients: SlowClients,
    overrun: Arc<Notify>,
    /// Dropped with the rest.
    _going: oneshot::Sender<()>,
}

impl Forwarder {
    async fn run(mut self) {
        loop {
            let event = match (self.messages.recv().await, self.slow_clients) {
                (Ok(message), _) => Event::Message(message),
                (Err(RecvError::Lagged(missed)), SlowClients::DropOldest) => {
                    Event::Missed(self.topic.clone(), missed)
                }
                (Err(RecvError::Lagged(_)), SlowClients::Disconnect) => {
                    self.overrun.notify_one();
                    return;
                }
                (Err(RecvError::Closed), _) => return,
            };
            if self.outbox.send(event).await.is_err() {
                return;
            }
        }
    }
}
