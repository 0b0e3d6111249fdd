#[sim::test(seeds = 10, profile = "exact", seeds = 20)]
async fn twice() {}

#[sim::test]
#[test]
async fn two_tests() {}

fn main() {}
