use std::time::Duration;

#[sim::test]
fn blocking() {}

#[sim::test(seeds = 3)]
pub(crate) fn awaits() {
    event_loop::time::sleep(Duration::from_secs(1)).await;
}

fn main() {}
