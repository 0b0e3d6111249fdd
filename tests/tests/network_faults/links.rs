//! What links are like, for a while or for good.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use event_loop::net::{TcpListener, TcpStream};
use event_loop::time::{Instant, sleep};
use sim::net::{
    Bandwidth, ConfigError, Latency, LinkConfig, Probability, RuleError, default_link, link,
    link_to, try_link,
};
use sim::{Config, Sim, record_once, run_once};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::service::{PORT, ask, question, started};

const MS: Duration = Duration::from_millis(1);

/// How long a question on a standing connection takes.
async fn trip(stream: &mut TcpStream) -> Duration {
    let asked = Instant::now();
    question(stream).await.unwrap();
    Instant::now() - asked
}

#[test]
fn a_link_has_the_latency_that_was_said_last_each_way() {
    let run = run_once(&Config::new(), 0, async |sim: Sim| {
        let _ = started(&sim, "svc").await;
        let mut stream = TcpStream::connect(("svc", PORT)).await.unwrap();
        assert_eq!(trip(&mut stream).await, 2 * MS);
        link("main", "svc").latency(10 * MS);
        assert_eq!(trip(&mut stream).await, 20 * MS);
        link_to("svc", "main").latency(30 * MS..=40 * MS);
        assert_eq!(trip(&mut stream).await, 40 * MS);
        link_to("main", "svc").latency(Latency::heavy_tail(5 * MS, 900 * MS));
        let heavy = trip(&mut stream).await;
        assert!(heavy >= 35 * MS && heavy < 1_000 * MS, "{heavy:?}");
    });
    assert_eq!(run.verdict, None);
}

#[test]
fn a_guard_gives_a_link_its_shape_back() {
    let run = run_once(&Config::new(), 0, async |sim: Sim| {
        let _ = started(&sim, "svc").await;
        let mut stream = TcpStream::connect(("svc", PORT)).await.unwrap();
        let slow = link("main", "svc")
            .latency(MS * 50)
            .jitter(MS)
            .until_dropped();
        assert_eq!(trip(&mut stream).await, 100 * MS);
        drop(slow);
        assert_eq!(trip(&mut stream).await, 2 * MS);
        let slow = default_link().latency(MS * 7).until_dropped();
        let mut other = TcpStream::connect(("svc", PORT)).await.unwrap();
        // These two were given a link of their own above.
        assert_eq!(trip(&mut other).await, 2 * MS);
        let _ = started(&sim, "late").await;
        let mut late = TcpStream::connect(("late", PORT)).await.unwrap();
        assert_eq!(trip(&mut late).await, 14 * MS);
        drop(slow);
        assert_eq!(trip(&mut late).await, 2 * MS);
    });
    assert_eq!(run.verdict, None);
}

#[test]
fn a_narrow_link_takes_its_time() {
    let run = run_once(&Config::new(), 0, async |sim: Sim| {
        let listener = TcpListener::bind("0.0.0.0:80").await.unwrap();
        let sink = event_loop::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            tokio::io::copy(&mut stream, &mut tokio::io::sink())
                .await
                .unwrap()
        });
        let source = sim.host("source").spawn(async move {
            link("main", "source").bandwidth(Bandwidth::from_bytes(1_000_000));
            let mut stream = TcpStream::connect("main:80").await.unwrap();
            stream.write_all(&vec![7; 1_000_000]).await.unwrap();
        });
        let begun = Instant::now();
        source.await.unwrap();
        assert_eq!(sink.await.unwrap(), 1_000_000);
        let took = Instant::now() - begun;
        assert!(
            took >= Duration::from_secs(1) && took < Duration::from_millis(1_100),
            "{took:?}"
        );
    });
    assert_eq!(run.verdict, None);
}

#[test]
fn loss_is_a_delay_for_a_stream_and_never_a_hole() {
    let config = Config::new()
        .link(LinkConfig::new(Latency::constant(MS)).with_loss(Probability::ratio(1, 10).unwrap()));
    let (mut lost, mut slowest) = (0, Duration::ZERO);
    for seed in 0..40 {
        let run = run_once(&config, seed, async |sim: Sim| {
            let _ = started(&sim, "svc").await;
            let mut slowest = Duration::ZERO;
            let mut stream = TcpStream::connect(("svc", PORT)).await.unwrap();
            for number in 1..=20 {
                let asked = Instant::now();
                assert_eq!(question(&mut stream).await.unwrap(), number);
                slowest = slowest.max(Instant::now() - asked);
            }
            slowest
        });
        assert_eq!(run.verdict, None);
        let account = run.rules().iter().find(|account| account.rule == "loss");
        let account = account.expect("there is an account of it");
        assert!(account.eligible >= 40 && account.applied <= account.eligible);
        lost += account.applied;
        slowest = slowest.max(run.value.unwrap());
    }
    assert!(lost > 100, "{lost} lost");
    assert!(
        slowest >= 200 * MS,
        "Linux waits 200 ms before it sends again: {slowest:?}"
    );
}

