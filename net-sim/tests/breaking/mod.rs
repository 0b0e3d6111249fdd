//! Two peers that write, read, shut and close, while the network between them breaks and is
//! mended: what both may see of it is checked at every step.

use std::time::Duration;

use net_sim::drive::Pair;
use net_sim::{
    Decide, Fault, FaultId, HostId, How, LinkConfig, NetConfig, NetError, Plain, SocketId,
};
use proptest::prelude::*;
use virtual_time::Instant;

pub(crate) const SEND_BUFFER: usize = 700;
pub(crate) const RECEIVE_BUFFER: usize = 300;

/// How long nobody gives up.
const PATIENCE: Duration = Duration::from_secs(900);

/// Seeded answers to everything.
#[derive(Clone)]
pub(crate) struct Seeded(pub(crate) u64);

impl Decide for Seeded {
    fn choose(&mut self, _: net_sim::Site, n: u64) -> u64 {
        // xorshift64*, of which the high bits are good.
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 32) % n
    }
}

/// A fault of the network between two hosts.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Breakage {
    Partition,
    /// From the peer of this number to the other.
    OneWay(usize),
    Hold,
    Clog(usize),
    Swizzle(u64),
}

/// What one of the two peers does, what befalls the network, or the passing of time.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Move {
    Write(usize, usize),
    Read(usize, usize),
    ShutWrite(usize),
    Close(usize),
    Abort(usize),
    Break(Breakage),
    Mend(usize),
    Wait(u64),
    Step,
}

pub(crate) fn gentle_move() -> impl Strategy<Value = Move> {
    let breakage = prop_oneof![
        Just(Breakage::Partition),
        (0..2_usize).prop_map(Breakage::OneWay),
        Just(Breakage::Hold),
        (0..2_usize).prop_map(Breakage::Clog),
        (1..2_000_u64).prop_map(Breakage::Swizzle),
    ];
    prop_oneof![
        20 => (0..2_usize, 0..900_usize).prop_map(|(peer, n)| Move::Write(peer, n)),
        20 => (0..2_usize, 0..900_usize).prop_map(|(peer, n)| Move::Read(peer, n)),
        1 => (0..2_usize).prop_map(Move::ShutWrite),
        4 => breakage.prop_map(Move::Break),
        4 => (0..8_usize).prop_map(Move::Mend),
        8 => (0..3_000_u64).prop_map(Move::Wait),
        16 => Just(Move::Step),
    ]
}

pub(crate) fn rough_move() -> impl Strategy<Value = Move> {
    prop_oneof![
        60 => gentle_move(),
        1 => (0..2_usize).prop_map(Move::Close),
        1 => (0..2_usize).prop_map(Move::Abort),
    ]
}

/// The byte at this offset of what `peer` writes.
fn byte(peer: usize, offset: usize) -> u8 {
    (offset * 31 + offset / 251 + peer * 97) as u8
}

/// What one peer has done and seen.
#[derive(Debug, Default)]
pub(crate) struct Peer {
    pub(crate) written: usize,
    pub(crate) read: usize,
    pub(crate) ended: bool,
    pub(crate) shut: bool,
    pub(crate) closed: bool,
    pub(crate) failed: Option<NetError>,
}

pub(crate) struct Run<D> {
    pub(crate) pair: Pair<D>,
    pub(crate) ids: [SocketId; 2],
    pub(crate) peers: [Peer; 2],
    /// The faults that stand, and the directions through which nothing may come.
    pub(crate) standing: Vec<(FaultId, [bool; 2])>,
    /// Everything seen, to compare runs by.
    pub(crate) log: Vec<String>,
    began: Instant,
}

impl<D: Decide> Run<D> {
    pub(crate) fn new(link: LinkConfig, decide: D) -> Self {
        Self::prepared(link, decide, |_| {})
    }

