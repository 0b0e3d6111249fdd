//! The report of each kind of verdict, as an engineer reads it.

#[expect(clippy::disallowed_methods, reason = "its sleeps are what is reported")]
#[path = "reports/planted.rs"]
mod planted;

use std::process::{Command, Output};

use insta::assert_snapshot;

/// The report of a planted test, without what is of this machine and this build.
fn report(name: &str) -> String {
    let (passes, printed) = played(name);
    assert!(!passes, "{name} passed:\n{printed}");
    let (_, report) = printed.split_once("sim FAILED").expect("a report");
    let of_machine = ["replay", "binary", "build", "files"];
    let kept = report.lines().enumerate().filter(|(i, line)| {
        let title = line.trim_start().split(' ').next().unwrap_or_default();
        *i == 0 || line.starts_with("  ") && !of_machine.contains(&title)
    });
    let kept: Vec<_> = kept.map(|(_, line)| without_functions(line)).collect();
    kept.join("\n")
}

/// Whether a planted test passes, and what it prints.
fn played(name: &str) -> (bool, String) {
    let Output { status, stderr, .. } = Command::new(std::env::current_exe().unwrap())
        .args([
            &format!("planted::{name}"),
            "--exact",
            "--ignored",
            "--nocapture",
        ])
        .env_remove("SIM_CHILD")
        .env("SIM_HANG", "1")
        .output()
        .expect("this binary starts again");
    let printed = String::from_utf8_lossy(&stderr).into_owned();
    (status.success(), printed)
}

/// Without what is known only with all the debug information, and the trace's hash.
fn without_functions(line: &str) -> String {
    let line = match line.split_once(" (trace ") {
        Some((line, _)) => line,
        None => line,
    };
    match line.split_once(" in reports::") {
        Some((before, after)) => match after.split_once(' ') {
            Some((_, after)) => format!("{before} {after}"),
            None => before.to_owned(),
        },
        None => line.to_owned(),
    }
}

#[test]
fn of_a_partition() {
    let report = report("a_partition");
    let faults = [
        "faults   partition main | svc  0.000000000..1.500000000 s  applied to 2 of 2",
        "         clog idle  1.500000000..end  met nothing",
    ];
    assert!(report.contains(&faults.join("\n  ")), "{report}");
}

/// What a campaign says on its way of a planted test that passes.
fn said(name: &str) -> Vec<String> {
    let (passes, printed) = played(name);
    assert!(passes, "{printed}");
    let said = printed.lines().filter_map(|line| {
        let said = line.strip_prefix("sim: reports::planted::")?;
        Some(said.split_once(": ")?.1.to_owned())
    });
    said.collect()
}

#[test]
fn of_a_campaign_whose_fault_was_for_nothing() {
    assert_eq!(
        said("a_fault_for_nothing"),
        [
            "\"partition main | svc\" was asked for 3 times and never did anything: it was lifted in \
             the instant in which it began, as `let _ = …` does: hold the guard as \
             `let _guard = …`, or `keep` the rule"
        ]
    );
    assert_eq!(
        said("faults_that_could_do_nothing"),
        [
            "\"dns db fails: Temporary failure in name resolution\" was asked for 3 times and never \
             did anything: nobody looked the name up while it stood",
            "\"partition main | svc\" was asked for 3 times and never did anything: nothing was sent \
             where it stood",
            "\"reset main | svc\" was asked for 3 times and never did anything: there was no \
             connection to cut",
        ]
    );
}

