//! R17: work queued behind `stop()`.
//!
//! On its last tick a daemon stops its loop and schedules a flush. What is scheduled in the
//! iteration that stops waits for the next run, and there is none: the loop is closed, and the
//! flush with it. On uvloop it is done, for `stop` queues behind it there. The mended daemon lets
//! the flush stop the loop.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use event_loop::EventLoop;
use sim::Config;

use crate::{Body, Scenario};

pub(crate) const SCENARIO: Scenario = Scenario {
    name: "behind-stop",
    race: "R17",
    story: "a flush is scheduled behind the stop of its loop, and closed with it",
    fails_within: 1,
    config: |_| Config::new(),
    broken: Body::Program(|ev| every_sample_is_flushed(&ev, stop_then_flush)),
    mended: Body::Program(|ev| every_sample_is_flushed(&ev, flush_then_stop)),
};

const SAMPLES: u32 = 5;

#[derive(Clone, Default)]
struct Samples {
    taken: Arc<AtomicU32>,
    flushed: Arc<AtomicU32>,
}

impl Samples {
    fn flush(&self) {
        let taken = self.taken.swap(0, Ordering::Relaxed);
        self.flushed.fetch_add(taken, Ordering::Relaxed);
    }
}

type Last = fn(&EventLoop, &Samples);

fn every_sample_is_flushed(ev: &EventLoop, last: Last) {
    let samples = Samples::default();
    sample(&ev.unowned(), samples.clone(), SAMPLES, last);
    ev.run_forever().unwrap();
    ev.close().unwrap();
    let flushed = samples.flushed.load(Ordering::Relaxed);
    assert_eq!(flushed, SAMPLES, "samples that were flushed");
}

/// Takes a sample every 10 ms, and flushes every other one.
fn sample(ev: &EventLoop, samples: Samples, left: u32, last: Last) {
    if left == 0 {
        return last(ev, &samples);
    }
    samples.taken.fetch_add(1, Ordering::Relaxed);
    if left.is_multiple_of(2) {
        samples.flush();
    }
    let again = ev.clone();
    let tick = move || sample(&again, samples, left - 1, last);
    ev.call_later(Duration::from_millis(10), tick)
        .expect("the loop runs");
}

fn stop_then_flush(ev: &EventLoop, samples: &Samples) {
    ev.stop();
    let samples = samples.clone();
    ev.call_soon(move || samples.flush())
        .expect("the loop runs");
}

fn flush_then_stop(ev: &EventLoop, samples: &Samples) {
    samples.flush();
    ev.stop();
}
