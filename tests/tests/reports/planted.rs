//! Tests that fail on purpose, run in processes of their own for their reports.

use std::time::Duration;

use event_loop::sync::Mutex;
use event_loop::time::sleep;
use event_loop::{always, spawn_named};
use futures::channel::oneshot;
use std::sync::Arc;

#[sim::test(seeds = 1, profile = "exact")]
#[ignore = "fails on purpose"]
async fn a_property() {
    let service = spawn_named("service", async {
        sleep(Duration::from_millis(20)).await;
        let (held, limit) = (5, 4);
        always!(
            held <= limit,
            "the pool stays within its limit",
            "{held} of {limit}"
        );
    });
    service.await.unwrap();
}

#[sim::test(seeds = 1, profile = "exact")]
#[ignore = "fails on purpose"]
async fn a_deadlock(sim: sim::Sim) {
    let (_kept, answer) = oneshot::channel::<u32>();
    let svc = sim.host("svc").event_loop();
    let reader = svc.spawn_named("reader of answers", async { answer.await.unwrap() });
    reader.await.unwrap();
}

#[sim::test(seeds = 1, profile = "exact")]
#[ignore = "fails on purpose"]
async fn a_circle() {
    let (left, right) = (Arc::new(Mutex::new(())), Arc::new(Mutex::new(())));
    let both = |first: &Arc<Mutex<()>>, second: &Arc<Mutex<()>>| {
        let (first, second) = (first.clone(), second.clone());
        async move {
            let _first = first.lock().await;
            sleep(Duration::from_millis(1)).await;
            let _second = second.lock().await;
        }
    };
    let one = spawn_named("one", both(&left, &right));
    let other = spawn_named("other", both(&right, &left));
    one.await.unwrap();
    other.await.unwrap();
}

#[sim::test(seeds = 1, profile = "exact", stall_after = "1 min")]
#[ignore = "fails on purpose"]
async fn a_stall() {
    let heartbeat = spawn_named("heartbeat", async {
        loop {
            sleep(Duration::from_secs(1)).await;
        }
    });
    heartbeat.await.unwrap()
}

#[sim::test(seeds = 1, profile = "exact", polls_at_once = 1_000)]
#[ignore = "fails on purpose"]
async fn a_livelock() {
    let spins = spawn_named("spins", async {
        loop {
            event_loop::yield_now().await;
        }
    });
    spins.await.unwrap()
}

#[sim::test(seeds = 1, profile = "exact", time_limit = "1 h")]
#[ignore = "fails on purpose"]
async fn a_time_limit() {
    sleep(Duration::from_hours(2)).await;
}

#[sim::test(seeds = 1, profile = "exact", polls = 100)]
#[ignore = "fails on purpose"]
async fn a_poll_limit() {
    loop {
        sleep(Duration::from_millis(1)).await;
    }
}

#[sim::test(seeds = 1, profile = "exact")]
#[ignore = "fails on purpose"]
async fn an_unread_failure() {
    spawn_named("worker", async {
        sleep(Duration::from_millis(3)).await;
        panic!("the worker failed");
    })
    .detach();
    std::future::pending::<()>().await;
}

#[sim::test(seeds = 1, profile = "exact")]
#[ignore = "fails on purpose"]
async fn a_look_without_end() {
    let mut polls = 0;
    std::future::poll_fn::<(), _>(|_| {
        polls += 1;
        match polls {
            1 => std::task::Poll::Pending,
            _ => loop {
                std::hint::spin_loop();
            },
        }
    })
    .await;
}

#[sim::test(seeds = 1, profile = "exact")]
#[ignore = "fails on purpose"]
async fn a_partition(sim: sim::Sim) {
    let _ = (sim.host("svc"), sim.host("idle"));
    let cut = sim::net::partition("main", "svc");
    let connecting = event_loop::net::TcpStream::connect("svc:80");
    let _ = event_loop::time::timeout(Duration::from_millis(1_500), connecting).await;
    drop(cut);
    sim::net::clog("idle").keep();
    panic!("no answer");
}

