//! Whatever goes dark, is reset, refused, dropped or cut, in whatever order: what is read is a
//! prefix of what was written, nothing goes on for ever, and nothing is left behind.

use std::time::Duration;

use net_sim::drive::Pair;
use net_sim::{
    Decide, Fault, FaultId, Keepalive, Latency, LinkConfig, MonitorId, NetConfig, Site, SocketId,
    Treatment,
};
use proptest::prelude::*;

const MS: Duration = Duration::from_millis(1);

/// Seeded answers to everything.
struct Seeded(u64);

impl Seeded {
    fn next(&mut self, n: u64) -> u64 {
        // xorshift64*, of which the high bits are good.
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 32) % n
    }
}

impl Decide for Seeded {
    fn choose(&mut self, _: Site, n: u64) -> u64 {
        self.next(n)
    }
}

#[derive(Clone, Copy, Debug)]
enum Move {
    Connect,
    Accept,
    Write(usize, usize),
    Read(usize, usize),
    Close(usize),
    KeepAlive(usize),
    PowerOff(bool),
    Restart(bool),
    Kill(bool),
    Reset,
    ResetOne(usize),
    Fault(u8),
    Lift,
    Monitor,
    Unmonitor,
    Steps(usize),
    Wait(u64),
}

fn moves() -> impl Strategy<Value = Vec<Move>> {
    let one = prop_oneof![
        4 => Just(Move::Connect),
        4 => Just(Move::Accept),
        8 => (any::<usize>(), 1..900_usize).prop_map(|(which, n)| Move::Write(which, n)),
        8 => (any::<usize>(), 1..900_usize).prop_map(|(which, n)| Move::Read(which, n)),
        2 => any::<usize>().prop_map(Move::Close),
        1 => any::<usize>().prop_map(Move::KeepAlive),
        1 => any::<bool>().prop_map(Move::PowerOff),
        2 => any::<bool>().prop_map(Move::Restart),
        1 => any::<bool>().prop_map(Move::Kill),
        1 => Just(Move::Reset),
        1 => any::<usize>().prop_map(Move::ResetOne),
        2 => (0..5_u8).prop_map(Move::Fault),
        2 => Just(Move::Lift),
        1 => Just(Move::Monitor),
        1 => Just(Move::Unmonitor),
        6 => (1..6_usize).prop_map(Move::Steps),
        2 => (1..40_000_u64).prop_map(Move::Wait),
    ];
    prop::collection::vec(one, 1..120)
}

/// One end of a connection: what it wrote and read are counted by its two addresses.
struct End {
    id: SocketId,
    read: usize,
    written: usize,
    /// Of what it reads: byte `n` is this and `n`.
    peer_salt: Option<u8>,
    salt: u8,
}

struct Run {
    pair: Pair<Seeded>,
    listener: Option<SocketId>,
    ends: Vec<End>,
    faults: Vec<FaultId>,
    monitors: Vec<MonitorId>,
}

fn byte(salt: u8, offset: usize) -> u8 {
    salt.wrapping_add((offset * 31 + offset / 251) as u8)
}

impl Run {
    fn new(seed: u64) -> Self {
        let mut config = NetConfig::default();
        (config.send_buffer, config.receive_buffer) = (700, 300);
        let link = LinkConfig::new(Latency::table([1, 5, 40].map(|ms| ms * MS)));
        let mut pair = Pair::with(config, link, Seeded(seed | 1));
        pair.net.set_observed(true);
        let listener = pair.listen(80, 4).ok();
        Self {
            pair,
            listener,
            ends: vec![],
            faults: vec![],
            monitors: vec![],
        }
    }

    fn add(&mut self, id: SocketId) {
        let salt = self.ends.len() as u8;
        self.ends.push(End {
            id,
            read: 0,
            written: 0,
            peer_salt: None,
            salt,
        });
    }

