//! What the broker does, whatever it runs on.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use futures::future::join_all;

use super::client::Client;
use super::rt;
use super::service::serve::{Config, Report, SlowClients, serve};
use super::service::session::Ended;
use crate::stage::{BoxFuture, Stage};
use rt::net::TcpListener;
use rt::sync::watch;
use rt::time::{Instant, sleep, timeout};

const PUBLISHERS: usize = 3;
const SUBSCRIBERS: usize = 4;
/// From each publisher.
const MESSAGES: usize = 3 * BURST;
/// How many messages a publisher sends without waiting for answers.
const BURST: usize = 6;
/// Nothing that is promised takes so long, nor does the machine ever stall for as long.
const EVER: Duration = Duration::from_secs(60);

const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// With room for all, and patience with everybody.
fn config() -> Config {
    Config {
        queue: 4,
        kept: 256,
        slow_clients: SlowClients::DropOldest,
        keep_alive: ms(30_000),
        write_timeout: ms(30_000),
        grace: ms(30_000),
    }
}

/// A broker under way, and the means to stop it.
struct Running {
    address: SocketAddr,
    stop: watch::Sender<bool>,
    report: BoxFuture<Report>,
}

impl Running {
    async fn start(stage: &impl Stage, config: Config) -> Self {
        let listening = TcpListener::bind(SocketAddr::new(stage.ip("svc"), 0));
        let listener = stage.spawn("svc", listening).await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopping) = watch::channel(false);
        let report = stage.spawn("svc", serve(listener, config, stopping));
        Self {
            address,
            stop,
            report,
        }
    }

    async fn stop(self) -> Report {
        self.stop.send(true).unwrap();
        soon("the report", self.report).await
    }
}

async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    let in_time = timeout(EVER, future).await;
    in_time.unwrap_or_else(|_| panic!("it never came: {what}"))
}

/// Publishes 0, 1, … in bursts until the broker takes no more, and says how many it took.
async fn publish(
    address: SocketAddr,
    name: String,
    messages: usize,
    think: impl Fn() -> Duration,
) -> io::Result<usize> {
    let mut client = Client::connect(address).await?;
    for first in (0..messages).step_by(BURST) {
        sleep(think()).await;
        let line = |number| format!("PUBLISH news {name} {number}");
        let burst: Vec<_> = (first..first + BURST).map(line).collect();
        if client.say(&burst.join("\n")).await.is_err() {
            return Ok(first);
        }
        for number in first..first + BURST {
            match soon("an answer or the end", client.answer()).await {
                Ok(answer) if answer == "OK" => {}
                _ => return Ok(number),
            }
        }
    }
    Ok(messages)
}

/// What came of one topic, publisher by publisher.
#[derive(Default, Debug)]
struct Heard {
    /// The numbers, as they came.
    numbers: BTreeMap<String, Vec<usize>>,
    missed: usize,
    total: usize,
    bye: bool,
}

impl Heard {
    fn note(&mut self, line: &str) {
        match *line.split(' ').collect::<Vec<_>>() {
            ["MSG", "news", publisher, number, ..] => {
                let numbers = self.numbers.entry(publisher.to_owned()).or_default();
                let number = number.parse().unwrap();
                let before = numbers.last();
                assert!(
                    before.is_none_or(|before| *before < number),
                    "{publisher}'s {number} after {before:?}"
                );
                numbers.push(number);
                self.total += 1;
            }
            ["MISSED", "news", count] => self.missed += count.parse::<usize>().unwrap(),
            ["BYE"] => self.bye = true,
            ["PONG"] => {}
            _ => panic!("unexpected: {line}"),
        }
    }

    /// Reads until there were so many, or to the end.
    async fn read(&mut self, client: &mut Client, total: usize) {
        while self.total + self.missed < total {
            match soon("a message or the end", client.hear()).await {
                Ok(Some(line)) => self.note(&line),
                Ok(None) | Err(_) => return,
            }
        }
    }
}

