//! Intervals, resets and limits: what tokio's do, on either loop.

use std::future::{IntoFuture, Ready, pending, poll_fn, ready};
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use event_loop::time::{
    Instant, MissedTickBehavior, Sleep, interval, interval_at, sleep, sleep_until, timeout,
    timeout_at, try_interval, try_interval_at, try_timeout_at,
};
use event_loop::{LoopError, yield_now};
use sim::{Config, Profile, Sim};

const MILLISECOND: Duration = Duration::from_millis(1);

/// A loop of production, and worlds of every profile.
fn everywhere<F>(main: impl Fn() -> F + Send + Sync + Clone + 'static)
where
    F: Future<Output = ()> + Send + 'static,
{
    let ev = event_loop::production::current_thread(Default::default()).unwrap();
    ev.run_borrowed(main()).unwrap();
    for profile in Profile::ALL {
        let main = main.clone();
        let config = Config::new().seeds(20).profile(profile);
        sim::check(&config, move |_: Sim| main());
    }
}

/// What is done with an interval.
#[derive(Clone, Copy, Debug)]
enum Step {
    Tick,
    /// Something else takes so many microseconds.
    Work(u64),
    Reset,
    ResetImmediately,
    ResetAfter(u64),
    /// To an instant so many microseconds after the start.
    ResetAt(u64),
}

/// Does the steps, and notes for each tick when it was due and when it came, in microseconds since
/// the start. The same for both libraries.
macro_rules! ticks {
    ($($time:ident)::+, $behavior:ident, $start:expr, $period:expr, $steps:expr) => {{
        use $($time)::+ as time;
        let start = time::Instant::now();
        let first = start + Duration::from_micros($start);
        let mut ticks = time::interval_at(first, Duration::from_micros($period));
        ticks.set_missed_tick_behavior(time::MissedTickBehavior::$behavior);
        let mut seen = Vec::new();
        for step in $steps {
            match *step {
                Step::Tick => {
                    let due = ticks.tick().await;
                    seen.push(((due - start).as_micros(), start.elapsed().as_micros()));
                }
                Step::Work(span) => time::sleep(Duration::from_micros(span)).await,
                Step::Reset => ticks.reset(),
                Step::ResetImmediately => ticks.reset_immediately(),
                Step::ResetAfter(span) => ticks.reset_after(Duration::from_micros(span)),
                Step::ResetAt(at) => ticks.reset_at(start + Duration::from_micros(at)),
            }
        }
        seen
    }};
}

/// Steps in every order that matters, and then some that a fixed generator makes up.
fn programs() -> Vec<Vec<Step>> {
    use Step::{Reset, ResetAfter, ResetAt, ResetImmediately, Tick, Work};
    let mut programs = vec![
        vec![Tick; 8],
        vec![
            Tick,
            Work(3_000),
            Tick,
            Work(5_000),
            Tick,
            Work(5_001),
            Tick,
            Tick,
            Tick,
        ],
        vec![
            Tick,
            Work(95_000),
            Tick,
            Tick,
            Tick,
            Tick,
            Tick,
            Tick,
            Tick,
            Tick,
            Tick,
            Tick,
        ],
        vec![Tick, Work(7_000), Reset, Tick, ResetImmediately, Tick, Tick],
        vec![Tick, ResetAfter(1_500), Tick, ResetAt(60_000), Tick, Tick],
        vec![Work(33_333), ResetAt(0), Tick, Tick, Tick],
    ];
    let mut state = 7_u64;
    for _ in 0..200 {
        let mut draw = |n: u64| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            (state >> 33) % n
        };
        let program = (0..12).map(|_| match draw(10) {
            0..6 => Tick,
            6 => Work(draw(60_000)),
            7 => Reset,
            8 => ResetAfter(draw(30_000)),
            _ => ResetImmediately,
        });
        programs.push(program.collect());
    }
    programs
}

/// Tokio's own, on its paused clock, beside ours in a plain run: both round timers up to the next
/// millisecond, and in both nothing takes time.
macro_rules! compared {
    ($test:ident, $behavior:ident) => {
        #[test]
        fn $test() {
            for (start, period) in [(0, 10_000), (3_000, 1_000), (700, 4_300), (0, 1_500)] {
                for program in programs() {
                    let paused = tokio::runtime::Builder::new_current_thread()
                        .enable_time()
                        .start_paused(true)
                        .build()
                        .unwrap();
                    let theirs = paused.block_on(async {
                        ticks!(tokio::time, $behavior, start, period, &program)
                    });
                    let config = Config::new().profile(Profile::TokioCt);
                    let steps = program.clone();
                    let ours = sim::run_once(&config, 0, move |_: Sim| async move {
                        ticks!(event_loop::time, $behavior, start, period, &steps)
                    });
                    let what = format!("every {period} us from {start}: {program:?}");
                    assert_eq!(ours.value, Some(theirs), "{what}");
                }
            }
        }
    };
}

compared!(bursts_are_those_of_tokio, Burst);
compared!(delays_are_those_of_tokio, Delay);
compared!(skips_are_those_of_tokio, Skip);

