#[sim::test(time_limit = "10 sec")]
async fn unknown_unit() {}

#[sim::test(time_limit = "10")]
async fn no_unit() {}

#[sim::test(time_limit = "5 ms 10 s")]
async fn wrong_order() {}

#[sim::test(time_limit = "0 s")]
async fn no_time() {}

#[sim::test(time_limit = 10)]
async fn number() {}

fn main() {}
