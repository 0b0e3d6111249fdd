//! Threads as C makes, leaves, joins and cancels them.
#![cfg(all(target_os = "linux", target_arch = "x86_64", target_env = "gnu"))]
#![allow(
    clippy::disallowed_methods,
    reason = "time is a world's here, and real where the test says so"
)]

mod world;

use std::env;
use std::ffi::{c_int, c_void};
use std::mem::{MaybeUninit, transmute};
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Stdio};
use std::ptr;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use interpose::{ClockId, Deadline, Interrupted, Kernel, ThreadId, enter};
use world::on_fresh_thread;
use world::turns::{START, Turns};

const HOUR: Duration = Duration::from_hours(1);

/// A routine of C's, which may be left by unwinding.
type Routine = unsafe extern "C-unwind" fn(*mut c_void) -> *mut c_void;

unsafe extern "C" {
    fn pthread_exit(value: *mut c_void) -> !;
    fn pthread_cancel(handle: libc::pthread_t) -> c_int;
    fn pthread_tryjoin_np(handle: libc::pthread_t, value: *mut *mut c_void) -> c_int;
    fn pthread_timedjoin_np(
        handle: libc::pthread_t,
        value: *mut *mut c_void,
        until: *const libc::timespec,
    ) -> c_int;
}

fn create(routine: Routine, attributes: *const libc::pthread_attr_t) -> libc::pthread_t {
    let mut handle = 0;
    // SAFETY: a handle for writing; a routine is called the same way whether it may unwind or not.
    let errno = unsafe {
        let routine = transmute::<Routine, extern "C" fn(*mut c_void) -> *mut c_void>(routine);
        libc::pthread_create(&mut handle, attributes, routine, ptr::null_mut())
    };
    assert_eq!(errno, 0);
    handle
}

fn join(handle: libc::pthread_t) -> Result<usize, i32> {
    let mut value = ptr::null_mut();
    // SAFETY: a handle of `create`, or one that libc refuses.
    match unsafe { libc::pthread_join(handle, &mut value) } {
        0 => Ok(value.addr()),
        errno => Err(errno),
    }
}

unsafe extern "C-unwind" fn sleeps_an_hour(_: *mut c_void) -> *mut c_void {
    // SAFETY: it has no contract.
    unsafe { libc::sleep(3600) };
    ptr::without_provenance_mut(11)
}

unsafe extern "C-unwind" fn leaves_early(_: *mut c_void) -> *mut c_void {
    // SAFETY: nothing on this stack has a destructor.
    unsafe {
        libc::sleep(3600);
        pthread_exit(ptr::without_provenance_mut(12))
    }
}

fn in_turns(body: impl FnOnce(&Turns) + Send) -> Duration {
    on_fresh_thread(|| {
        let (turns, entered) = Turns::begin();
        body(&turns);
        drop(entered);
        turns.passed()
    })
}

#[test]
fn a_routine_ends_by_returning_or_by_leaving() {
    for round in 0..2 {
        let passed = in_turns(|_| {
            let handles = [
                create(sleeps_an_hour, ptr::null()),
                create(leaves_early, ptr::null()),
            ];
            assert_eq!(handles.map(join), [Ok(11), Ok(12)], "round {round}");
        });
        assert_eq!(passed, HOUR);
    }
}

#[test]
fn a_join_may_be_tried_and_limited() {
    let passed = in_turns(|_| {
        let handle = create(sleeps_an_hour, ptr::null());
        let mut value = ptr::null_mut();
        let at = |hours: i64| libc::timespec {
            tv_sec: START.as_secs() as i64 + hours * 3600,
            tv_nsec: 1,
        };
        // SAFETY: a handle of `create`, and values for reading and writing.
        unsafe {
            assert_eq!(pthread_tryjoin_np(handle, &mut value), libc::EBUSY);
            assert_eq!(
                pthread_timedjoin_np(handle, &mut value, &at(0)),
                libc::ETIMEDOUT
            );
            assert_eq!(pthread_timedjoin_np(handle, &mut value, &at(2)), 0);
            assert_eq!(value.addr(), 11);
            let handle = create(sleeps_an_hour, ptr::null());
            libc::sleep(7200);
            assert_eq!(pthread_tryjoin_np(handle, &mut value), 0);
            let handle = create(sleeps_an_hour, ptr::null());
            assert_eq!(pthread_timedjoin_np(handle, &mut value, ptr::null()), 0);
        }
    });
    assert_eq!(passed, HOUR * 4);
}