#[test]
fn of_a_network_that_keeps_quiet() {
    assert_snapshot!(report("a_network_that_keeps_quiet"), @r#"
    reports::planted::a_network_that_keeps_quiet  deadlock: "nothing can run and nothing is pending: 4 tasks wait for ever"
    checked  2 of 2 re-runs identical in fresh processes
    when     t=0.005000000 s  event 36
    cause    a plain run: every choice is production's
    world    3 hosts, strategy fifo, 7 polls, 0.005000000 s
    last     … 28 earlier events
             0.004000000 client   client           bind 32768
             0.004000000 client   client           connect 3 (client 10.0.0.3:32768 to svc 10.0.0.2:53)
             0.004000000 client   client/reader    poll
             0.005000000 -        -                time
             0.005000000 svc      svc              wake
             0.005000000 svc      svc              poll
             0.005000000 svc      svc              accept 4 (svc 10.0.0.2:80 from client 10.0.0.3:32769)
             0.005000000 -        -                failure
    blocked  task "main" (tests/tests/reports/planted.rs:144:10)         waits on the end of task "svc" since 0.000000000 s
             task "svc" (tests/tests/reports/planted.rs:147:31)          waits on a connection on socket 0 (svc 0.0.0.0:80) since 0.005000000 s
             task "client" (tests/tests/reports/planted.rs:152:37)       waits on a datagram on socket 3 (client 10.0.0.3:32768 to svc 10.0.0.2:53) since 0.004000000 s
             task "client/reader" (tests/tests/reports/planted.rs:155:9) waits on bytes on socket 2 (client 10.0.0.3:32769 to svc 10.0.0.2:80) since 0.004000000 s
    "#);
}

#[test]
fn of_a_property() {
    assert_snapshot!(report("a_property"), @r#"
    reports::planted::a_property  property: "always "the pool stays within its limit" does not hold: 5 of 4" (tests/tests/reports/planted.rs:17)
    checked  2 of 2 re-runs identical in fresh processes
    when     t=0.020000000 s  event 12  host main task "service" (tests/tests/reports/planted.rs:14:19)
    cause    a plain run: every choice is production's
    world    1 host, strategy fifo, 3 polls, 0.020000000 s
    last     … 4 earlier events
             0.000000000 main     service          spawn
             0.000000000 main     service          wake
             0.000000000 main     service          poll
             0.000000000 main     service          timer until 0.020000000
             0.020000000 -        -                time
             0.020000000 main     service          wake
             0.020000000 main     service          poll
             0.020000000 main     service          failure
    "#);
}

#[test]
fn of_a_deadlock() {
    assert_snapshot!(report("a_deadlock"), @r#"
    reports::planted::a_deadlock  deadlock: "nothing can run and nothing is pending: 2 tasks wait for ever"
    checked  2 of 2 re-runs identical in fresh processes
    when     t=0.000000000 s  event 9
    cause    a plain run: every choice is production's
    world    2 hosts, strategy fifo, 2 polls, 0.000000000 s
    last     … 1 earlier events
             0.000000000 main     main             spawn
             0.000000000 main     main             wake
             0.000000000 main     main             poll
             0.000000000 -        -                host svc
             0.000000000 svc      svc/reader of answers spawn
             0.000000000 svc      svc/reader of answers wake
             0.000000000 svc      svc/reader of answers poll
             0.000000000 -        -                failure
    blocked  task "main" (tests/tests/reports/planted.rs:28:10)                  waits on the end of task "svc/reader of answers" since 0.000000000 s
             task "svc/reader of answers" (tests/tests/reports/planted.rs:31:22) waits on an await of its own at tests/tests/reports/planted.rs:31 (futures_channel::oneshot::Receiver) since 0.000000000 s
    "#);
}

#[test]
fn of_a_circle_of_waits() {
    assert_snapshot!(report("a_circle"), @r#"
    reports::planted::a_circle  deadlock: "nothing can run and nothing is pending: 3 tasks wait for ever"
    checked  2 of 2 re-runs identical in fresh processes
    when     t=0.001000000 s  event 18
    cause    a plain run: every choice is production's
    world    1 host, strategy fifo, 5 polls, 0.001000000 s
    last     … 10 earlier events
             0.000000000 main     other            poll
             0.000000000 main     other            timer until 0.001000000
             0.001000000 -        -                time
             0.001000000 main     one              wake
             0.001000000 main     other            wake
             0.001000000 main     one              poll
             0.001000000 main     other            poll
             0.001000000 -        -                failure
    blocked  in a circle: task "one" → the mutex made at tests/tests/reports/planted.rs:38:61, held by task "other" → the mutex made at tests/tests/reports/planted.rs:38:35, held by task "one"
             task "main" (tests/tests/reports/planted.rs:37:10)  waits on the end of task "one" since 0.000000000 s
             task "one" (tests/tests/reports/planted.rs:47:15)   waits on the mutex made at tests/tests/reports/planted.rs:38:61 since 0.001000000 s, held by task "other" (locked at tests/tests/reports/planted.rs:42:32)
             task "other" (tests/tests/reports/planted.rs:48:17) waits on the mutex made at tests/tests/reports/planted.rs:38:35 since 0.001000000 s, held by task "one" (locked at tests/tests/reports/planted.rs:42:32)
    "#);
}

#[test]
fn of_a_stall() {
    assert_snapshot!(report("a_stall"), @r#"
    reports::planted::a_stall  stall: "timers fire and nobody gets anywhere: for 60s the body was not polled, no task began or ended, and no byte moved; `stall_after` sets this limit"
    checked  2 of 2 re-runs identical in fresh processes
    when     t=60.000000000 s  event 249
    cause    a plain run: every choice is production's
    world    1 host, strategy fifo, 62 polls, 60.000000000 s
    last     … 241 earlier events
             59.000000000 main     heartbeat        wake
             59.000000000 main     heartbeat        poll
             59.000000000 main     heartbeat        timer until 60.000000000
             60.000000000 -        -                time
             60.000000000 main     heartbeat        wake
             60.000000000 main     heartbeat        poll
             60.000000000 main     heartbeat        timer until 61.000000000
             60.000000000 -        -                failure
    blocked  task "main" (tests/tests/reports/planted.rs:55:10)      waits on the end of task "heartbeat" since 0.000000000 s
             task "heartbeat" (tests/tests/reports/planted.rs:56:21) waits on its timer at 61.000000000 s since 60.000000000 s
    "#);
}

#[test]
fn of_a_livelock() {
    assert_snapshot!(report("a_livelock"), @r#"
    reports::planted::a_livelock  livelock: "1000 polls and no time passed, no task began or ended, no byte moved, and no timer or arrival is to come; `polls_at_once` sets this limit"
    checked  2 of 2 re-runs identical in fresh processes
    when     t=0.000000000 s  event 2008
    cause    a plain run: every choice is production's
    world    1 host, strategy fifo, 1002 polls, 0.000000000 s
    last     … 2000 earlier events
             0.000000000 main     spins            poll
             0.000000000 main     spins            wake
             0.000000000 main     spins            poll
             0.000000000 main     spins            wake
             0.000000000 main     spins            poll
             0.000000000 main     spins            wake
             0.000000000 main     spins            poll
             0.000000000 -        -                failure
    blocked  task "main" (tests/tests/reports/planted.rs:66:10)  waits on the end of task "spins" since 0.000000000 s
             task "spins" (tests/tests/reports/planted.rs:67:17) is ready to run
    "#);
}

#[test]
fn of_a_time_limit() {
    assert_snapshot!(report("a_time_limit"), @r#"
    reports::planted::a_time_limit  time limit: "the run took more than 3600s of virtual time; `time_limit` sets this limit"
    checked  2 of 2 re-runs identical in fresh processes
    when     t=0.000000000 s  event 6
    cause    a plain run: every choice is production's
    world    1 host, strategy fifo, 1 polls, 0.000000000 s
    last     0.000000000 -        -                host main
             0.000000000 main     main             spawn
             0.000000000 main     main             wake
             0.000000000 main     main             poll
             0.000000000 main     main             timer until 7200.000000000
             0.000000000 -        -                failure
    blocked  task "main" (tests/tests/reports/planted.rs:77:10) waits on its timer at 7200.000000000 s since 0.000000000 s
    "#);
}

#[test]
fn of_a_poll_limit() {
    assert_snapshot!(report("a_poll_limit"), @r#"
    reports::planted::a_poll_limit  poll limit: "the run took more than 100 polls; `polls` sets this limit"
    checked  2 of 2 re-runs identical in fresh processes
    when     t=0.100000000 s  event 405
    cause    a plain run: every choice is production's
    world    1 host, strategy fifo, 101 polls, 0.100000000 s
    last     … 397 earlier events
             0.099000000 -        -                time
             0.099000000 main     main             wake
             0.099000000 main     main             poll
             0.099000000 main     main             timer until 0.100000000
             0.100000000 -        -                time
             0.100000000 main     main             wake
             0.100000000 main     main             poll
             0.100000000 -        -                failure
    blocked  task "main" (tests/tests/reports/planted.rs:83:10) is ready to run
    "#);
}

#[test]
fn of_an_unread_failure() {
    assert_snapshot!(report("an_unread_failure"), @r#"
    reports::planted::an_unread_failure  unread failure: "Task exception was never retrieved: the worker failed" (tests/tests/reports/planted.rs:94)
    checked  2 of 2 re-runs identical in fresh processes
    when     t=0.003000000 s  event 12  host main task "worker" (tests/tests/reports/planted.rs:92:5)
    cause    a plain run: every choice is production's
    world    1 host, strategy fifo, 3 polls, 0.003000000 s
    last     … 4 earlier events
             0.000000000 main     worker           spawn
             0.000000000 main     worker           wake
             0.000000000 main     worker           poll
             0.000000000 main     worker           timer until 0.003000000
             0.003000000 -        -                time
             0.003000000 main     worker           wake
             0.003000000 main     worker           poll
             0.003000000 main     worker           failure
    "#);
}

/// The run has failed before anybody looked into it: a look that never ends takes nothing from that.
#[test]
fn of_a_deadlock_whose_tasks_cannot_be_looked_into() {
    let report = report("a_look_without_end");
    assert!(report.contains("deadlock: \"nothing can run"), "{report}");
    assert!(
        report.contains("2 of 2 re-runs identical in fresh processes"),
        "{report}"
    );
    assert!(
        report.contains("waits on an await of its own since"),
        "{report}"
    );
}

#[test]
fn of_a_blocking_sleep() {
    assert_snapshot!(report("a_blocking_sleep"), @r#"
    reports::planted::a_blocking_sleep  blocking: "the loop's thread slept for 65ms in a blocking call; `on_blocking` says what becomes of such a run" (tests/tests/reports/planted.rs:184)
    checked  2 of 2 re-runs identical in fresh processes
    when     t=0.065000000 s  event 54  host svc task "svc/napper" (tests/tests/reports/planted.rs:183:22)
    cause    a plain run: every choice is production's
    world    2 hosts, strategy fifo, 10 polls, 0.065000000 s
    last     … 46 earlier events
             0.050000000 svc      svc/ticker 50    wake
             0.060000000 -        -                time
             0.060000000 svc      svc/ticker 60    wake
             0.065000000 -        -                time
             0.065000000 -        -                thread_woken 1
             0.065000000 -        -                thread_runs 1
             0.065000000 svc      svc/napper       block 65ms
             0.065000000 svc      svc/napper       failure
    blocked  std::thread::sleep at tests/tests/reports/planted.rs:184 by host svc task "svc/napper" (tests/tests/reports/planted.rs:183:22) at 0.000000000 s, for 65ms
             kept waiting: task "svc/ticker 10" (tests/tests/reports/planted.rs:181:13), 55ms late
             kept waiting: task "svc/ticker 20" (tests/tests/reports/planted.rs:181:13), 45ms late
             kept waiting: task "svc/ticker 30" (tests/tests/reports/planted.rs:181:13), 35ms late
             kept waiting: task "svc/ticker 40" (tests/tests/reports/planted.rs:181:13), 25ms late
             kept waiting: task "svc/ticker 50" (tests/tests/reports/planted.rs:181:13), 15ms late
             kept waiting: … and 1 more
    "#);
}

#[test]
fn of_a_panic_after_a_blocking_sleep_that_was_let_pass() {
    assert_snapshot!(report("a_panic_after_a_nap"), @r#"
    reports::planted::a_panic_after_a_nap  panic: "on purpose" (tests/tests/reports/planted.rs:204)
    checked  2 of 2 re-runs identical in fresh processes
    when     t=0.002000000 s  event 11  host main task "main" (tests/tests/reports/planted.rs:202:10)
    cause    a plain run: every choice is production's
    world    1 host, strategy fifo, 2 polls, 0.002000000 s
    blocking std::thread::sleep at tests/tests/reports/planted.rs:203 by host main task "main" (tests/tests/reports/planted.rs:202:10) at 0.000000000 s, for 2ms
    last     … 3 earlier events
             0.000000000 main     main             poll
             0.000000000 main     main             thread_blocks 1
             0.002000000 -        -                time
             0.002000000 -        -                thread_woken 1
             0.002000000 -        -                thread_runs 1
             0.002000000 main     main             block 2ms
             0.002000000 main     main             finish
             0.002000000 main     main             failure
    "#);
}

#[test]
fn of_a_campaign_with_blocking_sleeps_that_are_let_pass() {
    let (passes, printed) = played("naps_that_are_reported");
    assert!(passes, "{printed}");
    let told: Vec<_> = printed
        .lines()
        .skip_while(|line| !line.starts_with("sim: "))
        .take(3)
        .map(without_functions)
        .collect();
    assert_snapshot!(told.join("\n"), @r#"
    sim: reports::planted::naps_that_are_reported: 6 calls blocked the thread of a loop, in 3 of 3 runs; under seed 0x0:
           std::thread::sleep at tests/tests/reports/planted.rs:193 by host main task "napper" (tests/tests/reports/planted.rs:192:18) at 0.000000000 s, for 2ms
           std::thread::sleep at tests/tests/reports/planted.rs:195 by host main task "napper" (tests/tests/reports/planted.rs:192:18) at 0.003000000 s, for 3ms
    "#);
}

#[test]
fn of_a_mutex_locked_twice() {
    assert_snapshot!(report("a_mutex_locked_twice"), @r#"
    reports::planted::a_mutex_locked_twice  blocking: "the loop's thread waits in a blocking call, and nobody is left who could end it" (tests/tests/reports/planted.rs:212)
    checked  2 of 2 re-runs identical in fresh processes
    when     t=0.000000000 s  event 6  host main task "main" (tests/tests/reports/planted.rs:209:10)
    cause    a plain run: every choice is production's
    world    1 host, strategy fifo, 1 polls, 0.000000000 s
    last     0.000000000 -        -                host main
             0.000000000 main     main             spawn
             0.000000000 main     main             wake
             0.000000000 main     main             poll
             0.000000000 main     main             thread_blocks 1
             0.000000000 main     main             failure
    blocked  std::sync::Mutex::lock at tests/tests/reports/planted.rs:212 by host main task "main" (tests/tests/reports/planted.rs:209:10) since 0.000000000 s
             no other task holds it: the one that waits does, or the test's body, or nobody
    "#);
}

#[test]
fn of_a_poll_that_sleeps_for_ever() {
    let report = report("a_sleep_until_nobody_comes");
    assert!(
        report.contains("blocking: \"the loop's thread slept for 10ms"),
        "{report}"
    );
    assert!(report.contains("2 of 2 re-runs identical"), "{report}");
}

#[test]
fn of_a_run_that_holds_its_callers_thread() {
    let (passes, printed) = played("a_run_whose_thread_is_stuck");
    assert!(!passes && !printed.contains("it returned"), "{printed}");
    assert!(
        printed.contains("and nobody is left who could end it"),
        "{printed}"
    );
    assert!(printed.contains("the seed is 0x7"), "{printed}");
}
