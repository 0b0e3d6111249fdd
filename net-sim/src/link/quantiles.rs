//! The shapes of latency: quantiles in whole numbers, so that every machine makes the same tables.
//!
//! Each table has the middles of 64 parts of equal chance, in units of 2^-16. Beyond the last
//! of them, the 99.2nd percentile, nothing is drawn.

use std::time::Duration;

/// One, in the units of these tables.
const ONE: u64 = 1 << 16;

/// `-ln(1 - u)`: multiples of the mean.
#[rustfmt::skip]
const EXPONENTIAL: [u32; 64] = [
    514, 1_554, 2_611, 3_686, 4_778, 5_889, 7_019, 8_169, 9_339, 10_530, 11_744, 12_981, 14_241, 15_526, 16_837, 18_174, 19_540, 20_934, 22_359, 23_815, 25_305, 26_829, 28_390, 29_988, 31_627, 33_307, 35_032, 36_803, 38_624, 40_496, 42_424, 44_410, 46_458, 48_572, 50_757, 53_017, 55_358, 57_786, 60_307, 62_928, 65_659, 68_509, 71_489, 74_610, 77_887, 81_338, 84_979, 88_836, 92_933, 97_304, 101_987, 107_030, 112_495, 118_457, 125_016, 132_305, 140_508, 149_886, 160_834, 173_985, 190_455, 212_507, 245_984, 317_983,
];

/// The normal distribution's quantiles above the median, those below being their mirror
/// image, over its 99th percentile: exponents of the ratio between that percentile and the
/// median.
#[rustfmt::skip]
const NORMAL: [u32; 32] = [
    552, 1_656, 2_763, 3_874, 4_991, 6_116, 7_251, 8_398, 9_559, 10_736, 11_933, 13_151, 14_395, 15_667, 16_972, 18_314, 19_700, 21_134, 22_626, 24_185, 25_820, 27_549, 29_387, 31_360, 33_500, 35_853, 38_488, 41_509, 45_102, 49_628, 55_988, 68_106,
];

/// `ln(1 - u) / ln(0.01)`: exponents of the ratio between the 99th percentile and the least.
#[rustfmt::skip]
const PARETO: [u32; 64] = [
    112, 338, 567, 800, 1_038, 1_279, 1_524, 1_774, 2_028, 2_287, 2_550, 2_819, 3_092, 3_371, 3_656, 3_947, 4_243, 4_546, 4_855, 5_171, 5_495, 5_826, 6_165, 6_512, 6_868, 7_233, 7_607, 7_992, 8_387, 8_794, 9_212, 9_644, 10_088, 10_547, 11_022, 11_513, 12_021, 12_548, 13_095, 13_665, 14_258, 14_877, 15_524, 16_201, 16_913, 17_662, 18_453, 19_290, 20_180, 21_129, 22_146, 23_241, 24_428, 25_723, 27_147, 28_730, 30_511, 32_547, 34_925, 37_780, 41_357, 46_145, 53_415, 69_049,
];

/// Quantiles of the exponential distribution, least first.
pub(super) fn exponential(mean: Duration) -> impl Iterator<Item = Duration> {
    let multiples = EXPONENTIAL.iter();
    multiples.map(move |&multiple| scaled(mean, u64::from(multiple) << 16))
}

/// Quantiles of the log-normal distribution, those nearest to the median first.
pub(super) fn log_normal(median: Duration, p99: Duration) -> impl Iterator<Item = Duration> {
    let log = log2_of_ratio(p99, median);
    NORMAL.iter().flat_map(move |&exponent| {
        let power = power_of_two((log * u128::from(exponent) / u128::from(ONE)) as u64);
        let above = scaled(median, power);
        let below = median.as_nanos() * (1 << 32) / u128::from(power.max(1));
        [above, Duration::from_nanos(below as u64)]
    })
}

/// Quantiles of Pareto's distribution, least first.
pub(super) fn pareto(least: Duration, p99: Duration) -> impl Iterator<Item = Duration> {
    let log = log2_of_ratio(p99, least);
    PARETO.iter().map(move |&exponent| {
        let power = power_of_two((log * u128::from(exponent) / u128::from(ONE)) as u64);
        scaled(least, power)
    })
}

/// A time `factor * 2^-32` as long.
fn scaled(time: Duration, factor: u64) -> Duration {
    let nanos = (time.as_nanos() as u64 as u128 * u128::from(factor)) >> 32;
    Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
}

/// log2(high / low), in units of 2^-32; both at least a nanosecond, and `low <= high`.
fn log2_of_ratio(high: Duration, low: Duration) -> u128 {
    let nanos = |time: Duration| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX).max(1);
    log2(nanos(high)).saturating_sub(log2(nanos(low)))
}

/// log2(n), in units of 2^-32: by squaring, one bit at a time.
fn log2(n: u64) -> u128 {
    let whole = n.ilog2();
    // From 1 to 2, in units of 2^-63.
    let mut rest = u128::from(n) << (63 - whole);
    let mut log = u128::from(whole);
    for _ in 0..32 {
        rest = (rest * rest) >> 63;
        log <<= 1;
        if rest >> 64 != 0 {
            rest >>= 1;
            log |= 1;
        }
    }
    log
}

/// 2^log, in units of 2^-32, for a `log` in the same: at most what fits.
fn power_of_two(log: u64) -> u64 {
    let (whole, part) = ((log >> 32) as u32, log as u32);
    if whole >= 31 {
        return u64::MAX;
    }
    // 2^part as the product of the roots of its bits, each the square root of the one before.
    let mut root: u128 = 2 << 32;
    let mut power: u128 = 1 << 32;
    for bit in (0..32).rev() {
        root = (root << 32).isqrt();
        if part >> bit & 1 == 1 {
            power = (power * root) >> 32;
        }
    }
    (power << whole) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn powers_and_logarithms_are_those_of_the_book() {
        assert_eq!(log2(1), 0);
        assert_eq!(log2(1 << 40), 40 << 32);
        // log2(10) = 3.321928094887362...
        assert_eq!(log2(10), 14_267_572_527);
        assert_eq!(power_of_two(0), 1 << 32);
        assert_eq!(power_of_two(5 << 32), 32 << 32);
        let ten = power_of_two(14_267_572_527);
        assert!(ten.abs_diff(10 << 32) < 1_024, "{ten}");
    }
}
