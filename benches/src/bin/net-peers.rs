//! The child in which the peers' networks are measured, without our loop. Not in `peers`: with the
//! features of tokio that turmoil asks for, tokio's timers are slower.

use std::process::ExitCode;

use benches::measure;

fn main() -> ExitCode {
    measure::answer_arguments(None)
}
