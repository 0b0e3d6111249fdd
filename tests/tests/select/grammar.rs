//! Every form of a branch that tokio's grammar has; tokio's own macro is run beside ours.

// Nothing that the macro adds may be complained of where it is used.
#![deny(warnings)]

use std::future::{pending, ready};

use crate::everywhere;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Message {
    Number(u32),
    Pair { a: u32, b: u32 },
    End,
}

const LIMIT: u32 = 9;

/// The same for both macros.
macro_rules! forms {
    ($module:ident, $($select:ident)::+) => {
        mod $module {
            use super::*;
            use $($select)::+ as select;

            #[test]
            fn handlers_are_expressions_or_blocks() {
                everywhere(|| async {
                    let one = select! { n = ready(1) => n };
                    let two = select! { n = ready(1) => n + 1, };
                    let three = select! { n = ready(1) => { n + 2 } };
                    let four = select! {
                        n = ready(1) => { n + 3 }
                        () = pending() => { 0 },
                        _ = pending::<u8>() => if one == two { 0 } else { 1 },
                        never = pending() => never
                    };
                    assert_eq!([one, two, three, four], [1, 2, 3, 4]);
                });
            }

            #[test]
            fn patterns_may_be_of_any_kind() {
                everywhere(|| async {
                    for message in [
                        Message::Number(3),
                        Message::Number(LIMIT),
                        Message::Pair { a: 1, b: 2 },
                        Message::End,
                    ] {
                        let sum = select! {
                            biased;
                            Message::Number(LIMIT) = ready(message) => 100,
                            Message::Number(n @ 1..=5) = ready(message) => n,
                            Message::Pair { a, mut b } = ready(message) => {
                                b += 10;
                                a + b
                            }
                            Message::Number(_) | Message::End = ready(message) => 0,
                            | (Message::End, true) = pending() => 1,
                        };
                        let expected = match message {
                            Message::Number(LIMIT) => 100,
                            Message::Number(n) => n,
                            Message::Pair { a, b } => a + b + 10,
                            Message::End => 0,
                        };
                        assert_eq!(sum, expected);
                    }
                });
            }

            #[test]
            fn parts_of_an_output_may_be_moved_out() {
                everywhere(|| async {
                    let text = select! {
                        (Some(text), _) = ready((Some("moved".to_owned()), vec![1])) => text,
                        [.., last] = ready([const { String::new() }; 3]), if false => last,
                    };
                    assert_eq!(text, "moved");
                });
            }

            #[test]
            fn conditions_come_first_and_disable() {
                everywhere(|| async {
                    let mut first = 0;
                    for limit in [0, 1] {
                        let n = select! {
                            n = ready(1), if limit > 0 => { first += 1; n }
                            n = ready(2), if limit == 0 => n,
                        };
                        assert_eq!(n, 2 - limit);
                    }
                    assert_eq!(first, 1);
                });
            }

            #[test]
            fn an_else_ends_the_branches() {
                everywhere(|| async {
                    let of = |output: Option<u32>| async move {
                        select! {
                            Some(n) = ready(output) => n,
                            _ = pending::<()>(), if false => 1,
                            else => 2
                        }
                    };
                    assert_eq!([of(Some(7)).await, of(None).await], [7, 2]);
                    assert_eq!(select! { else => 3 }, 3);
                    assert_eq!(select! { biased; else => { 4 }, }, 4);
                });
            }

            #[test]
            fn there_may_be_sixty_four_branches() {
                everywhere(|| async {
                    let last = select! {
                        biased;
                        () = pending() => 0, () = pending() => 1, () = pending() => 2,
                        () = pending() => 3, () = pending() => 4, () = pending() => 5,
                        () = pending() => 6, () = pending() => 7, () = pending() => 8,
                        () = pending() => 9, () = pending() => 10, () = pending() => 11,
                        () = pending() => 12, () = pending() => 13, () = pending() => 14,
                        () = pending() => 15, () = pending() => 16, () = pending() => 17,
                        () = pending() => 18, () = pending() => 19, () = pending() => 20,
                        () = pending() => 21, () = pending() => 22, () = pending() => 23,
                        () = pending() => 24, () = pending() => 25, () = pending() => 26,
                        () = pending() => 27, () = pending() => 28, () = pending() => 29,
                        () = pending() => 30, () = pending() => 31, () = pending() => 32,
                        () = pending() => 33, () = pending() => 34, () = pending() => 35,
                        () = pending() => 36, () = pending() => 37, () = pending() => 38,
                        () = pending() => 39, () = pending() => 40, () = pending() => 41,
                        () = pending() => 42, () = pending() => 43, () = pending() => 44,
                        () = pending() => 45, () = pending() => 46, () = pending() => 47,
                        () = pending() => 48, () = pending() => 49, () = pending() => 50,
                        () = pending() => 51, () = pending() => 52, () = pending() => 53,
                        () = pending() => 54, () = pending() => 55, () = pending() => 56,
                        () = pending() => 57, () = pending() => 58, () = pending() => 59,
                        () = pending() => 60, () = pending() => 61, () = pending() => 62,
                        n = ready(63) => n,
                    };
                    assert_eq!(last, 63);
                });
            }

            #[test]
            fn the_callers_names_are_left_alone() {
                #[expect(dead_code, reason = "it is in the way")]
                enum Poll {
                    Ready,
                    Pending,
                }
                everywhere(|| async {
                    let (disabled, pending, start, step) = (1, 2, 3, 4);
                    let (cx, output, ready, first) = (5, 6, 7, 8);
                    let (written, future_0, matches, enabled) = (9, 10, 11, 12);
                    let sum = select! {
                        n = async { disabled + pending + start + step }, if enabled > 0 => {
                            n + cx + output + ready + first + written + future_0 + matches
                        }
                    };
                    assert_eq!(sum, 66);
                });
            }

            #[test]
            fn one_may_stand_in_another() {
                everywhere(|| async {
                    let n = select! {
                        n = async { select! { n = ready(1) => n + 1 } } => {
                            select! { m = ready(n) => m + select! { k = ready(1) => k } }
                        }
                    };
                    assert_eq!(n, 3);
                });
            }
        }
    };
}

forms!(ours, event_loop::select);
forms!(tokios, tokio::select);

// Tokio takes `ref` and `mut` out of the pattern when it looks whether an output matches, which
// in the edition of 2024 is not always enough.
#[test]
fn patterns_may_borrow() {
    everywhere(|| async {
        let mut name = "a".to_owned();
        let name = &mut name;
        let length = event_loop::select! {
            (Some(ref mut text), &n, ref list) = ready((Some(&mut *name), &7_usize, [1, 2])) => {
                text.push('b');
                text.len() + n + list.len()
            }
        };
        assert_eq!(length, 11);
        let n = event_loop::select! { Some(&n) = ready(Some(&3)) => n };
        assert_eq!((n, name.as_str()), (3, "ab"));
    });
}
