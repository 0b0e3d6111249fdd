//! Inside a world all entropy is the kernel's: the standard library's hash keys, getrandom, rand.
#![cfg(all(target_os = "linux", target_arch = "x86_64", target_env = "gnu"))]
#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "the machine's entropy is what is tested"
)]

mod world;

use std::collections::HashMap;
use std::ffi::c_void;
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;

use interpose::{Kernel, enter};
use rand_08::RngCore as _;
use rand_09::RngCore as _;
use world::{Foretold, in_fresh_world, on_fresh_thread};

/// What the kernel of `in_fresh_world(seed, ..)` fills a buffer with.
fn foretold<const N: usize>(seed: u8) -> [u8; N] {
    let mut bytes = [0; N];
    Foretold::seeded(seed).fill_random(&mut bytes);
    bytes
}

/// Asserts that what `draw` gives depends on the world's seed, and on nothing else in it.
fn is_a_function_of_the_world<R: PartialEq + std::fmt::Debug + Send>(draw: fn() -> R) {
    let first = in_fresh_world(1, draw);
    assert_eq!(in_fresh_world(1, draw), first, "the same in the same world");
    assert_ne!(in_fresh_world(2, draw), first, "another in another world");
    let (outside, again) = (on_fresh_thread(draw), on_fresh_thread(draw));
    assert_ne!(outside, again, "random outside");
    assert_ne!(outside, first);
}

#[test]
fn hash_keys_are_a_function_of_the_world() {
    is_a_function_of_the_world(|| RandomState::new().hash_one("a key"));
}

#[test]
fn the_order_of_a_hash_map_is_a_function_of_the_world() {
    is_a_function_of_the_world(|| {
        let map: HashMap<u32, ()> = (0..100).map(|key| (key, ())).collect();
        map.into_keys().collect::<Vec<_>>()
    });
}

#[test]
fn every_getrandom_is_a_function_of_the_world() {
    fn v2() -> [u8; 32] {
        let mut bytes = [0; 32];
        getrandom_02::getrandom(&mut bytes).unwrap();
        bytes
    }
    fn v3() -> [u8; 32] {
        let mut bytes = [0; 32];
        getrandom_03::fill(&mut bytes).unwrap();
        bytes
    }
    fn v4() -> [u8; 32] {
        let mut bytes = [0; 32];
        getrandom::fill(&mut bytes).unwrap();
        bytes
    }
    for draw in [v2, v3, v4] {
        is_a_function_of_the_world(draw);
        assert_eq!(in_fresh_world(5, draw), foretold(5));
    }
}

#[test]
fn every_rand_is_a_function_of_the_world() {
    is_a_function_of_the_world(|| rand_08::thread_rng().next_u64());
    is_a_function_of_the_world(|| rand_09::rng().next_u64());
    is_a_function_of_the_world(rand::random::<u64>);
}

#[test]
fn libcs_four_doors_lead_to_the_kernel() {
    const LEN: usize = 48;
    fn libc_getrandom(buf: *mut c_void) {
        // SAFETY: `LEN` bytes for writing.
        assert_eq!(unsafe { libc::getrandom(buf, LEN, 0) }, LEN as isize);
    }
    fn libc_getentropy(buf: *mut c_void) {
        // SAFETY: as above.
        assert_eq!(unsafe { libc::getentropy(buf, LEN) }, 0);
    }
    fn libc_syscall(buf: *mut c_void) {
        // SAFETY: as above.
        let filled = unsafe { libc::syscall(libc::SYS_getrandom, buf, LEN, libc::GRND_NONBLOCK) };
        assert_eq!(filled, LEN as i64);
    }
    fn by_name(buf: *mut c_void) {
        // SAFETY: libc's `getrandom` as found by whoever looks it up at run time.
        unsafe {
            let found = libc::dlsym(libc::RTLD_DEFAULT, c"getrandom".as_ptr());
            let found: extern "C" fn(*mut c_void, usize, u32) -> isize = std::mem::transmute(found);
            assert_eq!(found(buf, LEN, 0), LEN as isize);
        }
    }
    for door in [libc_getrandom, libc_getentropy, libc_syscall, by_name] {
        let fill = || {
            let mut bytes = [0u8; LEN];
            door(bytes.as_mut_ptr().cast());
            bytes
        };
        assert_eq!(in_fresh_world(3, fill), foretold(3));
        assert_ne!(fill(), foretold(3));
    }
}

#[test]
fn a_large_request_is_filled_whole() {
    const LEN: usize = 3 << 20;
    let kernel = Foretold::seeded(9);
    let world = enter(kernel.clone());
    let mut bytes = vec![0u8; LEN];
    // SAFETY: `LEN` bytes for writing.
    let filled = unsafe { libc::getrandom(bytes.as_mut_ptr().cast(), LEN, 0) };
    drop(world);
    assert_eq!(filled, LEN as isize);
    assert_eq!(kernel.asked(), 1, "in one piece");
    let mut expected = vec![0u8; LEN];
    kernel.fill_random(&mut expected);
    assert!(bytes == expected);
}

#[test]
fn a_kernel_may_draw_real_entropy() {
    struct Passing;
    impl Kernel for Passing {
        fn now(&self, _: interpose::ClockId) -> std::time::Duration {
            std::time::Duration::ZERO
        }
        fn fill_random(&self, buf: &mut [u8]) {
            getrandom::fill(buf).unwrap();
        }
    }
    let _world = enter(Arc::new(Passing));
    let draw = || {
        let mut bytes = [0; 16];
        getrandom::fill(&mut bytes).unwrap();
        bytes
    };
    assert_ne!(draw(), draw());
}
