//! The table that drives the suite: which test serves which clause, and on which loops.

use crate::backends::{Backend, Backends, made, on};

/// A test that serves a clause.
#[derive(Clone, Copy)]
pub(crate) struct Test {
    pub(crate) clause: &'static str,
    pub(crate) name: &'static str,
    pub(crate) reach: Reach,
    pub(crate) body: fn(Backend),
}

/// Which loops promise what a test asks for.
#[derive(Clone, Copy)]
pub(crate) enum Reach {
    Everywhere,
    /// No world promises it, because …
    Production(&'static str),
    /// Production does not promise it, because …
    Simulated(&'static str),
    /// What a world does instead of what production does: nothing that production lacks.
    WorldsOwn,
    /// The others do not promise it, because …
    Only(fn(Backend) -> bool, &'static str),
}

impl Test {
    pub(crate) fn runs_on(&self, backend: Backend) -> bool {
        self.reach.backends().includes(backend)
    }

    /// Whether `backend` owes what the test asks for, though it may not promise it.
    pub(crate) fn concerns(&self, backend: Backend) -> bool {
        backend.is_simulated() || !matches!(self.reach, Reach::WorldsOwn)
    }

    /// Runs the test wherever it is to run, and sees to it that it really did.
    #[track_caller]
    pub(crate) fn run(&self) {
        on(self.reach.backends(), |backend| {
            let before = made(backend);
            (self.body)(backend);
            assert!(
                made(backend) > before,
                "{} {} made no loop of this backend: it promises nothing there",
                self.clause,
                self.name
            );
        });
    }
}

impl Reach {
    pub(crate) fn backends(self) -> Backends {
        match self {
            Self::Everywhere => Backends::Everywhere,
            Self::Production(_) => Backends::Production,
            Self::Simulated(_) | Self::WorldsOwn => Backends::Simulated,
            Self::Only(which, _) => Backends::Those(which),
        }
    }

    pub(crate) fn because(self) -> Option<&'static str> {
        match self {
            Self::Everywhere | Self::WorldsOwn => None,
            Self::Production(because) | Self::Simulated(because) | Self::Only(_, because) => {
                Some(because)
            }
        }
    }
}

/// Runs the test `name` of a file; one may serve several clauses.
#[track_caller]
pub(crate) fn run(clause: &str, name: &str) {
    let mut tests = crate::tests();
    let test = tests.find(|test| (test.clause, test.name) == (clause, name));
    test.expect("`tests()` lists every file").run();
}

/// Declares which tests of a module serve which clause, and makes them tests: `C5::name`.
///
/// A function that is not declared is dead code, and one that is declared runs.
macro_rules! clauses {
    ($($clause:ident { $($test:ident: $reach:expr,)+ })+) => {
        pub(crate) const CLAUSES: &[$crate::clause::Test] = &[$($($crate::clause::Test {
            clause: stringify!($clause),
            name: stringify!($test),
            reach: $reach,
            body: $test,
        },)+)+];

        $(
            #[allow(non_snake_case, reason = "clauses are numbered so")]
            mod $clause {
                $(
                    #[test]
                    fn $test() {
                        $crate::clause::run(stringify!($clause), stringify!($test));
                    }
                )+
            }
        )+
    };
}
pub(crate) use clauses;