async fn subscriber(address: SocketAddr) -> Client {
    let mut client = Client::connect(address).await.unwrap();
    assert_eq!(client.ask("SUBSCRIBE news").await.unwrap(), "OK");
    client
}

/// Every subscriber gets everything, each publisher's messages in their order.
pub(crate) async fn the_order_of_each_publisher_is_kept(stage: impl Stage) {
    let running = Running::start(&stage, config()).await;
    let address = running.address;
    let subscribing = (0..SUBSCRIBERS).map(|_| stage.spawn("subscriber", subscriber(address)));
    let subscribers = join_all(subscribing).await;
    let publishing = (0..PUBLISHERS).map(|publisher| {
        let think = {
            let stage = stage.clone();
            move || stage.millis("think", 8)
        };
        let publishing = publish(address, publisher.to_string(), MESSAGES, think);
        stage.spawn("publisher", publishing)
    });
    let publishing: Vec<_> = publishing.collect();
    let reading = subscribers.into_iter().map(|mut client| {
        stage.spawn("subscriber", async move {
            let mut heard = Heard::default();
            heard.read(&mut client, PUBLISHERS * MESSAGES).await;
            heard
        })
    });
    let reading: Vec<_> = reading.collect();
    for published in join_all(publishing).await {
        assert_eq!(published.unwrap(), MESSAGES);
    }
    let all: Vec<_> = (0..MESSAGES).collect();
    for heard in join_all(reading).await {
        assert_eq!(heard.missed, 0);
        assert_eq!(heard.numbers.len(), PUBLISHERS);
        assert!(
            heard.numbers.values().all(|numbers| *numbers == all),
            "{heard:?}"
        );
    }
    let report = running.stop().await;
    assert_eq!(report.ended.len(), SUBSCRIBERS + PUBLISHERS);
    assert_eq!(report.cut, 0);
}

/// Nothing of a topic comes after the answer to UNSUBSCRIBE, and nonsense gets an answer too.
pub(crate) async fn an_unsubscription_is_final(stage: impl Stage) {
    let running = Running::start(&stage, config()).await;
    let address = running.address;
    let publishing = {
        let think = stage.clone();
        let publishing = publish(address, "0".into(), 10 * BURST, move || {
            think.millis("think", 12)
        });
        stage.spawn("publisher", publishing)
    };
    let reading = stage.spawn("subscriber", {
        let stage = stage.clone();
        async move {
            for _ in 0..3 {
                let mut client = subscriber(address).await;
                sleep(stage.millis("listen", 60)).await;
                assert_eq!(client.ask("UNSUBSCRIBE news").await.unwrap(), "OK");
                // Kept while the answer was waited for.
                let mut heard = Heard::default();
                while let Some(early) = client.take_early() {
                    heard.note(&early);
                }
                for (line, answer) in [
                    ("PING", "PONG"),
                    ("SUBSCRIBE", "ERR no topic"),
                    ("DANCE", "ERR no such command"),
                    ("UNSUBSCRIBE news", "OK"),
                ] {
                    assert_eq!(client.ask(line).await.unwrap(), answer);
                    assert_eq!(client.take_early(), None, "a message after the end");
                }
            }
        }
    });
    assert_eq!(publishing.await.unwrap(), 10 * BURST);
    reading.await;
    let report = running.stop().await;
    assert_eq!(report.cut, 0);
}

/// Publishes long messages at the pace of a subscriber that reads them.
async fn flood(address: SocketAddr, mut subscriber: Client, many: usize, bytes: usize) -> Heard {
    let (mut client, mut heard) = (Client::connect(address).await.unwrap(), Heard::default());
    let long = "x".repeat(bytes);
    for number in 0..many {
        let line = format!("PUBLISH news 0 {number} {long}");
        let answer = soon("an answer", client.ask(&line)).await;
        assert_eq!(answer.unwrap(), "OK");
        heard.read(&mut subscriber, number + 1).await;
    }
    heard
}

