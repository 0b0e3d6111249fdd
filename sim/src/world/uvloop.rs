//! How uvloop counts time.

use super::core::MILLISECOND;

/// A delay as uvloop rounds it: Python's `round`, which takes halves to the even one.
pub(super) fn nearest_millisecond(nanos: u128) -> u64 {
    let nanos = u64::try_from(nanos).unwrap_or(u64::MAX);
    let (whole, rest) = (nanos / MILLISECOND, nanos % MILLISECOND);
    let up = rest > MILLISECOND / 2 || (rest == MILLISECOND / 2 && whole % 2 == 1);
    (whole + u64::from(up)).saturating_mul(MILLISECOND)
}

#[cfg(test)]
mod tests {
    use super::nearest_millisecond;

    #[test]
    fn a_delay_is_rounded_to_the_nearest_millisecond_and_halves_to_the_even_one() {
        let rounded = [
            0, 499_999, 500_000, 500_001, 1_500_000, 2_500_000, 2_500_001,
        ];
        let rounded = rounded.map(nearest_millisecond);
        assert_eq!(
            rounded.map(|nanos| nanos / 1_000_000),
            [0, 0, 0, 1, 2, 2, 3]
        );
    }
}
