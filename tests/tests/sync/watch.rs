//! [`watch`]: the last value, and the news that it has changed.

use event_loop::spawn;
use event_loop::sync::watch::{Sender, channel};

use crate::waiting::{a_while, dropped_while_waiting, everywhere};

#[test]
fn every_watcher_hears_of_a_change() {
    everywhere(|| async {
        let (sender, receiver) = channel(0);
        let watching: Vec<_> = (0..10)
            .map(|_| {
                let mut receiver = receiver.clone();
                spawn(async move {
                    let mut seen = Vec::new();
                    while receiver.changed().await.is_ok() {
                        seen.push(*receiver.borrow_and_update());
                    }
                    seen
                })
            })
            .collect();
        for i in 1..=5 {
            a_while().await;
            sender.send(i).unwrap();
        }
        a_while().await;
        drop(sender);
        for watching in watching {
            let seen = watching.await.unwrap();
            // On other threads a watcher may come late, and see only what is newest then.
            assert_eq!(seen.last(), Some(&5));
            assert!(seen.is_sorted_by(|a, b| a < b));
        }
    });
}

#[test]
fn a_value_is_unseen_until_it_was_looked_at() {
    everywhere(|| async {
        let (sender, mut receiver) = channel("first");
        assert!(!receiver.has_changed().unwrap());
        assert_eq!(sender.send_replace("second"), "first");
        assert!(receiver.borrow().has_changed());
        assert!(receiver.borrow_and_update().has_changed());
        assert!(!receiver.has_changed().unwrap());
        receiver.mark_changed();
        receiver.changed().await.unwrap();
        assert!(!sender.send_if_modified(|_| false));
        sender.send_modify(|value| *value = "third");
        receiver.mark_unchanged();
        dropped_while_waiting(receiver.changed(), async {}).await;
        assert_eq!(*receiver.borrow(), "third");
    });
}

#[test]
fn the_last_value_is_seen_before_the_end() {
    everywhere(|| async {
        let (sender, mut receiver) = channel(0);
        let second = sender.clone();
        sender.send(1).unwrap();
        drop(sender);
        assert!(!receiver.is_closed());
        drop(second);
        receiver.changed().await.unwrap();
        assert!(receiver.has_changed().is_err());
        assert!(receiver.changed().await.is_err());
    });
}

#[test]
fn who_waits_for_the_end_is_woken_by_the_last_sender() {
    everywhere(|| async {
        let (sender, mut receiver) = channel(());
        let second = sender.clone();
        let waiting = spawn(async move { receiver.changed().await.is_err() });
        a_while().await;
        drop(second);
        a_while().await;
        assert!(!waiting.is_finished());
        drop(sender);
        assert!(waiting.await.unwrap());
    });
}

#[test]
fn a_value_can_be_waited_for() {
    everywhere(|| async {
        let (sender, mut receiver) = channel(3);
        let unseen = receiver.wait_for(|n| *n == 3).await.unwrap().has_changed();
        assert!(!unseen);
        let sending = async {
            for n in [4, 5, 6, 7] {
                sender.send(n).unwrap();
                a_while().await;
            }
        };
        let waiting = async { *receiver.wait_for(|n| *n >= 6).await.unwrap() };
        let (found, ()) = futures::join!(waiting, sending);
        assert!(found >= 6);
        sender.send(1).unwrap();
        drop(sender);
        // The last value was not looked at, and is not what it waits for.
        assert!(receiver.wait_for(|n| *n == 9).await.is_err());
        assert_eq!(*receiver.wait_for(|n| *n == 1).await.unwrap(), 1);
    });
}

#[test]
fn a_sender_sees_its_last_receiver_go_and_another_come() {
    everywhere(|| async {
        let sender = Sender::new(0);
        assert!(sender.is_closed());
        assert_eq!(sender.send(1).unwrap_err().0, 1);
        sender.send_replace(2);
        let receiver = sender.subscribe();
        assert_eq!((*receiver.borrow(), sender.receiver_count()), (2, 1));
        let waiting = spawn({
            let sender = sender.clone();
            async move { sender.closed().await }
        });
        a_while().await;
        drop(receiver);
        waiting.await.unwrap();
        assert!(sender.same_channel(&sender.clone()));
    });
}

#[test]
fn who_is_dropped_while_waiting_has_seen_nothing() {
    everywhere(|| async {
        let (sender, mut receiver) = channel(0);
        let send = async { sender.send(1).unwrap() };
        dropped_while_waiting(receiver.changed(), send).await;
        receiver.changed().await.unwrap();
        assert_eq!(*receiver.borrow(), 1);
    });
}
