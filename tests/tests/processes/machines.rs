//! Machines that are not like the others: their clocks, and what their systems lack.

use std::io::ErrorKind;
use std::time::{Duration, SystemTime};

use event_loop::net::{TcpListener, UnixListener};
use event_loop::time::{Instant, sleep};
use sim::net::RuleError;
use sim::{Capability, Config, HostConfig, HostError, Profile, Signal, WallStep, run_once};

use crate::{in_every_world, plain};

const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_secs(3_600);

/// How long a sleep of an hour takes, by the host's clock, by libc's there, and by the world's.
#[expect(
    clippy::disallowed_methods,
    reason = "what libc says is what is compared"
)]
fn an_hour_with(profile: Profile, ppm: i32) -> [Duration; 3] {
    let config = Config::new().profile(profile);
    let run = run_once(&config, 0, |sim| async move {
        let svc = sim.host_with("svc", HostConfig::new().drift_ppm(ppm));
        let began = sim.now();
        let slept = svc.spawn(async {
            let (began, of_libc) = (Instant::now(), std::time::Instant::now());
            sleep(HOUR).await;
            (Instant::now() - began, of_libc.elapsed())
        });
        let (by_loop, by_libc) = slept.await.unwrap();
        [by_loop, by_libc, sim.now() - began]
    });
    assert_eq!(run.verdict, None, "{profile}");
    run.value.unwrap()
}

#[test]
fn timers_of_a_drifting_host_fire_by_its_own_clock() {
    for profile in Profile::ALL {
        for ppm in [-200, 0, 200, 100_000] {
            let [by_loop, by_libc, by_world] = an_hour_with(profile, ppm);
            let near = |is: Duration, is_to_be: Duration| is.abs_diff(is_to_be) < SECOND / 200;
            assert!(
                near(by_loop, HOUR) && by_loop >= HOUR,
                "{profile} {ppm}: {by_loop:?}"
            );
            assert!(near(by_libc, HOUR), "{profile} {ppm}: {by_libc:?}");
            let rate = (1_000_000 + i64::from(ppm)) as u32;
            let passed = HOUR * 1_000 / rate * 1_000;
            assert!(
                near(by_world, passed),
                "{profile} {ppm}: {by_world:?} {passed:?}"
            );
        }
    }
}

#[test]
#[expect(
    clippy::disallowed_methods,
    reason = "what libc says is what is compared"
)]
fn a_wall_clock_jumps_and_the_others_do_not() {
    in_every_world(|sim| async move {
        let machine = HostConfig::new()
            .wall_step(Duration::ZERO, WallStep::Back(HOUR))
            .wall_step(10 * SECOND, WallStep::Forward(2 * HOUR));
        let svc = sim.host_with("svc", machine);
        let main = sim.event_loop();
        let read = svc.clone();
        let ahead = svc.spawn(async move {
            let mut ahead = Vec::new();
            for _ in 0..3 {
                let ev = event_loop::current().unwrap();
                assert_eq!(ev.wall_now(), SystemTime::now());
                ahead.push((ev.wall_now().duration_since(main.wall_now()), ev.now()));
                sleep(12 * SECOND).await;
                if ahead.len() == 2 {
                    read.step_clock(WallStep::Back(SECOND));
                }
            }
            ahead
        });
        let ahead = ahead.await.unwrap();
        assert!(ahead[0].0.is_err(), "it is behind");
        assert_eq!(ahead[1].0.as_ref().ok(), Some(&HOUR));
        assert_eq!(ahead[2].0.as_ref().ok(), Some(&(HOUR - SECOND)));
        assert!(ahead[2].1 - ahead[0].1 < 25 * SECOND);
    });
}

#[test]
fn a_coarse_clock_shows_its_last_tick() {
    let run = plain(|sim| async move {
        let tick = Duration::from_nanos(15_625_000);
        let windows = sim.host_with("windows", HostConfig::new().clock_granularity(tick));
        let read = windows.spawn(async move {
            sleep(Duration::from_millis(20)).await;
            (Instant::now().as_nanos(), tick.as_nanos() as u64)
        });
        read.await.unwrap()
    });
    let (now, tick) = run.value.unwrap();
    assert_eq!(now % tick, 0);
    assert!(now >= 20_000_000);
}

#[test]
fn a_clock_of_ones_own_stays_through_all_lives() {
    in_every_world(|sim| async move {
        let machine = HostConfig::new().wall_step(Duration::ZERO, WallStep::Forward(HOUR));
        let main = sim.event_loop();
        let svc = sim.host_with("svc", machine).start(move |ev| {
            let ahead = ev.wall_now().duration_since(main.wall_now()).ok();
            async move { assert_eq!(ahead, Some(HOUR)) }
        });
        for _ in 0..3 {
            assert!(svc.wait().await.success());
            svc.restart();
        }
        assert!(svc.wait().await.success());
    });
}

#[test]
fn what_a_system_lacks_is_unsupported_and_all_else_is_there() {
    in_every_world(|sim| async move {
        let machine = HostConfig::new()
            .addresses([[10, 7, 0, 1]])
            .without(Capability::Signals)
            .without(Capability::UnixSockets);
        let svc = sim.host_with("windows", machine);
        assert_eq!(svc.addresses(), [std::net::IpAddr::from([10, 7, 0, 1])]);
        let asked = svc.start(|ev| async move {
            let error = ev.signal(Signal::Term).unwrap_err();
            assert!(error.to_string().contains("not supported on \"windows\""));
            let error = ev.add_signal_handler(Signal::Int, || ()).unwrap_err();
            assert_eq!(std::io::Error::from(error).kind(), ErrorKind::Unsupported);
            let error = UnixListener::bind("/tmp/svc").unwrap_err();
            assert!(error.to_string().contains("not supported"), "{error}");
            TcpListener::bind("0.0.0.0:80").await.unwrap();
        });
        assert!(asked.wait().await.success());
    });
}

#[test]
fn a_host_that_exists_has_its_machine_and_the_worlds_clock_is_not_stepped() {
    let run = plain(|sim| async move {
        let svc = sim.host("svc");
        let error = sim.try_host_with("svc", HostConfig::new()).unwrap_err();
        assert!(matches!(error, RuleError::HostExists { .. }));
        let error = svc.try_step_clock(WallStep::Forward(SECOND)).unwrap_err();
        assert!(matches!(error, HostError::NoClock { .. }));
        assert!(error.to_string().contains("sim.host_with(\"svc\""));
    });
    assert_eq!(run.verdict, None);
}
