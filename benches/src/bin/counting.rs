//! The child that counts live heap bytes: the works that ask what is kept run in it.

use std::alloc::System;
use std::process::ExitCode;

use benches::measure;
use cap::Cap;

#[global_allocator]
static HEAP: Cap<System> = Cap::new(System, usize::MAX);

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let (Some(work), Some(contender)) = (arguments.next(), arguments.next()) else {
        eprintln!("usage: counting WORK CONTENDER");
        return ExitCode::from(2);
    };
    measure::answer(&work, &contender, Some(|| HEAP.allocated()))
}
