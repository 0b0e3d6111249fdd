use sim::Sim;

#[sim::test(seed = 5, tokio, profil = "exact", crash(3))]
async fn misspelt(sim: Sim) {
    assert_eq!(sim.seed(), 5);
}

#[sim::test(100)]
async fn nameless() {}

#[sim::test(seeds, polls(3), profile =)]
async fn without_values() {}

fn main() {}
