//! [`mpsc`]: a queue of items, none of which is lost, doubled or overtaken.

use std::time::Duration;

use event_loop::spawn;
use event_loop::sync::mpsc::error::{SendTimeoutError, TryRecvError, TrySendError};
use event_loop::sync::mpsc::{self, channel, unbounded_channel};
use futures::FutureExt;

use crate::waiting::{a_while, dropped_while_waiting, everywhere};

#[test]
fn every_item_arrives_once_and_in_its_sender_s_order() {
    everywhere(|| async {
        let (sender, mut receiver) = channel(2);
        for name in 0..4 {
            let sender = sender.clone();
            spawn(async move {
                for i in 0..20 {
                    sender.send((name, i)).await.unwrap();
                }
            })
            .detach();
        }
        drop(sender);
        let mut next = [0; 4];
        while let Some((name, i)) = receiver.recv().await {
            let next: &mut i32 = &mut next[name as usize];
            assert_eq!(i, *next);
            *next += 1;
        }
        assert_eq!(next, [20; 4]);
    });
}

#[test]
fn a_full_queue_makes_its_senders_wait_in_order() {
    everywhere(|| async {
        let (sender, mut receiver) = channel(1);
        sender.try_send(0).unwrap();
        assert_eq!(sender.try_send(9), Err(TrySendError::Full(9)));
        assert_eq!(sender.capacity(), 0);
        let receiving = async {
            let mut items = Vec::new();
            for _ in 0..3 {
                items.push(receiver.recv().await.unwrap());
            }
            items
        };
        let (first, second, items) = futures::join!(sender.send(1), sender.send(2), receiving);
        first.unwrap();
        second.unwrap();
        assert_eq!(items, [0, 1, 2]);
        assert_eq!((receiver.capacity(), receiver.max_capacity()), (1, 1));
    });
}

#[test]
fn many_are_received_at_once_up_to_a_limit() {
    everywhere(|| async {
        let (sender, mut receiver) = unbounded_channel();
        for i in 0..10 {
            sender.send(i).unwrap();
        }
        let mut items = Vec::new();
        assert_eq!(receiver.recv_many(&mut items, 0).await, 0);
        assert_eq!(receiver.recv_many(&mut items, 4).await, 4);
        assert_eq!(receiver.len(), 6);
        assert_eq!(receiver.recv_many(&mut items, 100).await, 6);
        assert_eq!(items, Vec::from_iter(0..10));
        drop(sender);
        assert_eq!(receiver.recv_many(&mut items, 4).await, 0);

        let (sender, mut receiver) = channel(4);
        let receiving = spawn(async move {
            let mut items = Vec::new();
            while receiver.recv_many(&mut items, 3).await > 0 {}
            items
        });
        for i in 0..10 {
            sender.send(i).await.unwrap();
        }
        drop(sender);
        assert_eq!(receiving.await.unwrap(), Vec::from_iter(0..10));
    });
}

#[test]
fn closing_ends_the_senders_and_keeps_what_was_sent() {
    everywhere(|| async {
        let (sender, mut receiver) = channel(2);
        let waiting = spawn({
            let sender = sender.clone();
            async move { sender.closed().await }
        });
        a_while().await;
        sender.send("early").await.unwrap();
        receiver.close();
        waiting.await.unwrap();
        assert_eq!(sender.try_send("late"), Err(TrySendError::Closed("late")));
        assert_eq!(sender.send("late").await.unwrap_err().0, "late");
        assert!(sender.is_closed() && receiver.is_closed());
        assert_eq!(receiver.recv().await, Some("early"));
        assert_eq!(receiver.recv().await, None);
        assert_eq!(receiver.try_recv(), Err(TryRecvError::Disconnected));

        let (sender, receiver) = unbounded_channel();
        drop(receiver);
        sender.closed().await;
        assert_eq!(sender.send(1).unwrap_err().0, 1);
    });
}

