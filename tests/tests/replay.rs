//! A planted race is found, and the line its report prints fails again when it is pasted.

use std::process::{Command, Output};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use sim::Sim;

/// This binary once more, for one planted test.
fn run_planted(name: &str, environment: &[(&str, &str)]) -> (bool, String) {
    let Output {
        status,
        stderr,
        stdout,
    } = Command::new(std::env::current_exe().unwrap())
        .args([
            &format!("planted::{name}"),
            "--exact",
            "--ignored",
            "--nocapture",
        ])
        .env_remove("SIM_CHILD")
        .env("SIM_HANG", "1")
        .envs(environment.iter().copied())
        .output()
        .expect("this binary starts again");
    let printed = String::from_utf8_lossy(&[stdout, stderr].concat()).into_owned();
    (status.success(), printed)
}

fn failing(name: &str) -> String {
    let (passed, printed) = run_planted(name, &[]);
    assert!(!passed, "{name} passed:\n{printed}");
    printed
}

/// The rest of the report's line with this title.
fn line<'a>(report: &'a str, title: &str) -> &'a str {
    let lines = report.lines().map(str::trim_start);
    let line = lines.filter_map(|line| line.strip_prefix(title)).next();
    line.unwrap_or_else(|| panic!("no line \"{title}\" in\n{report}"))
        .trim()
}

#[test]
fn the_printed_line_fails_again_when_pasted() {
    let report = failing("a_race");
    let pasted = line(&report, "replay ");
    assert!(pasted.starts_with("SIM_SEED=0x"), "{pasted}");
    let Output {
        status,
        stderr,
        stdout,
    } = Command::new("sh")
        .args(["-c", pasted])
        .output()
        .expect("a shell runs the line");
    let again = String::from_utf8_lossy(&[stdout, stderr].concat()).into_owned();
    assert!(!status.success(), "{again}");
    for title in ["sim FAILED", "checked ", "when "] {
        assert_eq!(line(&report, title), line(&again, title));
    }
}

#[test]
fn the_recorded_choices_fail_again() {
    let report = failing("a_race");
    let folder = line(&report, "files ").split("/ {").next().unwrap();
    let choices = format!("{folder}/choices.json");
    let (passed, again) = run_planted("a_race", &[("SIM_REPLAY", &choices)]);
    assert!(!passed, "{again}");
    assert_eq!(line(&report, "sim FAILED"), line(&again, "sim FAILED"));
    assert_eq!(line(&report, "checked "), line(&again, "checked "));
}

#[test]
fn entries_can_be_given_inline() {
    let wake = "planted::";
    let report = failing("a_race");
    assert!(
        !report.contains(wake) || report.contains("reader"),
        "{report}"
    );
    // The race needs no more than the writer passed over until the reader is done.
    let (passed, again) = run_planted("a_race", &[("SIM_REPLAY", "writer#1+9")]);
    assert!(!passed, "{again}");
    assert!(again.contains("SIM_REPLAY='writer#1+9'"), "{again}");
}

#[test]
fn a_single_seed_runs_alone() {
    let (passed, printed) = run_planted("a_race", &[("SIM_SEED", "0")]);
    assert!(passed, "{printed}");
    assert!(printed.contains("passes under seed 0x0"), "{printed}");
}

#[test]
fn a_campaign_of_another_name_has_other_seeds() {
    let of = |campaign| {
        let (_, printed) = run_planted("a_race", &[("SIM_CAMPAIGN", campaign)]);
        line(&printed, "replay ")
            .split_once(' ')
            .unwrap()
            .0
            .to_owned()
    };
    assert_ne!(of("3ab12f"), of("9c01d7"));
    assert_eq!(of("3ab12f"), of("3ab12f"));
}

