//! The topics: a broadcast channel each, for as long as somebody listens.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use event_loop::sync::broadcast;

use super::wire::Message;

pub(crate) struct Topics {
    /// How many messages of a topic are kept for those who are behind.
    kept: usize,
    /// `None` once they are closed.
    channels: Mutex<Option<HashMap<String, broadcast::Sender<Arc<Message>>>>>,
}

/// The broker is shutting down.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Closed;

impl Topics {
    pub(crate) fn new(kept: usize) -> Self {
        Self {
            kept,
            channels: Mutex::new(Some(HashMap::new())),
        }
    }

    /// All messages of a topic from here on.
    pub(crate) fn subscribe(
        &self,
        topic: &str,
    ) -> Result<broadcast::Receiver<Arc<Message>>, Closed> {
        let mut channels = self.channels();
        let channels = channels.as_mut().ok_or(Closed)?;
        let sender = channels
            .entry(topic.to_owned())
            .or_insert_with(|| broadcast::Sender::new(self.kept));
        Ok(sender.subscribe())
    }

    /// Hands a message to whoever has subscribed.
    pub(crate) fn publish(&self, message: Message) -> Result<(), Closed> {
        let mut channels = self.channels();
        let channels = channels.as_mut().ok_or(Closed)?;
        if let Some(sender) = channels.get(&message.topic) {
            // Nobody listens any more: that is no error of the publisher's.
            let _ = sender.send(Arc::new(message));
        }
        Ok(())
    }

    /// Forgets the topics that nobody listens to.
    pub(crate) fn prune(&self) {
        if let Some(channels) = self.channels().as_mut() {
            channels.retain(|_, sender| sender.receiver_count() > 0);
        }
    }

    /// Ends every topic: subscribers get what is kept for them, and then the end.
    pub(crate) fn close(&self) {
        let channels = self.channels().take();
        drop(channels);
    }

    fn channels(&self) -> MutexGuard<'_, Option<HashMap<String, broadcast::Sender<Arc<Message>>>>> {
        self.channels.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
