//! [`oneshot`]: one value, or the news that none will come.

use event_loop::spawn;
use event_loop::sync::oneshot::error::TryRecvError;
use event_loop::sync::oneshot::{self, Receiver};

use crate::waiting::{a_while, dropped_while_waiting, everywhere};

#[test]
fn the_value_arrives_whether_it_is_awaited_or_not() {
    everywhere(|| async {
        let (sender, receiver) = oneshot::channel();
        let waiting = spawn(receiver);
        a_while().await;
        sender.send(1).unwrap();
        assert_eq!(waiting.await.unwrap(), Ok(1));

        let (sender, mut receiver) = oneshot::channel();
        assert_eq!(receiver.try_recv(), Err(TryRecvError::Empty));
        assert!(receiver.is_empty());
        sender.send(2).unwrap();
        assert!(!receiver.is_empty());
        assert_eq!(receiver.await, Ok(2));
    });
}

#[test]
fn a_sender_that_is_dropped_is_an_error() {
    everywhere(|| async {
        let (sender, receiver) = oneshot::channel::<u8>();
        let waiting = spawn(receiver);
        a_while().await;
        drop(sender);
        assert!(waiting.await.unwrap().is_err());
    });
}

#[test]
fn a_sender_sees_its_receiver_go() {
    everywhere(|| async {
        let (mut sender, receiver): (_, Receiver<u8>) = oneshot::channel();
        let sending = spawn(async move {
            sender.closed().await;
            assert!(sender.is_closed());
            sender.send(3)
        });
        a_while().await;
        drop(receiver);
        assert_eq!(sending.await.unwrap(), Err(3));
    });
}

#[test]
fn a_value_sent_before_the_close_is_received() {
    everywhere(|| async {
        let (sender, mut receiver) = oneshot::channel();
        // Who awaits it by reference can go on after it was dropped there.
        dropped_while_waiting(&mut receiver, async {}).await;
        sender.send(4).unwrap();
        receiver.close();
        assert_eq!(receiver.try_recv(), Ok(4));
        assert!(receiver.is_terminated());
    });
}
