//! probe
use sim::{Config, Profile};
use std::time::Duration;
struct SelfWake(bool);
impl Future for SelfWake {
    type Output = ();
    fn poll(
        mut self: std::pin::Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
    ) -> std::task::Poll<()> {
        if self.0 {
            return std::task::Poll::Ready(());
        }
        self.0 = true;
        cx.waker().wake_by_ref();
        std::task::Poll::Pending
    }
}
fn cpu() -> f64 {
    let s = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    s.split(' ').next().unwrap().parse::<f64>().unwrap() / 1e9
}
fn row(row: &str, config: &Config, seed: u64) -> (f64, u64) {
    match row {
        "a" => {
            let run = sim::run_once(config, seed, |_| async {
                let tasks: Vec<_> = (0..1_000_000u64)
                    .map(|i| event_loop::spawn(async move { i }))
                    .collect();
                let mut sum = 0;
                for t in tasks {
                    sum += t.await.unwrap();
                }
                sum
            });
            assert_eq!(run.value, Some(499999500000));
            (1e6, run.hash)
        }
        "b" => {
            let run = sim::run_once(config, seed, |_| async {
                let tasks: Vec<_> = (0..1000)
                    .map(|_| {
                        event_loop::spawn(async {
                            for _ in 0..1000 {
                                SelfWake(false).await
                            }
                        })
                    })
                    .collect();
                for t in tasks {
                    t.await.unwrap();
                }
            });
            assert!(run.verdict.is_none());
            (1e6, run.hash)
        }
        "c" => {
            let run = sim::run_once(config, seed, |_| async {
                let tasks: Vec<_> = (0..100_000u64)
                    .map(|i| {
                        event_loop::spawn(async move {
                            let mut s = i.wrapping_mul(0x9e3779b97f4a7c15);
                            for _ in 0..10 {
                                s = s
                                    .wrapping_mul(6364136223846793005)
                                    .wrapping_add(1442695040888963407);
                                event_loop::time::sleep(Duration::from_micros(
                                    1000 + (s >> 33) % 999_000,
                                ))
                                .await
                            }
                        })
                    })
                    .collect();
                for t in tasks {
                    t.await.unwrap();
                }
            });
            assert!(run.verdict.is_none());
            (1e6, run.hash)
        }
        "c2" => {
            let run = sim::run_once(config, seed, |_| async {
                for _ in 0..1_000_000 {
                    event_loop::time::timeout(Duration::from_secs(3600), SelfWake(false))
                        .await
                        .unwrap();
                }
            });
            (1e6, run.hash)
        }
        "f" => {
            let mut h = 0;
            for _ in 0..200_000 {
                h ^= sim::run_once(config, seed, |_| async {}).hash;
            }
            (0.2, h)
        }
        "i" => {
            let mut h = 0;
            for i in 0..200_000 {
                h ^= sim::run_once(config, seed * i, |_| async {
                    let tasks: [_; 3] = std::array::from_fn(|_| {
                        event_loop::spawn(async {
                            for _ in 0..5 {
                                SelfWake(false).await
                            }
                        })
                    });
                    for t in tasks {
                        t.await.unwrap();
                    }
                })
                .hash;
            }
            (0.2, h)
        }
        "g0" | "g" => {
            let n = if row == "g" { 100_000 } else { 0 };
            let run = sim::run_once(config, seed, |_| async {
                for _ in 0..n {
                    event_loop::spawn(event_loop::time::sleep(Duration::from_secs(1))).detach();
                }
                event_loop::time::sleep(Duration::from_secs(2)).await;
                std::fs::read_to_string("/proc/self/status")
                    .unwrap()
                    .lines()
                    .find(|l| l.starts_with("VmHWM"))
                    .unwrap()
                    .split_whitespace()
                    .nth(1)
                    .unwrap()
                    .parse::<f64>()
                    .unwrap()
            });
            println!("HWM {} KB", run.value.unwrap());
            (1.0, run.hash)
        }
        _ => panic!(),
    }
}
fn main() {
    let args: Vec<String> = std::env::args().collect();
    let profile = match args.get(2).map(String::as_str) {
        Some("mt") => Profile::TokioMt,
        _ => Profile::Exact,
    };
    let config = Config::new()
        .profile(profile)
        .polls(u64::MAX)
        .polls_at_once(u64::MAX);
    let rows: Vec<&str> = args.get(1).map(|s| s.split(',').collect()).unwrap();
    let seeds: Vec<u64> = args
        .get(3)
        .map(|s| s.split(',').map(|s| s.parse().unwrap()).collect())
        .unwrap_or(vec![0, 1]);
    for r in rows {
        for &seed in &seeds {
            let mut best = f64::MAX;
            let mut out = (0.0, 0);
            for _ in 0..args.get(4).map_or(5, |n| n.parse().unwrap()) {
                let t = cpu();
                out = row(r, &config, seed);
                best = best.min(cpu() - t);
            }
            if out.0 < 1e3 {
                println!("{r} seed {seed}: {:.3} us  {:x}", best / out.0, out.1);
            } else {
                println!(
                    "{r} seed {seed}: {:.2} M/s  {:x}",
                    out.0 / best / 1e6,
                    out.1
                );
            }
        }
    }
}