/// One subscriber does not read: the others do not notice. When it does at last, the broker being
/// about to leave, it gets what was kept for it, is told what it missed, which is the oldest, and
/// that it was all.
pub(crate) async fn a_slow_subscriber_holds_up_nobody(stage: impl Stage) {
    let (many, bytes) = stage.flood();
    let brief = Config {
        kept: 4,
        ..config()
    };
    let running = Running::start(&stage, brief).await;
    let address = running.address;
    let mut slow = stage.spawn("slow", subscriber(address)).await;
    let fast = stage.spawn("fast", subscriber(address)).await;
    let flooding = stage.spawn("fast", flood(address, fast, many, bytes));
    let heard = flooding.await;
    assert_eq!((heard.total, heard.missed), (many, 0));
    let reading = stage.spawn("slow", {
        let stage = stage.clone();
        async move {
            sleep(ms(30)).await;
            let mut heard = Heard::default();
            while !heard.bye {
                // Something may be under way to the broker when it closes; what became of the
                // connection is heard below.
                if stage.choose("ping", 4) == 3 {
                    let _ = slow.say("PING").await;
                }
                let line = soon("a message or the end", slow.hear()).await;
                let line = line.expect("no error before BYE");
                heard.note(&line.expect("no end before BYE"));
            }
            heard
        }
    });
    let (report, heard) = futures::join!(running.stop(), reading);
    assert_eq!(report.cut, 0, "{report:?}");
    assert!(heard.missed > 0, "the buffers held it all");
    assert_eq!(heard.total + heard.missed, many);
    assert_eq!(heard.numbers["0"].last(), Some(&(many - 1)));
}

/// The other policy: who does not keep up is dropped, and nobody else is.
pub(crate) async fn a_slow_subscriber_is_dropped_where_that_is_the_policy(stage: impl Stage) {
    let strict = Config {
        kept: 4,
        slow_clients: SlowClients::Disconnect,
        ..config()
    };
    let running = Running::start(&stage, strict).await;
    let address = running.address;
    let mut slow = stage.spawn("slow", subscriber(address)).await;
    let fast = stage.spawn("fast", subscriber(address)).await;
    let (many, bytes) = stage.flood();
    let flooding = stage.spawn("fast", flood(address, fast, many, bytes));
    let heard = flooding.await;
    assert_eq!((heard.total, heard.missed), (many, 0));
    let heard = stage.spawn("slow", async move {
        let mut heard = Heard::default();
        heard.read(&mut slow, many).await;
        heard
    });
    let heard = heard.await;
    assert!(heard.total < many, "it was not dropped");
    let report = running.stop().await;
    let dropped = report
        .ended
        .iter()
        .filter(|ended| **ended == Ended::TooSlow);
    assert_eq!((dropped.count(), report.cut), (1, 0), "{report:?}");
}

/// Who answers pings stays; who is silent is dropped after two of them, and not before.
pub(crate) async fn a_silent_client_is_dropped(stage: impl Stage) {
    let keep_alive = ms(300);
    let watchful = Config {
        keep_alive,
        ..config()
    };
    let running = Running::start(&stage, watchful).await;
    let address = running.address;
    let mut silent = stage.spawn("silent", subscriber(address)).await;
    let said = Instant::now();
    let mut lively = stage.spawn("lively", subscriber(address)).await;
    let dropped = stage.spawn("silent", async move {
        let mut pings = 0;
        while let Ok(Some(line)) = silent.listen().await {
            assert_eq!(line, "PING");
            pings += 1;
        }
        (said.elapsed(), pings)
    });
    let answering = stage.spawn("lively", async move { lively.hear().await });
    let (lasted, pings) = soon("the end of the silent", dropped).await;
    assert!(lasted > keep_alive, "after {lasted:?}");
    assert!((1..=3).contains(&pings), "{pings} pings");
    sleep(keep_alive * 4).await;
    let report = running.stop().await;
    assert_eq!(report.ended, [Ended::Silent, Ended::Dismissed]);
    assert_eq!(answering.await.unwrap().as_deref(), Some("BYE"));
}

