//! The attribute `#[sim::test]`: what it accepts, what its arguments do, and what it refuses.

use std::env;
use std::fmt;
use std::process::Command;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use event_loop::EventLoop;
use event_loop::task::{spawn, yield_now};
use event_loop::time::sleep;
use sim::{FromWorld, Host, Sim};

const NANOSECOND: Duration = Duration::from_nanos(1);
const SECOND: Duration = Duration::from_secs(1);

#[sim::test]
async fn a_test_needs_no_arguments() {
    sleep(SECOND).await;
}

#[sim::test(seeds = 3, profile = "exact", time_limit = "1 h 30 min", polls = 1_000)]
async fn every_argument_may_be_given(sim: Sim) {
    sleep(SECOND * 60 * 89).await;
    assert_eq!(sim.now().as_nanos(), 89 * 60 * 1_000_000_000);
}

#[sim::test(polls = 1_000, time_limit = SECOND * 5, seeds = 3,)]
async fn arguments_have_no_order_and_a_time_limit_may_be_computed() {
    sleep(SECOND * 4).await;
}

#[sim::test(seeds = 3)]
async fn a_result_may_be_returned(sim: Sim) -> Result<(), fmt::Error> {
    if sim.seed() < 3 {
        Ok(())
    } else {
        Err(fmt::Error)
    }
}

#[sim::test(seeds = 3)]
async fn arguments_are_extractors_in_any_number(sim: Sim, ev: EventLoop, mut again: Sim) {
    assert_eq!(again.seed(), sim.seed());
    ev.spawn(async { sleep(SECOND).await }).await.unwrap();
    let other = std::mem::replace(&mut again, sim);
    assert_eq!(again.now(), other.now());
}

struct Pair {
    svc: Host,
    client: Host,
}

impl FromWorld for Pair {
    fn from_world(sim: &Sim) -> Self {
        Self {
            svc: sim.host("svc"),
            client: sim.host("client"),
        }
    }
}

#[sim::test(seeds = 3)]
async fn an_argument_may_be_a_pattern(Pair { svc, client: other }: Pair, _: Sim) {
    assert_eq!((svc.name(), other.name()), ("svc", "client"));
}

#[sim::test(seeds = 3)]
#[should_panic(expected = "the body's own words")]
async fn should_panic_is_kept() {
    panic!("the body's own words");
}

#[sim::test(seeds = 3)]
#[should_panic(expected = "Lost(7)")]
async fn an_error_fails_the_test() -> Result<(), Lost> {
    Err(Lost(7))
}

#[derive(Debug)]
struct Lost(#[expect(dead_code, reason = "read by Debug")] u32);

#[sim::test]
#[ignore = "it would fail"]
async fn ignore_is_kept() {
    panic!("an ignored test was run");
}

#[sim::test(seeds = 1)]
#[cfg(target_os = "none")]
async fn cfg_is_kept() -> u32 {
    0
}

#[sim::test(seeds = 1)]
#[expect(
    unused_variables,
    reason = "that lint levels reach the body is the test"
)]
async fn lint_levels_are_kept(sim: Sim) {}

macro_rules! test_of_seeds {
    ($name:ident, $seeds:literal, $limit:expr) => {
        #[sim::test(seeds = $seeds, time_limit = $limit)]
        async fn $name(sim: Sim) {
            assert!(sim.seed() < $seeds);
        }
    };
}

test_of_seeds!(arguments_may_come_from_a_macro, 3, "1 s");

#[sim::test(seeds = 1)]
async fn one_seed_is_the_plain_run(sim: Sim) {
    assert_eq!(sim.seed(), 0);
    assert!(!sim.flip("a coin"));
}

#[sim::test(seeds = 64)]
#[should_panic(expected = "heads")]
async fn more_seeds_are_more_runs(sim: Sim) {
    assert!(!sim.flip("a coin"), "heads");
}

