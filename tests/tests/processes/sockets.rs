//! What peers see of a process that dies, and of a machine that loses its power.

use std::future::pending;
use std::io::ErrorKind;
use std::time::Duration;

use event_loop::net::{TcpListener, TcpStream, UdpSocket};
use event_loop::time::{sleep, timeout};
use sim::{Host, Signal, Sim};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::in_every_world;

const SECOND: Duration = Duration::from_secs(1);

/// A service that greets and then listens to nobody.
fn greeter(sim: &Sim) -> Host {
    sim.host("svc").start(|ev| async move {
        let listener = TcpListener::bind("0.0.0.0:80").await.unwrap();
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            drop(ev.spawn(async move {
                let _ = stream.write_all(b"hello").await;
                pending::<()>().await;
                drop(stream);
            }));
        }
    })
}

async fn greeted() -> TcpStream {
    let mut stream = TcpStream::connect("svc:80").await.unwrap();
    let mut hello = [0; 5];
    stream.read_exact(&mut hello).await.unwrap();
    stream
}

#[test]
fn a_peer_of_the_killed_sees_an_end_of_file_and_is_refused_then() {
    in_every_world(|sim| async move {
        let svc = greeter(&sim);
        sleep(SECOND).await;
        let mut stream = greeted().await;
        svc.kill();
        assert_eq!(stream.read(&mut [0]).await.unwrap(), 0);
        let refused = TcpStream::connect("svc:80").await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
    });
}

#[test]
fn a_peer_that_had_written_what_nobody_read_is_reset() {
    in_every_world(|sim| async move {
        let svc = greeter(&sim);
        sleep(SECOND).await;
        let mut stream = greeted().await;
        stream.write_all(b"are you there?").await.unwrap();
        sleep(SECOND).await;
        svc.kill();
        let reset = stream.read(&mut [0]).await.unwrap_err();
        assert_eq!(reset.kind(), ErrorKind::ConnectionReset);
    });
}

#[test]
fn what_is_sent_to_the_dead_is_answered_with_a_reset() {
    in_every_world(|sim| async move {
        let svc = greeter(&sim);
        sleep(SECOND).await;
        let mut stream = greeted().await;
        svc.kill();
        sleep(SECOND).await;
        stream.write_all(b"hello?").await.unwrap();
        sleep(SECOND).await;
        let error = stream.write_all(b"hello??").await.unwrap_err();
        assert!(
            [ErrorKind::BrokenPipe, ErrorKind::ConnectionReset].contains(&error.kind()),
            "{error}"
        );
    });
}

#[test]
fn a_machine_without_power_is_silent_until_it_is_started_again() {
    in_every_world(|sim| async move {
        let svc = greeter(&sim);
        sleep(SECOND).await;
        let mut stream = greeted().await;
        svc.power_off();
        let silent = timeout(5 * SECOND, stream.read(&mut [0])).await;
        assert!(silent.is_err(), "it heard {silent:?}");
        let silent = timeout(5 * SECOND, TcpStream::connect("svc:80")).await;
        assert!(silent.is_err(), "it got {silent:?}");
        assert!(svc.wait().await.is_powered_off());
        svc.restart();
        sleep(SECOND).await;
        greeted().await;
    });
}

#[test]
fn a_machine_whose_process_has_ended_may_lose_its_power_too() {
    in_every_world(|sim| async move {
        let svc = greeter(&sim);
        sleep(SECOND).await;
        svc.kill();
        svc.wait().await;
        let refused = TcpStream::connect("svc:80").await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
        svc.power_off();
        assert_eq!(svc.exit_status().unwrap().signal(), Some(Signal::Kill));
        let silent = timeout(5 * SECOND, TcpStream::connect("svc:80")).await;
        assert!(silent.is_err(), "it got {silent:?}");
        svc.restart();
        sleep(SECOND).await;
        greeted().await;
    });
}

#[test]
fn the_next_life_binds_what_the_last_one_had_and_peers_reach_it_by_its_name() {
    in_every_world(|sim| async move {
        let svc = greeter(&sim);
        for _ in 0..5 {
            sleep(SECOND).await;
            let _stream = greeted().await;
            svc.kill();
            svc.restart();
        }
        sleep(SECOND).await;
        greeted().await;
        assert_eq!(svc.life(), 6);
    });
}

#[test]
fn a_datagram_to_the_dead_goes_nowhere_and_one_to_the_next_life_arrives() {
    in_every_world(|sim| async move {
        let svc = sim.host("svc").start(|_| async {
            let socket = UdpSocket::bind("0.0.0.0:53").await.unwrap();
            let mut got = [0; 16];
            let (n, _) = socket.recv_from(&mut got).await.unwrap();
            sim::ExitStatus::from_code(got[..n][0].into())
        });
        sleep(SECOND).await;
        let socket = UdpSocket::bind("0.0.0.0:0").await.unwrap();
        svc.kill();
        socket.send_to(&[1], (svc.ip(), 53)).await.unwrap();
        sleep(SECOND).await;
        svc.restart();
        sleep(SECOND).await;
        socket.send_to(&[2], (svc.ip(), 53)).await.unwrap();
        assert_eq!(svc.wait().await.code(), Some(2));
    });
}

#[test]
fn a_socket_of_the_dead_in_other_hands_is_closed() {
    in_every_world(|sim| async move {
        let (give, taken) = event_loop::sync::oneshot::channel();
        let give = std::sync::Mutex::new(Some(give));
        let svc = sim.host("svc").start(move |_| {
            let give = give.lock().unwrap().take();
            async move {
                let listener = TcpListener::bind("0.0.0.0:80").await.unwrap();
                match give {
                    Some(give) => drop(give.send(listener)),
                    None => drop(listener.accept().await.unwrap()),
                }
                pending::<()>().await;
            }
        });
        let of_the_dead = taken.await.unwrap();
        svc.kill();
        svc.restart();
        sleep(SECOND).await;
        // Its number is another's by now.
        let error = of_the_dead.accept().await.unwrap_err();
        assert!(error.to_string().contains("closed"), "{error}");
        drop(of_the_dead);
        TcpStream::connect("svc:80").await.unwrap();
    });
}
