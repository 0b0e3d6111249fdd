//! A read or a write that moves a part is rare, and yet who takes it for the whole is found soon.

use std::io;

use event_loop::net::{TcpListener, TcpStream};
use event_loop::spawn;
use sim::{Config, Sim};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

const MESSAGES: usize = 10;
const MESSAGE: [u8; 16] = [7; 16];

/// How many of its messages a server saw come whole in one read, and a client go in one write.
async fn whole(sim: Sim) -> io::Result<(usize, usize)> {
    let listener = TcpListener::bind("0.0.0.0:80").await?;
    let client = sim.host("client").spawn(async {
        let mut stream = TcpStream::connect("main:80").await?;
        let mut whole = 0;
        for _ in 0..MESSAGES {
            let taken = stream.write(&MESSAGE).await?;
            whole += usize::from(taken == MESSAGE.len());
            stream.write_all(&MESSAGE[taken..]).await?;
            stream.read_exact(&mut [0]).await?;
        }
        io::Result::Ok(whole)
    });
    let (mut stream, _) = listener.accept().await?;
    let server = spawn(async move {
        let mut whole = 0;
        for _ in 0..MESSAGES {
            // What a program that forgets that a read may be short calls the message.
            let read = stream.read(&mut [0; MESSAGE.len()]).await?;
            whole += usize::from(read == MESSAGE.len());
            stream
                .read_exact(&mut vec![0; MESSAGE.len() - read])
                .await?;
            stream.write_all(&[1]).await?;
        }
        io::Result::Ok(whole)
    });
    let client = client.await.map_err(io::Error::other)??;
    let server = server.await.map_err(io::Error::other)??;
    Ok((server, client))
}

fn runs(seeds: std::ops::Range<u64>) -> Vec<(usize, usize)> {
    let run = |seed| sim::run_once(&Config::new(), seed, whole).value.unwrap();
    seeds.map(|seed| run(seed).unwrap()).collect()
}

#[test]
fn the_plain_run_moves_all_that_there_is() {
    assert_eq!(runs(0..1), [(MESSAGES, MESSAGES)]);
}

#[test]
fn who_takes_a_part_for_the_whole_fails_within_a_few_seeds() {
    // Wherever a campaign begins.
    for first in (1..200).step_by(16) {
        let runs = runs(first..first + 16);
        assert!(runs.iter().any(|run| run.0 < MESSAGES), "reads: {runs:?}");
        assert!(runs.iter().any(|run| run.1 < MESSAGES), "writes: {runs:?}");
    }
}

#[test]
fn most_calls_move_all_that_there_is() {
    let runs = runs(1..200);
    let whole: usize = runs.iter().map(|run| run.1).sum();
    let parts = runs.len() * MESSAGES - whole;
    let expected = runs.len() * MESSAGES / 16;
    assert!((expected / 2..expected * 2).contains(&parts), "{parts}");
}
