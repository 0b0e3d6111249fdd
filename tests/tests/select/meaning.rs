//! What happens when: the order of evaluation, of drops, and where a handler stands. Tokio's own
//! macro is run beside ours.

use std::future::{Future, pending, poll_fn, ready};
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use event_loop::task::{consume_budget, yield_now};

use crate::everywhere;

/// What happened, in order.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<String>>>);

impl Log {
    fn note(&self, what: impl ToString) {
        self.0.lock().unwrap().push(what.to_string());
    }

    fn take(&self) -> String {
        std::mem::take(&mut *self.0.lock().unwrap()).join(" ")
    }

    /// A value that has taken note of its making, and will of its drop.
    fn made<T>(&self, name: &'static str, value: T) -> Noted<T> {
        self.note(format!("+{name}"));
        Noted(self.clone(), name, value)
    }
}

struct Noted<T>(Log, &'static str, T);

impl<F: Future + Unpin> Future for Noted<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        self.0.note(self.1);
        Pin::new(&mut self.2).poll(cx)
    }
}

impl<T> Drop for Noted<T> {
    fn drop(&mut self) {
        self.0.note(format!("-{}", self.1));
    }
}

/// The same for both macros.
macro_rules! meaning {
    ($module:ident, $($select:ident)::+) => {
        mod $module {
            use super::*;
            use $($select)::+ as select;

            #[test]
            fn futures_are_made_polled_and_dropped_in_order_before_the_handler_runs() {
                everywhere(|| async {
                    let log = Log::default();
                    let condition = |value| {
                        log.note("?");
                        value
                    };
                    select! {
                        biased;
                        _ = log.made("a", pending::<()>()) => {},
                        _ = log.made("b", ready(())), if condition(false) => {},
                        Some(()) = log.made("c", ready(None)) => {},
                        _ = log.made("d", ready(())), if condition(true) => log.note("handled"),
                        _ = log.made("e", ready(())) => {},
                    }
                    assert_eq!(log.take(), "? ? +a +b +c +d +e a c d -a -b -c -d -e handled");
                });
            }

            #[test]
            fn a_branch_that_does_not_match_is_not_polled_again() {
                everywhere(|| async {
                    let log = Log::default();
                    let mut yields = std::pin::pin!(yield_now());
                    select! {
                        biased;
                        Some(()) = log.made("a", ready(None)) => {},
                        () = log.made("b", &mut yields) => {},
                    }
                    assert_eq!(log.take(), "+a +b a b b -a -b");
                });
            }

            #[test]
            fn a_dropped_select_drops_its_futures_in_order() {
                everywhere(|| async {
                    let log = Log::default();
                    let mut whole = Box::pin(async {
                        select! {
                            biased;
                            () = log.made("a", pending()) => {},
                            () = log.made("b", pending()) => {},
                        }
                    });
                    poll_fn(|cx| {
                        assert!(whole.as_mut().poll(cx).is_pending());
                        Poll::Ready(())
                    })
                    .await;
                    drop(whole);
                    assert_eq!(log.take(), "+a +b a b -a -b");
                });
            }

            #[test]
            fn a_handler_may_use_what_the_futures_borrowed() {
                everywhere(|| async {
                    let mut text = "a".to_owned();
                    let mut other = 0;
                    let write = async |text: &mut String| text.push('b');
                    for _ in 0..4 {
                        select! {
                            () = write(&mut text) => {
                                text.push('c');
                                other += 1;
                            }
                            () = async { other += 1; pending::<()>().await } => {}
                        }
                    }
                    assert!(text.starts_with("abcbc") && other >= 4);
                });
            }

            #[test]
            fn a_temporary_lives_as_long_as_the_futures() {
                everywhere(|| async {
                    let log = Log::default();
                    select! {
                        () = &mut log.made("a", ready(())) => log.note("handled"),
                    }
                    assert_eq!(log.take(), "+a a -a handled");
                });
            }

            #[test]
            fn a_handler_may_leave() {
                async fn leave(how: u32) -> Result<u32, String> {
                    let mut rounds = 0;
                    'all: loop {
                        rounds += 1;
                        select! {
                            biased;
                            _ = ready(()), if how == 0 => return Ok(rounds),
                            lost = ready(Err::<(), _>("lost")), if how == 1 => lost?,
                            _ = ready(()), if how == 2 && rounds < 3 => continue,
                            _ = ready(()), if how == 2 => loop { break 'all },
                            else => panic!("{how}"),
                        }
                    }
                    Ok(rounds * 10)
                }
                everywhere(|| async {
                    assert_eq!(leave(0).await, Ok(1));
                    assert_eq!(leave(1).await, Err("lost".to_owned()));
                    assert_eq!(leave(2).await, Ok(30));
                });
            }

            #[test]
            fn an_expression_may_leave_too() {
                async fn leave(first: Option<u32>) -> Option<u32> {
                    let n = select! { n = ready(first?), if first? > 0 => n };
                    Some(n + 1)
                }
                everywhere(|| async {
                    assert_eq!(leave(Some(1)).await, Some(2));
                    assert_eq!(leave(None).await, None);
                });
            }

            #[test]
            #[should_panic(expected = "all branches are disabled and there is no else branch")]
            fn without_a_branch_left_and_without_an_else_it_panics() {
                let ev = event_loop::production::current_thread(Default::default()).unwrap();
                let _ = ev.run_borrowed(async {
                    select! {
                        Some(()) = ready(None) => {},
                        _ = ready(()), if false => {},
                    }
                });
            }

            #[test]
            fn in_production_any_branch_may_come_first() {
                let ev = event_loop::production::current_thread(Default::default()).unwrap();
                let firsts = ev.run_borrowed(async {
                    let mut firsts = [0; 3];
                    for _ in 0..300 {
                        select! {
                            () = ready(()) => firsts[0] += 1,
                            () = ready(()) => firsts[1] += 1,
                            () = ready(()) => firsts[2] += 1,
                        }
                    }
                    firsts
                });
                let firsts = firsts.unwrap();
                assert!(firsts.iter().all(|&first| first > 30), "{firsts:?}");
            }
        }
    };
}