#[test]
fn a_weak_sender_does_not_keep_the_channel_open() {
    everywhere(|| async {
        let (sender, mut receiver) = channel(1);
        let weak = sender.downgrade();
        weak.upgrade().unwrap().send(1).await.unwrap();
        assert_eq!((weak.strong_count(), weak.weak_count()), (1, 1));
        drop(sender);
        assert!(weak.upgrade().is_none());
        assert_eq!(receiver.recv().await, Some(1));
        assert_eq!(receiver.recv().await, None);

        let (sender, mut receiver) = unbounded_channel::<u8>();
        let weak = sender.downgrade();
        assert!(weak.upgrade().unwrap().same_channel(&sender));
        drop(sender);
        assert!(weak.upgrade().is_none());
        assert_eq!(receiver.recv().await, None);
    });
}

#[test]
fn room_can_be_reserved_and_given_back() {
    everywhere(|| async {
        let (sender, mut receiver) = channel(3);
        let permit = sender.reserve().await.unwrap();
        let two = sender.try_reserve_many(2).unwrap();
        assert!(sender.try_reserve().is_err());
        for (i, permit) in two.enumerate() {
            permit.send(i);
        }
        permit.send(9);
        let all = [
            receiver.recv().await,
            receiver.recv().await,
            receiver.recv().await,
        ];
        assert_eq!(all, [Some(0), Some(1), Some(9)]);

        assert!(sender.reserve_many(4).await.is_err());
        drop(sender.reserve_many(3).await.unwrap());
        let owned = sender.reserve_owned().await.unwrap();
        let sender = owned.send(10);
        let owned = sender.try_reserve_owned().unwrap();
        let sender = owned.release();
        assert_eq!(sender.capacity(), 2);
        assert_eq!(receiver.recv().await, Some(10));
    });
}

#[test]
fn who_is_dropped_while_waiting_loses_no_item_and_no_room() {
    everywhere(|| async {
        let (sender, mut receiver) = channel(1);
        let receive = async { sender.send(1).await.unwrap() };
        dropped_while_waiting(receiver.recv(), receive).await;
        assert_eq!(receiver.recv().await, Some(1));

        sender.send(2).await.unwrap();
        // Its room is its own when it is dropped.
        let room = async { assert_eq!(receiver.recv().await, Some(2)) };
        dropped_while_waiting(sender.send(3), room).await;
        assert_eq!(sender.capacity(), 1);
        assert_eq!(receiver.recv().now_or_never(), None);
        sender.try_send(4).unwrap();
        let reserve = sender.clone().reserve_owned();
        dropped_while_waiting(reserve, async {}).await;
        assert_eq!(sender.strong_count(), 1);
    });
}

#[test]
fn sending_can_be_limited_in_time() {
    everywhere(|| async {
        let (sender, mut receiver) = channel(1);
        let limit = Duration::from_millis(2);
        sender.send_timeout(1, limit).await.unwrap();
        let late = sender.send_timeout(2, limit).await;
        assert_eq!(late, Err(SendTimeoutError::Timeout(2)));
        assert_eq!(receiver.recv().await, Some(1));
        receiver.close();
        let closed = sender.send_timeout(3, limit).await;
        assert_eq!(closed, Err(SendTimeoutError::Closed(3)));
    });
}

#[test]
fn a_receiver_can_be_polled_by_hand() {
    everywhere(|| async {
        let (sender, mut receiver) = mpsc::unbounded_channel();
        sender.send(7).unwrap();
        assert!(!receiver.is_empty());
        let item = std::future::poll_fn(|cx| receiver.poll_recv(cx)).await;
        assert_eq!(item, Some(7));
        assert_eq!(receiver.try_recv(), Err(TryRecvError::Empty));
        assert_eq!(
            (receiver.sender_strong_count(), receiver.sender_weak_count()),
            (1, 0)
        );
    });
}