#[test]
fn joins_outside_a_world_are_libcs() {
    unsafe extern "C-unwind" fn naps(_: *mut c_void) -> *mut c_void {
        thread::sleep(Duration::from_millis(50));
        ptr::without_provenance_mut(13)
    }
    let mut value = ptr::null_mut();
    let past = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    let never = libc::timespec {
        tv_sec: 1 << 40,
        tv_nsec: 0,
    };
    // SAFETY: a handle of `create`, and values for reading and writing.
    unsafe {
        let handle = create(naps, ptr::null());
        assert_eq!(pthread_tryjoin_np(handle, &mut value), libc::EBUSY);
        assert_eq!(
            pthread_timedjoin_np(handle, &mut value, &past),
            libc::ETIMEDOUT
        );
        assert_eq!(pthread_timedjoin_np(handle, &mut value, &never), 0);
        assert_eq!(value.addr(), 13);
        assert_eq!(join(libc::pthread_self()), Err(libc::EDEADLK));
    }
}

#[test]
fn nobody_joins_himself_or_who_was_let_go() {
    in_turns(|turns| {
        // SAFETY: names the calling thread.
        assert_eq!(join(unsafe { libc::pthread_self() }), Err(libc::EDEADLK));
        let mut attributes = MaybeUninit::uninit();
        let handle = {
            // SAFETY: attributes for writing, which are ready after the first call.
            unsafe {
                libc::pthread_attr_init(attributes.as_mut_ptr());
                let detached = libc::PTHREAD_CREATE_DETACHED;
                libc::pthread_attr_setdetachstate(attributes.as_mut_ptr(), detached);
            }
            create(sleeps_an_hour, attributes.as_ptr())
        };
        assert_eq!(join(handle), Err(libc::EINVAL));
        thread::sleep(HOUR * 2);
        let log = turns.log();
        assert_eq!(log[0], "0ns #0 makes #1 detached");
        assert!(log.contains(&"3600s #1 ends".into()), "{log:#?}");
    });
}

#[test]
fn a_thread_of_a_world_may_let_itself_go() {
    unsafe extern "C-unwind" fn goes(_: *mut c_void) -> *mut c_void {
        // SAFETY: names the calling thread, which nobody joins.
        unsafe { assert_eq!(libc::pthread_detach(libc::pthread_self()), 0) };
        ptr::null_mut()
    }
    in_turns(|turns| {
        create(goes, ptr::null());
        thread::sleep(HOUR);
        let log = turns.log();
        let told = ["0ns #1 begins", "0ns #1 lets #1 go", "0ns #1 ends"];
        assert!(log.windows(3).any(|lines| lines == told), "{log:#?}");
    });
}

static ROUNDS: AtomicU32 = AtomicU32::new(0);

#[test]
fn the_destructors_of_keys_run_before_the_end() {
    static KEYS: Mutex<[libc::pthread_key_t; 2]> = Mutex::new([0; 2]);
    unsafe extern "C" fn again(value: *mut c_void) {
        assert!(interpose::in_world());
        ROUNDS.fetch_add(1, Ordering::Relaxed);
        thread::sleep(HOUR);
        if value.addr() > 1 {
            let less = ptr::without_provenance_mut::<c_void>(value.addr() - 1);
            // SAFETY: a key that was made and is not deleted, with no memory behind its value.
            unsafe { libc::pthread_setspecific(KEYS.lock().unwrap()[0], less) };
        }
    }
    unsafe extern "C-unwind" fn sets(_: *mut c_void) -> *mut c_void {
        let keys = *KEYS.lock().unwrap();
        // SAFETY: keys that were made and are not deleted, with no memory behind their values.
        unsafe {
            libc::pthread_setspecific(keys[0], ptr::without_provenance(3));
            libc::pthread_setspecific(keys[1], ptr::without_provenance(1));
        }
        ptr::null_mut()
    }
    // One key from before the first thread of a world, and one from after.
    let make = |at: usize| {
        // SAFETY: a key for writing.
        unsafe { libc::pthread_key_create(&mut KEYS.lock().unwrap()[at], Some(again)) };
    };
    make(0);
    let passed = in_turns(|turns| {
        thread::spawn(|| ()).join().unwrap();
        make(1);
        join(create(sets, ptr::null())).unwrap();
        assert_eq!(turns.log().last().unwrap(), "14400s #2 ends");
    });
    assert_eq!(ROUNDS.load(Ordering::Relaxed), 4);
    assert_eq!(passed, HOUR * 4);
}

