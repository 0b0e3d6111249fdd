//! Several tasks accept from one listener.

use super::*;

async fn listen() -> (Arc<TcpListener>, std::net::SocketAddr) {
    let listener = TcpListener::bind("0.0.0.0:0").await.unwrap();
    let mut address = listener.local_addr().unwrap();
    address.set_ip([127, 0, 0, 1].into());
    (Arc::new(listener), address)
}

#[test]
fn from_several_tasks_wakes_all_that_are_needed() {
    for (kind, ev) in loops() {
        let served = ev.run_borrowed(async {
            let (listener, address) = listen().await;
            let acceptors = [(); 3].map(|()| {
                let listener = listener.clone();
                spawn(async move { listener.accept().await.map(drop) })
            });
            sleep(TICK).await;
            for _ in 0..acceptors.len() {
                drop(TcpStream::connect(address).await.unwrap());
                sleep(TICK).await;
            }
            let mut served = 0;
            for acceptor in acceptors {
                served += usize::from(timeout(100 * TICK, acceptor).await.is_ok());
            }
            served
        });
        assert_eq!(served, Ok(3), "{kind}");
        ev.close().unwrap();
    }
}

#[test]
fn goes_on_elsewhere_when_one_is_cancelled() {
    for (kind, ev) in loops() {
        let served = ev.run_borrowed(async {
            let (listener, address) = listen().await;
            let other = listener.clone();
            let steady = spawn(async move { other.accept().await.map(drop) });
            sleep(TICK).await;
            // It came last, and its waker may be the one that is known.
            let mut gone = Box::pin(listener.accept());
            poll_fn(|cx| {
                assert!(gone.as_mut().poll(cx).is_pending());
                Poll::Ready(())
            })
            .await;
            drop(gone);
            drop(TcpStream::connect(address).await.unwrap());
            timeout(100 * TICK, steady).await.is_ok()
        });
        assert_eq!(served, Ok(true), "{kind}");
        ev.close().unwrap();
    }
}

#[test]
fn by_hand_and_by_future_are_both_woken() {
    for (kind, ev) in loops() {
        let served = ev.run_borrowed(async {
            let (listener, address) = listen().await;
            let acceptors: [Pin<Box<dyn Future<Output = _> + Send>>; 2] = {
                let (one, two) = (listener.clone(), listener);
                [
                    Box::pin(async move { one.accept().await.map(drop) }),
                    Box::pin(async move { poll_fn(|cx| two.poll_accept(cx).map_ok(drop)).await }),
                ]
            };
            let acceptors = acceptors.map(spawn);
            for _ in 0..acceptors.len() {
                sleep(TICK).await;
                drop(TcpStream::connect(address).await.unwrap());
            }
            let mut served = 0;
            for acceptor in acceptors {
                served += usize::from(timeout(100 * TICK, acceptor).await.is_ok());
            }
            served
        });
        assert_eq!(served, Ok(2), "{kind}");
        ev.close().unwrap();
    }
}
