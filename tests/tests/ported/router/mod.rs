//! The router: an HTTP service over a pool of connections to its database.

mod broken;
mod event_loop;
mod on_broken;
mod on_event_loop;
mod on_tokio;
mod tokio;

use crate::stage::first_to_fail;

behaviours! {
    the_pool_serves_waiters_in_their_order
    the_pool_keeps_its_max_whoever_gives_up
    a_broken_connection_is_replaced
    idle_connections_are_closed
    an_answer_belongs_to_its_question
    no_more_are_served_at_once_than_the_limit
    a_shutdown_leaves_nobody_without_an_answer
    the_grace_binds
}

/// The bug is found within 50 seeds, and not in the plain run; without it 1,000 find nothing.
#[test]
fn a_permit_kept_by_hand_is_lost_with_a_waiter() {
    let broken = on_broken::behaviour::the_pool_keeps_its_max_whoever_gives_up;
    let (seed, message) = first_to_fail(50, broken).expect("the bug is found");
    assert_ne!(seed, 0, "the plain run finds it too");
    assert!(
        message.contains("it never came: a connection that nobody has"),
        "{message}"
    );
    let mended = on_event_loop::behaviour::the_pool_keeps_its_max_whoever_gives_up;
    assert_eq!(first_to_fail(1_000, mended), None);
}
