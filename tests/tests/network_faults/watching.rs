//! Observers and monitors: code of the test's that sees what is sent.

use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use event_loop::net::TcpStream;
use event_loop::time::{Instant, sleep};
use sim::net::{Guard, SegmentKind, Sighted, Treatment, monitor, observe, partition};
use sim::{Config, Sim, VerdictKind, record_once, run_once};

use crate::service::{PORT, ask, question, started};

const SECOND: Duration = Duration::from_secs(1);

fn is_data(kind: &SegmentKind) -> bool {
    matches!(kind, SegmentKind::Data(_))
}

#[test]
fn an_observer_sees_all_that_passes_in_its_order_and_nothing_else() {
    let seen: Arc<Mutex<Vec<String>>> = Arc::default();
    let log = seen.clone();
    let run = run_once(&Config::new(), 0, async move |sim: Sim| {
        for svc in ["svc", "other"] {
            let _ = started(&sim, svc).await;
        }
        let looking = observe("main", "svc", move |seen| {
            let segment = &seen.segment;
            if segment.kind != SegmentKind::Ack {
                let line = format!("{:?} {} {segment}", seen.sighted, seen.at);
                log.lock().unwrap().push(line);
            }
        });
        ask("other").await.unwrap();
        let mut stream = TcpStream::connect(("svc", PORT)).await.unwrap();
        question(&mut stream).await.unwrap();
        drop(looking);
        question(&mut stream).await.unwrap();
    });
    assert_eq!(run.verdict, None);
    assert_eq!(run.rules(), [], "who only looks is no fault");
    let seen = seen.lock().unwrap();
    let words: Vec<_> = seen
        .iter()
        .map(|line| line.split(' ').collect::<Vec<_>>())
        .collect();
    let kinds: Vec<_> = words.iter().map(|words| (words[0], words[2])).collect();
    assert_eq!(
        kinds,
        [
            ("Sent", "SYN"),
            ("Delivered", "SYN"),
            ("Sent", "SYN-ACK"),
            ("Delivered", "SYN-ACK"),
            ("Sent", "data"),
            ("Delivered", "data"),
            ("Sent", "data"),
            ("Delivered", "data"),
        ]
    );
}

#[test]
fn looking_changes_nothing_but_the_two_lines_that_tell_of_it() {
    let plain = async |sim: Sim| {
        let _ = started(&sim, "svc").await;
        for _ in 0..3 {
            ask("svc").await.unwrap();
        }
    };
    let watched = async |sim: Sim| {
        let _ = started(&sim, "svc").await;
        let looking = observe("main", "svc", |_| ());
        for _ in 0..3 {
            ask("svc").await.unwrap();
        }
        looking.keep();
    };
    let config = Config::new().latency(Duration::from_millis(1)..=Duration::from_millis(9));
    for seed in 0..20 {
        let plain = record_once(&config, seed, plain);
        let watched = record_once(&config, seed, watched);
        assert_eq!(
            (plain.verdict.as_ref(), watched.verdict.as_ref()),
            (None, None)
        );
        let [plain, watched] = [plain, watched].map(|run| run.timeline().unwrap().to_string());
        let rest = watched.lines().filter(|line| !line.ends_with("main | svc"));
        assert!(rest.eq(plain.lines()), "{plain}\n{watched}");
        assert_eq!(
            run_once(&config, seed, watched_again).hash,
            record_once(&config, seed, watched_again).hash
        );
    }
    async fn watched_again(sim: Sim) {
        let _ = started(&sim, "svc").await;
        let _looking = observe("main", "svc", |_| ());
        ask("svc").await.unwrap();
    }
}

