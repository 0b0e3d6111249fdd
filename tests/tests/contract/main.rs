//! The loop's contract, `docs/CONTRACT.md`, run clause by clause on every loop there is.
//!
//! Each file declares its tests with `clauses!`: for which clause, and on which loops. The matrix
//! of the document is rendered from the same table.

mod backends;
mod blocking;
mod budget;
mod callbacks;
mod clause;
mod closing;
mod elsewhere;
mod errors;
mod groups;
mod iterations;
mod lifecycle;
mod log;
mod matrix;
mod refusals;
mod settings;
mod shutdown;
mod signals;
mod sleeps;
mod tasks;
mod tcp;
mod time;
mod timeouts;

use clause::Test;

/// Every test of the suite; one of a file that is missing here fails.
fn tests() -> impl Iterator<Item = &'static Test> {
    let files = [
        blocking::CLAUSES,
        budget::CLAUSES,
        callbacks::CLAUSES,
        closing::CLAUSES,
        elsewhere::CLAUSES,
        errors::CLAUSES,
        groups::CLAUSES,
        iterations::CLAUSES,
        lifecycle::CLAUSES,
        refusals::CLAUSES,
        settings::CLAUSES,
        shutdown::accepting::CLAUSES,
        shutdown::killed::CLAUSES,
        shutdown::stages::CLAUSES,
        shutdown::told::CLAUSES,
        signals::CLAUSES,
        sleeps::CLAUSES,
        tasks::CLAUSES,
        tcp::CLAUSES,
        time::CLAUSES,
        timeouts::CLAUSES,
    ];
    files.into_iter().flatten()
}
