//! Datagrams through links that lose, double, reorder and break them, and through none at all.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use net_sim::drive::Pair;
use net_sim::{
    Corruption, Decide, Family, Fault, Latency, LinkConfig, NetConfig, NetError, Plain,
    Probability, Site, SocketId,
};
use proptest::prelude::*;

const MS: Duration = Duration::from_millis(1);

/// Seeded answers to everything.
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

/// A sender of the client's host and a receiver of the server's.
fn sockets<D: Decide>(pair: &mut Pair<D>) -> (SocketId, SocketId) {
    let sender = pair.net.udp_socket(pair.client, Family::V4);
    let receiver = pair.net.udp_socket(pair.server, Family::V4);
    let addr = SocketAddr::new(Pair::SERVER, 9);
    pair.net.bind(pair.now, receiver, addr).unwrap();
    (sender, receiver)
}

fn send<D: Decide>(pair: &mut Pair<D>, sender: SocketId, bytes: &[u8]) {
    let to = SocketAddr::new(Pair::SERVER, 9);
    let sent = pair
        .net
        .send_to(pair.now, sender, bytes, to, &mut pair.decide);
    assert_eq!(sent, Ok(bytes.len()));
}

fn receive<D: Decide>(pair: &mut Pair<D>, receiver: SocketId) -> Option<Vec<u8>> {
    let mut buf = vec![0; 65_536];
    match pair.net.recv_from(pair.now, receiver, &mut buf) {
        Ok(received) => {
            buf.truncate(received.copied);
            Some(buf)
        }
        Err(error) => {
            assert_eq!(error, NetError::WouldBlock);
            None
        }
    }
}

fn always(link: impl Fn(LinkConfig, Probability) -> LinkConfig) -> Pair {
    let plain = LinkConfig::new(Latency::constant(5 * MS));
    Pair::new(link(plain, Probability::ALWAYS))
}

#[test]
fn a_doubled_datagram_arrives_twice_and_a_lost_one_never() {
    let mut pair = always(LinkConfig::with_duplication);
    let (sender, receiver) = sockets(&mut pair);
    send(&mut pair, sender, b"again");
    pair.drive();
    assert_eq!(receive(&mut pair, receiver), Some(b"again".to_vec()));
    assert_eq!(receive(&mut pair, receiver), Some(b"again".to_vec()));
    assert_eq!(receive(&mut pair, receiver), None);

    let mut pair = always(LinkConfig::with_loss);
    let (sender, receiver) = sockets(&mut pair);
    send(&mut pair, sender, b"gone");
    pair.drive();
    assert_eq!(receive(&mut pair, receiver), None);
}

#[test]
fn a_broken_datagram_is_dropped_unless_its_checksum_misses_it() {
    let broken = |then| always(move |link, p| link.with_corruption(p, then));
    let mut pair = broken(Corruption::Dropped);
    let (sender, receiver) = sockets(&mut pair);
    send(&mut pair, sender, &[0, 0]);
    pair.drive();
    assert_eq!(receive(&mut pair, receiver), None);

    let mut pair = broken(Corruption::Delivered);
    let (sender, receiver) = sockets(&mut pair);
    send(&mut pair, sender, &[0, 0]);
    pair.drive();
    assert_eq!(receive(&mut pair, receiver), Some(vec![1, 0]));
}

#[test]
fn held_datagrams_arrive_at_the_release_in_order_and_cut_ones_never() {
    let mut pair = Pair::new(LinkConfig::new(Latency::constant(5 * MS)));
    let (sender, receiver) = sockets(&mut pair);
    for (fault, arrive) in [
        (Fault::hold([pair.client], [pair.server]), true),
        (Fault::clog([pair.server]), true),
        (Fault::partition([pair.client], [pair.server]), false),
    ] {
        send(&mut pair, sender, b"under way");
        let id = pair.net.add_fault(pair.now, fault, &mut Plain).unwrap();
        send(&mut pair, sender, b"sent");
        pair.drive_until(pair.now + 100 * MS);
        assert_eq!(receive(&mut pair, receiver), None);
        let stats = pair.net.lift(pair.now, id, &mut Plain).unwrap();
        assert_eq!((stats.eligible, stats.applied), (2, 2));
        pair.drive();
        if arrive {
            assert_eq!(receive(&mut pair, receiver), Some(b"under way".to_vec()));
            assert_eq!(receive(&mut pair, receiver), Some(b"sent".to_vec()));
        }
        assert_eq!(receive(&mut pair, receiver), None);
    }
}

#[derive(Clone, Copy, Debug)]
enum Move {
    Send,
    Step,
    Wait(u64),
    Cut,
    Hold,
    Mend,
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(300) })]

    #[test]
    fn each_datagram_arrives_at_most_twice_as_it_was_and_none_through_what_is_closed(
        moves in prop::collection::vec(
            prop_oneof![
                6 => Just(Move::Send),
                6 => Just(Move::Step),
                2 => (0..30_u64).prop_map(Move::Wait),
                1 => Just(Move::Cut),
                1 => Just(Move::Hold),
                2 => Just(Move::Mend),
            ],
            1..120,
        ),
        loss in 0..4_u32,
        duplication in 0..4_u32,
        seed in 1_u64..,
    ) {
        let p = |hits| Probability::ratio(hits, 10).unwrap();
        let link = LinkConfig::new(Latency::exponential(5 * MS))
            .with_loss(p(loss))
            .with_duplication(p(duplication))
            .with_reordering(p(2), 30 * MS)
            .with_corruption(p(1), Corruption::Dropped);
        let mut pair = Pair::with(NetConfig::default(), link, Seeded(seed));
        let (sender, receiver) = sockets(&mut pair);
        let (mut sent, mut cut, mut standing) = (0_u32, false, vec![]);
        let mut received = BTreeMap::<u32, u32>::new();
        for next in moves {
            let hosts = (pair.client, pair.server);
            match next {
                Move::Send => {
                    send(&mut pair, sender, &sent.to_be_bytes());
                    sent += 1;
                }
                Move::Step => drop(pair.step()),
                Move::Wait(ms) => pair.drive_until(pair.now + MS * ms as u32),
                Move::Cut | Move::Hold => {
                    let fault = match next {
                        Move::Cut => Fault::one_way([hosts.0], [hosts.1]),
                        _ => Fault::hold([hosts.0], [hosts.1]),
                    };
                    cut = true;
                    let id = pair.net.add_fault(pair.now, fault, &mut pair.decide);
                    standing.push(id.unwrap());
                }
                Move::Mend => {
                    for id in standing.drain(..) {
                        prop_assert!(pair.net.lift(pair.now, id, &mut pair.decide).is_some());
                    }
                    cut = false;
                }
            }
            while let Some(bytes) = receive(&mut pair, receiver) {
                prop_assert!(!cut, "{bytes:?} came through");
                let number = u32::from_be_bytes(bytes.try_into().unwrap());
                prop_assert!(number < sent);
                let times = received.entry(number).or_default();
                *times += 1;
                let most = 1 + u32::from(duplication > 0);
                prop_assert!(*times <= most);
            }
        }
    }
}
