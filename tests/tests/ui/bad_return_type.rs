#[derive(Debug)]
struct Lost;

struct NotDebug;

#[sim::test]
async fn a_number() -> u32 {
    7
}

#[sim::test]
async fn a_value() -> Result<u32, Lost> {
    Ok(7)
}

#[sim::test]
async fn not_debug() -> Result<(), NotDebug> {
    Err(NotDebug)
}

fn main() {}
