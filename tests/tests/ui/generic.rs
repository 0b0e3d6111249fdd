use sim::{FromWorld, Sim};

#[sim::test]
async fn by_type<T: FromWorld>(_value: T) {}

#[sim::test]
async fn by_number<const N: usize>(sim: Sim) {
    assert!(sim.choose("n", 5) < N as u64);
}

#[sim::test]
async fn by_impl(_value: impl FromWorld) {}

fn main() {}
