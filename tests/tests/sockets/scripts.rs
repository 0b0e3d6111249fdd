//! TCP: what nobody thought of. Calls in any order, on both ends of a connection, come to the same
//! on the kernel's loopback and in worlds.

use std::io;
use std::pin::pin;

use event_loop::io::Interest;
use event_loop::net::TcpStream;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::case::Body;
use crate::loops::Loop;
use crate::stage::Stage;

/// How many scripts are played, and how many calls each has.
const SCRIPTS: u64 = 60;
const CALLS: usize = 16;

#[test]
fn any_calls_in_any_order_come_to_the_same() {
    for script in 0..SCRIPTS {
        let play = move |stage| Box::pin(play(stage, script)) as Body;
        let expected = Loop::REFERENCE.run(play, None);
        assert!(expected.is_ok(), "script {script}: {expected:?}");
        // Other seeds take and give parts, as they may, and come to something else.
        let plain = Loop::all().filter(|here| matches!(here.seed(), None | Some(0)));
        for here in plain {
            let told = here.run(play, Some(&expected));
            assert_eq!(told, expected, "script {script} on {here}, and in a world");
        }
    }
}

#[test]
fn scripts_have_calls_of_every_kind_and_outcomes_of_many() {
    let play = |script| Loop::REFERENCE.run(move |stage| Box::pin(play(stage, script)), None);
    let told: Vec<_> = (0..SCRIPTS)
        .flat_map(|script| play(script).unwrap())
        .collect();
    for call in CALLS_BY_NAME {
        let call = format!(" {call}: ");
        let of_it = told.iter().filter(|line| line.contains(&call));
        assert!(of_it.count() >= 10, "{call} is rarely called");
    }
    for outcome in [
        "waits",
        "ConnectionReset",
        "BrokenPipe",
        "NotConnected",
        "WouldBlock",
    ] {
        assert!(
            told.iter().any(|line| line.contains(outcome)),
            "{outcome} never comes"
        );
    }
}

/// A script's calls, each of whose effects arrives before the next one.
async fn play(stage: Stage, script: u64) -> io::Result<()> {
    let mut numbers = Numbers(script);
    let (client, server) = stage.pair().await?;
    let mut ends = [("client", Some(client)), ("server", Some(server))];
    // What an accepted connection takes for granted is forgotten.
    for (_, end) in &ends {
        let _ = end.as_ref().map(|end| end.try_read(&mut [0]));
    }
    for _ in 0..CALLS {
        let (name, end) = &mut ends[numbers.below(2)];
        let Some(stream) = end else { continue };
        let call = CALLS_BY_NAME[numbers.below(CALLS_BY_NAME.len())];
        let title = format!("{name} {call}");
        if call == "drop" {
            // Rarely, for nothing comes of what follows.
            if numbers.below(3) == 0 {
                *end = None;
                stage.note(&title, ());
            }
        } else {
            perform(&stage, stream, call, &title, numbers.below(40)).await;
        }
        stage.settle().await;
    }
    Ok(())
}

const CALLS_BY_NAME: [&str; 14] = [
    "read",
    "write",
    "write a byte",
    "read much",
    "peek",
    "shutdown",
    "try_read",
    "try_write",
    "readable",
    "writable",
    "take_error",
    "peer_addr",
    "linger 0",
    "drop",
];

async fn perform(stage: &Stage, stream: &mut TcpStream, call: &str, title: &str, size: usize) {
    let mut buffer = vec![0; size];
    match call {
        "read" | "read much" => {
            let size = if call == "read much" { 1000 } else { size };
            let mut buffer = vec![0; size];
            let read = pin!(stream.read(&mut buffer));
            stage.note_waiting(title, read).await;
        }
        "write" | "write a byte" => {
            let size = if call == "write" { size } else { 1 };
            let bytes = vec![1; size];
            let write = pin!(stream.write(&bytes));
            stage.note_waiting(title, write).await;
        }
        "peek" => {
            let peek = pin!(stream.peek(&mut buffer));
            stage.note_waiting(title, peek).await;
        }
        "shutdown" => stage.note(title, stream.shutdown().await),
        "try_read" => stage.note(title, stream.try_read(&mut buffer)),
        "try_write" => stage.note(title, stream.try_write(&buffer)),
        "readable" | "writable" => {
            let interest = if call == "readable" {
                Interest::READABLE
            } else {
                Interest::WRITABLE
            };
            let ready = async {
                stream
                    .ready(interest)
                    .await
                    .map(|ready| format!("{ready:?}"))
            };
            stage.note_waiting(title, pin!(ready)).await;
        }
        "take_error" => stage.note(title, stream.take_error()),
        "peer_addr" => stage.note(title, stream.peer_addr().map(|_| "known")),
        "linger 0" => stage.note(title, stream.set_zero_linger()),
        other => unreachable!("{other}"),
    }
}

/// Numbers that look like chance, the same ones for the same script.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, n: usize) -> usize {
        // SplitMix64.
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = self.0;
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((word ^ (word >> 31)) % n as u64) as usize
    }
}