#[test]
fn faults_that_never_happen_might_as_well_not_have_been_named() {
    let talk = async |sim: Sim, said: fn()| {
        let _ = started(&sim, "svc").await;
        said();
        for _ in 0..5 {
            ask("svc").await.unwrap();
            sleep(sim.any_duration("pause", MS..=20 * MS)).await;
        }
    };
    let config = Config::new().latency(MS..=9 * MS);
    for seed in 0..20 {
        let silent = run_once(&config, seed, |sim| talk(sim, || ()));
        let named = run_once(&config, seed, |sim| {
            talk(sim, || {
                link("main", "svc")
                    .loss(0.0)
                    .duplicate(0.0)
                    .reorder(0.0, MS)
                    .jitter(Duration::ZERO)
                    .corrupt(0.0, sim::net::Corruption::Delivered);
                default_link().loss(0.0);
            })
        });
        assert_eq!(silent.verdict, None);
        assert_eq!((silent.hash, silent.events), (named.hash, named.events));
        assert_eq!(named.rules(), []);
    }
}

#[test]
fn what_no_link_can_be_is_told() {
    let run = run_once(&Config::new(), 0, async |sim: Sim| {
        let _ = sim.host("svc");
        let told = |said: &dyn Fn()| {
            let panic = catch_unwind(AssertUnwindSafe(said)).unwrap_err();
            panic.downcast_ref::<String>().unwrap().clone()
        };
        let ends = || link("main", "svc");
        let chance = |given: &str| format!("a probability of {given}: it is from 0 to 1");
        assert_eq!(told(&|| drop(ends().loss(1.5))), chance("1.5"));
        assert_eq!(told(&|| drop(ends().duplicate(-0.1))), chance("-0.1"));
        assert_eq!(told(&|| drop(ends().reorder(f64::NAN, MS))), chance("NaN"));
        assert_eq!(
            told(&|| drop(ends().latency(9 * MS..=MS))),
            "a latency from 9ms to 1ms is empty: the lower end comes first, and a distribution's \
             is above zero"
        );
        assert_eq!(
            told(&|| drop(ends().mtu(10))),
            "an MTU of 10 bytes: IP asks for at least 68"
        );
        assert_eq!(
            Bandwidth::try_from_bytes(0).unwrap_err().to_string(),
            "a bandwidth of 0 bytes a second: for a link that takes nothing, partition it"
        );
        let refused = try_link("main", "svc")
            .unwrap()
            .try_change("bandwidth", |link| {
                Ok(link.with_bandwidth(Bandwidth::try_from_bytes(0)?))
            });
        assert_eq!(
            refused.unwrap_err(),
            RuleError::Link(ConfigError::ZeroBandwidth)
        );
        let error = try_link("svc", ["svc"]).unwrap_err();
        assert!(matches!(error, RuleError::SameHost { .. }), "{error}");
    });
    assert_eq!(run.verdict, None);
}

#[test]
fn a_trace_tells_what_was_said_of_a_link() {
    let run = record_once(&Config::new(), 0, async |sim: Sim| {
        let _ = (sim.host("a"), sim.host("b"));
        link("main", ["a", "b"]).loss(0.25);
        link_to("a", "b").mtu(1_500);
        let _slow = default_link().latency(MS * 20).until_dropped();
    });
    let timeline = run.timeline().unwrap().to_string();
    for said in [
        "link main | a, b loss 0.25",
        "link a > b mtu 1500 bytes",
        "link default link latency 20ms",
        "fault default link",
        "lift default link",
    ] {
        assert!(
            timeline.lines().any(|line| line.ends_with(said)),
            "{said}\n{timeline}"
        );
    }
}

#[test]
fn a_mesh_is_a_group_with_itself() {
    let run = run_once(&Config::new(), 0, async |sim: Sim| {
        let nodes = ["a", "b", "c"];
        for node in nodes {
            let _ = started(&sim, node).await;
        }
        link(nodes, nodes).latency(5 * MS);
        let asking = sim.host("a").spawn(async {
            let mut stream = TcpStream::connect(("c", PORT)).await.unwrap();
            let mut own = TcpStream::connect(("a", PORT)).await.unwrap();
            (trip(&mut stream).await, trip(&mut own).await)
        });
        assert_eq!(asking.await.unwrap(), (10 * MS, Duration::ZERO));
        let mut stream = TcpStream::connect(("a", PORT)).await.unwrap();
        stream.write_u64(1).await.unwrap();
        stream.read_u64().await.unwrap();
        assert_eq!(trip(&mut stream).await, 2 * MS);
    });
    assert_eq!(run.verdict, None);
}
