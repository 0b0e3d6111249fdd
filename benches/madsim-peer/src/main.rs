//! Works that take time or resident memory.

use std::process::ExitCode;

fn main() -> ExitCode {
    madsim_peer::main(None)
}
