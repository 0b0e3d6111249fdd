//! Whatever two peers do in whatever order: what is read is what was written, from the
//! beginning, once, in order; memory is bounded; and equal runs are equal.

use std::time::Duration;

use net_sim::drive::Pair;
use net_sim::{Decide, How, Latency, LinkConfig, NetConfig, NetError, Plain, Site, SocketId};
use proptest::prelude::*;

const SEND_BUFFER: usize = 700;
const RECEIVE_BUFFER: usize = 300;

/// Seeded answers to everything.
#[derive(Clone)]
struct Seeded(u64);

impl Decide for Seeded {
    fn choose(&mut self, _: Site, n: u64) -> u64 {
        // xorshift64*, of which the high bits are good.
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 32) % n
    }
}

#[derive(Clone, Copy, Debug)]
enum Action {
    Write(usize),
    Read(usize),
    ShutRead,
    ShutWrite,
    Close,
    Abort,
}

/// What one of the two peers does, or the passing of time.
#[derive(Clone, Copy, Debug)]
enum Move {
    Peer(usize, Action),
    Step,
    Drive,
}

fn action() -> impl Strategy<Value = Action> {
    prop_oneof![
        20 => (0..900_usize).prop_map(Action::Write),
        20 => (0..900_usize).prop_map(Action::Read),
        1 => Just(Action::ShutRead),
        1 => Just(Action::ShutWrite),
        1 => Just(Action::Close),
        1 => Just(Action::Abort),
    ]
}

fn moves() -> impl Strategy<Value = Vec<Move>> {
    let one = prop_oneof![
        6 => (0..2_usize, action()).prop_map(|(peer, action)| Move::Peer(peer, action)),
        3 => Just(Move::Step),
        1 => Just(Move::Drive),
    ];
    prop::collection::vec(one, 1..200)
}

fn latency() -> impl Strategy<Value = Latency> {
    prop_oneof![
        Just(Latency::ZERO),
        Just(Latency::constant(Duration::from_millis(3))),
        Just(Latency::uniform(
            Duration::from_millis(1)..=Duration::from_millis(10)
        )),
        Just(Latency::table([0, 1, 500].map(Duration::from_millis))),
    ]
}

/// The byte at this offset of what `peer` writes.
fn byte(peer: usize, offset: usize) -> u8 {
    (offset * 31 + offset / 251 + peer * 97) as u8
}

/// What one peer has done and seen.
#[derive(Debug, Default)]
struct Peer {
    written: usize,
    read: usize,
    ended: bool,
    shut: bool,
    closed: bool,
    failed: bool,
}

struct Run<D> {
    pair: Pair<D>,
    ids: [SocketId; 2],
    peers: [Peer; 2],
    /// Everything seen, to compare runs by.
    log: Vec<String>,
}

impl<D: Decide> Run<D> {
    fn new(latency: Latency, decide: D) -> Self {
        let mut config = NetConfig::default();
        config.send_buffer = SEND_BUFFER;
        config.receive_buffer = RECEIVE_BUFFER;
        let mut pair = Pair::with(config, LinkConfig::new(latency), decide);
        let (client, server) = pair.connected();
        Self {
            pair,
            ids: [client, server],
            peers: Default::default(),
            log: vec![],
        }
    }

    fn play(&mut self, moves: &[Move]) {
        for &next in moves {
            match next {
                Move::Peer(peer, action) => self.act(peer, action),
                Move::Step => drop(self.pair.step()),
                Move::Drive => self.pair.drive(),
            }
            for change in self.pair.changed() {
                self.log.push(format!("{:?} {change:?}", self.pair.now));
            }
            let most = 2 * (SEND_BUFFER + RECEIVE_BUFFER);
            assert!(self.pair.net.bytes_in_flight() <= most);
        }
    }

    fn act(&mut self, peer: usize, action: Action) {
        let id = self.ids[peer];
        if self.peers[peer].closed {
            let stale = self.pair.read(id, 1);
            assert_eq!(stale, Err(NetError::BadSocket));
            return;
        }
        let outcome = match action {
            Action::Write(n) => format!("{:?}", self.write(peer, n)),
            Action::Read(n) => format!("{:?}", self.read(peer, n)),
            Action::ShutRead => format!("{:?}", self.pair.shutdown(id, How::Read)),
            Action::ShutWrite => {
                self.peers[peer].shut = true;
                format!("{:?}", self.pair.shutdown(id, How::Write))
            }
            Action::Close | Action::Abort => {
                if matches!(action, Action::Abort) {
                    let _ = self.pair.net.set_linger(id, Some(Duration::ZERO));
                }
                self.peers[peer].closed = true;
                format!("{:?}", self.pair.close(id))
            }
        };
        self.log
            .push(format!("{:?} {peer} {action:?}: {outcome}", self.pair.now));
    }

    fn write(&mut self, peer: usize, n: usize) -> Result<usize, NetError> {
        let from = self.peers[peer].written;
        let bytes: Vec<u8> = (from..from + n).map(|offset| byte(peer, offset)).collect();
        let outcome = self.pair.write(self.ids[peer], &bytes);
        match outcome {
            Ok(taken) => {
                assert!(taken <= n && (taken > 0 || n == 0));
                assert!(!self.peers[peer].shut || n == 0);
                self.peers[peer].written += taken;
            }
            Err(NetError::WouldBlock) => assert!(!self.peers[peer].failed),
            Err(NetError::BrokenPipe) if self.peers[peer].shut => {}
            Err(_) => self.peers[peer].failed = true,
        }
        outcome
    }