#[test]
fn a_log_shows_the_run() {
    let (_, text) = run_planted("a_race", &[("SIM_SEED", "0"), ("SIM_LOG", "text")]);
    assert!(
        text.lines()
            .any(|line| line.contains("writer") && line.ends_with("poll")),
        "{text}"
    );
    let (_, json) = run_planted("a_race", &[("SIM_SEED", "0"), ("SIM_LOG", "json")]);
    assert!(
        json.contains(r#""kind":"poll","host":"main","task":"writer""#),
        "{json}"
    );
}

#[test]
fn a_wrong_variable_is_one_clear_line() {
    let (passed, printed) = run_planted("a_race", &[("SIM_SEED", "abc")]);
    assert!(!passed);
    let line = "SIM_SEED holds \"abc\": allowed is a whole number, decimal or hexadecimal (0x…), \
                below 2^64";
    assert!(printed.contains(line), "{printed}");
}

#[test]
fn an_abort_leaves_a_report() {
    let printed = failing("an_abort");
    assert!(
        line(&printed, "sim FAILED").contains("SIGABRT"),
        "{printed}"
    );
    assert!(
        line(&printed, "replay ").starts_with("SIM_SEED=0x"),
        "{printed}"
    );
}

#[test]
fn a_stack_overflow_leaves_a_report() {
    let printed = failing("a_stack_overflow");
    assert!(line(&printed, "sim FAILED").contains("abort"), "{printed}");
}

#[test]
fn a_hang_leaves_a_report() {
    let printed = failing("a_hang");
    assert!(
        line(&printed, "sim FAILED").contains("has not returned for 1 s"),
        "{printed}"
    );
    assert!(line(&printed, "checked ").contains("1 of 1"), "{printed}");
}

#[test]
fn a_deadlock_says_who_waits_on_what() {
    let printed = failing("a_deadlock");
    assert!(
        line(&printed, "sim FAILED").contains("deadlock"),
        "{printed}"
    );
    assert!(
        printed.contains("waits on the end of task \"stuck\""),
        "{printed}"
    );
}

#[test]
fn a_livelock_is_a_verdict_and_no_hang() {
    assert!(line(&failing("a_livelock"), "sim FAILED").contains("livelock"));
}

#[test]
fn a_failure_nobody_reads_fails_the_run() {
    let printed = failing("an_unread_failure");
    assert!(
        line(&printed, "sim FAILED").contains("never retrieved: lost"),
        "{printed}"
    );
}

#[test]
fn a_thread_from_outside_is_a_verdict() {
    let printed = failing("a_foreign_thread");
    assert!(
        line(&printed, "sim FAILED").contains("foreign thread"),
        "{printed}"
    );
}

#[test]
fn an_error_that_is_returned_fails_the_run() {
    assert!(line(&failing("an_error"), "sim FAILED").contains("no quorum"));
}

/// What fails only because an earlier run in the process left something behind is not reported as
/// a seed's failure.
#[test]
fn a_failure_that_a_fresh_process_does_not_see_is_not_reported() {
    let (passed, printed) = run_planted("a_static_that_fails_late", &[]);
    assert!(passed, "{printed}");
    assert!(
        printed.contains("going on with a process per seed"),
        "{printed}"
    );
}

/// The file knows the seed of the entropy that the failure is about.
#[test]
fn a_choices_file_brings_its_entropy() {
    let report = failing("unlucky_entropy");
    let folder = line(&report, "files ").split("/ {").next().unwrap();
    let choices = format!("{folder}/choices.json");
    let (passed, again) = run_planted("unlucky_entropy", &[("SIM_REPLAY", &choices)]);
    assert!(!passed, "{again}");
    assert_eq!(line(&report, "checked "), line(&again, "checked "));
}

#[test]
fn a_campaign_inside_a_world_is_refused() {
    let printed = failing("a_nested_campaign");
    assert!(
        printed.contains("a campaign was started inside a world"),
        "{printed}"
    );
}

#[test]
fn an_error_that_cannot_be_printed_is_a_verdict() {
    let printed = failing("an_unprintable_error");
    assert!(
        line(&printed, "sim FAILED").contains("panic: \"no words\""),
        "{printed}"
    );
}

#[test]
fn processes_that_look_into_one_seed_do_not_mix_their_files() {
    let look = || std::thread::spawn(|| failing("a_race"));
    let crowd: Vec<_> = (0..6).map(|_| look()).collect();
    for report in crowd {
        let report = report.join().unwrap();
        assert!(line(&report, "checked ").starts_with("2 of 2"), "{report}");
    }
}

/// Tests that fail on purpose; run by the ones above in processes of their own.
mod planted {
    use super::*;

    #[sim::test]
    #[ignore = "fails on purpose"]
    async fn a_race() {
        let ready = Arc::new(AtomicU64::new(0));
        let (written, read) = (ready.clone(), ready);
        let writer = event_loop::spawn_named("writer", async move {
            written.store(1, Ordering::Relaxed);
        });
        let reader = event_loop::spawn_named("reader", async move {
            event_loop::yield_now().await;
            read.load(Ordering::Relaxed)
        });
        writer.detach();
        assert_eq!(reader.await.unwrap(), 1, "the reader came first");
    }

    #[sim::test]
    #[ignore = "fails on purpose"]
    async fn an_abort(sim: Sim) {
        if sim.flip("die") {
            std::process::abort();
        }
    }

    #[sim::test]
    #[ignore = "fails on purpose"]
    async fn a_stack_overflow() {
        #[expect(unconditional_recursion, reason = "that is the point")]
        fn deeper(depth: u64) -> u64 {
            std::hint::black_box([depth; 64]).iter().sum::<u64>() + deeper(depth + 1)
        }
        std::hint::black_box(deeper(0));
    }

    #[sim::test]
    #[ignore = "fails on purpose"]
    async fn a_hang() {
        loop {
            std::hint::spin_loop();
        }
    }

    #[sim::test]
    #[ignore = "fails on purpose"]
    async fn a_deadlock() {
        event_loop::spawn_named("stuck", std::future::pending::<()>())
            .await
            .unwrap();
    }

    #[sim::test]
    #[ignore = "fails on purpose"]
    async fn a_livelock() {
        loop {
            event_loop::yield_now().await;
        }
    }

    #[sim::test]
    #[ignore = "fails on purpose"]
    async fn an_unread_failure() {
        event_loop::spawn(async { panic!("lost") }).detach();
        event_loop::time::sleep(Duration::from_secs(1)).await;
    }

    #[test]
    #[ignore = "fails on purpose"]
    fn a_foreign_thread() {
        let outside = tests::outside::Outside::start();
        sim::check(&sim::Config::new(), |sim: sim::Sim| {
            let (ev, outside) = (sim.event_loop(), outside.clone());
            async move {
                outside.run(move || ev.spawn(async {}).detach()).unwrap();
                event_loop::yield_now().await;
            }
        });
    }

    #[sim::test]
    #[ignore = "fails on purpose"]
    async fn an_error() -> Result<(), &'static str> {
        Err("no quorum")
    }

    #[sim::test(seeds = 20)]
    #[ignore = "warns on purpose"]
    async fn a_static_that_fails_late() {
        static RUNS: AtomicU64 = AtomicU64::new(0);
        assert!(RUNS.fetch_add(1, Ordering::Relaxed) < 5, "the sixth run");
    }

    #[sim::test]
    #[ignore = "fails on purpose"]
    async fn unlucky_entropy() {
        assert_ne!(rand::random_range(0..8), 3, "out of luck");
    }

    #[sim::test]
    #[ignore = "fails on purpose"]
    async fn a_nested_campaign() {
        sim::check(&sim::Config::new().seeds(1), |_| async {});
    }

    #[sim::test]
    #[ignore = "fails on purpose"]
    async fn an_unprintable_error() -> Result<(), Unprintable> {
        Err(Unprintable)
    }

    struct Unprintable;

    impl std::fmt::Debug for Unprintable {
        fn fmt(&self, _: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            panic!("no words")
        }
    }
}
