#[sim::test(profile = "tokio")]
async fn half_a_name() {}

#[sim::test(profile = "tokio_mt")]
async fn misspelt() {}

#[sim::test(profile = sim::Profile::Exact)]
async fn path() {}

fn main() {}
