//! The baton opens for the thread whose turn it is, and for nobody else.
//!
//! Small enough for valgrind, as are `worlds`, `clocks`, `entropy` and `anywhere`:
//! ```sh
//! CARGO_TARGET_X86_64_UNKNOWN_LINUX_GNU_RUNNER='valgrind -q --error-exitcode=9 --fair-sched=yes' \
//!     cargo test -p solipsism-interpose --test baton --test worlds
//! ```
//! and for Miri, which runs this file only: the others are about libc.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc;
use std::thread;

use interpose::{Baton, BatonError, ThreadToken};

#[test]
fn the_thread_that_makes_it_holds_it() {
    let mut baton = Baton::new(1);
    assert!(baton.is_held());
    baton.with(|value| *value += 1);
    assert_eq!(baton.try_with(|value| *value), Ok(2));
    *baton.get_mut() += 1;
    assert_eq!(baton.into_inner(), 3);
}

#[test]
fn two_threads_take_turns() {
    const ROUNDS: usize = 1000;
    fn play(baton: &Baton<Vec<ThreadToken>>, other: ThreadToken) {
        for _ in 0..ROUNDS {
            while !baton.is_held() {
                thread::yield_now();
            }
            baton.with(|turns| turns.push(ThreadToken::current()));
            baton.pass_to(other).unwrap();
        }
    }

    let baton = Baton::new(Vec::new());
    let here = ThreadToken::current();
    let there = thread::scope(|scope| {
        let (tell, told) = mpsc::channel();
        let baton = &baton;
        scope.spawn(move || {
            tell.send(ThreadToken::current()).unwrap();
            play(baton, here);
        });
        let there = told.recv().unwrap();
        play(baton, there);
        there
    });
    let turns = baton.into_inner();
    assert_eq!(turns.len(), 2 * ROUNDS);
    assert!(turns.chunks(2).all(|pair| *pair == [here, there]));
}

#[test]
fn the_wrong_thread_is_refused() {
    let baton = Baton::new(String::from("mine"));
    let here = ThreadToken::current();
    thread::scope(|scope| {
        let thread = scope.spawn(|| {
            assert!(!baton.is_held());
            assert_eq!(baton.try_with(|_| ()), Err(BatonError::NotHeld));
            assert_eq!(baton.pass_to(here), Err(BatonError::NotHeld));
            // The same once this thread has a token.
            let own = ThreadToken::current();
            assert_eq!(baton.pass_to(own), Err(BatonError::NotHeld));
            assert_eq!(baton.try_with(|_| ()), Err(BatonError::NotHeld));
            baton.with(|_| ());
        });
        let refusal = thread.join().unwrap_err();
        let text = refusal.downcast_ref::<String>().unwrap();
        assert!(text.contains("does not hold the baton"), "{text}");
    });
    assert_eq!(baton.into_inner(), "mine");
}

#[test]
fn the_wrong_thread_is_refused_while_the_cell_is_open_too() {
    let baton = Baton::new(0);
    baton.with(|value| {
        thread::scope(|scope| {
            scope.spawn(|| {
                assert!(!baton.is_held());
                assert_eq!(baton.try_with(|_| ()), Err(BatonError::NotHeld));
                assert_eq!(
                    baton.pass_to(ThreadToken::current()),
                    Err(BatonError::NotHeld)
                );
            });
        });
        *value = 1;
    });
    assert_eq!(baton.into_inner(), 1);
}

#[test]
fn an_open_cell_does_not_open_again() {
    let baton = Baton::new(0);
    baton.with(|value| {
        assert!(baton.is_held(), "held while open");
        assert_eq!(baton.try_with(|_| ()), Err(BatonError::Reentered));
        assert_eq!(
            baton.pass_to(ThreadToken::current()),
            Err(BatonError::Reentered)
        );
        let refusal = catch_unwind(AssertUnwindSafe(|| baton.with(|_| ()))).unwrap_err();
        let text = refusal.downcast_ref::<String>().unwrap();
        assert!(text.contains("open already"), "{text}");
        *value = 1;
    });
    assert_eq!(baton.with(|value| *value), 1);
}

