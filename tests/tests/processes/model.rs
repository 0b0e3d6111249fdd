//! Whatever is done to a host, in whichever order, it is what a plain model of it says.

use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use event_loop::net::TcpListener;
use event_loop::task::yield_now;
use event_loop::time::{sleep, timeout};
use proptest::prelude::*;
use sim::{Config, ExitStatus, HostError, Profile, Sim, run_once};

/// Something that a test does to a host.
#[derive(Clone, Copy, Debug)]
enum Deed {
    Start,
    Restart,
    Kill,
    PowerOff,
    Pause,
    Resume,
    /// Time passes.
    Wait,
}

/// What a host is.
#[derive(Debug, Default)]
struct Model {
    started: bool,
    running: bool,
    dead: Option<ExitStatus>,
    off: bool,
    paused: bool,
    life: u64,
}

impl Model {
    /// Whether the deed can be done, and what becomes of the host.
    fn does(&mut self, deed: Deed) -> bool {
        let alive = self.dead.is_none();
        let can = match deed {
            Deed::Start => !self.running,
            Deed::Restart => !self.running && self.started,
            Deed::Kill | Deed::Pause | Deed::Resume => alive,
            Deed::PowerOff => !self.off,
            Deed::Wait => true,
        };
        if !can {
            return false;
        }
        match deed {
            Deed::Start | Deed::Restart => {
                self.life += u64::from(!alive);
                *self = Self {
                    started: true,
                    running: true,
                    // One that was stopped before it was started stays so.
                    paused: self.paused && alive,
                    life: self.life,
                    ..Self::default()
                };
            }
            Deed::Kill => self.dies(ExitStatus::KILLED),
            Deed::PowerOff => {
                if alive {
                    self.dies(ExitStatus::POWERED_OFF);
                }
                self.off = true;
            }
            Deed::Pause => self.paused = true,
            Deed::Resume => self.paused = false,
            Deed::Wait => {}
        }
        true
    }

    fn dies(&mut self, status: ExitStatus) {
        self.dead = Some(status);
        self.running = false;
        self.paused = false;
    }
}

/// What of a host runs: a listener, a few tasks that give way to each other, and one that counts.
async fn busy(beats: Arc<AtomicU64>) {
    let _listener = TcpListener::bind("0.0.0.0:80").await.unwrap();
    for _ in 0..3 {
        drop(event_loop::spawn(async {
            for _ in 0..20 {
                yield_now().await;
            }
            pending::<()>().await;
        }));
    }
    loop {
        sleep(Duration::from_millis(10)).await;
        beats.fetch_add(1, Ordering::Relaxed);
    }
}

async fn plays(sim: Sim, deeds: Vec<Deed>) {
    let beats = Arc::new(AtomicU64::new(0));
    let svc = sim.host("svc");
    let mut model = Model {
        life: 1,
        ..Model::default()
    };
    for (index, deed) in deeds.into_iter().enumerate() {
        let beats_of_main = beats.clone();
        let done = match deed {
            Deed::Start => svc.try_start(move |_| busy(beats_of_main.clone())),
            Deed::Restart => svc.try_restart(),
            Deed::Kill => svc.try_kill(),
            Deed::PowerOff => svc.try_power_off(),
            Deed::Pause => svc.try_pause(),
            Deed::Resume => svc.try_resume(),
            Deed::Wait => {
                sleep(Duration::from_millis(50)).await;
                beats.store(0, Ordering::Relaxed);
                sleep(Duration::from_millis(50)).await;
                let beat = beats.load(Ordering::Relaxed) > 0;
                let beats = model.running && !model.paused;
                assert_eq!(beat, beats, "{index} {deed:?} {model:?}");
                Ok(())
            }
        };
        let was_alive = model.dead.is_none();
        assert_eq!(done.is_ok(), model.does(deed), "{index} {deed:?} {model:?}");
        match done {
            Err(HostError::Running { life, .. }) => assert_eq!(life, model.life),
            Err(HostError::Ended { status, .. }) => assert_eq!(Some(status), model.dead),
            Err(HostError::PoweredOff { .. }) => assert!(model.off && !was_alive),
            Err(HostError::NeverStarted { .. }) => assert!(!model.started),
            Err(other) => panic!("{index} {deed:?}: {other}"),
            Ok(()) => {}
        }
        assert_eq!(svc.exit_status(), model.dead);
        assert_eq!(svc.is_running(), model.running);
        assert_eq!(svc.life(), model.life);
        assert_eq!(svc.event_loop().is_closed(), model.dead.is_some());
        if let Some(status) = model.dead {
            let ended = timeout(Duration::from_millis(1), svc.wait()).await;
            assert_eq!(ended, Ok(status));
        }
    }
}

fn deed() -> impl Strategy<Value = Deed> {
    prop_oneof![
        2 => Just(Deed::Start),
        3 => Just(Deed::Restart),
        3 => Just(Deed::Kill),
        2 => Just(Deed::PowerOff),
        2 => Just(Deed::Pause),
        2 => Just(Deed::Resume),
        3 => Just(Deed::Wait),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn a_host_is_what_the_model_says(
        deeds in proptest::collection::vec(deed(), 0..25),
        seed in 0..8_u64,
    ) {
        for profile in Profile::ALL {
            let config = Config::new().profile(profile);
            let play = || run_once(&config, seed, |sim| plays(sim, deeds.clone()));
            let run = play();
            prop_assert_eq!(run.verdict, None, "{}", profile);
            prop_assert_eq!(run.hash, play().hash, "{}", profile);
        }
    }
}
