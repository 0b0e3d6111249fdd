//! Works that count live heap bytes.

use std::alloc::System;
use std::process::ExitCode;

use cap::Cap;

#[global_allocator]
static HEAP: Cap<System> = Cap::new(System, usize::MAX);

fn main() -> ExitCode {
    madsim_peer::main(Some(|| HEAP.allocated()))
}
