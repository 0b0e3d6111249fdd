use event_loop::EventLoop;
use sim::Sim;

#[sim::test]
async fn a_number(_sim: Sim, _n: u32, _ev: EventLoop) {}

#[sim::test]
async fn a_reference(_sim: &Sim) {}

fn main() {}
