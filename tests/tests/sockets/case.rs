//! The table that drives the suite: which case proves which clause, and where it runs.

use std::collections::BTreeMap;
use std::future::Future;
use std::io;
use std::pin::Pin;

use crate::loops::{Layout, Loop, SEEDS};
use crate::stage::Stage;

/// A case that proves something of a clause.
#[derive(Clone, Copy)]
pub(crate) struct Case {
    pub(crate) clause: &'static str,
    pub(crate) name: &'static str,
    pub(crate) reach: Reach,
    pub(crate) body: fn(Stage) -> Body,
}

/// What a case does.
pub(crate) type Body = Pin<Box<dyn Future<Output = io::Result<()>> + Send>>;

/// Where a case runs.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reach {
    /// On the loopback, and in worlds also between two hosts.
    Anywhere,
    /// On the loopback of one host.
    Loopback,
    /// In worlds alone, in either layout, for production cannot …
    Worlds(&'static str),
}

impl Case {
    /// Runs the case wherever it is to run, and compares what came of it.
    #[track_caller]
    pub(crate) fn run(&self) {
        let reference = Loop::REFERENCE.run(self.body, None);
        let mut outcomes = BTreeMap::<_, Vec<Loop>>::new();
        for here in Loop::all().filter(|here| self.runs_on(*here)) {
            let outcome = here.run(self.body, Some(&reference));
            outcomes.entry(outcome).or_default().push(here);
        }
        if let (1, Some((Ok(_), _))) = (outcomes.len(), outcomes.first_key_value()) {
            return;
        }
        let found = outcomes.into_iter().map(|(outcome, whose)| {
            let lines = outcome.unwrap_or_else(|trouble| vec![trouble]);
            format!("on {}:\n    {}\n", named(&whose), lines.join("\n    "))
        });
        panic!(
            "{} {}: what came of it differs, or went wrong\n{}",
            self.clause,
            self.name,
            found.collect::<String>()
        );
    }

    /// What comes of the case where nothing is but as production would most likely do it.
    pub(crate) fn outcome(&self) -> Result<Vec<String>, String> {
        Loop::REFERENCE.run(self.body, None)
    }

    fn runs_on(&self, here: Loop) -> bool {
        match self.reach {
            Reach::Anywhere => true,
            Reach::Loopback => here.layout() == Layout::Loopback,
            Reach::Worlds(_) => here.is_simulated(),
        }
    }
}

/// The loops, with the seeds of each in one place.
fn named(loops: &[Loop]) -> String {
    let mut seeds = BTreeMap::<_, Vec<String>>::new();
    for here in loops {
        let seeds = seeds.entry(here.to_string()).or_default();
        seeds.extend(here.seed().map(|seed| seed.to_string()));
    }
    let names = seeds.into_iter().map(|(name, seeds)| match &seeds[..] {
        seeds if seeds.is_empty() || seeds.len() as u64 == SEEDS => name,
        seeds => format!("{name} (seeds {})", seeds.join(", ")),
    });
    names.collect::<Vec<_>>().join("; ")
}

/// Runs the case `name` of a file.
#[track_caller]
pub(crate) fn run(clause: &str, name: &str) {
    let mut cases = crate::cases();
    let case = cases.find(|case| (case.clause, case.name) == (clause, name));
    case.expect("`cases()` lists every file").run();
}

/// Declares which cases of a module prove which clause, and makes them tests: `T1::name`.
///
/// A function that is not declared is dead code, and one that is declared runs.
macro_rules! cases {
    ($($clause:ident { $($case:ident: $reach:expr,)+ })+) => {
        pub(crate) const CASES: &[$crate::case::Case] = &[$($($crate::case::Case {
            clause: stringify!($clause),
            name: stringify!($case),
            reach: $reach,
            body: |stage| ::std::boxed::Box::pin($case(stage)),
        },)+)+];

        $(
            #[allow(non_snake_case, reason = "clauses are numbered so")]
            mod $clause {
                $(
                    #[test]
                    fn $case() {
                        $crate::case::run(stringify!($clause), stringify!($case));
                    }
                )+
            }
        )+
    };
}
pub(crate) use cases;

#[test]
fn a_case_fails_that_differs_or_does_not_come_to_its_end() {
    let fails = |body: fn(Stage) -> Body| {
        let case = Case {
            clause: "T0",
            name: "of_this_test",
            reach: Reach::Anywhere,
            body,
        };
        let ran = std::panic::catch_unwind(|| case.run());
        ran.err().map(|panic| *panic.downcast::<String>().unwrap())
    };
    assert_eq!(fails(|_| Box::pin(async { Ok(()) })), None);
    let differs = fails(|stage| {
        Box::pin(async move {
            stage.note("loop", event_loop::current().unwrap().describe().backend);
            Ok(())
        })
    });
    let differs = differs.expect("there are two kinds");
    assert!(differs.contains("production multi-thread:\n    loop: tokio"));
    assert!(differs.contains("tokio-mt loopback; tokio-mt two hosts"));
    assert!(differs.contains("loop: simulated"));
    let errs = fails(|_| Box::pin(async { Err(io::ErrorKind::Other.into()) }));
    assert!(errs.is_some_and(|text| text.contains("the case failed: other error")));
    let panics = fails(|_| Box::pin(async { panic!("boom") }));
    assert!(panics.is_some_and(|text| text.contains("boom")));
}
