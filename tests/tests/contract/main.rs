//! The loop's contract, `docs/CONTRACT.md`, run clause by clause on every loop there is.
//!
//! Each file declares its tests with `clauses!`: for which clause, and on which loops. The matrix
//! of the document is rendered from the same table.

mod backends;
mod clause;
mod log;
mod matrix;

/// Declares the files of clauses, so that none can be left out of the table.
macro_rules! files {
    ($($file:ident),+ $(,)?) => {
        $(mod $file;)+

        /// Every test of the suite, in the order of the files.
        fn tests() -> impl Iterator<Item = &'static clause::Test> {
            [$($file::CLAUSES),+].into_iter().flatten()
        }
    };
}

files! {
    budget,
    callbacks,
    closing,
    errors,
    iterations,
    lifecycle,
    refusals,
    tasks,
    tcp,
    time,
}
