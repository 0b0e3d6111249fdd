//! Durations as attributes spell them: `"250 ms"`, `"1.5 s"`, `"1 h 30 min"`.

use std::time::Duration;

/// What a text may be, for messages.
const ALLOWED: &str = "allowed is a number with a unit (ns, us, ms, s, min, h, d), \
                       as in \"250 ms\", \"10 s\" or \"1 h 30 min\"";

/// The units from the longest to the shortest, and their lengths in nanoseconds. There is no `m`:
/// it would be read as minutes by some and as milliseconds by others. The micro sign and the
/// Greek letter look alike, so both count.
const UNITS: [(&[&str], u128); 7] = [
    (&["d"], 86_400_000_000_000),
    (&["h"], 3_600_000_000_000),
    (&["min"], 60_000_000_000),
    (&["s"], 1_000_000_000),
    (&["ms"], 1_000_000),
    (&["us", "\u{b5}s", "\u{3bc}s"], 1_000),
    (&["ns"], 1),
];

/// The duration that a text spells; the error says what is wrong with it and what is allowed.
pub(crate) fn parse(text: &str) -> Result<Duration, String> {
    total(text).map_err(|wrong| format!("bad duration \"{text}\": {wrong}; {ALLOWED}"))
}

fn total(text: &str) -> Result<Duration, String> {
    let mut rest = text.trim();
    if rest.is_empty() {
        return Err("it is empty".to_owned());
    }
    let mut total = 0_u128;
    let mut units_left = &UNITS[..];
    while !rest.is_empty() {
        let (number, after) = split(rest, |c| c.is_ascii_digit() || c == '.' || c == '_');
        let (unit, after) = split(after.trim_start(), char::is_alphabetic);
        if number.is_empty() {
            return Err(format!("no number at `{rest}`"));
        }
        if unit.is_empty() {
            return Err(format!("`{number}` has no unit"));
        }
        let place = |units: &[(&[&str], u128)]| units.iter().position(|u| u.0.contains(&unit));
        let Some(index) = place(units_left) else {
            return Err(match place(&UNITS) {
                Some(_) => format!("`{unit}` is not smaller than the unit before it"),
                None => format!("unknown unit `{unit}`"),
            });
        };
        total = nanos(number, units_left[index].1)
            .and_then(|nanos| total.checked_add(nanos))
            .filter(|&total| total <= u128::from(u64::MAX))
            .ok_or_else(|| {
                format!("`{number} {unit}` is no whole number of nanoseconds up to 2^64")
            })?;
        units_left = &units_left[index + 1..];
        rest = after.trim_start();
    }
    match u64::try_from(total) {
        Ok(1..) => Ok(Duration::from_nanos(total as u64)),
        _ => Err("it is no time at all".to_owned()),
    }
}

/// `number` units in nanoseconds, if that is a whole number.
fn nanos(number: &str, unit: u128) -> Option<u128> {
    let digits = number.replace('_', "");
    let (whole, fraction) = digits.split_once('.').unwrap_or((&digits, "0"));
    let scale = 10_u128.checked_pow(u32::try_from(fraction.len()).ok()?)?;
    let parts = fraction.parse::<u128>().ok()?.checked_mul(unit)?;
    let whole = whole.parse::<u128>().ok()?.checked_mul(unit)?;
    parts
        .is_multiple_of(scale)
        .then(|| whole.checked_add(parts / scale))?
}

fn split(text: &str, belongs: impl Fn(char) -> bool) -> (&str, &str) {
    text.split_at(text.find(|c| !belongs(c)).unwrap_or(text.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_numbers_with_units() {
        let table = [
            ("1 ns", 1),
            ("250 ms", 250_000_000),
            ("250ms", 250_000_000),
            ("  10 s ", 10_000_000_000),
            ("7 us", 7_000),
            ("7 \u{b5}s", 7_000),
            ("7 \u{3bc}s", 7_000),
            ("2 min", 120_000_000_000),
            ("2 h", 7_200_000_000_000),
            ("1 d", 86_400_000_000_000),
            ("1_000 s", 1_000_000_000_000),
            ("1.5 s", 1_500_000_000),
            ("0.25 us", 250),
            ("1 h 30 min", 5_400_000_000_000),
            ("1h30min 1ns", 5_400_000_000_001),
            ("18446744073709551615 ns", u64::MAX),
        ];
        for (text, nanos) in table {
            assert_eq!(parse(text), Ok(Duration::from_nanos(nanos)), "{text:?}");
        }
    }

    #[test]
    fn what_is_wrong_with_a_duration_is_said() {
        let table = [
            ("", "it is empty"),
            ("  ", "it is empty"),
            ("10", "`10` has no unit"),
            ("10 s 5", "`5` has no unit"),
            ("ten s", "no number at `ten s`"),
            ("-10 s", "no number at `-10 s`"),
            ("10 s, 5 ms", "no number at `, 5 ms`"),
            ("10 sec", "unknown unit `sec`"),
            ("10 m", "unknown unit `m`"),
            ("10 S", "unknown unit `S`"),
            ("5 ms 10 s", "`s` is not smaller than the unit before it"),
            ("5 s 10 s", "`s` is not smaller than the unit before it"),
            ("0 s", "it is no time at all"),
            (
                "0.5 ns",
                "`0.5 ns` is no whole number of nanoseconds up to 2^64",
            ),
            (
                "1.2.3 s",
                "`1.2.3 s` is no whole number of nanoseconds up to 2^64",
            ),
            (
                "300_000 d",
                "`300_000 d` is no whole number of nanoseconds up to 2^64",
            ),
        ];
        for (text, wrong) in table {
            let error = parse(text).unwrap_err();
            assert_eq!(
                error,
                format!("bad duration \"{text}\": {wrong}; {ALLOWED}")
            );
        }
    }
}
