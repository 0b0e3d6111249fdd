//! The loop's contract, clause by clause: one function per clause, run on every loop there is.
//!
//! | Clause | Production | Simulated | Because |
//! |---|---|---|---|
//! | Callbacks in order, in batches, cancelled, closed | yes | yes | one driver runs them everywhere |
//! | A callback from a foreign thread | yes | refused | when it comes is not the seed's to decide |
//! | The trampoline's rounds | no | yes | real timers are late by as much as they like |
//! | Lifecycle and its refusals | yes | yes | |
//! | A second thread runs a running loop | yes | no | it would be a foreign thread |
//! | Time stands still within a poll | no | yes | real time does not |
//! | Timers never fire early | yes | yes | |
//! | Timers round as the profile says | no | yes | real timers may also be late |
//! | Deadlock, livelock | no | yes | production waits, and spins, for ever |
//! | A yield beside a timer | yes | yes | |
//! | Tasks: cancelled, aborted, panicked, timed out | yes | yes | |
//! | A value and its timeout at one instant | no | yes | real instants are never one |
//! | Closing drops every pending future | yes | yes | |
//! | Closing drops them in creation order | no | yes | tokio's order is its own |
//! | TCP on the loopback | yes | yes | |
//! | Host names | no | yes | they are the machine's affair |

mod backends;
mod callbacks;
mod closing;
mod errors;
mod lifecycle;
mod log;
mod refusals;
mod tasks;
mod tcp;
mod time;
