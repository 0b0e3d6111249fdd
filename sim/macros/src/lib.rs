//! The attribute macros of Solipsism. Use them through the package `solipsism`, as `sim::test`.

mod args;
mod duration;
mod expand;

use proc_macro::TokenStream;

/// Makes a test of an `async fn`: its body is run in a simulated world, once for each of many
/// seeds.
///
/// ```
/// use std::time::Duration;
/// use event_loop::time::{Instant, sleep};
/// use sim::Sim;
///
/// #[sim::test(seeds = 1_000, time_limit = "2 h")]
/// async fn an_hour_passes_at_once(sim: Sim) {
///     let before = Instant::now();
///     sleep(Duration::from_secs(3_600)).await;
///     assert!(sim.now() - before >= Duration::from_secs(3_600));
/// }
/// ```
///
/// # Arguments
/// In any order, each at most once:
///
/// | argument | value | default | meaning |
/// |---|---|---|---|
/// | `seeds` | an integer literal from 1 | `100` | how many runs the test has, the plain run included |
/// | `profile` | `"tokio-mt"`, `"tokio-ct"`, `"exact"`, `"asyncio"` or `"uvloop"` | `"tokio-mt"` | which orders and clocks are legal: those of tokio's multi-thread runtime, those of its current-thread runtime, any order on a clock exact to the nanosecond, or those of Python's loops |
/// | `time_limit` | a text such as `"250 ms"`, `"10 s"`, `"1 h 30 min"`, or an expression of type [`Duration`](std::time::Duration) | a virtual day | how much virtual time a run may take |
/// | `stall_after` | as `time_limit` | off | after how much virtual time without progress the run has stalled: see `sim::Config::stall_after` |
/// | `polls` | an integer literal from 1 | ten million | how many polls a run may take |
/// | `polls_at_once` | an integer literal from 1 | a million | how many polls a run may take while no time passes, no task begins or ends and no byte moves |
/// | `on_blocking` | `"fail"`, `"report"` or `"allow"` | `"fail"` | what becomes of a run whose code blocks the thread of a loop: see `sim::OnBlocking` |
///
/// The units of a text are `ns`, `us` (or `µs`), `ms`, `s`, `min`, `h` and `d`. An expression may
/// name what is in scope at the function:
///
/// ```
/// const ATTEMPTS: u32 = 5;
/// const TIMEOUT: std::time::Duration = std::time::Duration::from_secs(30);
///
/// #[sim::test(profile = "exact", polls = 10_000, time_limit = TIMEOUT * ATTEMPTS)]
/// async fn it_gives_up_after_five_attempts() { /* … */ }
/// ```
///
/// # The function
/// It may take any number of arguments. The type of each is an extractor: `sim::Sim`,
/// `event_loop::EventLoop`, or a type of your own that implements `sim::FromWorld`. They are made
/// anew for each run, in their order, inside the world. An argument may be a pattern.
///
/// It returns `()` or a `Result<(), E>` where `E: Debug`; an `Err` fails the run as a panic does.
///
/// Its other attributes (`#[should_panic]`, `#[ignore]`, `#[cfg(..)]`, `#[allow(..)]`, its docs)
/// mean what they mean on any test.
///
/// ```
/// # use sim::{FromWorld, Host, Sim};
/// struct Pair(Host, Host);
///
/// impl FromWorld for Pair {
///     fn from_world(sim: &Sim) -> Self {
///         Self(sim.host("svc"), sim.host("client"))
///     }
/// }
///
/// #[sim::test]
/// async fn the_client_is_answered(Pair(svc, client): Pair) -> Result<(), event_loop::TaskError> {
///     svc.spawn(async { /* … */ }).detach();
///     client.spawn(async { /* … */ }).await
/// }
/// ```
///
/// # Errors
/// An argument that is unknown, repeated or out of range, and a function that cannot be a test
/// (not `async`, generic, with an argument that is no extractor), are compile errors at the token
/// in question.
#[proc_macro_attribute]
pub fn test(args: TokenStream, item: TokenStream) -> TokenStream {
    expand::test(args.into(), item.into()).into()
}