    fn read(&mut self, peer: usize, n: usize) -> Result<usize, NetError> {
        let outcome = self.pair.read(self.ids[peer], n);
        let seen = &mut self.peers[peer];
        match &outcome {
            Ok(bytes) => {
                assert!(bytes.len() <= n);
                for (offset, &got) in (seen.read..).zip(bytes) {
                    assert_eq!(got, byte(1 - peer, offset), "at offset {offset}");
                }
                seen.read += bytes.len();
                seen.ended |= bytes.is_empty() && n > 0;
                assert!(seen.read <= self.peers[1 - peer].written);
            }
            Err(NetError::WouldBlock) => assert!(!seen.ended && !seen.failed),
            Err(_) => seen.failed = true,
        }
        outcome.map(|bytes| bytes.len())
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(500) })]

    #[test]
    fn what_is_read_is_a_beginning_of_what_was_written(
        moves in moves(),
        latency in latency(),
        seed in 1_u64..,
    ) {
        let mut run = Run::new(latency, Seeded(seed));
        run.play(&moves);
        run.pair.drive();
        for id in run.ids {
            let _ = run.pair.close(id);
        }
        prop_assert_eq!(run.pair.net.next_event(), None);
        prop_assert_eq!(run.pair.net.open_sockets(), 0);
        prop_assert_eq!(run.pair.net.bytes_in_flight(), 0);
    }

    #[test]
    fn without_resets_all_that_was_written_is_read_before_the_end(
        moves in moves(),
        latency in latency(),
        seed in 1_u64..,
    ) {
        let gentle: Vec<_> = moves
            .into_iter()
            .filter(|next| {
                use Action::{Abort, Close, ShutRead};
                !matches!(next, Move::Peer(_, Close | Abort | ShutRead))
            })
            .collect();
        let mut run = Run::new(latency, Seeded(seed));
        run.play(&gentle);
        for peer in 0..2 {
            let _ = run.pair.shutdown(run.ids[peer], How::Write);
        }
        // Each reads on whenever it is told to, and never otherwise.
        for id in run.ids {
            prop_assert!(run.pair.net.readiness(id).is_ok());
        }
        let mut told = run.ids.to_vec();
        while let Some(id) = told.pop() {
            let peer = usize::from(id == run.ids[1]);
            while run.read(peer, 200).is_ok_and(|n| n > 0) {}
            loop {
                told.extend(run.pair.changed().iter().map(|(id, _)| *id));
                if !told.is_empty() || !run.pair.step() {
                    break;
                }
            }
        }
        for peer in 0..2 {
            prop_assert!(run.peers[peer].ended);
            prop_assert!(!run.peers[peer].failed);
            prop_assert_eq!(run.peers[peer].read, run.peers[1 - peer].written);
        }
    }

    #[test]
    fn a_writer_that_waits_to_be_told_gets_everything_across(
        latency in latency(),
        seed in 1_u64..,
        sizes in prop::collection::vec(1..2_000_usize, 1..20),
        reads in prop::collection::vec(1..1_000_usize, 1..20),
    ) {
        let mut run = Run::new(latency, Seeded(seed));
        let total: usize = sizes.iter().sum();
        let mut reads = reads.iter().cycle();
        // As with edge-triggered epoll: after WouldBlock, wait for a change.
        let mut may = [true, true];
        while run.peers[1].read < total {
            if may[0] && run.peers[0].written < total {
                let left = total - run.peers[0].written;
                may[0] = run.write(0, left.min(SEND_BUFFER)) != Err(NetError::WouldBlock);
            }
            if may[1] {
                may[1] = run.read(1, *reads.next().unwrap()) != Err(NetError::WouldBlock);
            }
            let done = |may: [bool; 2], run: &Run<Seeded>| {
                may[1] || (may[0] && run.peers[0].written < total)
            };
            loop {
                for (id, readiness) in run.pair.changed() {
                    may[0] |= id == run.ids[0] && readiness.writable;
                    may[1] |= id == run.ids[1] && readiness.readable;
                }
                if done(may, &run) {
                    break;
                }
                prop_assert!(run.pair.step(), "stuck at {} of {total}", run.peers[1].read);
            }
        }
    }

    #[test]
    fn equal_runs_are_equal(moves in moves(), latency in latency(), seed in 0_u64..) {
        fn log<D: Decide>(moves: &[Move], latency: &Latency, decide: D) -> Vec<String> {
            let mut run = Run::new(latency.clone(), decide);
            run.play(moves);
            run.log
        }
        if seed % 2 == 0 {
            prop_assert_eq!(log(&moves, &latency, Plain), log(&moves, &latency, Plain));
        } else {
            let decide = Seeded(seed);
            let first = log(&moves, &latency, decide.clone());
            prop_assert_eq!(first, log(&moves, &latency, decide));
        }
    }
}
