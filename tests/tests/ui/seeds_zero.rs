#[sim::test(seeds = 0, polls = 0)]
async fn never_run() {}

fn main() {}
