//! TCP on the loopback, and names.

use std::future::Future;
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::task::{Context, Waker};
use std::time::Duration;

use event_loop::net::{TcpListener, TcpStream};
use event_loop::time::{sleep, timeout};
use event_loop::{EventLoop, spawn};
use insta::assert_snapshot;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::backends::Backend;
use crate::clause::Reach::{Everywhere, WorldsOwn};
use crate::clause::clauses;

const TICK: Duration = Duration::from_millis(1);

clauses! {
    N1 {
        what_is_sent_comes_back_from_an_echo: Everywhere,
        more_than_the_buffers_hold_waits_for_the_reader: Everywhere,
        after_a_half_close_the_rest_can_still_be_read: Everywhere,
        an_accept_given_up_loses_no_connection: Everywhere,
        a_connect_given_up_gives_its_socket_back: Everywhere,
        two_tasks_use_the_halves_of_one_connection: Everywhere,
    }
    N2 {
        a_dropped_stream_is_the_end_of_its_peers: Everywhere,
        a_stream_dropped_with_unread_data_resets_its_peer: Everywhere,
        a_stream_that_lingers_for_zero_resets_its_peer: Everywhere,
        a_task_aborted_in_its_read_closes_its_stream: Everywhere,
        a_dropped_writing_half_ends_its_side_and_a_forgotten_one_does_not: Everywhere,
        halves_of_one_connection_are_reunited_and_others_are_not: Everywhere,
    }
    N3 {
        both_ends_know_both_addresses: Everywhere,
        a_connect_where_nobody_listens_is_refused: Everywhere,
        a_port_in_use_is_refused_and_free_after_the_drop: Everywhere,
        localhost_is_a_name: Everywhere,
        a_text_that_is_no_address_is_an_error: Everywhere,
        a_worlds_hosts_are_names: WorldsOwn,
    }
}

/// Runs the body of a clause as the main task.
fn run<T: Send + 'static>(
    ev: &EventLoop,
    body: impl Future<Output = io::Result<T>> + Send + 'static,
) -> T {
    ev.run_until_complete(body).unwrap().unwrap()
}

async fn listen() -> io::Result<(TcpListener, SocketAddr)> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    assert_ne!(address.port(), 0);
    Ok((listener, address))
}

/// Both ends of a new connection, the connecting one first.
async fn pair() -> io::Result<(TcpStream, TcpStream)> {
    let (listener, address) = listen().await?;
    let (client, accepted) = futures::try_join!(TcpStream::connect(address), listener.accept())?;
    Ok((client, accepted.0))
}

fn what_is_sent_comes_back_from_an_echo(backend: Backend) {
    let ev = backend.make();
    run(&ev, async {
        let (listener, address) = listen().await?;
        let server = spawn(async move {
            let (mut stream, _) = listener.accept().await?;
            let mut buffer = [0; 1000];
            loop {
                match stream.read(&mut buffer).await? {
                    0 => return io::Result::Ok(()),
                    n => stream.write_all(&buffer[..n]).await?,
                }
            }
        });
        let mut stream = TcpStream::connect(address).await?;
        for size in [1, 999, 1000, 1001, 10_000] {
            let sent: Vec<u8> = (0..size).map(|n| (n % 251) as u8).collect();
            let mut echoed = vec![0; size];
            stream.write_all(&sent).await?;
            stream.read_exact(&mut echoed).await?;
            assert_eq!(echoed, sent);
        }
        stream.shutdown().await?;
        assert_eq!(stream.read(&mut [0]).await?, 0);
        server.await.unwrap()
    });
}

fn more_than_the_buffers_hold_waits_for_the_reader(backend: Backend) {
    // More than both buffers of a connection: the kernel of production lets them grow.
    let size = if backend.is_simulated() {
        1 << 20
    } else {
        8 << 20
    };
    let ev = backend.make();
    run(&ev, async move {
        let (mut sender, mut receiver) = pair().await?;
        let sending = spawn(async move {
            sender.write_all(&vec![7; size]).await?;
            sender.shutdown().await
        });
        sleep(TICK).await;
        assert!(!sending.is_finished(), "nothing holds {size} bytes");
        let mut received = Vec::new();
        receiver.read_to_end(&mut received).await?;
        assert!(received.len() == size && received.iter().all(|byte| *byte == 7));
        sending.await.unwrap()
    });
}

fn both_ends_know_both_addresses(backend: Backend) {
    let ev = backend.make();
    run(&ev, async {
        let (listener, address) = listen().await?;
        let (client, accepted) =
            futures::try_join!(TcpStream::connect(address), listener.accept())?;
        let (accepted, peer) = accepted;
        assert_eq!(client.peer_addr()?, address);
        assert_eq!(accepted.local_addr()?, address);
        assert_eq!(client.local_addr()?, peer);
        assert_eq!(accepted.peer_addr()?, peer);
        client.set_nodelay(true)?;
        assert!(client.nodelay()?);
        Ok(())
    });
}

