//! The environment variables of a campaign, read once a test, with a clear line for each that is
//! wrong.

use std::env;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use crate::run::artifacts::{self, Replay};

/// What the environment asks for.
#[derive(Clone, Debug, Default)]
pub(crate) struct Settings {
    /// `SIM_SEED`: this seed and no other.
    pub(crate) seed: Option<u64>,
    /// `SIM_SEEDS`: how many runs, whatever the test says.
    pub(crate) seeds: Option<u64>,
    /// `SIM_CAMPAIGN`: a text, such as a commit hash, from which the seeds are derived.
    pub(crate) campaign: Option<String>,
    /// `SIM_REPLAY`: the choices of one run, inline or in a file.
    pub(crate) replay: Option<Replay>,
    /// `SIM_LOG`: the trace of every run on standard error.
    pub(crate) log: Option<LogFormat>,
    /// `SIM_HANG`: after how much real time a poll that does not return is a hang.
    pub(crate) hang_after: Option<Duration>,
    /// Set for a child: where it leaves its outcome.
    pub(crate) child: Option<PathBuf>,
    /// Set for the process that looks into a crash: the crashed process's last words.
    pub(crate) autopsy: Option<String>,
}

/// How traces are printed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum LogFormat {
    Text,
    Json,
}

/// A variable that holds what it must not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct BadSetting {
    variable: &'static str,
    held: String,
    allowed: String,
}

/// Real time that one poll may take before it counts as a hang.
const HANG_AFTER: Duration = Duration::from_secs(20);

pub(crate) const SEED: &str = "SIM_SEED";
pub(crate) const SEEDS: &str = "SIM_SEEDS";
pub(crate) const CAMPAIGN: &str = "SIM_CAMPAIGN";
pub(crate) const REPLAY: &str = "SIM_REPLAY";
pub(crate) const LOG: &str = "SIM_LOG";
pub(crate) const HANG: &str = "SIM_HANG";
/// Internal: a child process writes its outcome to this file.
pub(crate) const CHILD: &str = "SIM_CHILD";
/// Internal: the process was started by a crash.
pub(crate) const AUTOPSY: &str = "SIM_AUTOPSY";

impl Settings {
    pub(crate) fn from_env() -> Result<Self, BadSetting> {
        Self::read(|name| env::var_os(name).map(|held| held.to_string_lossy().into_owned()))
    }

    fn read(get: impl Fn(&'static str) -> Option<String>) -> Result<Self, BadSetting> {
        let held = |name| get(name).filter(|held| !held.is_empty());
        let bad = |variable, held: String, allowed: &str| BadSetting {
            variable,
            held,
            allowed: allowed.to_owned(),
        };
        let mut settings = Self {
            hang_after: Some(HANG_AFTER),
            ..Self::default()
        };
        if let Some(text) = held(SEED) {
            let allowed = "a whole number, decimal or hexadecimal (0x…), below 2^64";
            settings.seed = Some(parse_seed(&text).ok_or_else(|| bad(SEED, text, allowed))?);
        }
        if let Some(text) = held(SEEDS) {
            let seeds = text.parse().ok().filter(|seeds| *seeds > 0);
            let allowed = "a whole number from 1";
            settings.seeds = Some(seeds.ok_or_else(|| bad(SEEDS, text, allowed))?);
        }
        if let Some(text) = held(LOG) {
            settings.log = Some(match text.as_str() {
                "text" => LogFormat::Text,
                "json" => LogFormat::Json,
                _ => return Err(bad(LOG, text, "text, json")),
            });
        }
        if let Some(text) = held(HANG) {
            settings.hang_after = match (text.as_str(), text.parse()) {
                ("off", _) => None,
                (_, Ok(seconds)) if seconds > 0 => Some(Duration::from_secs(seconds)),
                _ => {
                    let allowed = "a whole number of real seconds from 1, or off";
                    return Err(bad(HANG, text, allowed));
                }
            };
        }
        if let Some(text) = held(REPLAY) {
            let replay = artifacts::read_replay(&text);
            settings.replay = Some(replay.map_err(|why| bad(REPLAY, text, &why))?);
        }
        settings.campaign = held(CAMPAIGN);
        settings.child = held(CHILD).map(PathBuf::from);
        settings.autopsy = held(AUTOPSY);
        Ok(settings)
    }
}

/// A seed as people and reports write it.
pub(crate) fn parse_seed(text: &str) -> Option<u64> {
    match text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        Some(digits) => u64::from_str_radix(digits, 16).ok(),
        None => text.parse().ok(),
    }
}

impl fmt::Display for BadSetting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} holds \"{}\": allowed is {}",
            self.variable, self.held, self.allowed
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(variable: &'static str, held: &str) -> Result<Settings, String> {
        Settings::read(|name| (name == variable).then(|| held.to_owned()))
            .map_err(|bad| bad.to_string())
    }

    #[test]
    fn seeds_are_decimal_or_hexadecimal() {
        assert_eq!(read(SEED, "31").unwrap().seed, Some(31));
        assert_eq!(read(SEED, "0x1f").unwrap().seed, Some(31));
    }

    #[test]
    fn a_wrong_value_is_named_with_what_is_allowed() {
        let wrong = [
            (SEED, "abc"),
            (SEED, "-1"),
            (SEEDS, "0"),
            (SEEDS, "many"),
            (LOG, "xml"),
            (HANG, "0"),
            (REPLAY, "nonsense"),
        ];
        let lines: Vec<_> = wrong
            .iter()
            .map(|(variable, held)| read(variable, held).unwrap_err())
            .collect();
        insta::assert_snapshot!(lines.join("\n"));
    }

    #[test]
    fn an_empty_variable_is_an_absent_one() {
        assert_eq!(read(SEED, "").unwrap().seed, None);
    }
}