/// Whatever was taken from a publisher before the shutdown reaches every subscriber, and then they
/// are told that it was all.
pub(crate) async fn a_shutdown_delivers_what_was_taken(stage: impl Stage) {
    let running = Running::start(&stage, config()).await;
    let address = running.address;
    let subscribing = (0..SUBSCRIBERS).map(|_| stage.spawn("subscriber", subscriber(address)));
    let subscribers = join_all(subscribing).await;
    let publishing = (0..PUBLISHERS).map(|publisher| {
        let stage = stage.clone();
        stage.clone().spawn("publisher", async move {
            let think = move || stage.millis("think", 12);
            publish(address, publisher.to_string(), usize::MAX, think).await
        })
    });
    let publishing: Vec<_> = publishing.collect();
    let reading = subscribers.into_iter().map(|mut client| {
        let stage = stage.clone();
        stage.clone().spawn("subscriber", async move {
            let mut heard = Heard::default();
            while !heard.bye {
                sleep(stage.millis("digest", 3)).await;
                match soon("a message or the end", client.hear()).await {
                    Ok(Some(line)) => heard.note(&line),
                    other => panic!("{other:?} before BYE, after {heard:?}"),
                }
            }
            assert_eq!(client.hear().await.unwrap(), None, "something after BYE");
            heard
        })
    });
    let reading: Vec<_> = reading.collect();
    sleep(ms(20) + stage.millis("stop", 150)).await;
    let report = running.stop().await;
    assert_eq!(report.cut, 0, "{report:?}");
    let (dismissed, total) = {
        let dismissed = report
            .ended
            .iter()
            .filter(|ended| **ended == Ended::Dismissed);
        (dismissed.count(), report.ended.len())
    };
    let mut published = Vec::new();
    for taken in join_all(publishing).await {
        // Who came too late was refused.
        published.push(taken.unwrap_or(0));
    }
    assert!(
        dismissed >= SUBSCRIBERS && total <= SUBSCRIBERS + PUBLISHERS,
        "{report:?}"
    );
    for heard in join_all(reading).await {
        assert_eq!(heard.missed, 0);
        for (publisher, taken) in published.iter().enumerate() {
            let numbers = heard.numbers.get(&publisher.to_string());
            let got = numbers.map_or(0, Vec::len);
            // Of the last burst some may have been taken, and their answers lost on the way.
            assert!(
                (*taken..=taken + BURST).contains(&got),
                "{taken} taken from {publisher}, {got} delivered"
            );
        }
    }
}

/// A subscriber that never reads holds the shutdown up for the grace and no longer.
pub(crate) async fn the_grace_binds(stage: impl Stage) {
    let hasty = Config {
        grace: ms(100),
        ..config()
    };
    let running = Running::start(&stage, hasty).await;
    let address = running.address;
    let deaf = stage.spawn("deaf", subscriber(address)).await;
    let (many, bytes) = stage.flood();
    let long = "x".repeat(bytes);
    let publishing = stage.spawn("publisher", async move {
        let mut client = Client::connect(address).await.unwrap();
        for number in 0..many {
            let line = format!("PUBLISH news 0 {number} {long}");
            assert_eq!(client.ask(&line).await.unwrap(), "OK");
        }
    });
    publishing.await;
    let asked = Instant::now();
    let report = running.stop().await;
    let took = asked.elapsed();
    assert!(took >= ms(100) && took < ms(5_000), "{took:?}");
    assert_eq!(report.cut, 1, "{report:?}");
    drop(deaf);
}
