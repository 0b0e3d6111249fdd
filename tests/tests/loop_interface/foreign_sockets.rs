//! Sockets of the standard library's: taken and given in production, refused in a world.

use std::io::{self, ErrorKind};
use std::net::{TcpListener as StdListener, TcpStream as StdStream};

use event_loop::LoopConfig;
use event_loop::net::{TcpListener, TcpSocket, TcpStream};
use event_loop::production::{current_thread, multi_thread};
use sim::{Config, Sim};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

#[test]
fn production_takes_and_gives_sockets_of_the_standard_library() {
    for factory in [current_thread, multi_thread] {
        let ev = factory(LoopConfig::default().worker_threads(1)).unwrap();
        ev.run_until_complete(async { there_and_back().await.unwrap() })
            .unwrap();
        ev.close().unwrap();
    }
}

async fn there_and_back() -> io::Result<()> {
    let listener = StdListener::bind("127.0.0.1:0")?;
    listener.set_nonblocking(true)?;
    let listener = TcpListener::from_std(listener)?;
    let address = listener.local_addr()?;
    let client = StdStream::connect(address)?;
    client.set_nonblocking(true)?;
    let mut client = TcpStream::try_from(client)?;
    let (mut server, _) = listener.accept().await?;
    client.write_all(b"a").await?;
    assert_eq!(server.read_u8().await?, b'a');

    let client = client.into_std()?;
    assert_eq!(client.peer_addr()?, address);
    let listener = TcpListener::try_from(listener.into_std()?)?;
    assert_eq!(listener.local_addr()?, address);
    drop(client);
    assert_eq!(server.read(&mut [0]).await?, 0);
    Ok(())
}

#[test]
fn a_world_says_why_it_has_none_of_them() {
    sim::check(&Config::new().seeds(1), |_: Sim| async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let stream = TcpStream::connect(listener.local_addr().unwrap())
            .await
            .unwrap();
        refused(stream.into_std(), "the standard library's stream");
        refused(listener.into_std(), "the standard library's listener");
    });
    // Made outside, for a world has none to make them from.
    let listener = StdListener::bind("127.0.0.1:0").unwrap();
    let streams = [(); 2].map(|()| StdStream::connect(listener.local_addr().unwrap()).unwrap());
    let run = sim::run_once(&Config::new(), 0, |_: Sim| async move {
        let [one, two] = streams;
        refused(
            TcpStream::from_std(one),
            "a stream of the standard library's",
        );
        refused(
            TcpSocket::from_std_stream(two),
            "a stream of the standard library's",
        );
        refused(
            TcpListener::from_std(listener),
            "a listener of the standard library's",
        );
    });
    assert_eq!(run.verdict, None);
}

#[track_caller]
fn refused<T: std::fmt::Debug>(outcome: io::Result<T>, wanted: &str) {
    let error = outcome.unwrap_err();
    let text = error.to_string();
    assert_eq!(error.kind(), ErrorKind::Unsupported, "{text}");
    assert!(
        text.starts_with(wanted) && text.ends_with("bind or connect one of the loop's"),
        "{text}"
    );
}
