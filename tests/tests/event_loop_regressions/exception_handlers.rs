//! What an exception handler holds is given back.

use super::*;

/// Sets a handler that holds its own loop and `token`.
fn keep_in_handler(ev: &EventLoop, token: Arc<()>) {
    let own = ev.clone();
    ev.set_exception_handler(Some(move |_: &EventLoop, _: &ErrorContext| {
        let _ = (&own, &token);
    }));
}

#[test]
fn that_hold_their_loop_go_when_it_closes() {
    for (kind, ev) in loops() {
        let token = Arc::new(());
        keep_in_handler(&ev, token.clone());
        ev.close().unwrap();
        assert_eq!(Arc::strong_count(&token), 1, "{kind}");
        keep_in_handler(&ev, token.clone());
        assert_eq!(Arc::strong_count(&token), 1, "{kind}, set after close");
    }
}

#[test]
fn that_hold_their_loop_go_with_the_last_panic_nobody_read() {
    for (kind, ev) in loops() {
        let token = Arc::new(());
        keep_in_handler(&ev, token.clone());
        let task = ev.spawn(async { panic!("unread") as () });
        ev.run_borrowed(async { sleep(TICK / 10).await }).unwrap();
        ev.close().unwrap();
        assert_eq!(Arc::strong_count(&token), 2, "{kind}: it may yet be told");
        drop(task);
        assert_eq!(Arc::strong_count(&token), 1, "{kind}");
    }
}

#[test]
fn that_hold_their_loop_go_when_its_world_ends() {
    let token = Arc::new(());
    let held = token.clone();
    let run = sim::run_once(&Config::new(), 0, |sim| async move {
        keep_in_handler(&sim.event_loop(), held.clone());
        keep_in_handler(&sim.host("other").event_loop(), held);
    });
    assert_eq!(run.verdict, None);
    assert_eq!(Arc::strong_count(&token), 1);
}

#[test]
fn are_told_of_what_destructors_panic_with_at_the_end() {
    struct Panics;

    impl Drop for Panics {
        fn drop(&mut self) {
            panic!("at the end");
        }
    }

    for (kind, ev) in loops() {
        let told = Arc::new(Mutex::new(Vec::new()));
        let telling = told.clone();
        ev.set_exception_handler(Some(move |_: &EventLoop, context: &ErrorContext| {
            telling.lock().unwrap().push(context.error.clone());
        }));
        let panics = Panics;
        ev.spawn(async move {
            let _panics = panics;
            std::future::pending::<()>().await;
        })
        .detach();
        ev.run_borrowed(async { sleep(TICK / 10).await }).unwrap();
        ev.close().unwrap();
        assert_eq!(*told.lock().unwrap(), ["at the end"], "{kind}");
    }
}
