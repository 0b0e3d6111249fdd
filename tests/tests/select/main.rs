//! `select!`: its grammar and meaning are tokio's, and which branch comes first is the seed's.

mod choice;
mod grammar;
mod meaning;

/// The loops of production that poll on this thread, and worlds of every profile.
fn everywhere<F>(main: impl Fn() -> F + Send + Sync + Clone + 'static)
where
    F: Future<Output = ()> + Send + 'static,
{
    let ev = event_loop::production::current_thread(Default::default()).unwrap();
    ev.run_borrowed(main()).unwrap();
    for profile in sim::Profile::ALL {
        let config = sim::Config::new().seeds(20).profile(profile);
        let main = main.clone();
        sim::check(&config, move |_: sim::Sim| main());
    }
}

#[test]
fn wrong_branches_are_compile_errors_at_the_token() {
    trybuild::TestCases::new().compile_fail("tests/select/ui/*.rs");
}