meaning!(ours, event_loop::select);
meaning!(tokios, tokio::select);

#[test]
fn it_is_pending_when_the_budget_is_used_up() {
    let main = || async {
        // From here on the budget is whole.
        yield_now().await;
        for _ in 0..128 {
            consume_budget().await;
        }
        let mut polls = 0;
        let mut whole = std::pin::pin!(async {
            event_loop::select! { n = ready(7) => n }
        });
        let n = poll_fn(|cx| {
            polls += 1;
            whole.as_mut().poll(cx)
        });
        assert_eq!(n.await, 7);
        polls
    };
    let ev = event_loop::production::current_thread(Default::default()).unwrap();
    assert_eq!(ev.run_until_complete(main()), Ok(2));
    for profile in sim::Profile::ALL {
        let config = sim::Config::new().profile(profile);
        let run = sim::run_once(&config, 7, move |_: sim::Sim| main());
        let budget = matches!(profile, sim::Profile::TokioMt | sim::Profile::TokioCt);
        assert_eq!(run.value, Some(if budget { 2 } else { 1 }));
    }
}

// Tokio's own, which rotate the order in which they poll by counting, and draw nothing.
#[test]
fn several_may_be_awaited_together() {
    everywhere(|| async {
        let log = Log::default();
        let step = async |name: &'static str| {
            log.note(name);
            yield_now().await;
            log.note(name);
            name
        };
        assert_eq!(event_loop::join!(step("a"), step("b")), ("a", "b"));
        assert_eq!(log.take(), "a b b a");
        let both = event_loop::try_join!(async { Ok(step("a").await) }, ready(Err::<(), _>(7)));
        assert_eq!(both, Err(7));
        let pinned = step("c");
        event_loop::pin!(pinned);
        assert_eq!(pinned.await, "c");
    });
}