#[test]
fn a_cancelled_thread_outside_of_a_world_unwinds_through_a_sleep() {
    static ASLEEP: AtomicU32 = AtomicU32::new(0);
    unsafe extern "C-unwind" fn sleeps(_: *mut c_void) -> *mut c_void {
        let time = libc::timespec {
            tv_sec: 1000,
            tv_nsec: 0,
        };
        ASLEEP.fetch_add(1, Ordering::Relaxed);
        // SAFETY: a time for reading; nothing on this stack has a destructor.
        unsafe { libc::nanosleep(&time, ptr::null_mut()) };
        ptr::null_mut()
    }
    unsafe extern "C-unwind" fn joins(_: *mut c_void) -> *mut c_void {
        let handle = create(sleeps, ptr::null());
        // SAFETY: a handle of `create`; nothing on this stack has a destructor.
        unsafe { libc::pthread_join(handle, ptr::null_mut()) };
        ptr::null_mut()
    }
    for (routine, asleep) in [(sleeps as Routine, 1), (joins as Routine, 2)] {
        let handle = create(routine, ptr::null());
        while ASLEEP.load(Ordering::Relaxed) < asleep {
            thread::yield_now();
        }
        thread::sleep(Duration::from_millis(20));
        // SAFETY: a handle of `create`; what it unwinds has no destructor.
        assert_eq!(unsafe { pthread_cancel(handle) }, 0);
        assert_eq!(join(handle), Ok(usize::MAX), "PTHREAD_CANCELED");
    }
}

/// A kernel whose threads begin at once, and which says of each how it ended.
#[derive(Default)]
struct Loose {
    made: AtomicU32,
    ended: AtomicU32,
}

impl Kernel for Loose {
    fn now(&self, _: ClockId) -> Duration {
        Duration::from_secs(9)
    }

    fn fill_random(&self, buf: &mut [u8]) {
        buf.fill(0);
    }

    fn sleep(&self, _: ClockId, until: Deadline) -> Option<Result<(), Interrupted>> {
        match until {
            Deadline::After(HOUR) => interpose::vanish(),
            _ => panic!("asleep for want of an hour"),
        }
    }

    fn thread_making(&self, _: bool) -> Option<Result<ThreadId, i32>> {
        Some(Ok(ThreadId(
            self.made.fetch_add(1, Ordering::Relaxed).into(),
        )))
    }

    fn thread_ended(&self, _: ThreadId) {
        self.ended.fetch_add(1, Ordering::Relaxed);
    }
}

#[test]
fn a_thread_that_vanishes_in_a_call_leaves_its_world_and_cannot_be_joined() {
    const MANY: u32 = 100;
    let loose = Arc::new(Loose::default());
    let world = enter(loose.clone());
    let handles: Vec<_> = (0..MANY)
        .map(|_| create(sleeps_an_hour, ptr::null()))
        .collect();
    drop(world);
    let start = Instant::now();
    while Arc::strong_count(&loose) > 1 {
        assert!(
            start.elapsed() < Duration::from_secs(20),
            "they keep their world"
        );
        thread::sleep(Duration::from_millis(1));
    }
    assert_eq!(loose.ended.load(Ordering::Relaxed), 0);
    for handle in handles {
        assert_eq!(join(handle), Err(libc::ESRCH));
        // SAFETY: a handle of `create`, which is none of anybody else's.
        assert_eq!(unsafe { libc::pthread_detach(handle) }, 0);
    }
    // Others come and go as ever.
    let world = enter(loose.clone());
    for number in 0..MANY {
        assert_eq!(thread::spawn(move || number).join().unwrap(), number);
    }
    drop(world);
    assert_eq!(loose.ended.load(Ordering::Relaxed), MANY);
    assert_eq!(Arc::strong_count(&loose), 1);
}

const CHILD: &str = "INTERPOSE_TEST_PANIC";

#[test]
fn child() {
    if env::var_os(CHILD).is_some() {
        let _world = enter(Arc::new(Loose::default()));
        thread::sleep(Duration::from_secs(1));
    }
}

#[test]
fn a_kernel_that_panics_while_it_blocks_ends_the_process() {
    let output = Command::new(env::current_exe().unwrap())
        .args(["--exact", "child", "--nocapture"])
        .env(CHILD, "")
        .env("RUST_BACKTRACE", "0")
        .stdout(Stdio::null())
        .output()
        .unwrap();
    assert_eq!(output.status.signal(), Some(libc::SIGABRT));
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(stderr.contains("asleep for want of an hour"), "{stderr}");
}
