//! What links can be like: shapes of latency and probabilities.

use std::time::Duration;

use net_sim::drive::Pair;
use net_sim::{ConfigError, Decide, Latency, LinkConfig, NetConfig, Probability, Site};

const MS: Duration = Duration::from_millis(1);

/// Always this answer at the site of latencies.
struct Entry(u64);

impl Decide for Entry {
    fn choose(&mut self, site: Site, n: u64) -> u64 {
        assert_eq!((site, n), (Site::LATENCY, 64));
        self.0
    }
}

/// All entries of a shape, in order.
fn entries(latency: &Latency) -> Vec<Duration> {
    (0..64)
        .map(|entry| {
            let link = LinkConfig::new(latency.clone());
            let mut pair = Pair::with(NetConfig::default(), link, Entry(entry));
            pair.listen(80, 1).unwrap();
            pair.connect(80);
            pair.net.next_event().unwrap() - pair.now
        })
        .collect()
}

fn mean(times: &[Duration]) -> Duration {
    times.iter().sum::<Duration>() / times.len() as u32
}

/// How many of 64 are no longer.
fn within(times: &[Duration], limit: Duration) -> usize {
    times.iter().filter(|time| **time <= limit).count()
}

#[test]
fn an_exponential_latency_has_its_mean_and_begins_at_nearly_nothing() {
    let times = entries(&Latency::exponential(100 * MS));
    assert!(times.is_sorted());
    assert!(
        mean(&times).abs_diff(100 * MS) < 2 * MS,
        "{:?}",
        mean(&times)
    );
    assert!(times[0] < MS && times[63] > 450 * MS, "{times:?}");
    // The median of an exponential distribution is ln 2 of its mean.
    assert_eq!(within(&times, Duration::from_micros(69_314)), 32);
    let later = Latency::exponential(100 * MS).plus(MS);
    assert_eq!(entries(&later)[63], times[63] + MS);
}

#[test]
fn a_log_normal_latency_has_its_median_and_percentile_and_is_typical_first() {
    let latency = Latency::log_normal(20 * MS, 200 * MS);
    let times = entries(&latency);
    assert!(
        latency.typical().abs_diff(20 * MS) < MS,
        "{:?}",
        latency.typical()
    );
    assert_eq!(within(&times, 20 * MS), 32);
    assert_eq!(within(&times, 200 * MS), 63, "{:?}", times.iter().max());
    assert!(times.iter().min().unwrap() > &(Duration::from_micros(1_500)));
    assert!(times.iter().max().unwrap() < &(250 * MS));
}

#[test]
fn a_heavy_tail_stays_near_its_least_and_goes_far_beyond_it() {
    let times = entries(&Latency::heavy_tail(10 * MS, 1000 * MS));
    assert!(times.is_sorted());
    assert!(times[0] >= 10 * MS && times[0] < 11 * MS, "{times:?}");
    assert!(within(&times, 20 * MS) >= 32);
    assert_eq!(within(&times, 1000 * MS), 63);
    assert!(times[63] < 1300 * MS, "{:?}", times[63]);
}

#[test]
fn a_shape_is_the_same_on_every_machine() {
    let nanos = |latency: Latency| {
        let times = entries(&latency);
        [0, 31, 63].map(|entry| times[entry].as_nanos())
    };
    let ms = |n| Duration::from_millis(n);
    assert_eq!(nanos(Latency::exponential(ms(100))), EXPONENTIAL);
    assert_eq!(nanos(Latency::log_normal(ms(20), ms(200))), LOG_NORMAL);
    assert_eq!(nanos(Latency::heavy_tail(ms(10), ms(1000))), HEAVY_TAIL);
}

const EXPONENTIAL: [u128; 3] = [784_301, 67_764_282, 485_203_552];
const LOG_NORMAL: [u128; 3] = [20_391_672, 10_509_463, 1_827_321];
const HEAVY_TAIL: [u128; 3] = [10_079_012, 19_692_983, 1_279_994_930];

#[test]
fn a_distribution_that_cannot_be_is_an_error() {
    let shapes = [
        Latency::try_log_normal(2 * MS, MS),
        Latency::try_log_normal(Duration::ZERO, MS),
        Latency::try_heavy_tail(2 * MS, MS),
    ];
    for shape in shapes {
        assert!(
            matches!(shape, Err(ConfigError::EmptyRange { .. })),
            "{shape:?}"
        );
    }
}

#[test]
fn a_probability_is_from_nought_to_one() {
    for given in [-0.1, 1.000_001, f64::NAN, f64::INFINITY] {
        let error = Probability::new(given).unwrap_err();
        let text = format!("a probability of {given}: it is from 0 to 1");
        assert_eq!(error.to_string(), text);
    }
    assert_eq!(Probability::new(0.0), Ok(Probability::NEVER));
    assert_eq!(Probability::new(1.0), Ok(Probability::ALWAYS));
    assert_ne!(Probability::new(1e-12), Ok(Probability::NEVER));
    assert_ne!(Probability::new(1.0 - 1e-12), Ok(Probability::ALWAYS));
    assert_eq!(Probability::try_from(0.02), Probability::ratio(1, 50));
    assert!(Probability::ratio(2, 1).is_err() && Probability::ratio(0, 0).is_err());
}

#[test]
fn a_packet_must_hold_its_headers() {
    assert_eq!(
        LinkConfig::default().with_mtu(67),
        Err(ConfigError::SmallMtu { bytes: 67 })
    );
    assert_eq!(LinkConfig::default().with_mtu(68).unwrap().mtu(), Some(68));
}