fn after_a_half_close_the_rest_can_still_be_read(backend: Backend) {
    let ev = backend.make();
    let (asked, answered, after) = run(&ev, async {
        let (mut client, mut server) = pair().await?;
        let server = spawn(async move {
            let mut asked = String::new();
            server.read_to_string(&mut asked).await?;
            sleep(TICK).await;
            server.write_all(b"the answer").await?;
            sleep(TICK).await;
            server.write_all(b", and the rest").await?;
            io::Result::Ok(asked)
        });
        client.write_all(b"the question").await?;
        client.shutdown().await?;
        let after = client.write_all(b"more").await;
        let mut answered = String::new();
        client.read_to_string(&mut answered).await?;
        Ok((server.await.unwrap()?, answered, after))
    });
    assert_eq!(asked, "the question");
    assert_eq!(answered, "the answer, and the rest");
    assert_eq!(after.unwrap_err().kind(), ErrorKind::BrokenPipe);
}

fn a_connect_where_nobody_listens_is_refused(backend: Backend) {
    let ev = backend.make();
    let refused = run(&ev, async {
        // Nobody listens on the port of `tcpmux`.
        Ok(TcpStream::connect("127.0.0.1:1").await.map(drop))
    });
    assert_eq!(refused.unwrap_err().kind(), ErrorKind::ConnectionRefused);
}

fn a_port_in_use_is_refused_and_free_after_the_drop(backend: Backend) {
    let ev = backend.make();
    run(&ev, async {
        let (listener, address) = listen().await?;
        let taken = TcpListener::bind(address).await.map(drop);
        assert_eq!(taken.unwrap_err().kind(), ErrorKind::AddrInUse);
        drop(listener);
        TcpListener::bind(address).await.map(drop)
    });
}

fn localhost_is_a_name(backend: Backend) {
    let ev = backend.make();
    run(&ev, async {
        let listener = TcpListener::bind("localhost:0").await?;
        let port = listener.local_addr()?.port();
        let client = spawn(async move { TcpStream::connect(("localhost", port)).await });
        listener.accept().await?;
        client.await.unwrap()
    });
}