#[sim::test(seeds = 101)]
#[should_panic(expected = "the 101st run")]
async fn seeds_may_be_more_than_the_default(sim: Sim) {
    assert!(sim.seed() != 100, "the 101st run");
}

#[sim::test]
async fn the_default_is_100_seeds(sim: Sim) {
    assert!(sim.seed() < 100);
}

#[sim::test(seeds = 1, profile = "exact")]
async fn profile_exact_is_exact(sim: Sim) {
    sleep(NANOSECOND).await;
    assert_eq!(sim.now().as_nanos(), 1);
}

#[sim::test(seeds = 1, profile = "tokio-ct")]
async fn profile_tokio_ct_rounds_timers(sim: Sim) {
    sleep(NANOSECOND).await;
    assert_eq!(sim.now().as_nanos(), 1_000_000);
}

#[sim::test(seeds = 1, profile = "tokio-mt")]
async fn profile_tokio_mt_rounds_timers(sim: Sim) {
    sleep(NANOSECOND).await;
    assert_eq!(sim.now().as_nanos(), 1_000_000);
}

#[sim::test(seeds = 40, profile = "tokio-ct")]
async fn profile_tokio_ct_polls_in_order() {
    assert!(first_of_two_tasks_wins().await);
}

#[sim::test(seeds = 40, profile = "asyncio")]
async fn profile_asyncio_polls_in_order() {
    assert!(first_of_two_tasks_wins().await);
}

#[sim::test(seeds = 1, profile = "uvloop")]
async fn profile_uvloop_rounds_to_the_nearest_millisecond(sim: Sim) {
    sleep(NANOSECOND).await;
    assert_eq!(sim.now().as_nanos(), 0);
}

#[sim::test(seeds = 40, profile = "tokio-mt")]
#[should_panic(expected = "first_of_two_tasks_wins")]
async fn profile_tokio_mt_polls_in_any_order() {
    assert!(first_of_two_tasks_wins().await);
}

async fn first_of_two_tasks_wins() -> bool {
    let winner = Arc::new(OnceLock::new());
    let race = ["first", "second"].map(|name| {
        let winner = winner.clone();
        spawn(async move { *winner.get_or_init(|| name) })
    });
    for runner in race {
        runner.await.unwrap();
    }
    winner.get() == Some(&"first")
}

#[sim::test(seeds = 1, time_limit = "250 ms")]
#[should_panic(expected = "250ms")]
async fn the_time_limit_ends_a_run() {
    sleep(SECOND).await;
}

#[sim::test(seeds = 1, polls = 50)]
#[should_panic(expected = "50 polls")]
async fn the_poll_limit_ends_a_run() {
    for _ in 0..100 {
        yield_now().await;
    }
}

#[test]
fn every_profile_has_a_name_in_the_attribute() {
    // Each of these has a test above: one more here wants one more there, and in the macro.
    assert_eq!(
        sim::Profile::ALL.map(sim::Profile::name),
        ["tokio-mt", "tokio-ct", "exact", "asyncio", "uvloop"]
    );
}

/// The cases are compiled as tests, or no type of theirs would be looked at. What does so is named
/// in the environment, and only a new process can have another environment.
#[test]
fn wrong_attributes_are_compile_errors_at_the_token() {
    const WRAPPER: &str = "RUSTC_WORKSPACE_WRAPPER";
    let ours = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/ui/compile_as_test.sh");
    if env::var_os(WRAPPER).is_some_and(|wrapper| wrapper == ours) {
        trybuild::TestCases::new().compile_fail("tests/ui/*.rs");
        return;
    }
    let name = "wrong_attributes_are_compile_errors_at_the_token";
    let run = Command::new(env::current_exe().unwrap())
        .args(["--exact", name, "--nocapture"])
        .env(WRAPPER, ours)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&run.stderr);
    assert!(
        run.status.success(),
        "{said}\nTRYBUILD=overwrite accepts these"
    );
}