#[test]
fn a_monitor_delays_drops_resets_and_rewrites_by_what_a_segment_is() {
    sim::check(&Config::new().seeds(20), async |sim: Sim| {
        let asked = started(&sim, "svc").await;
        let mut stream = TcpStream::connect(("svc", PORT)).await.unwrap();

        let slow = monitor("main", "svc", |segment| match &segment.kind {
            kind if is_data(kind) => Treatment::Delay(SECOND),
            _ => Treatment::Pass,
        });
        let begun = Instant::now();
        assert_eq!(question(&mut stream).await.unwrap(), 1);
        assert!(Instant::now() - begun >= 2 * SECOND);
        let stats = slow.lift();
        assert!(
            stats.applied >= 2 && stats.eligible >= stats.applied,
            "{stats:?}"
        );

        // A client that is told another number than the service counted.
        let lying = monitor("main", "svc", |segment| match &segment.kind {
            SegmentKind::Data(bytes) if segment.from.port() == PORT => {
                Treatment::Rewrite(vec![0; bytes.len()])
            }
            _ => Treatment::Pass,
        });
        assert_eq!(question(&mut stream).await.unwrap(), 0);
        drop(lying);

        let mut left = 1;
        let lossy = monitor("main", "svc", move |segment| {
            if is_data(&segment.kind) && left > 0 {
                left -= 1;
                return Treatment::Drop;
            }
            Treatment::Pass
        });
        // What is lost is sent again, and the stream has no hole.
        assert_eq!(question(&mut stream).await.unwrap(), 3);
        assert_eq!(lossy.stats().applied, 1);
        drop(lossy);

        let _cutting = monitor("svc", "main", |segment| match segment.kind.payload() {
            [] => Treatment::Pass,
            _ => Treatment::Reset,
        });
        let error = question(&mut stream).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
        assert_eq!(asked.load(Ordering::SeqCst), 3);
    });
}

#[test]
fn a_treatment_that_does_not_suit_its_segment_fails_the_run() {
    let run = run_once(&Config::new(), 0, async |sim: Sim| {
        let _ = started(&sim, "svc").await;
        let _bad = monitor("main", "svc", |segment| match segment.kind.payload() {
            [] => Treatment::Pass,
            _ => Treatment::Rewrite(vec![1]),
        });
        ask("svc").await
    });
    let verdict = run.verdict.unwrap();
    assert_eq!(verdict.kind, VerdictKind::Error);
    assert!(
        verdict
            .message
            .starts_with("a monitor cannot put 1 bytes into"),
        "{verdict}"
    );
}

#[test]
fn an_observer_may_break_the_network_itself_and_drop_its_own_guard() {
    let own: Arc<Mutex<Option<Guard>>> = Arc::default();
    let slot = own.clone();
    let run = run_once(&Config::new(), 0, async move |sim: Sim| {
        let _ = started(&sim, "svc").await;
        let asks = Arc::new(AtomicU64::new(0));
        let (count, mine) = (asks.clone(), slot.clone());
        let guard = observe("main", "svc", move |seen| {
            if seen.sighted == Sighted::Delivered && is_data(&seen.segment.kind) {
                count.fetch_add(1, Ordering::SeqCst);
                // From the first question on, nothing passes, and nobody looks.
                partition("main", "svc").keep();
                drop(mine.lock().unwrap().take());
            }
        });
        *slot.lock().unwrap() = Some(guard);
        let mut stream = TcpStream::connect(("svc", PORT)).await.unwrap();
        let asking = event_loop::time::timeout(5 * SECOND, question(&mut stream)).await;
        assert!(asking.is_err());
        sim::net::repair("main", "svc");
        sleep(300 * SECOND).await;
        assert_eq!(asks.load(Ordering::SeqCst), 1);
    });
    assert_eq!(run.verdict, None);
}

#[test]
fn a_panic_of_an_observer_fails_the_run() {
    let run = run_once(&Config::new(), 0, async |sim: Sim| {
        let _ = started(&sim, "svc").await;
        let _looking = observe("main", "svc", |seen| {
            assert!(seen.segment.kind != SegmentKind::SynAck, "a SYN-ACK");
        });
        ask("svc").await
    });
    let verdict = run.verdict.unwrap();
    assert_eq!(
        (verdict.kind, &*verdict.message),
        (VerdictKind::Unread, "a SYN-ACK")
    );
}

#[test]
fn what_an_observer_holds_is_dropped_with_it_or_with_its_world() {
    let held = Arc::new(());
    for keep in [false, true] {
        let hold = held.clone();
        let run = run_once(&Config::new(), 0, async move |sim: Sim| {
            let _ = started(&sim, "svc").await;
            let world = sim.clone();
            let looking = observe("main", "svc", move |_| drop((world.now(), hold.clone())));
            match keep {
                true => looking.keep(),
                false => drop(looking),
            }
        });
        assert_eq!(run.verdict, None);
        assert_eq!(Arc::strong_count(&held), 1);
    }
}
