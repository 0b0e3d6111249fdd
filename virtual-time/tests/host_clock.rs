//! What must hold of a host's clocks whatever their offset, drift, tick and history.

use std::time::Duration;

use proptest::prelude::*;
use virtual_time::{HostClock, Instant};

/// A clock that has changed its drift now and then, and when it last did.
fn clock() -> impl Strategy<Value = (HostClock, u64)> {
    let tick = prop_oneof![
        Just(1),
        Just(1_000_000),
        Just(15_625_000),
        1..5_000_000_000_u64
    ];
    let offset = prop_oneof![Just(0), 0..10_000_000_000_u64];
    let changes = prop::collection::vec((0..10_000_000_000_u64, drift()), 0..5);
    (tick, offset, drift(), changes).prop_map(|(tick, offset, drift, changes)| {
        let mut clock = HostClock::ideal()
            .with_granularity(Duration::from_nanos(tick))
            .with_monotonic_offset(Duration::from_nanos(offset))
            .with_drift_ppm(drift);
        let mut now = 0;
        for (later, drift) in changes {
            now += later;
            clock.set_drift_ppm(Instant::from_nanos(now), drift);
        }
        (clock, now)
    })
}

fn drift() -> impl Strategy<Value = i32> {
    prop_oneof![
        Just(0),
        -500..500_i32,
        -999_999..3_000_000_i32,
        Just(i32::MAX)
    ]
}

fn span() -> impl Strategy<Value = u64> {
    prop_oneof![0..100_u64, 0..100_000_000_000_u64, any::<u64>()]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(5_000))]

    #[test]
    fn neither_clock_runs_backwards((clock, now) in clock(), a in span(), b in span()) {
        let earlier = Instant::from_nanos(now.saturating_add(a.min(b)));
        let later = Instant::from_nanos(now.saturating_add(a.max(b)));
        prop_assert!(clock.monotonic(earlier) <= clock.monotonic(later));
        prop_assert!(clock.wall(earlier) <= clock.wall(later));
    }

    #[test]
    fn a_change_of_drift_moves_no_clock_and_later_ones_do_not_run_backwards(
        (clock, now) in clock(),
        pause in span(),
        drift in drift(),
        later in span(),
    ) {
        let now = Instant::from_nanos(now.saturating_add(pause));
        let mut changed = clock.clone();
        changed.set_drift_ppm(now, drift);
        prop_assert_eq!(changed.drift_ppm(), drift);
        prop_assert_eq!(changed.monotonic(now), clock.monotonic(now));
        prop_assert_eq!(changed.wall(now), clock.wall(now));
        let later = now + Duration::from_nanos(later);
        prop_assert!(changed.monotonic(later) >= clock.monotonic(now));
    }

    #[test]
    fn the_world_deadline_is_the_first_instant_that_reads_so_late(
        (clock, now) in clock(),
        ahead in span(),
    ) {
        let now = Instant::from_nanos(now);
        let host = clock.monotonic(now) + Duration::from_nanos(ahead);
        let world = clock.world_deadline(host);
        if world <= now {
            prop_assert!(clock.monotonic(now) >= host);
        } else {
            if world < Instant::END {
                prop_assert!(clock.monotonic(world) >= host);
            }
            let just_before = Instant::from_nanos(world.as_nanos() - 1);
            prop_assert!(clock.monotonic(just_before) < host);
        }
    }

    #[test]
    fn a_clock_shows_whole_ticks((clock, now) in clock(), later in 0..1_u64 << 40) {
        let reading = clock.monotonic(Instant::from_nanos(now + later));
        prop_assert_eq!(u128::from(reading.as_nanos()) % clock.granularity().as_nanos(), 0);
    }

    #[test]
    fn drift_is_what_a_longer_computation_says(
        drift in drift(),
        at in 0..1_u64 << 50,
    ) {
        let clock = HostClock::ideal().with_drift_ppm(drift);
        let exact = u128::from(at) * u128::from((1_000_000 + i64::from(drift)) as u64) / 1_000_000;
        let exact = u64::try_from(exact).unwrap_or(u64::MAX);
        prop_assert_eq!(clock.monotonic(Instant::from_nanos(at)), Instant::from_nanos(exact));
    }
}
