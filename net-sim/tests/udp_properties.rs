//! What holds for datagrams whatever happens.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use net_sim::drive::Pair;
use net_sim::{
    Corruption, Decide, Family, Fault, FaultId, Latency, LinkConfig, NetConfig, NetError, Plain,
    Probability, Site, SocketId,
};
use proptest::prelude::*;

/// Answers every question from a list, and remembers the questions.
struct Script {
    answers: Vec<u64>,
    asked: Vec<(&'static str, u64)>,
}

impl Decide for Script {
    fn choose(&mut self, site: Site, n: u64) -> u64 {
        let answer = self.answers[self.asked.len() % self.answers.len()] % n;
        self.asked.push((site.label, n));
        answer
    }
}

#[derive(Clone, Copy, Debug)]
enum Action {
    /// By which side, and how large.
    Send(bool, usize),
    Receive(bool, usize),
    Wait(u64),
    Cut,
    Hold,
    Lift,
    /// The socket is closed and bound anew.
    Restart(bool),
}

fn actions() -> impl Strategy<Value = Vec<Action>> {
    let size = prop_oneof![8 => 8..200_usize, 1 => 8..9_000_usize];
    let action = prop_oneof![
        8 => (any::<bool>(), size).prop_map(|(by, n)| Action::Send(by, n)),
        6 => (any::<bool>(), 0..9_000_usize).prop_map(|(by, n)| Action::Receive(by, n)),
        4 => (0..20_u64).prop_map(Action::Wait),
        1 => Just(Action::Cut),
        1 => Just(Action::Hold),
        2 => Just(Action::Lift),
        1 => any::<bool>().prop_map(Action::Restart),
    ];
    prop::collection::vec(action, 1..120)
}

/// The bytes of the datagram of this number, which they begin with.
fn payload(number: u64, size: usize) -> Vec<u8> {
    let number = number.to_be_bytes();
    let rest = (0..size - 8).map(|i| (i as u8).wrapping_mul(31) ^ number[7]);
    number.into_iter().chain(rest).collect()
}

struct Play {
    pair: Pair<Script>,
    sockets: [SocketId; 2],
    addresses: [SocketAddr; 2],
    faults: Vec<FaultId>,
    /// The sizes of all that was sent.
    sent: Vec<usize>,
    /// How often each arrived.
    arrived: BTreeMap<u64, u32>,
    log: Vec<String>,
}

impl Play {
    fn new(link: LinkConfig, answers: Vec<u64>) -> Self {
        let script = Script {
            answers,
            asked: vec![],
        };
        let mut pair = Pair::with(NetConfig::default(), link, script);
        let addresses = [
            SocketAddr::new(Pair::CLIENT, 1_000),
            SocketAddr::new(Pair::SERVER, 2_000),
        ];
        let sockets =
            [(pair.client, addresses[0]), (pair.server, addresses[1])].map(|(host, address)| {
                let id = pair.net.udp_socket(host, Family::V4);
                pair.net.bind(pair.now, id, address).unwrap();
                id
            });
        Self {
            pair,
            sockets,
            addresses,
            faults: vec![],
            sent: vec![],
            arrived: BTreeMap::new(),
            log: vec![],
        }
    }

    fn act(&mut self, action: Action) {
        let (a, b) = (self.pair.client, self.pair.server);
        let Pair {
            net, now, decide, ..
        } = &mut self.pair;
        match action {
            Action::Send(by, size) => {
                let bytes = payload(self.sent.len() as u64, size);
                let to = self.addresses[usize::from(!by)];
                let outcome = net.send_to(*now, self.sockets[usize::from(by)], &bytes, to, decide);
                self.sent.push(size);
                self.log.push(format!("{outcome:?}"));
            }
            Action::Receive(by, size) => self.receive(by, size),
            Action::Wait(ms) => {
                let until = *now + Duration::from_millis(ms);
                self.pair.drive_until(until);
            }
            Action::Cut | Action::Hold => {
                let fault = match action {
                    Action::Cut => Fault::partition([a], [b]),
                    _ => Fault::hold([a], [b]),
                };
                self.faults
                    .push(net.add_fault(*now, fault, decide).unwrap());
            }
            Action::Lift => {
                if let Some(fault) = self.faults.pop() {
                    net.lift(*now, fault, decide).unwrap();
                }
            }
            Action::Restart(by) => {
                let (index, host) = if by { (1, b) } else { (0, a) };
                net.close(*now, self.sockets[index], decide).unwrap();
                let id = net.udp_socket(host, Family::V4);
                net.bind(*now, id, self.addresses[index]).unwrap();
                self.sockets[index] = id;
            }
        }
    }

