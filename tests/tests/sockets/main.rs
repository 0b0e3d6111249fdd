//! The contract of the sockets, `docs/SOCKETS.md`, case by case: the same code on the kernel's
//! loopback, through both loops of production, and in worlds, with the same outcomes.
//!
//! Each file declares its cases with `cases!`: which clause each one is of, and where it runs. A
//! case is an `async fn(Stage) -> io::Result<()>` that tells the stage what came of each call.

mod addresses;
mod cancelling;
mod case;
mod connecting;
mod dns;
mod document;
mod ending;
mod flowing;
mod groups;
mod limits;
mod loops;
mod options;
mod outcome;
mod peeking;
mod readiness;
mod reuse;
mod scripts;
mod stage;
mod streams_api;
mod udp;
mod unix;
mod waiting;

use case::Case;

/// Every case of the suite; one of a file that is missing here fails.
fn cases() -> impl Iterator<Item = &'static Case> {
    let files = [
        addresses::CASES,
        cancelling::CASES,
        connecting::CASES,
        dns::CASES,
        ending::CASES,
        flowing::CASES,
        limits::CASES,
        options::CASES,
        peeking::CASES,
        readiness::CASES,
        reuse::CASES,
        streams_api::CASES,
        udp::CASES,
        groups::CASES,
        unix::cancelling::CASES,
        unix::datagrams::CASES,
        unix::names::CASES,
        unix::streams::CASES,
        waiting::CASES,
    ];
    files.into_iter().flatten()
}
