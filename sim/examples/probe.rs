//! probe
use sim::{Config, Profile};
use std::time::Duration;
use std::time::Instant;
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
fn main() {
    let config = Config::new()
        .profile(Profile::Exact)
        .polls(u64::MAX)
        .polls_at_once(u64::MAX);
    for seed in [0u64, 1] {
        let t = Instant::now();
        let run = sim::run_once(&config, seed, |_| async {
            let tasks: Vec<_> = (0..1_000_000u64)
                .map(|i| event_loop::spawn(async move { i }))
                .collect();
            let mut sum = 0;
            for t in tasks {
                sum += t.await.unwrap();
            }
            sum
        });
        let d = t.elapsed();
        println!(
            "a seed {seed}: {:?} {:?} {:?} {:.2} M/s {:x}",
            run.value,
            run.verdict,
            run.elapsed,
            1.0 / d.as_secs_f64(),
            run.hash
        );
        let t = Instant::now();
        let run = sim::run_once(&config, seed, |_| async {
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
        let d = t.elapsed();
        println!(
            "b seed {seed}: {:?} {:.2} M/s {:x}",
            run.verdict,
            1.0 / d.as_secs_f64(),
            run.hash
        );
        let t = Instant::now();
        let run = sim::run_once(&config, seed, |_| async {
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
        let d = t.elapsed();
        println!(
            "c seed {seed}: {:?} {:.2} M/s {:x}",
            run.verdict,
            1.0 / d.as_secs_f64(),
            run.hash
        );
        let t = Instant::now();
        let run = sim::run_once(&config, seed, |_| async {
            for _ in 0..1_000_000 {
                event_loop::time::timeout(Duration::from_secs(3600), event_loop::yield_now())
                    .await
                    .unwrap();
            }
        });
        let d = t.elapsed();
        println!(
            "c2 seed {seed}: {:?} {:.2} M/s {:x}",
            run.verdict,
            1.0 / d.as_secs_f64(),
            run.hash
        );
        let t = Instant::now();
        for _ in 0..100_000 {
            sim::run_once(&config, seed, |_| async {});
        }
        println!("f: {:.3} us", t.elapsed().as_secs_f64() * 10.0);
        let t = Instant::now();
        for i in 0..100_000 {
            sim::run_once(&config, seed * i, |_| async {
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
            });
        }
        println!("i: {:.3} us", t.elapsed().as_secs_f64() * 10.0);
    }
    let run = sim::run_once(&config, 0, |_| async { std::future::pending::<()>().await });
    println!("{:?}", run.verdict);
    let run = sim::run_once(&config, 0, |_| async {
        event_loop::spawn(async { panic!("boom") }).detach();
        event_loop::time::sleep(Duration::from_secs(1)).await
    });
    println!("{}", run.verdict.unwrap());
}
