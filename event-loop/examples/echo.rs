//! An echo server and its client on the loop of production: `cargo run --example echo -- Hello`.

use std::io;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::Duration;

use event_loop::net::{TcpListener, TcpStream};
use event_loop::{EventLoop, LoopConfig, Runner, production, time};
use futures::future::{Either, select};
use futures::{AsyncReadExt, AsyncWriteExt};

/// How long the client waits for its answer.
const PATIENCE: Duration = Duration::from_secs(5);

fn main() -> ExitCode {
    Runner::new(|| production::multi_thread(LoopConfig::default().name("echo"))).run_main(echo)
}

/// Sends every argument to a server of its own and prints what comes back.
async fn echo(ev: EventLoop) -> io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    println!("{} listens on {address}", ev.describe());
    let server = ev.spawn_named("server", serve(listener));

    let words: Vec<_> = std::env::args().skip(1).collect();
    for word in words {
        let answer = time::timeout(PATIENCE, ask(address, word));
        println!("{}", answer.await.map_err(io::Error::other)??);
    }

    server.request_cancel();
    server.await.map_err(io::Error::other)?
}

/// Serves connections until it is asked to finish.
async fn serve(listener: TcpListener) -> io::Result<()> {
    let mut asked_to_finish = std::pin::pin!(event_loop::cancelled());
    loop {
        let accepting = std::pin::pin!(listener.accept());
        match select(accepting, &mut asked_to_finish).await {
            Either::Left((accepted, _)) => {
                let (stream, _peer) = accepted?;
                event_loop::spawn_named("connection", answer(stream)).detach();
            }
            Either::Right(((), _)) => return Ok(()),
        }
    }
}

/// Sends back what comes in, until the client sends no more.
async fn answer(mut stream: TcpStream) {
    let mut bytes = [0; 4096];
    loop {
        match stream.read(&mut bytes).await {
            Ok(0) => return,
            Ok(read) => {
                if let Err(why) = stream.write_all(&bytes[..read]).await {
                    return eprintln!("the client went away: {why}");
                }
            }
            Err(why) => return eprintln!("the client went away: {why}"),
        }
    }
}

/// Sends one word, and returns all that comes back until the server closes.
async fn ask(address: SocketAddr, word: String) -> io::Result<String> {
    let mut stream = TcpStream::connect(address).await?;
    stream.write_all(word.as_bytes()).await?;
    stream.close().await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    Ok(answer)
}
