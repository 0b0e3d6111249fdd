#[sim::test(on_blocking = "warn")]
async fn another_word() {}

#[sim::test(on_blocking = "reports")]
async fn misspelt() {}

#[sim::test(on_blocking = sim::OnBlocking::Allow)]
async fn path() {}

fn main() {}