    fn act(&mut self, next: Move) {
        let Pair {
            net,
            now,
            decide,
            client,
            server,
        } = &mut self.pair;
        let host = |is_client| if is_client { *client } else { *server };
        match next {
            Move::Connect if !net.is_off(*client) => {
                let id = self.pair.connect(80);
                self.add(id);
            }
            Move::Accept => {
                let accepted = self.listener.and_then(|l| self.pair.accept(l).ok());
                if let Some(id) = accepted {
                    self.add(id);
                }
            }
            Move::Write(which, n) => {
                if let Some(end) = pick(&mut self.ends, which) {
                    let bytes: Vec<_> = (0..n).map(|i| byte(end.salt, end.written + i)).collect();
                    end.written += net.write(*now, end.id, &bytes, decide).unwrap_or(0);
                }
            }
            Move::Read(which, n) => {
                if let Some(end) = pick(&mut self.ends, which) {
                    let mut buf = vec![0; n];
                    let read = net.read(*now, end.id, &mut buf, decide).unwrap_or(0);
                    check(end, &buf[..read]);
                }
            }
            Move::Close(which) => {
                if let Some(end) = pick(&mut self.ends, which) {
                    let _ = net.close(*now, end.id, decide);
                }
            }
            Move::KeepAlive(which) => {
                if let Some(end) = pick(&mut self.ends, which) {
                    let times = Keepalive {
                        idle: Duration::from_secs(2),
                        interval: Duration::from_secs(1),
                        count: 3,
                    };
                    let _ = net.set_keepalive_times(end.id, times);
                    let _ = net.set_keepalive(end.id, true);
                }
            }
            Move::PowerOff(which) => net.power_off(*now, host(which), decide),
            Move::Restart(which) => {
                let host = host(which);
                let listens = host == *server && net.is_off(host);
                net.restart(*now, host, decide);
                if listens {
                    self.listener = self.pair.listen(80, 4).ok();
                }
            }
            Move::Kill(which) => net.kill_host(*now, host(which), decide),
            Move::Reset => drop(net.reset_between(*now, *client, *server)),
            Move::ResetOne(which) => {
                if let Some(end) = pick(&mut self.ends, which) {
                    let _ = net.reset(*now, end.id);
                }
            }
            Move::Fault(kind) => {
                let fault = match kind {
                    0 => Fault::partition([*client], [*server]),
                    1 => Fault::one_way([*server], [*client]),
                    2 => Fault::hold([*client], [*server]),
                    3 => Fault::refuse([*server], None),
                    _ => Fault::hang([*server], Some(80)),
                };
                self.faults
                    .push(net.add_fault(*now, fault, decide).unwrap());
            }
            Move::Lift => {
                if let Some(fault) = self.faults.pop() {
                    net.lift(*now, fault, decide);
                }
            }
            Move::Monitor => self.monitors.push(net.add_monitor(None, None)),
            Move::Unmonitor => drop(self.monitors.pop().map(|id| net.remove_monitor(id))),
            Move::Steps(n) => (0..n).for_each(|_| {
                self.pair.step();
            }),
            Move::Wait(ms) => self
                .pair
                .drive_until(self.pair.now + Duration::from_millis(ms)),
            Move::Connect => {}
        }
        self.judge();
    }

    /// Treats what waits as the choices say.
    fn judge(&mut self) {
        while let Some(mut inspection) = self.pair.net.take_inspection() {
            let treatment = match self.pair.decide.next(12) {
                0 => Treatment::Drop,
                1 => Treatment::Delay(30 * MS),
                2 => Treatment::Reset,
                _ => Treatment::Pass,
            };
            inspection.apply(treatment).unwrap();
            let Pair {
                net, now, decide, ..
            } = &mut self.pair;
            net.judge(*now, inspection, decide);
        }
    }

    /// Mends everything, and lets it come to an end.
    fn finish(&mut self) {
        let hosts = [self.pair.client, self.pair.server];
        for id in std::mem::take(&mut self.monitors) {
            self.pair.net.remove_monitor(id);
        }
        for fault in std::mem::take(&mut self.faults) {
            let Pair {
                net, now, decide, ..
            } = &mut self.pair;
            net.lift(*now, fault, decide);
        }
        for host in hosts {
            let Pair {
                net, now, decide, ..
            } = &mut self.pair;
            net.restart(*now, host, decide);
        }
        self.settle();
        for host in hosts {
            let Pair {
                net, now, decide, ..
            } = &mut self.pair;
            net.kill_host(*now, host, decide);
        }
        self.settle();
        while self.pair.net.pop_sighting().is_some() {}
        assert_eq!(self.pair.net.open_sockets(), 0);
        assert_eq!(self.pair.net.bytes_in_flight(), 0);
        assert_eq!(self.pair.net.next_event(), None);
    }

    fn settle(&mut self) {
        let ended = (0..10_000).any(|_| !self.pair.step());
        assert!(ended, "it goes on for ever");
    }
}

fn pick(ends: &mut [End], which: usize) -> Option<&mut End> {
    let n = ends.len();
    ends.get_mut(which.checked_rem(n)?)
}

/// What is read is what one other end wrote, from the beginning.
fn check(end: &mut End, bytes: &[u8]) {
    for &got in bytes {
        let expected = byte(0, end.read);
        let salt = got.wrapping_sub(expected);
        assert_eq!(*end.peer_salt.get_or_insert(salt), salt, "at {}", end.read);
        end.read += 1;
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(200) })]

    #[test]
    fn streams_are_prefixes_and_everything_ends(seed in any::<u64>(), moves in moves()) {
        let mut run = Run::new(seed);
        for next in moves {
            run.act(next);
        }
        run.finish();
    }
}
