//! Synchronisation: every primitive on every loop, what a dropped waiter leaves, the table of who
//! waits on what, and that the order of wakes follows from the seed.

#[path = "../contract/backends.rs"]
#[allow(dead_code, reason = "the contract suite uses all of it")]
mod backends;
mod barrier;
mod broadcast;
mod budget;
mod mpsc;
mod mutex;
mod notify;
mod once_cell;
mod oneshot;
mod order;
mod rwlock;
mod semaphore;
mod tables;
mod waiting;
mod watch;