fn a_text_that_is_no_address_is_an_error(backend: Backend) {
    let ev = backend.make();
    for text in ["nowhere", "nowhere:port", "nowhere:65536"] {
        let error = ev.run_until_complete(async move { TcpStream::connect(text).await });
        assert_eq!(error.unwrap().unwrap_err().kind(), ErrorKind::InvalidInput);
    }
    let error = ev.run_until_complete(async { TcpListener::bind("nowhere").await });
    assert_snapshot!(error.unwrap().unwrap_err(), @r#""nowhere" is no address: allowed are ip:port and name:port, port 0 to 65535"#);
}

fn a_worlds_hosts_are_names(backend: Backend) {
    let ev = backend.make();
    run(&ev, async {
        let listener = TcpListener::bind("main:80").await?;
        assert_eq!(listener.local_addr()?.to_string(), "10.0.0.1:80");
        let (client, accepted) =
            futures::try_join!(TcpStream::connect("main:80"), listener.accept())?;
        assert_eq!(client.peer_addr()?, accepted.0.local_addr()?);
        Ok(())
    });
    let unknown = ev.run_until_complete(async { TcpStream::connect("mian:80").await });
    let unknown = unknown.unwrap().unwrap_err();
    assert_snapshot!(unknown, @r#"failed to lookup address information: Name or service not known: nothing is named "mian"; there are: main"#);
}

fn an_accept_given_up_loses_no_connection(backend: Backend) {
    const CLIENTS: u8 = 20;
    let ev = backend.make();
    let mut served = run(&ev, async {
        let (listener, address) = listen().await?;
        for client in 0..CLIENTS {
            spawn(async move {
                sleep(u32::from(client / 4) * TICK).await;
                let mut stream = TcpStream::connect(address).await?;
                stream.write_all(&[client]).await?;
                stream.read(&mut [0]).await
            })
            .detach();
        }
        let mut served = Vec::new();
        while served.len() < usize::from(CLIENTS) {
            // Polled once and dropped, and dropped by a timeout.
            let once = futures::poll!(std::pin::pin!(listener.accept()));
            let accepted = match once {
                std::task::Poll::Ready(accepted) => Ok(accepted),
                std::task::Poll::Pending => timeout(TICK, listener.accept()).await,
            };
            if let Ok(accepted) = accepted {
                let (mut stream, _) = accepted?;
                served.push(stream.read_u8().await?);
            }
        }
        Ok(served)
    });
    served.sort_unstable();
    assert_eq!(served, (0..CLIENTS).collect::<Vec<_>>());
}

fn a_connect_given_up_gives_its_socket_back(backend: Backend) {
    let ev = backend.make();
    run(&ev, async {
        let (listener, address) = listen().await?;
        {
            let connecting = std::pin::pin!(TcpStream::connect(address));
            let mut cx = Context::from_waker(Waker::noop());
            let _ = connecting.poll(&mut cx);
        }
        // Whether or not the one that gave up got as far as the backlog, the next is served.
        let client = spawn(async move {
            let mut stream = TcpStream::connect(address).await?;
            stream.write_all(b"!").await?;
            stream.read(&mut [0]).await
        });
        loop {
            let (mut stream, _) = listener.accept().await?;
            if matches!(stream.read_u8().await, Ok(b'!')) {
                break;
            }
        }
        assert_eq!(client.await.unwrap()?, 0);
        Ok(())
    });
}

fn a_dropped_stream_is_the_end_of_its_peers(backend: Backend) {
    let ev = backend.make();
    run(&ev, async {
        let (mut client, mut server) = pair().await?;
        server.write_all(b"last words").await?;
        drop(server);
        let mut heard = String::new();
        client.read_to_string(&mut heard).await?;
        assert_eq!(heard, "last words");
        // What is sent there now is answered with a reset.
        let error = loop {
            match client.write_all(b"anybody?").await {
                Ok(()) => sleep(TICK).await,
                Err(error) => break error.kind(),
            }
        };
        assert!(
            matches!(error, ErrorKind::BrokenPipe | ErrorKind::ConnectionReset),
            "{error}"
        );
        Ok(())
    });
}

fn a_stream_dropped_with_unread_data_resets_its_peer(backend: Backend) {
    let ev = backend.make();
    let error = run(&ev, async {
        let (mut client, server) = pair().await?;
        client.write_all(b"never read").await?;
        sleep(5 * TICK).await;
        drop(server);
        Ok(client.read(&mut [0]).await)
    });
    assert_eq!(error.unwrap_err().kind(), ErrorKind::ConnectionReset);
}

fn a_stream_that_lingers_for_zero_resets_its_peer(backend: Backend) {
    let ev = backend.make();
    let error = run(&ev, async {
        let (mut client, server) = pair().await?;
        server.set_zero_linger()?;
        drop(server);
        Ok(client.read(&mut [0]).await)
    });
    assert_eq!(error.unwrap_err().kind(), ErrorKind::ConnectionReset);
}

fn a_task_aborted_in_its_read_closes_its_stream(backend: Backend) {
    let ev = backend.make();
    run(&ev, async {
        let (mut client, mut server) = pair().await?;
        let reading = spawn(async move { server.read(&mut [0]).await.map(drop) });
        sleep(TICK).await;
        reading.abort();
        assert_eq!(client.read(&mut [0]).await?, 0);
        assert!(reading.await.unwrap_err().is_aborted());
        Ok(())
    });
}

fn two_tasks_use_the_halves_of_one_connection(backend: Backend) {
    let ev = backend.make();
    run(&ev, async {
        let (client, server) = pair().await?;
        let addresses = (client.local_addr()?, client.peer_addr()?);
        let (mut reader, mut writer) = client.into_split();
        assert_eq!((reader.local_addr()?, reader.peer_addr()?), addresses);
        assert_eq!((writer.local_addr()?, writer.peer_addr()?), addresses);
        // More than the buffers hold: neither gets far without the other.
        let sent = vec![7; 3_000_000];
        let expected = sent.len();
        let writing = spawn(async move { writer.write_all(&sent).await });
        let echo = spawn(async move {
            let (mut reader, mut writer) = server.into_split();
            tokio::io::copy(&mut reader, &mut writer).await
        });
        let mut back = Vec::new();
        reader.read_to_end(&mut back).await?;
        assert_eq!(back.len(), expected);
        writing.await.unwrap()?;
        assert_eq!(echo.await.unwrap()?, expected as u64);
        Ok(())
    });
}

fn a_dropped_writing_half_ends_its_side_and_a_forgotten_one_does_not(backend: Backend) {
    let ev = backend.make();
    run(&ev, async {
        let (client, mut server) = pair().await?;
        let (mut reader, writer) = client.into_split();
        drop(writer);
        assert_eq!(server.read(&mut [0]).await?, 0);
        server.write_all(b"still").await?;
        reader.read_exact(&mut [0; 5]).await?;

        let (client, mut server) = pair().await?;
        let (reader, writer) = client.into_split();
        writer.forget();
        let ended = timeout(5 * TICK, server.read(&mut [0])).await;
        ended.expect_err("the other half is still there");
        drop(reader);
        assert_eq!(server.read(&mut [0]).await?, 0);
        Ok(())
    });
}

fn halves_of_one_connection_are_reunited_and_others_are_not(backend: Backend) {
    let ev = backend.make();
    run(&ev, async {
        let (one, mut server) = pair().await?;
        let (other, _kept) = pair().await?;
        let (reader, writer) = one.into_split();
        let (other_reader, other_writer) = other.into_split();
        let mixed = reader
            .reunite(other_writer)
            .expect_err("of two connections");
        assert!(
            mixed.to_string().contains("not from the same socket"),
            "{mixed}"
        );
        mixed.1.reunite(other_reader).expect("of one connection");
        let mut one = writer.reunite(mixed.0).expect("of one connection");
        // Nothing was ended by the way.
        one.write_all(b"whole").await?;
        server.read_exact(&mut [0; 5]).await?;
        Ok(())
    });
}
