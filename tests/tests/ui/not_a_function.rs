#[sim::test]
struct Test;

#[sim::test]
const async_test: fn() = || {};

fn main() {}
