//! What a shutdown means to connections: clause D2.

use std::io;
use std::sync::Arc;

use event_loop::net::{TcpListener, TcpStream};
use event_loop::shutdown::{ShuttingDown, TaskEnd};
use event_loop::time::sleep;
use event_loop::{cancelled, spawn, spawn_named};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::{TICK, ends, local_listener, on, policy};
use crate::backends::Backend;
use crate::clause::Reach::Everywhere;
use crate::clause::clauses;

clauses! {
    D2 {
        whoever_waits_to_accept_is_told: Everywhere,
        a_connect_is_refused_once_the_listener_is_closed: Everywhere,
        a_connection_that_nobody_accepted_is_reset: Everywhere,
        a_connection_that_was_accepted_goes_on: Everywhere,
    }
}

fn whoever_waits_to_accept_is_told(backend: Backend) {
    on(backend, |ev| async move {
        let (listener, address) = local_listener().await;
        let listener = Arc::new(listener);
        let accepting: Vec<_> = (0..3)
            .map(|_| {
                let listener = listener.clone();
                spawn(async move { listener.accept().await.map(drop) })
            })
            .collect();
        sleep(TICK).await;
        let report = ev.shutdown(policy()).await.unwrap();
        assert!(report.is_clean(), "{report}");
        for accepting in accepting {
            let error = accepting.await.unwrap().unwrap_err();
            assert!(ShuttingDown::caused(&error), "{error}");
        }
        let later = listener.accept().await.unwrap_err();
        assert!(ShuttingDown::caused(&later), "{later}");
        let bound = TcpListener::bind(address).await.unwrap_err();
        assert!(ShuttingDown::caused(&bound), "{bound}");
        assert!(listener.local_addr().is_err());
    });
}

fn a_connect_is_refused_once_the_listener_is_closed(backend: Backend) {
    on(backend, |ev| async move {
        let (listener, address) = local_listener().await;
        ev.on_shutdown("while it still shuts down", move || async move {
            let refused = TcpStream::connect(address).await.unwrap_err();
            assert_eq!(refused.kind(), io::ErrorKind::ConnectionRefused);
        })
        .unwrap();
        let report = ev.shutdown(policy()).await.unwrap();
        assert!(report.is_clean(), "{report}");
        // Its owner has it all the while.
        drop(listener);
    });
}

fn a_connection_that_nobody_accepted_is_reset(backend: Backend) {
    on(backend, |ev| async move {
        let (listener, address) = local_listener().await;
        let mut client = TcpStream::connect(address).await.unwrap();
        client.write_all(b"a request").await.unwrap();
        sleep(TICK).await;
        let report = ev.shutdown(policy()).await.unwrap();
        assert!(report.is_clean(), "{report}");
        let answer = client.read(&mut [0; 9]).await.unwrap_err();
        assert_eq!(answer.kind(), io::ErrorKind::ConnectionReset);
        drop(listener);
    });
}

fn a_connection_that_was_accepted_goes_on(backend: Backend) {
    on(backend, |ev| async move {
        let (listener, address) = local_listener().await;
        let mut client = TcpStream::connect(address).await.unwrap();
        let (mut accepted, _) = listener.accept().await.unwrap();
        spawn_named("connection", async move {
            cancelled().await;
            let mut request = [0; 7];
            accepted.read_exact(&mut request).await.unwrap();
            accepted.write_all(&request).await.unwrap();
        })
        .detach();
        let shutdown = ev.shutdown(policy());
        sleep(TICK).await;
        client.write_all(b"request").await.unwrap();
        let mut answer = [0; 7];
        client.read_exact(&mut answer).await.unwrap();
        assert_eq!(&answer, b"request");
        let report = shutdown.await.unwrap();
        assert_eq!(ends(&report), [("connection", &TaskEnd::Finished)]);
    });
}
