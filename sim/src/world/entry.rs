//! Entries: the choices in which a run differs from a plain one, as text that can be pasted.
//!
//! `client~2#3+4` passes the third wake of task `client~2` over four times; `svc/conn?net.latency#2=7`
//! makes the second choice at `net.latency` in task `svc/conn` the 7. Entries are joined by `;`.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

/// One choice that differs from what production would most likely do.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Entry {
    /// A wake that was passed over.
    Hold { task: String, wake: u64, times: u32 },
    /// A value that is not 0.
    Value {
        task: String,
        label: String,
        occurrence: u64,
        value: u64,
    },
}

/// The entries of a run, as they are looked up.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Entries {
    pub(crate) holds: BTreeMap<String, BTreeMap<u64, u32>>,
    pub(crate) values: BTreeMap<(String, String), BTreeMap<u64, u64>>,
}

/// A text that is no list of entries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadEntry(String);

impl Entries {
    pub(crate) fn insert(&mut self, entry: Entry) {
        match entry {
            Entry::Hold { task, wake, times } => {
                self.holds.entry(task).or_default().insert(wake, times);
            }
            Entry::Value {
                task,
                label,
                occurrence,
                value,
            } => {
                self.values
                    .entry((task, label))
                    .or_default()
                    .insert(occurrence, value);
            }
        }
    }

    /// Every entry, in the order of tasks and sites.
    pub(crate) fn iter(&self) -> impl Iterator<Item = Entry> {
        let holds = self.holds.iter().flat_map(|(task, holds)| {
            holds.iter().map(|(&wake, &times)| Entry::Hold {
                task: task.clone(),
                wake,
                times,
            })
        });
        let values = self.values.iter().flat_map(|((task, label), values)| {
            values.iter().map(|(&occurrence, &value)| Entry::Value {
                task: task.clone(),
                label: label.clone(),
                occurrence,
                value,
            })
        });
        holds.chain(values)
    }
}

impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Hold { task, wake, times } => write!(f, "{task}#{wake}+{times}"),
            Self::Value {
                task,
                label,
                occurrence,
                value,
            } => {
                write!(f, "{task}?{label}#{occurrence}={value}")
            }
        }
    }
}

impl fmt::Display for Entries {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, entry) in self.iter().enumerate() {
            write!(f, "{}{entry}", if i == 0 { "" } else { ";" })?;
        }
        Ok(())
    }
}

impl std::error::Error for BadEntry {}

impl FromStr for Entry {
    type Err = BadEntry;

    fn from_str(text: &str) -> Result<Self, BadEntry> {
        let parse = || {
            let (site, rest) = text.rsplit_once('#')?;
            if let Some((wake, times)) = rest.split_once('+') {
                let (wake, times) = (wake.parse().ok()?, times.parse().ok()?);
                return Some(Self::Hold {
                    task: site.to_owned(),
                    wake,
                    times,
                });
            }
            let (occurrence, value) = rest.split_once('=')?;
            let (task, label) = site.rsplit_once('?')?;
            Some(Self::Value {
                task: task.to_owned(),
                label: label.to_owned(),
                occurrence: occurrence.parse().ok()?,
                value: value.parse().ok()?,
            })
        };
        parse().ok_or_else(|| BadEntry(text.to_owned()))
    }
}

impl FromStr for Entries {
    type Err = BadEntry;

    fn from_str(text: &str) -> Result<Self, BadEntry> {
        let mut entries = Self::default();
        for part in text
            .split(';')
            .map(str::trim)
            .filter(|part| !part.is_empty())
        {
            entries.insert(part.parse()?);
        }
        Ok(entries)
    }
}

impl fmt::Display for BadEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "\"{}\" is no entry: allowed are TASK#WAKE+TIMES (a wake passed over) and \
             TASK?LABEL#OCCURRENCE=VALUE (a choice), joined by ';'",
            self.0
        )
    }
}

/// A name or label as entries spell it: without the characters that they and a shell give a meaning
/// to, and without blanks around it.
pub(crate) fn plain_name(name: &str) -> String {
    let marks = |c: char| c.is_control() || "#;+=?/~@'\"\\$`".contains(c);
    match name.trim() {
        "" => "_".to_owned(),
        name => name.replace(marks, "_"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn name() -> impl Strategy<Value = String> {
        ".{0,12}".prop_map(|text| plain_name(&text))
    }

    fn entry() -> impl Strategy<Value = Entry> {
        let hold = (name(), any::<u64>(), any::<u32>())
            .prop_map(|(task, wake, times)| Entry::Hold { task, wake, times });
        let value = (name(), name(), any::<u64>(), any::<u64>()).prop_map(
            |(task, label, occurrence, value)| Entry::Value {
                task,
                label,
                occurrence,
                value,
            },
        );
        prop_oneof![hold, value]
    }

    proptest! {
        #[test]
        fn what_is_printed_is_read_back(list in proptest::collection::vec(entry(), 0..20)) {
            let mut entries = Entries::default();
            for entry in list {
                entries.insert(entry);
            }
            prop_assert_eq!(entries.to_string().parse::<Entries>(), Ok(entries));
        }
    }

    #[test]
    fn the_form_of_the_documentation_is_read() {
        let entries: Entries = "client~2#3+4; svc/conn?net.latency#2=7".parse().unwrap();
        assert_eq!(entries.iter().count(), 2);
        assert_eq!(entries.holds["client~2"][&3], 4);
    }

    #[test]
    fn what_is_no_entry_is_named() {
        let error = "client#3+4;nonsense".parse::<Entries>().unwrap_err();
        assert!(
            error.to_string().starts_with("\"nonsense\" is no entry"),
            "{error}"
        );
    }
}
