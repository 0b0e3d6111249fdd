//! A queue with many senders and one receiver.

mod bounded;
mod unbounded;

pub use bounded::{OwnedPermit, Receiver, Sender, WeakSender, channel};
pub use tokio::sync::mpsc::{Permit, PermitIterator, error};
pub use unbounded::{UnboundedReceiver, UnboundedSender, WeakUnboundedSender, unbounded_channel};

const AN_ITEM: &str = "an item of";
const ROOM: &str = "room in";
const CLOSING: &str = "the closing of";
