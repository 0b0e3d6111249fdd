//! Defects the world once had, each with the least program that showed it.

use std::future::Future as _;
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Wake, Waker};
use std::time::Duration;

use event_loop::time::sleep;
use futures::channel::oneshot;
use sim::{Config, run_once};

/// A waker whose end is a message.
struct SendsWhenDropped(Mutex<Option<oneshot::Sender<()>>>);

impl Wake for SendsWhenDropped {
    fn wake(self: Arc<Self>) {}
}

impl Drop for SendsWhenDropped {
    fn drop(&mut self) {
        if let Some(sender) = self.0.get_mut().unwrap().take() {
            let _ = sender.send(());
        }
    }
}

/// The wakers in a task's record were dropped with the world's state open, where a wake is put
/// aside; and nobody looked there before the world was called deadlocked.
#[test]
fn a_wake_from_the_end_of_a_task_s_record_is_no_deadlock() {
    for seed in 0..10 {
        let run = run_once(&Config::new(), seed, |_| async {
            let (sender, receiver) = oneshot::channel();
            let task = event_loop::spawn(async move {
                let waker = Waker::from(Arc::new(SendsWhenDropped(Mutex::new(Some(sender)))));
                let mut cancelled = pin!(event_loop::cancelled());
                let asked = cancelled.as_mut().poll(&mut Context::from_waker(&waker));
                assert!(asked.is_pending());
                drop(waker);
                sleep(Duration::from_secs(1)).await;
            });
            receiver.await.unwrap();
            drop(task);
        });
        assert_eq!((run.verdict, run.value), (None, Some(())), "seed {seed}");
    }
}
