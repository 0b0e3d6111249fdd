//! What traces and reports tell of the lives of hosts.

use std::future::pending;
use std::time::Duration;

use event_loop::time::sleep;
use sim::{Config, Profile, Sim, VerdictKind, record_once};

const SECOND: Duration = Duration::from_secs(1);

async fn a_bad_day(sim: Sim) {
    let svc = sim.host("svc").start(|_| pending::<()>());
    sleep(SECOND).await;
    svc.pause();
    sleep(SECOND).await;
    svc.resume();
    svc.kill();
    svc.restart();
    sleep(SECOND).await;
    svc.power_off();
    svc.restart();
    svc.kill_after(SECOND);
    svc.wait().await;
    svc.power_off();
}

#[test]
fn a_timeline_tells_what_became_of_a_process_and_by_whom() {
    let config = Config::new().profile(Profile::Exact);
    let run = record_once(&config, 0, a_bad_day);
    assert_eq!(run.verdict, None);
    let timeline = run.timeline().unwrap().to_string();
    let kinds = ["start", "exit", "pause", "resume", "power_off"];
    let of_processes = timeline.lines().filter(|line| {
        let kind = line.split_whitespace().nth(3).unwrap();
        kinds.contains(&kind)
    });
    let lines: Vec<_> = of_processes
        .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "))
        .collect();
    assert_eq!(
        lines,
        [
            "0.000000000 main main start svc, life 1",
            "1.000000000 main main pause svc",
            "2.000000000 main main resume svc",
            "2.000000000 main main exit svc, signal: SIGKILL",
            "2.000000000 main main start svc, life 2",
            "3.000000000 main main exit svc, power off",
            "3.000000000 main main start svc, life 3",
            "4.000000000 - - exit svc, signal: SIGKILL",
            "4.000000000 main main power_off svc",
        ]
    );
    let mut json = Vec::new();
    run.json_lines().unwrap().write_to(&mut json).unwrap();
    let json = String::from_utf8(json).unwrap();
    let exit = json.lines().find(|line| line.contains("\"exit\"")).unwrap();
    assert!(
        exit.contains(r#""host":"svc""#) && exit.contains("signal: SIGKILL"),
        "{exit}"
    );
}

#[test]
fn what_a_run_did_to_its_hosts_is_accounted_for() {
    let config = Config::new().profile(Profile::Exact);
    let run = sim::run_once(&config, 0, a_bad_day);
    let deeds: Vec<_> = run.rules().iter().map(ToString::to_string).collect();
    assert_eq!(
        deeds,
        [
            "pause svc  1.000000000..2.000000000 s  applied to 1 of 1",
            "kill svc  2.000000000 s  applied to 1 of 1",
            "power off svc  3.000000000 s  applied to 1 of 1",
            "kill svc  4.000000000 s  applied to 1 of 1",
            "power off svc  4.000000000 s  applied to 1 of 1",
        ]
    );
}

#[test]
fn who_waits_for_the_end_of_a_process_is_said_to_when_nobody_can_go_on() {
    let run = record_once(&Config::new(), 0, |sim| async move {
        let svc = sim.host("svc").start(|_| pending::<()>());
        svc.pause();
        svc.wait().await;
    });
    let verdict = run.verdict.unwrap();
    assert_eq!(verdict.kind, VerdictKind::Deadlock);
    let blocked = verdict.blocked.join("\n");
    assert!(
        blocked.contains("waits on the end of the process of host \"svc\" since 0.000000000 s"),
        "{blocked}"
    );
    assert!(blocked.contains("host \"svc\" is paused"), "{blocked}");
}

#[test]
fn a_run_with_dying_hosts_is_the_same_each_time_it_is_recorded_and_replayed() {
    for profile in Profile::ALL {
        for seed in 0..10 {
            let config = Config::new().profile(profile);
            let run = sim::run_once(&config, seed, a_bad_day);
            let recorded = record_once(&config, seed, a_bad_day);
            assert_eq!(run.hash, recorded.hash, "{profile} {seed}");
            let entries = recorded.entries().unwrap();
            let replayed = sim::replay_once(&config, seed, &entries, a_bad_day).unwrap();
            assert_eq!(run.hash, replayed.hash, "{profile} {seed}: {entries}");
        }
    }
}