    /// A run in whose network something was done before anything else.
    pub(crate) fn prepared(
        link: LinkConfig,
        decide: D,
        prepare: impl FnOnce(&mut Pair<D>),
    ) -> Self {
        let mut config = NetConfig::default();
        config.send_buffer = SEND_BUFFER;
        config.receive_buffer = RECEIVE_BUFFER;
        let mut pair = Pair::with(config, LinkConfig::default(), decide);
        prepare(&mut pair);
        // Through a perfect link: not every try to connect through a lossy one succeeds.
        let (client, server) = pair.connected();
        pair.net.set_default_link(link);
        let began = pair.now;
        Self {
            pair,
            ids: [client, server],
            peers: Default::default(),
            standing: vec![],
            log: vec![],
            began,
        }
    }

    pub(crate) fn is_older_than(&self, age: Duration) -> bool {
        self.pair.now - self.began > age
    }

    pub(crate) fn play(&mut self, moves: &[Move]) {
        for &next in moves {
            let outcome = self.go(next);
            self.log
                .push(format!("{:?} {next:?}: {outcome}", self.pair.now));
            for change in self.pair.changed() {
                self.log.push(format!("{change:?}"));
            }
            let most = 2 * (SEND_BUFFER + RECEIVE_BUFFER);
            assert!(self.pair.net.bytes_in_flight() <= most);
        }
    }

    pub(crate) fn write(&mut self, peer: usize, n: usize) -> Result<usize, NetError> {
        let from = self.peers[peer].written;
        let bytes: Vec<u8> = (from..from + n).map(|offset| byte(peer, offset)).collect();
        let outcome = self.pair.write(self.ids[peer], &bytes);
        match outcome {
            Ok(taken) => {
                assert!(taken <= n && (taken > 0 || n == 0));
                assert!(!self.peers[peer].shut || n == 0);
                self.peers[peer].written += taken;
            }
            Err(NetError::WouldBlock) => assert_eq!(self.peers[peer].failed, None),
            Err(NetError::BrokenPipe) if self.peers[peer].shut => {}
            Err(error) => self.fail(peer, error),
        }
        outcome
    }

