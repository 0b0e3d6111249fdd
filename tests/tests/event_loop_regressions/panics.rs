//! What the hook of panics sees: a loop that answers, and the places of the calls.

use std::cell::RefCell;
use std::panic::{PanicHookInfo, catch_unwind, set_hook, take_hook};
use std::sync::{Once, mpsc};
use std::thread;

use super::*;

type Hook = Box<dyn Fn(&PanicHookInfo<'_>)>;

thread_local! {
    static HOOK: RefCell<Option<Hook>> = const { RefCell::new(None) };
}

/// `hook` is called at the panics of this thread.
fn at_panics_here(hook: impl Fn(&PanicHookInfo<'_>) + 'static) {
    static INSTALLED: Once = Once::new();
    INSTALLED.call_once(|| {
        let others = take_hook();
        set_hook(Box::new(move |info| {
            let heard = |hook: &RefCell<Option<Hook>>| {
                hook.borrow().as_ref().map(|hook| hook(info)).is_some()
            };
            if !HOOK.try_with(heard).unwrap_or(false) {
                others(info);
            }
        }));
    });
    HOOK.set(Some(Box::new(hook)));
}

#[test]
fn a_loop_answers_while_tokio_refuses_a_run_inside_its_runtime() {
    let (told, tells) = mpsc::channel();
    thread::spawn(move || {
        let ev = production::current_thread(LoopConfig::default()).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap();
        let (seen, asked) = (told.clone(), ev.clone());
        at_panics_here(move |_| seen.send(asked.dump().tasks.len()).unwrap());
        let ran = runtime.block_on(async { ev.run_forever() });
        assert!(matches!(
            ran,
            Err(LoopError::AnotherLoopRunning { outer: None, .. })
        ));
    });
    assert_eq!(tells.recv_timeout(Duration::from_secs(10)), Ok(0));
}

#[test]
fn a_sleep_without_a_loop_panics_where_it_was_called() {
    let (told, tells) = mpsc::channel();
    thread::spawn(move || {
        at_panics_here(move |info| {
            let file = info.location().map(|at| at.file().to_owned());
            told.send(file.unwrap_or_default()).unwrap();
        });
        assert!(catch_unwind(|| drop(sleep(TICK))).is_err());
    });
    assert_eq!(tells.recv().unwrap(), file!());
}

#[test]
fn the_run_of_a_main_is_known_by_where_it_was_asked_for() {
    let (told, tells) = mpsc::channel();
    let runner = Runner::new(|| production::current_thread(LoopConfig::default()));
    let line = line!() + 1;
    let _code = runner.run_main(move |ev| async move {
        told.send(ev.run_forever().unwrap_err()).unwrap();
        Ok::<(), LoopError>(())
    });
    let Ok(LoopError::AlreadyRunning { outer, .. }) = tells.recv() else {
        panic!("a run within a run is refused");
    };
    assert_eq!((outer.file(), outer.line()), (file!(), line));
}

#[test]
fn the_hook_may_enter_a_loop_while_a_sleep_is_refused() {
    let (told, tells) = mpsc::channel();
    thread::spawn(move || {
        let home = production::current_thread(LoopConfig::default()).unwrap();
        let world = sim::factory(0, Profile::TokioMt).unwrap();
        let entered = home.enter();
        let mut strange = sleep(TICK);
        drop(entered);
        let _here = world.enter();
        at_panics_here(move |info| {
            drop(home.enter());
            let text = info.payload_as_str().unwrap_or_default();
            told.send(text.starts_with("This sleep is of the event loop"))
                .unwrap();
        });
        let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
        let polled = std::panic::AssertUnwindSafe(|| Pin::new(&mut strange).poll(&mut cx));
        assert!(catch_unwind(polled).is_err());
    });
    assert_eq!(tells.recv(), Ok(true));
}
