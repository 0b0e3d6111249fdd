//! A run inside a run that no loop can refuse: another library's `block_on` inside of a poll or of a
//! callback. It is a blocking call, never a hang, and the report names both sites.

use std::pin::Pin;
use std::time::Duration;

use event_loop::signal::raise;
use event_loop::sync::oneshot;
use event_loop::time::sleep;
use event_loop::{EventLoop, Signal};
use sim::{Blocking, Config, OnBlocking, Profile, Run, VerdictKind};

const SECOND: Duration = Duration::from_secs(1);

type Awaited = Pin<Box<dyn Future<Output = ()> + Send>>;

/// A library's `block_on`, and the line that calls it.
type BlockOn = (fn(Awaited), u32);

const LIBRARIES: [BlockOn; 2] = [
    (|awaited| futures::executor::block_on(awaited), line!()),
    (|awaited| pollster::block_on(awaited), line!()),
];

/// Where in a loop the call is made.
#[derive(Clone, Copy, Debug)]
enum Place {
    Main,
    Task,
    Callback,
    SignalHandler,
    Drop,
}

const PLACES: [Place; 5] = [
    Place::Main,
    Place::Task,
    Place::Callback,
    Place::SignalHandler,
    Place::Drop,
];

struct OnDrop<F: FnMut()>(F);

impl<F: FnMut()> Drop for OnDrop<F> {
    fn drop(&mut self) {
        self.0();
    }
}

/// Calls `synchronous` at this place of the loop that it runs on.
async fn call_at(place: Place, synchronous: impl Fn() + Send + Sync + Clone + 'static) {
    let ev = event_loop::current().unwrap();
    let (tell, called) = oneshot::channel();
    match place {
        Place::Main => return synchronous(),
        Place::Task => {
            return event_loop::spawn(async move { synchronous() })
                .await
                .unwrap();
        }
        Place::Callback => {
            let call = ev.call_soon(move || {
                synchronous();
                tell.send(()).unwrap();
            });
            drop(call.unwrap());
        }
        Place::SignalHandler => {
            let tell = std::sync::Mutex::new(Some(tell));
            let handler = move || {
                synchronous();
                tell.lock().unwrap().take().unwrap().send(()).unwrap();
            };
            ev.add_signal_handler(Signal::Usr1, handler).unwrap();
            raise(Signal::Usr1).unwrap();
        }
        Place::Drop => {
            let held = OnDrop(synchronous);
            let aborted = event_loop::spawn(async move {
                let _held = held;
                std::future::pending::<()>().await;
            });
            sleep(Duration::from_millis(1)).await;
            aborted.abort();
            tell.send(()).unwrap();
            let _ = aborted.await;
        }
    }
    called.await.unwrap();
}

/// A run of `block_on`, called at a place of a loop; and the line where the loop is run.
fn run_with(
    config: &Config,
    seed: u64,
    place: Place,
    block_on: fn(Awaited),
    awaited: fn() -> Awaited,
) -> (Run<()>, u32) {
    let line = line!() + 2;
    let main = move |ev: EventLoop| {
        let ran = ev.run_until_complete(call_at(place, move || block_on(awaited())));
        // The world has ended it, or not.
        drop(ran);
    };
    (sim::record_loop(config, seed, main), line)
}

fn nap() -> Awaited {
    Box::pin(sleep(SECOND))
}

/// What only another task of the loop can bring.
fn an_answer() -> Awaited {
    let (tell, told) = oneshot::channel();
    let answering = async move {
        sleep(SECOND).await;
        let _ = tell.send(());
    };
    event_loop::spawn(answering).detach();
    Box::pin(async { drop(told.await) })
}

/// Every profile whose timers go on by themselves while the thread of the loop is blocked: in the
/// others its own loop would have to see to them.
fn whose_timers_go_on() -> impl Iterator<Item = Profile> {
    let profiles = Profile::ALL.into_iter();
    profiles.filter(|profile| !matches!(profile, Profile::Asyncio | Profile::Uvloop))
}

fn each_place() -> impl Iterator<Item = (Place, BlockOn)> {
    let with_each = |place| LIBRARIES.map(|library| (place, library));
    PLACES.into_iter().flat_map(with_each)
}

/// The one blocking call that a run tells of.
#[track_caller]
fn told<'a>(run: &'a Run<()>, case: &str) -> &'a Blocking {
    let verdict = run.verdict.as_ref().expect(case);
    assert_eq!(verdict.kind, VerdictKind::Blocking, "{case}: {verdict}");
    match run.blockings() {
        [blocking] => blocking,
        others => panic!("{case}: {others:?}"),
    }
}

#[test]
fn waiting_for_its_own_loop_it_does_not_hang_and_both_sites_are_named() {
    for profile in Profile::ALL {
        for (place, (block_on, line)) in each_place() {
            for seed in 0..3 {
                let config = Config::new().profile(profile);
                let (run, outer) = run_with(&config, seed, place, block_on, an_answer);
                let case = format!("{profile}, {place:?}, line {line}, seed {seed}");
                let blocking = told(&run, &case);
                assert_eq!(blocking.took, None, "{case}");
                for (site, line) in [(&blocking.place, line), (&blocking.run, outer)] {
                    let site = site.as_ref().expect(&case);
                    let expected = format!("tests/tests/nested/block_on.rs:{line}");
                    assert!(site.starts_with(&expected), "{case}: {site}");
                }
                let holder = blocking.holder.as_ref().expect(&case);
                assert!(holder.contains("nested/block_on.rs"), "{case}: {holder}");
                let text = run.verdict.as_ref().expect(&case).to_string();
                assert!(
                    text.contains("it is nested in the run of"),
                    "{case}: {text}"
                );
            }
        }
    }
}

#[test]
fn what_comes_by_itself_is_waited_for_and_told_of() {
    for profile in whose_timers_go_on() {
        for (place, (block_on, line)) in each_place() {
            let config = Config::new().profile(profile);
            let (run, _) = run_with(&config, 0, place, block_on, nap);
            let case = format!("{profile}, {place:?}, line {line}");
            assert_eq!(told(&run, &case).took, Some(SECOND), "{case}");
        }
    }
}

#[test]
fn where_it_is_allowed_its_time_passes_and_the_run_goes_on() {
    for profile in whose_timers_go_on() {
        for (place, (block_on, _)) in each_place() {
            let config = Config::new().profile(profile);
            let config = config.on_blocking(OnBlocking::Allow);
            let (run, _) = run_with(&config, 0, place, block_on, nap);
            assert_eq!(run.verdict, None, "{profile}, {place:?}");
            assert!(run.elapsed >= SECOND, "{profile}, {place:?}");
        }
    }
}

#[test]
fn on_a_thread_it_keeps_nobody_waiting() {
    for profile in Profile::ALL {
        for (block_on, _) in LIBRARIES {
            let config = Config::new().profile(profile);
            let run = sim::run_once(&config, 0, move |_| async move {
                let (tell, told) = oneshot::channel();
                let ev = event_loop::current().unwrap();
                let nap: Awaited = Box::pin(async move {
                    let napping = ev.spawn(async { sleep(SECOND).await });
                    napping.await.unwrap();
                    tell.send(()).unwrap();
                });
                let thread = std::thread::spawn(move || block_on(nap));
                told.await.unwrap();
                drop(thread);
            });
            assert_eq!(run.verdict, None, "{profile}");
        }
    }
}
