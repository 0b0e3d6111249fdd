//! The child in which the peers' time and resident memory are measured, without our loop.

use std::process::ExitCode;

use benches::measure;

fn main() -> ExitCode {
    measure::answer_arguments(None)
}
