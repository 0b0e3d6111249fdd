//! The child that counts live heap bytes: the works that ask what is kept run in it.

use std::alloc::System;
use std::process::ExitCode;

use benches::measure;
use cap::Cap;

#[global_allocator]
static HEAP: Cap<System> = Cap::new(System, usize::MAX);

fn main() -> ExitCode {
    measure::answer_arguments(Some(|| HEAP.allocated()))
}
