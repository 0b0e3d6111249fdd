//! A loop is refused inside another, of whichever kind.

use super::*;

type Loops = [(&'static str, EventLoop); 3];

/// Tries to run each kind of loop, and a runner, here.
///
/// The loops were made outside: what makes threads in a world makes them its own, and those of a
/// real runtime wait for the real kernel.
fn refusals(loops: Loops) -> Vec<(&'static str, Result<(), LoopError>)> {
    let mut refusals = Vec::new();
    for (kind, ev) in loops {
        refusals.push((kind, ev.run_borrowed(async {})));
        refusals.push((kind, ev.run_until_complete(async {})));
        ev.close().unwrap();
    }
    let mut runner = Runner::new(|| production::current_thread(LoopConfig::default()));
    refusals.push(("runner", runner.run(async {})));
    refusals
}

#[track_caller]
fn assert_refused(place: &str, refusals: Vec<(&'static str, Result<(), LoopError>)>) {
    assert_eq!(refusals.len(), 7);
    for (kind, outcome) in refusals {
        let refused = match kind {
            "runner" => matches!(outcome, Err(LoopError::RunnerInsideLoop { .. })),
            _ => matches!(outcome, Err(LoopError::AnotherLoopRunning { .. })),
        };
        assert!(refused, "{kind} in {place}: {outcome:?}");
    }
}

fn in_a_world<F>(main: impl FnOnce(Sim) -> F + Send + 'static) -> F::Output
where
    F: Future + Send,
    F::Output: Send + 'static,
{
    let run = sim::run_once(&Config::new(), 0, main);
    assert_eq!(run.verdict, None);
    run.value.unwrap()
}

#[test]
fn is_refused_in_the_body_of_a_world() {
    let made = loops();
    assert_refused("the body", in_a_world(|_| async move { refusals(made) }));
}

#[test]
fn is_refused_in_a_task_of_a_world() {
    let made = loops();
    let body = |_| async move { spawn(async move { refusals(made) }).await.unwrap() };
    let refusals = in_a_world(body);
    assert_refused("a task", refusals);
}

#[test]
fn is_refused_in_a_callback_of_a_world() {
    let made = loops();
    let refusals = in_a_world(|sim| async move {
        let (sender, receiver) = futures::channel::oneshot::channel();
        let call = move || drop(sender.send(refusals(made)));
        sim.event_loop().call_soon(call).unwrap();
        receiver.await.unwrap()
    });
    assert_refused("a callback", refusals);
}

fn tokio_runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap()
}

#[test]
fn is_refused_inside_a_runtime_of_tokios_own() {
    tokio_runtime().block_on(async {
        for (kind, ev) in loops().into_iter().take(2) {
            let spawned = Arc::new(());
            let main = spawned.clone();
            let refused = [
                ev.run_borrowed(async {}),
                ev.run_until_complete(async move { drop(main) }),
                ev.run_forever(),
            ];
            for refused in refused {
                let outer = match &refused {
                    Err(LoopError::AnotherLoopRunning { outer, .. }) => *outer,
                    other => panic!("{kind}: {other:?}"),
                };
                assert_eq!(outer, None);
                assert!(
                    refused
                        .unwrap_err()
                        .to_string()
                        .contains("runtime of tokio's")
                );
            }
            assert_eq!(
                Arc::strong_count(&spawned),
                1,
                "{kind}: nothing was started"
            );
            ev.close().unwrap();
        }
    });
}

// Where tokio lets code block, a loop runs.
#[test]
fn is_no_nesting_where_a_runtime_of_tokios_lets_code_block() {
    let runtime = tokio_runtime();
    let run = || {
        let ev = production::current_thread(LoopConfig::default()).unwrap();
        let value = ev.run_borrowed(async { 7 });
        ev.close().unwrap();
        value
    };
    {
        let _entered = runtime.enter();
        assert_eq!(run(), Ok(7), "entered");
    }
    let job = runtime.block_on(async { tokio::task::spawn_blocking(run).await });
    assert_eq!(job.unwrap(), Ok(7), "in a blocking job");
}

#[test]
fn names_the_task_of_the_world_it_is_refused_in() {
    let (line, refused) = in_a_world(|_| async {
        let task = spawn(async {
            let ev = production::current_thread(LoopConfig::default()).unwrap();
            ev.run_borrowed(async {})
        });
        (line!() - 4, task.await.unwrap())
    });
    let Err(LoopError::AnotherLoopRunning { outer, .. }) = refused else {
        panic!("{refused:?}");
    };
    let outer = outer.expect("it is one of ours");
    assert_eq!((outer.file(), outer.line()), (file!(), line));
}
