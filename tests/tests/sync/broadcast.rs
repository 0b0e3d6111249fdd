//! [`broadcast`]: every receiver gets every item, or is told how many it missed.

use event_loop::spawn;
use event_loop::sync::broadcast::error::{RecvError, TryRecvError};
use event_loop::sync::broadcast::{Receiver, Sender, channel};

use crate::waiting::{a_while, dropped_while_waiting, everywhere};

async fn all<T: Clone>(mut receiver: Receiver<T>) -> Vec<T> {
    let mut items = Vec::new();
    while let Ok(item) = receiver.recv().await {
        items.push(item);
    }
    items
}

#[test]
fn every_receiver_gets_every_item() {
    everywhere(|| async {
        let (sender, first) = channel(16);
        let second = sender.subscribe();
        let late = second.resubscribe();
        assert_eq!(sender.receiver_count(), 3);
        let receiving = [first, second, late].map(|receiver| spawn(all(receiver)));
        a_while().await;
        for i in 0..10 {
            assert_eq!(sender.send(i).unwrap(), 3);
            a_while().await;
        }
        drop(sender);
        for receiving in receiving {
            assert_eq!(receiving.await.unwrap(), Vec::from_iter(0..10));
        }
    });
}

#[test]
fn who_lags_is_told_how_far() {
    everywhere(|| async {
        let (sender, mut receiver) = channel(2);
        for i in 0..5 {
            sender.send(i).unwrap();
        }
        assert_eq!(sender.len(), 2);
        assert_eq!(receiver.recv().await, Err(RecvError::Lagged(3)));
        assert_eq!(receiver.recv().await, Ok(3));
        assert_eq!(receiver.len(), 1);
        assert_eq!(receiver.try_recv(), Ok(4));
        assert_eq!(receiver.try_recv(), Err(TryRecvError::Empty));
        drop(sender);
        assert!(receiver.is_closed());
        assert_eq!(receiver.recv().await, Err(RecvError::Closed));
    });
}

#[test]
fn a_sender_sees_its_last_receiver_go() {
    everywhere(|| async {
        let sender = Sender::new(1);
        assert!(sender.send(0).is_err());
        let receiver = sender.subscribe();
        let waiting = spawn({
            let sender = sender.clone();
            async move { sender.closed().await }
        });
        a_while().await;
        drop(receiver);
        waiting.await.unwrap();
        let weak = sender.downgrade();
        assert!(weak.upgrade().unwrap().same_channel(&sender));
        drop(sender);
        assert!(weak.upgrade().is_none());
    });
}

#[test]
fn who_is_dropped_while_waiting_loses_no_item() {
    everywhere(|| async {
        let (sender, mut receiver) = channel(4);
        let send = async { assert_eq!(sender.send(1).unwrap(), 1) };
        dropped_while_waiting(receiver.recv(), send).await;
        assert_eq!(receiver.recv().await, Ok(1));
    });
}
