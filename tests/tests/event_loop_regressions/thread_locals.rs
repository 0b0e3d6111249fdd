//! Destructors of thread-locals find no loop, and no abort.

use std::cell::RefCell;
use std::sync::mpsc;
use std::thread;

use event_loop::time::Instant;

use super::*;

type AtExit = Box<dyn FnOnce() + Send>;

struct Last(RefCell<Option<AtExit>>);

impl Drop for Last {
    fn drop(&mut self) {
        if let Some(at_exit) = self.0.take() {
            at_exit();
        }
    }
}

thread_local! {
    static LAST: Last = const { Last(RefCell::new(None)) };
}

/// Runs `at_exit` in a thread-local's destructor, once before and once after the loop's own
/// thread-local is gone.
fn at_exit_of_a_thread<T: Send + 'static>(at_exit: fn(EventLoop) -> T) -> Vec<T> {
    let mut seen = Vec::new();
    for (_, ev) in loops().into_iter().take(2) {
        for ours_first in [true, false] {
            let (sender, receiver) = mpsc::channel();
            let on_thread = ev.clone();
            let thread = thread::spawn(move || {
                let touch_loop = || drop(on_thread.enter());
                let at_end = on_thread.clone();
                let prepare = move || {
                    LAST.with(|last| {
                        let at_exit = move || sender.send(at_exit(at_end)).unwrap();
                        last.0.replace(Some(Box::new(at_exit)));
                    });
                };
                if ours_first {
                    prepare();
                    touch_loop();
                } else {
                    touch_loop();
                    prepare();
                }
            });
            thread.join().unwrap();
            seen.push(receiver.recv().expect("the destructor ran to its end"));
        }
        ev.close().unwrap();
    }
    assert_eq!(seen.len(), 4);
    seen
}

#[test]
fn find_no_loop_in_their_destructors() {
    let seen = at_exit_of_a_thread(|_| {
        let _ = Instant::now();
        let found = event_loop::current().is_ok() || event_loop::running().is_ok();
        found || event_loop::try_spawn(async {}).is_ok()
    });
    assert_eq!(seen, [false; 4]);
}

#[test]
fn use_a_loop_they_have_in_their_destructors() {
    let seen = at_exit_of_a_thread(|ev| {
        let _entered = ev.enter();
        let task = ev.spawn(async {});
        let called = ev.call_soon(|| ()).is_ok();
        called && task.id().is_some()
    });
    assert_eq!(seen, [true; 4]);
}

#[test]
fn the_last_owner_may_go_there_with_tasks_that_are_pending() {
    for (kind, ev) in loops().into_iter().take(2) {
        let held = Arc::new(());
        let (local, anywhere) = (held.clone(), held.clone());
        let thread = thread::spawn(move || {
            // Before tokio's, so that it outlives them.
            LAST.with(|_| {});
            ev.run_borrowed(async {
                event_loop::spawn_local(async move {
                    let _held = local;
                    std::future::pending::<()>().await;
                })
                .detach();
                spawn(async move {
                    let _held = anywhere;
                    std::future::pending::<()>().await;
                })
                .detach();
            })
            .unwrap();
            LAST.with(|last| last.0.replace(Some(Box::new(move || drop(ev)))));
        });
        thread.join().unwrap();
        assert_eq!(Arc::strong_count(&held), 1, "{kind}");
    }
}
