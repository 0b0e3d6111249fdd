//! A thread's seat, and the baton's way from the driver to it and back.

use std::cell::Cell;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use event_loop::backend::Polled;
use interpose::{Parking, ThreadId, ThreadToken};

use super::own;
use crate::run::panics;
use crate::world::{World, here};

/// Where a thread waits for its turn.
#[derive(Debug, Default)]
pub(crate) struct Seat {
    token: OnceLock<ThreadToken>,
    parking: Parking,
    /// The driver waits here for a thread that is yet to come, or is to go.
    door: Parking,
    vanishes: AtomicBool,
}

impl Seat {
    /// The calling thread's.
    pub(super) fn here() -> Self {
        let seat = Self::default();
        seat.sit();
        seat
    }

    /// The calling thread has come, and will wait here from now on.
    pub(super) fn sit(&self) {
        let _ = self.token.set(ThreadToken::current());
        self.door.unpark();
    }

    fn token(&self) -> ThreadToken {
        loop {
            if let Some(token) = self.token.get() {
                return *token;
            }
            self.door.park();
        }
    }

    /// Ends the thread that waits here where it stands; returns when it has gone.
    pub(super) fn vanish(&self) {
        // It may not have come yet.
        self.token();
        self.vanishes.store(true, Ordering::Release);
        self.parking.unpark();
        while self.vanishes.load(Ordering::Acquire) {
            self.door.park();
        }
    }
}

/// Which thread of which world the running code is on.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    /// The address of the world. It is compared and decides nothing else.
    world: usize,
    /// None on the thread that drives.
    thread: Option<ThreadId>,
    /// Whose code it runs.
    host: u32,
}

thread_local! {
    // Without a destructor: readable to the last instruction of a thread.
    static PLACE: Cell<Place> = const { Cell::new(Place { world: 0, thread: None, host: 0 }) };
}

/// Says where the calling thread is, until dropped.
#[derive(Debug)]
pub(crate) struct Seated {
    outer: Place,
}

impl Seated {
    pub(crate) fn begin(world: &World, thread: Option<ThreadId>) -> Self {
        Self {
            outer: take_place(world, thread, 0),
        }
    }
}

impl Drop for Seated {
    fn drop(&mut self) {
        PLACE.set(self.outer);
    }
}

/// The calling thread is this one of the world, for good.
pub(super) fn take_place(world: &World, thread: Option<ThreadId>, host: u32) -> Place {
    let world = std::ptr::from_ref(world).addr();
    PLACE.replace(Place {
        world,
        thread,
        host,
    })
}

/// The calling thread runs code of this host from here on.
pub(in crate::world) fn enter_host(host: u32) {
    PLACE.set(Place {
        host,
        ..PLACE.get()
    });
}

impl World {
    /// The simulated thread that calls; none on the thread that drives the world, and on those
    /// that are not of it.
    pub(crate) fn current_thread(&self) -> Option<ThreadId> {
        let place = PLACE.get();
        let here = std::ptr::from_ref(self).addr();
        place.thread.filter(|_| place.world == here)
    }

    /// The host whose code the calling thread runs.
    pub(crate) fn current_host(&self) -> u32 {
        let place = PLACE.get();
        let here = std::ptr::from_ref(self).addr();
        if place.world == here { place.host } else { 0 }
    }

    /// Hands the baton to a thread and waits until it comes back; what the thread says the poll
    /// came to that it was asked to make.
    pub(in crate::world) fn resume(&self, thread: ThreadId) -> Polled {
        let Some((seat, driver)) = self.core(|core| core.thread_runs(thread)) else {
            return Polled::Pending;
        };
        let passed = self.core.pass_to(seat.token());
        debug_assert_eq!(passed, Ok(()));
        seat.parking.unpark();
        while !self.core.is_held() {
            driver.parking.park();
        }
        let handed = self.core(|core| core.handed_back());
        panics::remember_all(handed.panics);
        if let Some(ended) = handed.ended {
            // It has nothing left to do but to end: that is real.
            let _real = interpose::suspend();
            let _ = ended.join();
        }
        handed.polled
    }

    /// Hands the baton back to the driver and waits for the next turn, which may never come.
    pub(super) fn hand_back(&self, seat: &Seat) {
        self.leave_turn();
        self.await_turn(seat);
    }

    /// Hands the baton back to the driver.
    pub(super) fn leave_turn(&self) {
        let panics = panics::take();
        let Some(driver) = self.core(|core| core.hand_back(panics)) else {
            return;
        };
        let passed = self.core.pass_to(driver.token());
        debug_assert_eq!(passed, Ok(()));
        driver.parking.unpark();
    }

    /// Waits until the baton is the calling thread's.
    pub(super) fn await_turn(&self, seat: &Seat) {
        while !self.core.is_held() {
            seat.parking.park();
            if seat.vanishes.load(Ordering::Acquire) {
                here::forget();
                own::forget();
                seat.vanishes.store(false, Ordering::Release);
                seat.door.unpark();
                interpose::vanish();
            }
        }
    }
}