#[sim::test(seeds = 3, profile = "exact")]
#[ignore = "is run for what it says on its way"]
async fn a_fault_for_nothing(sim: sim::Sim) {
    let _ = sim.host("svc");
    drop(sim::net::partition("main", "svc"));
    let refused = sim::net::refuse("main", 80);
    assert!(
        event_loop::net::TcpStream::connect("10.0.0.1:80")
            .await
            .is_err()
    );
    refused.keep();
}

#[sim::test(seeds = 1, profile = "exact")]
#[ignore = "fails on purpose"]
async fn a_network_that_keeps_quiet(sim: sim::Sim) {
    use event_loop::net::{TcpListener, TcpStream, UdpSocket};

    let svc = sim.host("svc").run(|_| async {
        let listener = TcpListener::bind("0.0.0.0:80").await?;
        let _one = listener.accept().await?;
        listener.accept().await
    });
    let client = sim.host("client").run(|_| async {
        assert!(TcpStream::connect("svc:81").await.is_err());
        let stream = TcpStream::connect("svc:80").await?;
        event_loop::spawn_named("reader", async move { stream.readable().await }).detach();
        let udp = UdpSocket::bind("0.0.0.0:0").await?;
        udp.connect("svc:53").await?;
        udp.recv(&mut [0; 8]).await
    });
    let _ = svc.await;
    let _ = client.await;
}

#[sim::test(seeds = 3, profile = "exact")]
#[ignore = "is run for what it says on its way"]
async fn faults_that_could_do_nothing(sim: sim::Sim) {
    let _ = sim.host("svc");
    assert_eq!(sim::net::reset("main", "svc"), 0);
    let down = sim::net::dns("db").fails(sim::net::DnsFailure::Timeout);
    let cut = sim::net::partition("main", "svc");
    event_loop::time::sleep(Duration::from_millis(1)).await;
    drop((down, cut));
}

#[sim::test(seeds = 1, profile = "exact")]
#[ignore = "fails on purpose"]
async fn a_blocking_sleep(sim: sim::Sim) {
    let svc = sim.host("svc").event_loop();
    for period in [10, 20, 30, 40, 50, 60, 70] {
        let ticks = sleep(Duration::from_millis(period));
        svc.spawn_named(&format!("ticker {period}"), ticks).detach();
    }
    let napper = svc.spawn_named("napper", async {
        std::thread::sleep(Duration::from_millis(65));
    });
    napper.await.unwrap();
}

#[sim::test(seeds = 3, on_blocking = "report")]
#[ignore = "one of those whose sayings are looked at"]
async fn naps_that_are_reported() {
    let napper = spawn_named("napper", async {
        std::thread::sleep(Duration::from_millis(2));
        sleep(Duration::from_millis(1)).await;
        std::thread::sleep(Duration::from_millis(3));
    });
    napper.await.unwrap();
}

#[sim::test(seeds = 1, profile = "exact", on_blocking = "report")]
#[ignore = "fails on purpose"]
async fn a_panic_after_a_nap() {
    std::thread::sleep(Duration::from_millis(2));
    panic!("on purpose");
}

#[sim::test(seeds = 1, profile = "exact")]
#[ignore = "fails on purpose"]
async fn a_mutex_locked_twice() {
    let shared = std::sync::Mutex::new(0);
    let mut first = shared.lock().unwrap();
    *shared.lock().unwrap() += 1;
    *first += 1;
}

#[test]
#[ignore = "ends its process on purpose"]
fn a_run_whose_thread_is_stuck() {
    sim::run_once(&sim::Config::new(), 7, |_| async {
        let (_kept, receiver) = std::sync::mpsc::channel::<()>();
        receiver.recv().unwrap();
    });
    eprintln!("it returned");
}

#[sim::test(seeds = 1, profile = "exact")]
#[ignore = "fails on purpose"]
async fn a_sleep_until_nobody_comes() {
    let flag = Arc::new(std::sync::atomic::AtomicBool::new(false));
    let set = flag.clone();
    spawn_named("setter", async move {
        set.store(true, std::sync::atomic::Ordering::Relaxed)
    })
    .detach();
    while !flag.load(std::sync::atomic::Ordering::Relaxed) {
        std::thread::sleep(Duration::from_millis(10));
    }
}