#[test]
fn a_panic_inside_leaves_the_cell_usable() {
    let baton = Baton::new(vec![1]);
    let panic = catch_unwind(AssertUnwindSafe(|| {
        baton.with(|list| {
            list.push(2);
            panic!("inside");
        })
    }));
    assert!(panic.is_err());
    assert!(baton.is_held());
    assert_eq!(baton.with(|list| list.clone()), [1, 2]);
    baton.pass_to(ThreadToken::current()).unwrap();
}

#[test]
fn a_passed_baton_is_no_longer_held() {
    let baton = Baton::new(());
    let gone = thread::spawn(ThreadToken::current).join().unwrap();
    baton.pass_to(gone).unwrap();
    assert!(!baton.is_held());
    assert_eq!(baton.try_with(|()| ()), Err(BatonError::NotHeld));
    assert_eq!(
        baton.pass_to(ThreadToken::current()),
        Err(BatonError::NotHeld)
    );
}

#[test]
fn a_token_is_never_used_twice() {
    let mut tokens: Vec<_> = (0..50)
        .map(|_| thread::spawn(ThreadToken::current).join().unwrap())
        .collect();
    tokens.push(ThreadToken::current());
    tokens.sort();
    tokens.dedup();
    assert_eq!(tokens.len(), 51);
}

#[test]
fn a_free_one_opens_for_every_thread_one_at_a_time() {
    const ROUNDS: usize = 200;
    let baton = Baton::new(0_usize);
    baton.release().unwrap();
    assert!(!baton.is_held());
    assert_eq!(baton.release(), Err(BatonError::NotHeld));
    thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                for _ in 0..ROUNDS {
                    while baton.try_with(|count| *count += 1).is_err() {
                        thread::yield_now();
                    }
                }
            });
        }
    });
    assert_eq!(baton.try_with(|count| *count), Ok(3 * ROUNDS));
    let nested = baton.with(|_| (baton.try_with(|_| ()), baton.claim(), baton.release()));
    assert_eq!(
        nested,
        (
            Err(BatonError::Reentered),
            Ok(false),
            Err(BatonError::Reentered)
        )
    );
}

#[test]
fn a_free_one_is_claimed_by_one_thread() {
    let baton = Baton::new(());
    baton.release().unwrap();
    assert_eq!(baton.claim(), Ok(true));
    assert_eq!(baton.claim(), Ok(false));
    let refused = || (baton.claim(), baton.try_with(|()| ()));
    let refused = thread::scope(|scope| scope.spawn(refused).join().unwrap());
    assert_eq!(
        refused,
        (Err(BatonError::NotHeld), Err(BatonError::NotHeld))
    );
    assert!(baton.is_held(), "a refusal took it away");
    baton.release().unwrap();
    let wins = thread::scope(|scope| {
        let racers: Vec<_> = (0..4).map(|_| scope.spawn(|| baton.claim())).collect();
        let results = racers.into_iter().map(|racer| racer.join().unwrap());
        results.filter(|result| *result == Ok(true)).count()
    });
    assert_eq!(wins, 1);
}

#[test]
fn what_one_did_is_seen_by_who_claims_next() {
    let baton = Baton::new(Vec::new());
    baton.release().unwrap();
    thread::scope(|scope| {
        for id in 0..4 {
            let baton = &baton;
            scope.spawn(move || {
                while baton.claim().is_err() {
                    thread::yield_now();
                }
                baton.with(|list| list.push(id));
                baton.release().unwrap();
            });
        }
    });
    let mut list = baton.into_inner();
    list.sort_unstable();
    assert_eq!(list, [0, 1, 2, 3]);
}
