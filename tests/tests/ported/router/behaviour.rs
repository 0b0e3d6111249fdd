//! What the router does, whatever it runs on.

use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::future::join_all;
use hyper::{Method, StatusCode};

use super::client::Client;
use super::database::{CALM, Database, Mood};
use super::rt;
use super::service::pool::{Pool, PoolConfig};
use super::service::serve::{Config, Report, serve};
use crate::stage::{BoxFuture, Stage};
use rt::net::{TcpListener, TcpStream};
use rt::sync::watch;
use rt::time::{sleep, timeout};

const MAX: usize = 3;
const USERS: usize = 12;
/// Nothing that is promised takes so long, nor does the machine ever stall for as long.
const EVER: Duration = Duration::from_secs(60);

const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn pool_config(database: &Database) -> PoolConfig {
    PoolConfig {
        database: database.address,
        max: MAX,
        idle_timeout: ms(400),
        check_after: ms(60),
        connect_timeout: ms(2_000),
    }
}

fn config(database: &Database) -> Config {
    Config {
        pool: pool_config(database),
        cached_for: ms(30),
        concurrency: 6,
        request_timeout: ms(30_000),
        head_timeout: ms(30_000),
        grace: ms(30_000),
    }
}

/// A service under way, and the means to stop it.
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
        self.report.await
    }
}

async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    let in_time = timeout(EVER, future).await;
    in_time.unwrap_or_else(|_| panic!("it never came: {what}"))
}

/// Runs users on one host, each with its number, to their ends.
async fn users<F>(stage: &impl Stage, host: &str, user: impl Fn(usize) -> F) -> Vec<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    let started: Vec<_> = (0..USERS).map(|i| stage.spawn(host, user(i))).collect();
    join_all(started).await
}

/// One connection for all: whoever asks first gets it first.
pub(crate) async fn the_pool_serves_waiters_in_their_order(stage: impl Stage) {
    let database = Database::start(&stage, CALM).await;
    let pool = Pool::new(PoolConfig {
        max: 1,
        ..pool_config(&database)
    });
    let asked = Arc::<AtomicUsize>::default();
    let served = Arc::<Mutex<Vec<usize>>>::default();
    users(&stage, "svc", |_| {
        let (pool, asked, served) = (pool.clone(), asked.clone(), served.clone());
        let think = stage.millis("think", 20);
        async move {
            sleep(think).await;
            // Taken in the poll in which the wait begins: the number is the place in the queue.
            let mut place = None;
            let mut getting = std::pin::pin!(pool.get());
            let got = std::future::poll_fn(|cx| {
                let _turn = served.lock().unwrap();
                place.get_or_insert_with(|| asked.fetch_add(1, Ordering::Relaxed));
                getting.as_mut().poll(cx)
            });
            let mut connection = soon("a connection", got).await.unwrap();
            served.lock().unwrap().push(place.unwrap());
            assert_eq!(connection.ask("PING").await.unwrap(), "PONG");
        }
    })
    .await;
    let served = served.lock().unwrap().clone();
    assert_eq!(served, (0..USERS).collect::<Vec<_>>());
    pool.close();
    database.stop();
}

/// Users who give up while they wait, while they connect and while they ask take nothing with
/// them: in the end the pool has all it had.
pub(crate) async fn the_pool_keeps_its_max_whoever_gives_up(stage: impl Stage) {
    let mood = Mood {
        slow: (0, 12),
        breaks: 9,
    };
    let database = Database::start(&stage, mood).await;
    let pool = Pool::new(pool_config(&database));
    let held = Arc::<AtomicUsize>::default();
    users(&stage, "svc", |user| {
        let (pool, held, stage) = (pool.clone(), held.clone(), stage.clone());
        async move {
            for round in 0..6 {
                let patience = ms(62) - stage.millis("haste", 60);
                let key = format!("{user}-{round}");
                let using = async {
                    let mut connection = pool.get().await?;
                    let _held = Held::new(&held);
                    assert!(pool.status().open <= MAX, "{:?}", pool.status());
                    connection.ask(&format!("SET {key} {key}")).await?;
                    let answer = connection.ask(&format!("GET {key}")).await?;
                    assert_eq!(answer, format!("VALUE {key}"), "another's answer");
                    io::Result::Ok(())
                };
                rt::select! {
                    _ = using => {}
                    () = sleep(patience) => {}
                }
            }
        }
    })
    .await;
    // All it may lend at once, it lends.
    let mut lent = Vec::new();
    while lent.len() < MAX {
        let connection = soon("a connection that nobody has", pool.get()).await;
        lent.extend(connection);
    }
    assert_eq!(pool.status().open, MAX);
    assert_eq!(pool.status().available, 0);
    pool.close();
    drop(lent);
    assert_eq!(pool.status().open, 0);
    database.stop();
}

