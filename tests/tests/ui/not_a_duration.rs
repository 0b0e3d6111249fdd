const SECONDS: u64 = 10;

#[sim::test(time_limit = SECONDS)]
async fn of_another_type() {}

fn main() {}
