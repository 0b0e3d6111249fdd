const MANY: u64 = 1_000;

#[sim::test(seeds = "many")]
async fn text() {}

#[sim::test(seeds = -1)]
async fn negative() {}

#[sim::test(seeds = 1e3)]
async fn float() {}

#[sim::test(seeds = MANY)]
async fn constant() {}

#[sim::test(seeds = 5i8)]
async fn suffix() {}

#[sim::test(seeds = 99999999999999999999)]
async fn too_many() {}

fn main() {}
