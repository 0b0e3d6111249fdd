//! Whatever two peers do while the network between them breaks in whatever way: what is read
//! is what was written, from the beginning, once, in order; nothing comes through what is
//! closed; what is mended goes on; and faults that are not there change nothing.

mod breaking;

use std::time::Duration;

use breaking::{Move, Run, SEND_BUFFER, Seeded, gentle_move, in_vain, rough_move};
use net_sim::{Bandwidth, Corruption, Decide, How, Latency, LinkConfig, Plain, Probability};
use proptest::prelude::*;

const MS: Duration = Duration::from_millis(1);

/// So early that a sender tries many times more before it gives up.
const IN_TIME: Duration = Duration::from_secs(60);

fn perfect_link() -> impl Strategy<Value = LinkConfig> {
    let latency = prop_oneof![
        Just(Latency::ZERO),
        Just(Latency::constant(3 * MS)),
        Just(Latency::uniform(MS..=10 * MS)),
        Just(Latency::table([0, 1, 500].map(Duration::from_millis))),
    ];
    latency.prop_map(LinkConfig::new)
}

/// Up to so many of ten segments are lost.
fn link(most: u32) -> impl Strategy<Value = LinkConfig> {
    let p = |hits| Probability::ratio(hits, 10).unwrap();
    (perfect_link(), 0..=most, any::<bool>(), any::<bool>()).prop_map(
        move |(mut link, loss, slow, jitter)| {
            if loss > 0 {
                link = link.with_loss(p(loss)).with_reordering(p(loss), 20 * MS);
            }
            if slow {
                link = link
                    .with_bandwidth(Bandwidth::from_bytes(100_000))
                    .with_mtu(500)
                    .unwrap();
            }
            if jitter {
                link = link.with_jitter(5 * MS);
            }
            link
        },
    )
}

fn moves(one: impl Strategy<Value = Move>) -> impl Strategy<Value = Vec<Move>> {
    prop::collection::vec(one, 1..150)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(400) })]

    #[test]
    fn what_is_read_is_a_beginning_of_what_was_written_and_nothing_comes_through_a_partition(
        moves in moves(rough_move()),
        link in link(3),
        seed in 1_u64..,
    ) {
        let mut run = Run::new(link, Seeded(seed));
        run.play(&moves);
        while run.step() {}
        for id in run.ids {
            let _ = run.pair.close(id);
        }
        run.mend_all();
        run.pair.drive();
        prop_assert_eq!(run.pair.net.next_event(), None);
        prop_assert_eq!(run.pair.net.open_sockets(), 0);
        prop_assert_eq!(run.pair.net.bytes_in_flight(), 0);
    }

    #[test]
    fn a_stream_that_is_mended_in_time_delivers_everything(
        moves in moves(gentle_move()),
        link in link(1),
        seed in 1_u64..,
    ) {
        let mut run = Run::new(link, Seeded(seed));
        run.play(&moves);
        prop_assume!(!run.is_older_than(IN_TIME));
        run.mend_all();
        for peer in 0..2 {
            run.peers[peer].shut = true;
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
            prop_assert_eq!(run.peers[peer].failed, None);
            prop_assert!(run.peers[peer].ended);
            prop_assert_eq!(run.peers[peer].read, run.peers[1 - peer].written);
        }
    }

    #[test]
    fn a_writer_that_waits_to_be_told_gets_everything_across_a_network_that_comes_and_goes(
        link in link(1),
        seed in 1_u64..,
        total in 1..6_000_usize,
        breakages in prop::collection::vec((0..400_u64, 0..4_000_u64), 0..6),
    ) {
        let mut run = Run::new(link, Seeded(seed));
        let mut plan = vec![];
        for (quiet, broken) in breakages {
            plan.push((quiet, Move::Break(breaking::Breakage::Partition)));
            plan.push((broken, Move::Mend(0)));
        }
        let mut plan = plan.into_iter();
        let mut at = run.pair.now;
        let mut next = None;
        // As with edge-triggered epoll: after WouldBlock, wait for a change.
        let mut may = [true, true];
        while run.peers[1].read < total {
            if may[0] && run.peers[0].written < total {
                let left = total - run.peers[0].written;
                may[0] = run.write(0, left.min(SEND_BUFFER)).is_ok();
            }
            if may[1] {
                may[1] = run.read(1, 250).is_ok();
            }
            for (id, readiness) in run.pair.changed() {
                may[0] |= id == run.ids[0] && readiness.writable;
                may[1] |= id == run.ids[1] && readiness.readable;
            }
            if may[1] || (may[0] && run.peers[0].written < total) {
                continue;
            }
            if next.is_none()
                && let Some((wait, change)) = plan.next()
            {
                at += Duration::from_millis(wait);
                next = Some(change);
            }
            let event = run.pair.net.next_event();
            match next {
                Some(change) if event.is_none_or(|event| event > at) => {
                    run.pair.drive_until(at);
                    run.play(&[change]);
                    next = None;
                }
                _ => prop_assert!(run.step(), "stuck at {} of {total}", run.peers[1].read),
            }
        }
    }

    #[test]
    fn equal_runs_are_equal(moves in moves(rough_move()), link in link(3), seed in 1_u64..) {
        let log = || {
            let mut run = Run::new(link.clone(), Seeded(seed));
            run.play(&moves);
            (run.log, run.pair.net.fault_stats())
        };
        prop_assert_eq!(log(), log());
    }

    #[test]
    fn faults_that_are_off_are_as_if_they_were_never_named(
        moves in moves(rough_move()),
        link in perfect_link(),
        seed in 0_u64..,
    ) {
        fn logs<D: Decide>(moves: &[Move], link: &LinkConfig, decide: impl Fn() -> D) {
            let unbroken: Vec<_> = moves
                .iter()
                .filter(|next| !matches!(next, Move::Break(_) | Move::Mend(_)))
                .copied()
                .collect();
            let off = link
                .clone()
                .with_loss(Probability::NEVER)
                .with_duplication(Probability::NEVER)
                .with_reordering(Probability::NEVER, MS)
                .with_corruption(Probability::NEVER, Corruption::Delivered)
                .with_jitter(Duration::ZERO);
            let mut never = Run::new(link.clone(), decide());
            let mut named = Run::prepared(off, decide(), in_vain);
            for run in [&mut never, &mut named] {
                run.play(&unbroken);
                run.pair.drive();
            }
            assert_eq!(never.log, named.log);
            assert_eq!(never.pair.now, named.pair.now);
        }
        if seed % 2 == 0 {
            logs(&moves, &link, || Plain);
        } else {
            logs(&moves, &link, || Seeded(seed));
        }
    }
}
