//! A real service under a TERM at every event of its run: what it accepts is never lost.
//!
//! Routing over hyper, a pool of connections to a database, a flusher in the background and jobs in
//! the executor; it listens to TERM and shuts down gracefully.

mod app;
#[path = "../ported/router/event_loop/http.rs"]
#[expect(dead_code, reason = "the service needs no limits of its own")]
#[expect(clippy::disallowed_types, reason = "as a service has it")]
mod http;
mod load;
#[path = "../ported/router/event_loop/pool.rs"]
#[expect(dead_code, reason = "the service looks at no status")]
mod pool;

use std::time::Duration;

use event_loop::time::sleep;
use load::{Database, Told, send_orders};
use sim::{Config, ExitStatus, Host, Profile, Signal, Sim};

const CLIENTS: u32 = 2;
const ORDERS: u32 = 3;
/// What the orchestrator gives the service.
const UNTIL_KILL: Duration = Duration::from_secs(30);

/// What came of a run.
struct Outcome {
    status: ExitStatus,
    created: usize,
    took: Duration,
}

/// Clients send orders; in the end, at the latest, the service gets its TERM.
async fn orders_under_term(sim: Sim) -> Outcome {
    let database = Database::start(&sim);
    let svc = sim.host("svc").start(app::main);
    let clients: Vec<_> = (0..CLIENTS)
        .map(|n| {
            let host = sim.host(&format!("client {n}"));
            host.run(move |_| async move {
                // The service is up, if nobody has told it to end.
                sleep(Duration::from_millis(20)).await;
                send_orders(n, ORDERS).await
            })
        })
        .collect();
    let mut told = Vec::new();
    for client in clients {
        told.extend(client.await.unwrap());
    }
    let asked = sim.now();
    // It may have got one before.
    let _ = svc.try_terminate(UNTIL_KILL);
    let status = svc.wait().await;

    for (id, told) in &told {
        match told {
            Told::Created => {
                assert!(database.has_order(id), "order {id} was accepted and lost");
                assert!(
                    database.has_audited(id),
                    "order {id} was accepted and not audited"
                );
            }
            Told::Nothing => {}
            Told::Refused(status) => panic!("order {id} was answered {status}"),
        }
    }
    Outcome {
        status,
        created: told
            .iter()
            .filter(|(_, told)| *told == Told::Created)
            .count(),
        took: sim.now() - asked,
    }
}

fn term(svc: &Host) {
    // It may have ended.
    let _ = svc.try_terminate(UNTIL_KILL);
}

#[test]
fn without_a_term_in_between_every_order_is_taken_and_the_end_is_clean() {
    for profile in Profile::ALL {
        for seed in 0..5 {
            let config = Config::new().profile(profile);
            let run = sim::run_once(&config, seed, orders_under_term);
            assert_eq!(run.verdict, None, "{profile}, seed {seed}");
            let outcome = run.value.unwrap();
            assert_eq!(outcome.created as u32, CLIENTS * ORDERS);
            assert!(outcome.status.success(), "{}", outcome.status);
            assert!(outcome.took < Duration::from_secs(1), "{:?}", outcome.took);
        }
    }
}

#[test]
fn a_term_at_every_event_loses_nothing() {
    for seed in [0, 11] {
        let main = |sim| async {
            let outcome = orders_under_term(sim).await;
            // Where nobody listens, before its start and behind its end, a TERM ends a process.
            let by_default = outcome.status.signal() == Some(Signal::Term) && outcome.created == 0;
            let status = outcome.status;
            assert!(
                status.success() || by_default,
                "{status}, {} taken",
                outcome.created
            );
        };
        let sweep = sim::sweep(&Config::new(), seed, "svc", term, main);
        assert_eq!(sweep.untouched.verdict, None, "seed {seed}");
        assert_eq!(sweep.failing, [], "seed {seed}");
        assert!(sweep.acted > 200, "{}", sweep.acted);
    }
}
