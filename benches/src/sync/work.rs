//! The work of each row, written once and built twice: with our primitives, and with tokio's.

/// How many operations a work does.
pub(super) const OPERATIONS: u32 = 2_000_000;

/// What is done with a primitive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Work {
    /// A mutex nobody else wants is locked and unlocked.
    Mutex,
    /// A lock nobody else wants is locked for reading and unlocked.
    RwLock,
    /// A permit nobody else wants is taken and given back.
    Semaphore,
    /// A notification is given and waited for.
    Notify,
    /// An item is sent and received by one task.
    Mpsc,
    /// An item is sent by one task and received by another that waits for it.
    MpscBetween,
    /// A channel for one value is made and the value sent and received.
    Oneshot,
    /// A value is changed and the change waited for.
    Watch,
    /// An item is sent to one receiver.
    Broadcast,
}

impl Work {
    /// Every work, in the order of the table.
    pub const ALL: [Self; 9] = [
        Self::Mutex,
        Self::RwLock,
        Self::Semaphore,
        Self::Notify,
        Self::Mpsc,
        Self::MpscBetween,
        Self::Oneshot,
        Self::Watch,
        Self::Broadcast,
    ];

    /// Its row.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Mutex => "mutex",
            Self::RwLock => "rwlock",
            Self::Semaphore => "semaphore",
            Self::Notify => "notify",
            Self::Mpsc => "mpsc",
            Self::MpscBetween => "mpsc-between",
            Self::Oneshot => "oneshot",
            Self::Watch => "watch",
            Self::Broadcast => "broadcast",
        }
    }
}

macro_rules! work_with {
    ($name:ident, $spawn:path, $($sync:ident)::+) => {
        pub(super) mod $name {
            use $($sync)::+::{Mutex, Notify, RwLock, Semaphore, broadcast, mpsc, oneshot, watch};

            use super::{OPERATIONS, Work};

            pub(in super::super) async fn work(work: Work) {
                match work {
                    Work::Mutex => {
                        let mutex = Mutex::new(0);
                        for _ in 0..OPERATIONS {
                            *mutex.lock().await += 1;
                        }
                        assert_eq!(mutex.into_inner(), OPERATIONS);
                    }
                    Work::RwLock => {
                        let lock = RwLock::new(1);
                        let mut sum = 0;
                        for _ in 0..OPERATIONS {
                            sum += *lock.read().await;
                        }
                        assert_eq!(sum, OPERATIONS);
                    }
                    Work::Semaphore => {
                        let semaphore = Semaphore::new(1);
                        for _ in 0..OPERATIONS {
                            drop(semaphore.acquire().await);
                        }
                        assert_eq!(semaphore.available_permits(), 1);
                    }
                    Work::Notify => {
                        let notify = Notify::new();
                        for _ in 0..OPERATIONS {
                            notify.notify_one();
                            notify.notified().await;
                        }
                    }
                    Work::Mpsc => {
                        let (sender, mut receiver) = mpsc::channel(64);
                        for i in 0..OPERATIONS {
                            let sent = sender.send(i).await;
                            assert!(sent.is_ok());
                            assert_eq!(receiver.recv().await, Some(i));
                        }
                    }
                    Work::MpscBetween => {
                        let (sender, mut receiver) = mpsc::channel(1);
                        let receiving = $spawn(async move {
                            let mut sum = 0_u32;
                            while let Some(i) = receiver.recv().await {
                                sum = sum.wrapping_add(i);
                            }
                            sum
                        });
                        for _ in 0..OPERATIONS {
                            let sent = sender.send(1).await;
                            assert!(sent.is_ok());
                        }
                        drop(sender);
                        assert_eq!(receiving.await.ok(), Some(OPERATIONS));
                    }
                    Work::Oneshot => {
                        for i in 0..OPERATIONS {
                            let (sender, receiver) = oneshot::channel();
                            let sent = sender.send(i);
                            assert!(sent.is_ok());
                            assert_eq!(receiver.await, Ok(i));
                        }
                    }
                    Work::Watch => {
                        let (sender, mut receiver) = watch::channel(0);
                        for i in 0..OPERATIONS {
                            let sent = sender.send(i);
                            assert!(sent.is_ok() && receiver.changed().await.is_ok());
                        }
                        assert_eq!(*receiver.borrow(), OPERATIONS - 1);
                    }
                    Work::Broadcast => {
                        let (sender, mut receiver) = broadcast::channel(64);
                        for i in 0..OPERATIONS {
                            let sent = sender.send(i);
                            assert!(sent.is_ok());
                            assert_eq!(receiver.recv().await, Ok(i));
                        }
                    }
                }
            }
        }
    };
}

work_with!(ours, event_loop::spawn, event_loop::sync);
work_with!(tokio_s, tokio::spawn, tokio::sync);