#[test]
fn the_first_tick_comes_at_once_and_the_others_a_period_apart() {
    everywhere(|| async {
        let start = Instant::now();
        let mut ticks = interval(3 * MILLISECOND);
        assert_eq!(ticks.period(), 3 * MILLISECOND);
        assert_eq!(ticks.missed_tick_behavior(), MissedTickBehavior::Burst);
        let first = ticks.tick().await;
        assert!(first - start < MILLISECOND);
        for n in 1..4 {
            assert_eq!(ticks.tick().await - first, n * 3 * MILLISECOND);
            assert!(start.elapsed() >= n * 3 * MILLISECOND);
        }
    });
}

#[test]
fn a_tick_that_nobody_waited_for_to_the_end_is_not_lost() {
    everywhere(|| async {
        let mut ticks = interval_at(Instant::now() + 5 * MILLISECOND, 5 * MILLISECOND);
        let start = Instant::now();
        let gave_up = timeout(MILLISECOND, ticks.tick()).await.is_err();
        let due = ticks.tick().await;
        // On a busy machine it may have been given up too late.
        assert!(!gave_up || due - start <= 5 * MILLISECOND);
    });
}

#[test]
#[should_panic(expected = "`period` must be non-zero.")]
fn a_period_of_zero_is_refused() {
    let ev = event_loop::production::current_thread(Default::default()).unwrap();
    let _current = ev.enter();
    let _ = interval(Duration::ZERO);
}

#[test]
fn without_a_loop_the_twins_say_so() {
    let none = |error: LoopError| matches!(error, LoopError::NoCurrentLoop(_));
    assert!(none(try_interval(MILLISECOND).unwrap_err()));
    let at = Instant::now();
    assert!(none(try_interval_at(at, MILLISECOND).unwrap_err()));
    assert!(none(try_timeout_at(at, ready(())).map(drop).unwrap_err()));
}

/// Polls it once.
async fn polled(sleep: &mut Pin<&mut Sleep>) -> Poll<()> {
    poll_fn(|cx| Poll::Ready(sleep.as_mut().poll(cx))).await
}

#[test]
fn a_sleep_can_be_reset_before_and_after_its_end() {
    everywhere(|| async {
        let start = Instant::now();
        let mut one = pin!(sleep(Duration::from_hours(1)));
        assert!(polled(&mut one).await.is_pending() && !one.is_elapsed());
        for n in 1..4 {
            let deadline = start + n * 10 * MILLISECOND;
            one.as_mut().reset(deadline);
            assert_eq!(one.deadline(), deadline);
            assert!(!one.is_elapsed() || Instant::now() >= deadline);
            one.as_mut().await;
            assert!(one.is_elapsed() && Instant::now() >= deadline);
            // Whoever asks again is told again.
            assert!(polled(&mut one).await.is_ready());
        }
        one.as_mut().reset(start);
        assert!(polled(&mut one).await.is_pending());
        one.await;
    });
}

#[test]
fn a_sleep_that_is_put_off_does_not_end_when_it_would_have() {
    everywhere(|| async {
        let start = Instant::now();
        let mut one = pin!(sleep(2 * MILLISECOND));
        assert!(polled(&mut one).await.is_pending());
        one.as_mut().reset(start + 30 * MILLISECOND);
        sleep(5 * MILLISECOND).await;
        assert!(!one.is_elapsed() || start.elapsed() >= 30 * MILLISECOND);
        one.await;
        assert!(start.elapsed() >= 30 * MILLISECOND);
    });
}

#[test]
fn that_its_time_has_come_is_seen_without_a_poll_and_wakes_nobody_else() {
    everywhere(|| async {
        let mut one = pin!(sleep(MILLISECOND));
        assert!(!one.is_elapsed());
        assert!(polled(&mut one).await.is_pending());
        sleep(20 * MILLISECOND).await;
        assert!(one.is_elapsed());
        one.await;
    });
}

#[test]
fn a_limit_of_zero_or_in_the_past_polls_the_value_first_and_is_over_an_iteration_later() {
    everywhere(|| async {
        sleep(2 * MILLISECOND).await;
        let now = Instant::now();
        for deadline in [now, now - MILLISECOND, Instant::from_nanos(0)] {
            assert_eq!(timeout_at(deadline, ready(7)).await, Ok(7));
            let mut late = pin!(timeout_at(deadline, pending::<()>()));
            let first = late.as_mut().poll(&mut Context::from_waker(Waker::noop()));
            assert!(first.is_pending());
            let said = late.await.unwrap_err();
            assert_eq!(said.to_string(), "deadline has elapsed");
        }
        // The value is ready at the second poll, as the limit is.
        assert_eq!(timeout_at(now, yield_now()).await, Ok(()));
        assert_eq!(timeout(Duration::ZERO, yield_now()).await, Ok(()));
    });
}

#[test]
fn a_limit_can_be_lifted_and_what_it_limits_be_reached() {
    struct Later;
    impl IntoFuture for Later {
        type Output = u32;
        type IntoFuture = Ready<u32>;

        fn into_future(self) -> Ready<u32> {
            ready(7)
        }
    }
    everywhere(|| async {
        assert_eq!(timeout(MILLISECOND, Later).await, Ok(7));
        let mut limited = timeout(MILLISECOND, sleep_until(Instant::now()));
        let deadline = limited.get_ref().deadline() + 20 * MILLISECOND;
        Pin::new(limited.get_mut()).reset(deadline);
        limited.into_inner().await;
        assert!(Instant::now() >= deadline);
    });
}
