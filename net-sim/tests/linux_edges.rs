//! What edge-triggered epoll tells after each call on this machine's loopback is what
//! `pop_changed` tells on the simulated one.
#![cfg(target_os = "linux")]
#![allow(
    clippy::disallowed_methods,
    reason = "it gives the real kernel real time"
)]

use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

use net_sim::drive::Pair;
use net_sim::{How, LinkConfig, NetError, Readiness};
use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use rustix::event::{Timespec, epoll};

#[derive(Clone, Copy, Debug)]
enum Action {
    Write(usize),
    Read(usize),
    Shutdown(How),
    Close,
    Abort,
}

fn script() -> impl Strategy<Value = Vec<(usize, Action)>> {
    let how = prop_oneof![Just(How::Read), Just(How::Write), Just(How::Both)];
    let action = prop_oneof![
        4 => (1..40_usize).prop_map(Action::Write),
        4 => (1..60_usize).prop_map(Action::Read),
        2 => how.prop_map(Action::Shutdown),
        1 => Just(Action::Close),
        1 => Just(Action::Abort),
    ];
    prop::collection::vec((0..2_usize, action), 1..20)
}

/// What was told of either peer after a call: `r`eadable, `w`ritable, read `c`losed, `h`ung up,
/// `e`rror.
type Told = BTreeMap<u64, String>;

fn text(levels: [bool; 5]) -> String {
    let set = levels.into_iter().zip("rwche".chars());
    set.filter(|(on, _)| *on).map(|(_, c)| c).collect()
}

fn on_linux(script: &[(usize, Action)], pause: Duration) -> io::Result<Vec<Told>> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let client = TcpStream::connect(listener.local_addr()?)?;
    let (server, _) = listener.accept()?;
    let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
    let wanted = epoll::EventFlags::IN
        | epoll::EventFlags::OUT
        | epoll::EventFlags::RDHUP
        | epoll::EventFlags::ET;
    for (peer, socket) in [(0, &client), (1, &server)] {
        socket.set_nonblocking(true)?;
        socket.set_nodelay(true)?;
        epoll::add(&epoll, socket, epoll::EventData::new_u64(peer), wanted)?;
    }
    let mut sockets = [Some(client), Some(server)];
    let told = || -> io::Result<Told> {
        let mut buffer = Vec::with_capacity(8);
        let at_once = Timespec {
            tv_sec: 0,
            tv_nsec: 0,
        };
        epoll::wait(
            &epoll,
            rustix::buffer::spare_capacity(&mut buffer),
            Some(&at_once),
        )?;
        let told = buffer.iter().map(|event: &epoll::Event| {
            let flags = event.flags;
            let has = |flag| flags.contains(flag);
            let levels = [
                has(epoll::EventFlags::IN),
                has(epoll::EventFlags::OUT),
                has(epoll::EventFlags::RDHUP),
                has(epoll::EventFlags::HUP),
                has(epoll::EventFlags::ERR),
            ];
            (event.data.u64(), text(levels))
        });
        Ok(told.collect())
    };
    told()?;
    let mut all = vec![];
    for &(peer, action) in script {
        let Some(socket) = &mut sockets[peer] else {
            continue;
        };
        match action {
            Action::Write(n) => drop(socket.write(&vec![1; n])),
            Action::Read(n) => drop(socket.read(&mut vec![0; n])),
            Action::Shutdown(how) => drop(socket.shutdown(match how {
                How::Read => Shutdown::Read,
                How::Write => Shutdown::Write,
                How::Both => Shutdown::Both,
            })),
            Action::Close => sockets[peer] = None,
            Action::Abort => {
                rustix::net::sockopt::set_socket_linger(&*socket, Some(Duration::ZERO))?;
                sockets[peer] = None;
            }
        }
        thread::sleep(pause);
        all.push(told()?);
    }
    Ok(all)
}

fn simulated(script: &[(usize, Action)]) -> Vec<Told> {
    let mut pair = Pair::new(LinkConfig::default());
    let (client, server) = pair.connected();
    let ids = [client, server];
    let mut open = [true; 2];
    let mut all = vec![];
    for &(peer, action) in script {
        if !open[peer] {
            continue;
        }
        let id = ids[peer];
        let _: Result<(), NetError> = match action {
            Action::Write(n) => pair.write(id, &vec![1; n]).map(drop),
            Action::Read(n) => pair.read(id, n).map(drop),
            Action::Shutdown(how) => pair.shutdown(id, how),
            Action::Close => pair.close(id),
            Action::Abort => {
                pair.net.set_linger(id, Some(Duration::ZERO)).unwrap();
                pair.close(id)
            }
        };
        open[peer] &= !matches!(action, Action::Close | Action::Abort);
        let told = pair.changed().into_iter().map(|(id, ready)| {
            let Readiness {
                readable,
                writable,
                read_closed,
                hung_up,
                error,
                ..
            } = ready;
            let levels = [readable, writable, read_closed, hung_up, error];
            (u64::from(id == server), text(levels))
        });
        all.push(told.collect());
    }
    all
}

proptest! {
    #![proptest_config(ProptestConfig {
        failure_persistence: None,
        // The kernel has corners that nobody looks for: those are for who searches, not for a suite.
        rng_seed: RngSeed::Fixed(1),
        ..ProptestConfig::with_cases(300)
    })]

    #[test]
    fn changes_are_told_when_epoll_tells_them(script in script()) {
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