    fn receive(&mut self, by: bool, room: usize) {
        let mut buf = vec![0; room];
        let at = self.sockets[usize::from(by)];
        let received = match self.pair.net.recv_from(self.pair.now, at, &mut buf) {
            Ok(received) => received,
            Err(error) => {
                assert_eq!(error, NetError::WouldBlock);
                return;
            }
        };
        self.log.push(format!("{} {received:?}", self.pair.now));
        assert_eq!(received.from, self.addresses[usize::from(!by)]);
        assert_eq!(received.copied, received.len.min(room));
        if let Some(number) = buf.get(..8) {
            let number = u64::from_be_bytes(number.try_into().unwrap());
            let size = self.sent[number as usize];
            assert_eq!(received.len, size, "whole");
            let bytes = payload(number, size);
            assert_eq!(
                buf[..received.copied],
                bytes[..received.copied],
                "unaltered"
            );
            *self.arrived.entry(number).or_insert(0) += 1;
        }
    }

    fn end(&mut self) {
        while let Some(fault) = self.faults.pop() {
            self.pair
                .net
                .lift(self.pair.now, fault, &mut self.pair.decide)
                .unwrap();
        }
        self.pair.drive();
        for by in [false, true] {
            for _ in 0..self.sent.len() * 2 {
                self.receive(by, 10_000);
            }
        }
        assert_eq!(self.pair.net.bytes_in_flight(), 0);
        assert_eq!(self.pair.net.next_event(), None);
    }
}

fn link() -> LinkConfig {
    let ms = Duration::from_millis;
    LinkConfig::new(Latency::uniform(ms(0)..=ms(15)))
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(300) })]

    #[test]
    fn datagrams_arrive_whole_unaltered_and_at_most_once(
        actions in actions(), answers in prop::collection::vec(any::<u64>(), 1..60)
    ) {
        let p = Probability::ratio(1, 4).unwrap();
        let link = link()
            .with_loss(p)
            .with_reordering(p, Duration::from_millis(9))
            .with_corruption(p, Corruption::Dropped)
            .with_mtu(1_500)
            .unwrap();
        let mut play = Play::new(link, answers);
        for action in actions {
            play.act(action);
        }
        play.end();
        prop_assert!(play.arrived.values().all(|times| *times == 1));
    }

    #[test]
    fn a_duplicate_is_as_whole_as_its_original_and_comes_once_at_most(
        actions in actions(), answers in prop::collection::vec(any::<u64>(), 1..60)
    ) {
        let p = Probability::ratio(1, 2).unwrap();
        let mut play = Play::new(link().with_duplication(p), answers);
        for action in actions {
            play.act(action);
        }
        play.end();
        prop_assert!(play.arrived.values().all(|times| *times <= 2));
    }

    #[test]
    fn nothing_comes_through_while_a_link_is_cut(
        actions in actions(), answers in prop::collection::vec(any::<u64>(), 1..60)
    ) {
        let mut play = Play::new(link(), answers);
        for action in actions {
            play.act(action);
        }
        // What has arrived is no more under way.
        for by in [false, true] {
            for _ in 0..play.sent.len() * 2 {
                play.receive(by, 10_000);
            }
        }
        let before = play.arrived.len();
        let (a, b) = (play.pair.client, play.pair.server);
        let now = play.pair.now;
        play.pair.net.add_fault(now, Fault::partition([a], [b]), &mut Plain).unwrap();
        for n in 0..10 {
            play.act(Action::Send(n % 2 == 0, 20));
            play.act(Action::Wait(5));
            play.act(Action::Receive(n % 2 != 0, 9_000));
        }
        prop_assert_eq!(play.arrived.len(), before);
    }

    #[test]
    fn faults_that_never_strike_change_nothing(
        actions in actions(), answers in prop::collection::vec(any::<u64>(), 1..60)
    ) {
        let named = link()
            .with_loss(Probability::NEVER)
            .with_duplication(Probability::NEVER)
            .with_reordering(Probability::NEVER, Duration::from_millis(9))
            .with_corruption(Probability::NEVER, Corruption::Delivered)
            .with_jitter(Duration::ZERO);
        let run = |link| {
            let mut play = Play::new(link, answers.clone());
            for action in &actions {
                play.act(*action);
            }
            play.end();
            (play.log, play.pair.decide.asked)
        };
        prop_assert_eq!(run(named), run(link()));
    }
}
