//! The same calls on this machine's loopback and on the simulated one have the same outcomes.
#![cfg(target_os = "linux")]
#![allow(
    clippy::disallowed_methods,
    reason = "it gives the real kernel real time"
)]

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

use net_sim::drive::Pair;
use net_sim::{How, LinkConfig, NetError, SocketId};
use proptest::prelude::*;
use proptest::test_runner::RngSeed;

#[derive(Clone, Copy, Debug)]
enum Action {
    Write(usize),
    Read(usize),
    Peek(usize),
    Shutdown(How),
    TakeError,
    PeerAddr,
    Close,
}

fn script() -> impl Strategy<Value = Vec<(usize, Action)>> {
    let how = prop_oneof![Just(How::Read), Just(How::Write), Just(How::Both)];
    let action = prop_oneof![
        4 => (1..40_usize).prop_map(Action::Write),
        4 => (1..60_usize).prop_map(Action::Read),
        1 => (1..60_usize).prop_map(Action::Peek),
        2 => how.prop_map(Action::Shutdown),
        1 => Just(Action::TakeError),
        1 => Just(Action::PeerAddr),
        1 => Just(Action::Close),
    ];
    prop::collection::vec((0..2_usize, action), 1..40)
}

/// What a call came to: a number, or an errno.
type Outcome = Result<usize, i32>;

fn on_linux(script: &[(usize, Action)], pause: Duration) -> io::Result<Vec<Outcome>> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let client = TcpStream::connect(listener.local_addr()?)?;
    let (server, _) = listener.accept()?;
    for socket in [&client, &server] {
        socket.set_nonblocking(true)?;
        socket.set_nodelay(true)?;
    }
    let mut sockets = [Some(client), Some(server)];
    let mut outcomes = vec![];
    for &(peer, action) in script {
        let Some(socket) = &mut sockets[peer] else {
            continue;
        };
        let outcome = match action {
            Action::Write(n) => socket.write(&vec![1; n]),
            Action::Read(n) => socket.read(&mut vec![0; n]),
            Action::Peek(n) => socket.peek(&mut vec![0; n]),
            Action::Shutdown(how) => socket
                .shutdown(match how {
                    How::Read => Shutdown::Read,
                    How::Write => Shutdown::Write,
                    How::Both => Shutdown::Both,
                })
                .map(|()| 0),
            Action::TakeError => socket
                .take_error()
                .map(|error| error.and_then(|e| e.raw_os_error()).unwrap_or(0) as usize),
            Action::PeerAddr => socket.peer_addr().map(|_| 0),
            Action::Close => {
                sockets[peer] = None;
                Ok(0)
            }
        };
        outcomes.push(outcome.map_err(|error| error.raw_os_error().unwrap_or(0)));
        thread::sleep(pause);
    }
    Ok(outcomes)
}

fn simulated(script: &[(usize, Action)]) -> Vec<Outcome> {
    let mut pair = Pair::new(LinkConfig::default());
    let (client, server) = pair.connected();
    let mut sockets = [Some(client), Some(server)];
    let mut outcomes = vec![];
    for &(peer, action) in script {
        let Some(id) = sockets[peer] else {
            continue;
        };
        outcomes.push(act(&mut pair, id, action).map_err(NetError::errno));
        if matches!(action, Action::Close) {
            sockets[peer] = None;
        }
    }
    outcomes
}

fn act(pair: &mut Pair, id: SocketId, action: Action) -> Result<usize, NetError> {
    match action {
        Action::Write(n) => pair.write(id, &vec![1; n]),
        Action::Read(n) => pair.read(id, n).map(|bytes| bytes.len()),
        Action::Peek(n) => pair.net.peek(id, &mut vec![0; n]),
        Action::Shutdown(how) => pair.shutdown(id, how).map(|()| 0),
        Action::TakeError => {
            let error = pair.net.socket_error(id)?;
            Ok(error.map_or(0, |error| error.errno() as usize))
        }
        Action::PeerAddr => pair.net.peer_addr(id).map(|_| 0),
        Action::Close => pair.close(id).map(|()| 0),
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        failure_persistence: None,
        // The kernel has corners that nobody looks for: those are for who searches, not for a suite.
        rng_seed: RngSeed::Fixed(1),
        ..ProptestConfig::with_cases(300)
    })]

    #[test]
    fn calls_have_the_outcomes_they_have_on_linux(script in script()) {
        let ours = simulated(&script);
        // A busy machine may deliver late, even on loopback.
        let mut theirs = vec![];
        for pause in [0, 2, 30].map(Duration::from_millis) {
            theirs = on_linux(&script, pause).expect("loopback sockets");
            if ours == theirs {
                return Ok(());
            }
        }
        prop_assert_eq!(ours, theirs, "ours and Linux's");
    }
}
