//! What a loop refuses, and in which words.

use event_loop::{LoopError, Runner};

use crate::case::{Case, cases};

cases! {
    run_until_complete_on_a_running_loop,
    run_forever_on_a_running_loop,
    another_loop_is_running,
    stopped_before_the_future_completed,
    close_while_running,
    schedule_on_a_closed_loop,
    get_event_loop_with_none,
    runner_inside_a_loop,
    runner_after_close,
}

fn run_until_complete_on_a_running_loop(it: &Case) {
    it.soon_then("a", |it| it.refused(it.ev.run_until_complete(async {})));
    it.once();
}

fn run_forever_on_a_running_loop(it: &Case) {
    it.soon_then("a", |it| it.refused(it.ev.run_forever()));
    it.once();
}

fn another_loop_is_running(it: &Case) {
    let other = it.another();
    it.soon_then("a", move |it| it.refused(other.run_forever()));
    it.once();
}

fn stopped_before_the_future_completed(it: &Case) {
    it.soon_then("a", |it| it.ev.stop());
    it.refused(it.ev.run_until_complete(std::future::pending::<()>()));
}

fn close_while_running(it: &Case) {
    it.soon_then("a", |it| it.refused(it.ev.close()));
    it.once();
}

fn schedule_on_a_closed_loop(it: &Case) {
    it.ev.close().unwrap();
    it.ev.close().unwrap();
    it.refused(it.ev.call_soon(|| ()));
    let second = std::time::Duration::from_secs(1);
    it.refused(it.ev.call_later(second, || ()));
    it.refused(it.ev.run_forever());
}

fn get_event_loop_with_none(it: &Case) {
    it.refused(event_loop::current());
}

fn runner_inside_a_loop(it: &Case) {
    it.soon_then("a", |it| {
        let profile = it.profile;
        let mut runner = Runner::new(move || sim::factory(0, profile));
        it.refused(runner.run(async {}));
    });
    it.once();
}

fn runner_after_close(it: &Case) {
    let profile = it.profile;
    let mut runner = Runner::new(move || sim::factory(0, profile));
    runner.run(async {}).unwrap();
    runner.close().unwrap();
    let refused: Result<(), LoopError> = runner.run(async {});
    it.refused(refused);
}
