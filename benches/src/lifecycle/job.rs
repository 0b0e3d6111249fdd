//! What a blocking job costs that does nothing: asked for, run on a thread of its own, and awaited.

use event_loop::run_blocking;
use sim::Config;

use crate::work::cpu::time_of;

const JOBS: u32 = 100_000;

/// CPU microseconds a job, in a world, whose threads share one processor.
pub(super) fn microseconds_a_job() -> f64 {
    let config = Config::new().polls(u64::MAX).polls_at_once(u64::MAX);
    let time = time_of(|| {
        let run = sim::run_once(&config, 0, |_| async {
            for _ in 0..JOBS {
                run_blocking(|| ()).await.expect("it does not panic");
            }
        });
        run.value.expect("nothing ends the run");
    });
    time.as_secs_f64() * 1e6 / f64::from(JOBS)
}
