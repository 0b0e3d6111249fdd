use sim::Sim;

#[sim::test]
async fn wrong_type(sim: Sim) {
    let text: &str = sim.seed();
    drop(text);
}

#[sim::test]
async fn wrong_value() -> Result<(), String> {
    Err(7)
}

#[sim::test]
async fn no_value() -> Result<(), String> {}

fn main() {}