/// Counts who holds a connection.
struct Held<'a>(&'a AtomicUsize);

impl<'a> Held<'a> {
    fn new(held: &'a AtomicUsize) -> Self {
        let others = held.fetch_add(1, Ordering::SeqCst);
        assert!(others < MAX, "{others} others hold a connection");
        Self(held)
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

/// What the database has closed is replaced, whether it was in use or idle.
pub(crate) async fn a_broken_connection_is_replaced(stage: impl Stage) {
    let mood = Mood {
        slow: (0, 3),
        breaks: 4,
    };
    let database = Database::start(&stage, mood).await;
    let pool = Pool::new(pool_config(&database));
    let playing = stage.spawn("svc", {
        let (pool, stage) = (pool.clone(), stage.clone());
        async move {
            let (mut answered, mut broken) = (0, 0);
            while answered < 30 {
                let mut connection = soon("a connection", pool.get()).await.unwrap();
                match soon("an answer or the end", connection.ask("GET nothing")).await {
                    Ok(answer) => {
                        assert_eq!(answer, "NONE");
                        answered += 1;
                    }
                    Err(_) => broken += 1,
                }
                drop(connection);
                // Sometimes for long enough that its health is doubted.
                sleep(stage.millis("idle", 90)).await;
            }
            broken
        }
    });
    let broken = playing.await;
    let connections = database.seen().connections;
    assert!(
        connections > broken,
        "{connections}, of which {broken} broke"
    );
    assert!(connections <= broken + 30 + 1, "more than were needed");
    assert_eq!(pool.status().available, MAX);
    pool.close();
    database.stop();
}

/// Nobody needs them: they are closed, at both ends.
pub(crate) async fn idle_connections_are_closed(stage: impl Stage) {
    let database = Database::start(&stage, CALM).await;
    let running = Running::start(&stage, config(&database)).await;
    let address = running.address;
    let statuses = users(&stage, "client", |user| async move {
        let mut client = Client::connect(address).await.unwrap();
        let (status, _) = client.get(&format!("/items/{user}")).await.unwrap();
        status
    });
    assert_eq!(statuses.await, [StatusCode::NOT_FOUND; USERS]);
    assert!(database.seen().open > 0);
    let closed = async {
        while database.seen().open > 0 {
            sleep(ms(20)).await;
        }
    };
    soon("the end of idle connections", closed).await;
    let asked = stage.spawn("client", async move {
        let mut client = Client::connect(address).await.unwrap();
        client.get("/status").await.unwrap()
    });
    let all_free = format!("open 0 idle 0 available {MAX}");
    assert_eq!(asked.await, (StatusCode::OK, all_free));
    let report = soon("the report", running.stop()).await;
    assert_eq!(report.cut, 0);
    database.stop();
}

/// Whoever writes reads what they wrote, whoever else reads it meanwhile, and however often requests
/// time out on the way: nobody gets another's answer, nor what the cache should have forgotten.
pub(crate) async fn an_answer_belongs_to_its_question(stage: impl Stage) {
    let mood = Mood {
        slow: (0, 30),
        breaks: 40,
    };
    let database = Database::start(&stage, mood).await;
    let running = Running::start(
        &stage,
        Config {
            pool: PoolConfig {
                max: 8,
                ..pool_config(&database)
            },
            concurrency: 10,
            request_timeout: ms(60),
            cached_for: ms(300),
            ..config(&database)
        },
    )
    .await;
    let address = running.address;
    users(&stage, "client", |user| {
        let stage = stage.clone();
        async move {
            // A writer and a reader for each.
            let (item, writer) = (user / 2, user % 2 == 0);
            let path = format!("/items/{item}");
            // What a read may find: what was written last, or a write that got no answer and may
            // arrive at any time.
            let mut stored = None;
            let mut perhaps = Vec::new();
            let mut client = Client::connect(address).await.unwrap();
            for round in 0..8 {
                sleep(stage.millis("think", 40)).await;
                if writer && stage.choose("read", 2) == 0 {
                    let value = format!("{item}.{round}");
                    let written = client.ask(Method::PUT, &path, value.clone()).await.unwrap();
                    match written.0 {
                        StatusCode::NO_CONTENT => stored = Some(value),
                        _ => perhaps.push(value),
                    }
                    continue;
                }
                let found = match client.get(&path).await.unwrap() {
                    (StatusCode::OK, value) => Some(value),
                    (StatusCode::NOT_FOUND, _) => None,
                    (StatusCode::GATEWAY_TIMEOUT | StatusCode::BAD_GATEWAY, _) => continue,
                    other => panic!("{other:?}"),
                };
                if writer {
                    let expected =
                        found == stored || found.as_ref().is_some_and(|it| perhaps.contains(it));
                    assert!(
                        expected,
                        "{path} is {found:?}, not {stored:?} nor any of {perhaps:?}"
                    );
                } else if let Some(found) = found {
                    let (of, _round) = found.split_once('.').unwrap();
                    assert_eq!(of, item.to_string(), "another's answer");
                }
            }
        }
    })
    .await;
    let report = soon("the report", running.stop()).await;
    assert_eq!(report.cut, 0);
    database.stop();
}

/// However many ask, so many are served at once.
pub(crate) async fn no_more_are_served_at_once_than_the_limit(stage: impl Stage) {
    let database = Database::start(
        &stage,
        Mood {
            slow: (5, 30),
            breaks: 0,
        },
    )
    .await;
    let limited = Config {
        pool: PoolConfig {
            max: USERS,
            ..pool_config(&database)
        },
        concurrency: 2,
        ..config(&database)
    };
    let running = Running::start(&stage, limited).await;
    let address = running.address;
    let statuses = users(&stage, "client", |user| async move {
        let mut client = Client::connect(address).await.unwrap();
        client.get(&format!("/items/{user}")).await.unwrap().0
    });
    assert_eq!(statuses.await, [StatusCode::NOT_FOUND; USERS]);
    assert!(database.seen().busiest <= 2);
    let refused = stage.spawn("client", async move {
        let mut client = Client::connect(address).await.unwrap();
        let no_method = client.ask(Method::DELETE, "/items/1", String::new()).await;
        let no_path = client.get("/items/1/more").await;
        [no_method.unwrap().0, no_path.unwrap().0]
    });
    let refusals = [StatusCode::METHOD_NOT_ALLOWED, StatusCode::NOT_FOUND];
    assert_eq!(refused.await, refusals);
    soon("the report", running.stop()).await;
    database.stop();
}

/// A request gets its answer, or its connection ends; and whoever comes after the shutdown is
/// refused.
pub(crate) async fn a_shutdown_leaves_nobody_without_an_answer(stage: impl Stage) {
    let database = Database::start(
        &stage,
        Mood {
            slow: (0, 20),
            breaks: 0,
        },
    )
    .await;
    let running = Running::start(&stage, config(&database)).await;
    let address = running.address;
    let clients = users(&stage, "client", |user| {
        let stage = stage.clone();
        async move {
            let Ok(mut client) = soon("a connection or its end", Client::connect(address)).await
            else {
                return;
            };
            loop {
                let path = format!("/items/{user}");
                let Ok((status, _)) = soon("an answer or the end", client.get(&path)).await else {
                    return;
                };
                assert_eq!(status, StatusCode::NOT_FOUND);
                sleep(stage.millis("think", 10)).await;
            }
        }
    });
    let stop = async {
        sleep(ms(5) + stage.millis("stop", 150)).await;
        let report = soon("the report", running.stop()).await;
        assert_eq!(report.cut, 0, "{report:?}");
        let refused = stage.spawn("client", TcpStream::connect(address)).await;
        let error = refused.expect_err("nobody listens any more");
        assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
    };
    futures::join!(clients, stop);
    database.stop();
}

/// What takes longer than the grace is cut, and the service is down in time.
pub(crate) async fn the_grace_binds(stage: impl Stage) {
    let endless = Mood {
        slow: (1_000_000, 1_000_000),
        breaks: 0,
    };
    let database = Database::start(&stage, endless).await;
    let hasty = Config {
        request_timeout: ms(1_000_000),
        grace: ms(50),
        ..config(&database)
    };
    let running = Running::start(&stage, hasty).await;
    let address = running.address;
    let asking = stage.spawn("client", async move {
        let mut client = Client::connect(address).await.unwrap();
        assert_eq!(client.get("/status").await.unwrap().0, StatusCode::OK);
        client.get("/items/1").await.map_err(|_| ())
    });
    let waited = async {
        while database.seen().connections == 0 {
            sleep(ms(5)).await;
        }
    };
    soon("the question", waited).await;
    let report = soon("the report", running.stop()).await;
    let cut = Report {
        cut: 1,
        ..Report::default()
    };
    assert_eq!(report, cut);
    let answer = soon("the end of the connection", asking).await;
    // Whose answer takes no time at all is served before.
    assert!(answer.is_err(), "{answer:?}");
    database.stop();
}
