//! The child that counts live heap bytes: the works that ask what is kept run in it.

use std::alloc::System;
use std::process::ExitCode;

use benches::{lifecycle, measure};
use cap::Cap;

#[global_allocator]
static HEAP: Cap<System> = Cap::new(System, usize::MAX);

fn main() -> ExitCode {
    let live_bytes = || HEAP.allocated();
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    match &arguments[..] {
        [which, work] if which == "measure-lifecycle" => lifecycle::answer(work, Some(live_bytes)),
        _ => measure::answer_arguments(Some(live_bytes)),
    }
}