    pub(crate) fn read(&mut self, peer: usize, n: usize) -> Result<usize, NetError> {
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
            Err(NetError::WouldBlock) => assert!(!seen.ended && seen.failed.is_none()),
            Err(error) => {
                let error = *error;
                self.fail(peer, error);
            }
        }
        outcome.map(|bytes| bytes.len())
    }

    pub(crate) fn mend_all(&mut self) {
        for (id, _) in std::mem::take(&mut self.standing) {
            let now = self.pair.now;
            self.pair.net.lift(now, id, &mut self.pair.decide);
        }
    }

    fn fail(&mut self, peer: usize, error: NetError) {
        let rough = self.peers.iter().any(|peer| peer.closed);
        assert!(
            rough || self.is_older_than(PATIENCE) || self.peers[1 - peer].failed.is_some(),
            "{error:?} for nothing"
        );
        self.peers[peer].failed.get_or_insert(error);
    }

    fn go(&mut self, next: Move) -> String {
        match next {
            Move::Write(peer, n) if !self.peers[peer].closed => {
                format!("{:?}", self.write(peer, n))
            }
            Move::Read(peer, n) if !self.peers[peer].closed => format!("{:?}", self.read(peer, n)),
            Move::ShutWrite(peer) if !self.peers[peer].closed => {
                self.peers[peer].shut = true;
                format!("{:?}", self.pair.shutdown(self.ids[peer], How::Write))
            }
            Move::Close(peer) | Move::Abort(peer) if !self.peers[peer].closed => {
                let id = self.ids[peer];
                if matches!(next, Move::Abort(_)) {
                    let _ = self.pair.net.set_linger(id, Some(Duration::ZERO));
                }
                self.peers[peer].closed = true;
                format!("{:?}", self.pair.close(id))
            }
            Move::Break(breakage) => self.break_it(breakage),
            Move::Mend(which) if !self.standing.is_empty() => {
                let (id, _) = self.standing.remove(which % self.standing.len());
                let now = self.pair.now;
                format!("{:?}", self.pair.net.lift(now, id, &mut self.pair.decide))
            }
            Move::Wait(ms) => {
                let end = self.pair.now + Duration::from_millis(ms);
                while self.pair.net.next_event().is_some_and(|at| at <= end) {
                    self.step();
                }
                self.pair.drive_until(end);
                String::new()
            }
            Move::Step => format!("{}", self.step()),
            _ => "-".to_owned(),
        }
    }

    /// Nothing has come through a direction that was closed since the moment before.
    pub(crate) fn step(&mut self) -> bool {
        let before = self.arrived();
        let stepped = self.pair.step();
        let after = self.arrived();
        for from in 0..2 {
            let closed = self.standing.iter().any(|(_, closed)| closed[from]);
            let ((bytes_before, ended_before), (bytes, ended)) =
                (before[1 - from], after[1 - from]);
            let came = bytes > bytes_before || (ended && !ended_before);
            assert!(!(closed && came), "something came from {from}");
        }
        stepped
    }

    /// Bytes that have reached each peer so far, and whether the end has.
    fn arrived(&mut self) -> [(usize, bool); 2] {
        [0, 1].map(|peer| {
            let id = self.ids[peer];
            let readable = self.pair.net.readable_bytes(id).unwrap_or(0);
            let failed = self.pair.net.readiness(id).is_ok_and(|ready| ready.hung_up);
            let ended = self
                .pair
                .net
                .readiness(id)
                .is_ok_and(|ready| ready.read_closed);
            (self.peers[peer].read + readable, ended && !failed)
        })
    }

    fn break_it(&mut self, breakage: Breakage) -> String {
        let hosts: [HostId; 2] = [self.pair.client, self.pair.server];
        let (fault, closed) = match breakage {
            Breakage::Partition => (Fault::partition([hosts[0]], [hosts[1]]), [true, true]),
            Breakage::OneWay(from) => {
                let fault = Fault::one_way([hosts[from]], [hosts[1 - from]]);
                (fault, [from == 0, from == 1])
            }
            Breakage::Hold => (Fault::hold([hosts[0]], [hosts[1]]), [true, true]),
            Breakage::Clog(peer) => (Fault::clog([hosts[peer]]), [true, true]),
            // It opens and closes by itself.
            Breakage::Swizzle(ms) => {
                let span = Duration::from_millis(ms);
                (Fault::swizzle(hosts, span), [false, false])
            }
        };
        let now = self.pair.now;
        let id = self.pair.net.add_fault(now, fault, &mut self.pair.decide);
        self.standing.push((id.unwrap(), closed));
        format!("{id:?}")
    }
}

/// Adds faults that touch nobody, and lifts others before anybody was touched.
pub(crate) fn in_vain<D: Decide>(pair: &mut Pair<D>) {
    let third = pair.net.add_host(&[[10, 0, 0, 3].into()]).unwrap();
    let fourth = pair.net.add_host(&[[10, 0, 0, 4].into()]).unwrap();
    let (a, b) = (pair.client, pair.server);
    for fault in [
        Fault::partition([third], [a, b, fourth]),
        Fault::clog([third]),
        Fault::hold([third], [fourth]),
        Fault::degrade([third], [a], LinkConfig::default()),
    ] {
        pair.net.add_fault(pair.now, fault, &mut Plain).unwrap();
    }
    for fault in [
        Fault::partition([a], [b]),
        Fault::clog([a]),
        Fault::swizzle([a, b], Duration::from_secs(1)),
        Fault::degrade([a], [b], LinkConfig::default()),
    ] {
        let id = pair.net.add_fault(pair.now, fault, &mut Plain).unwrap();
        pair.net.lift(pair.now, id, &mut Plain).unwrap();
    }
}
