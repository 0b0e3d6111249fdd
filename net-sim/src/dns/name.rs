//! Names of hosts, as a resolver compares them.

use super::DnsError;

/// Most characters of a name, and of a part between dots (RFC 1035, section 2.3.4).
const LONGEST: usize = 253;
const LONGEST_LABEL: usize = 63;

/// A name in lower case, without the dot that may end it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Name(Box<str>);

impl Name {
    /// # Errors
    ///
    /// [`DnsError::BadName`].
    pub(super) fn parse(text: &str) -> Result<Self, DnsError> {
        let bare = text.strip_suffix('.').unwrap_or(text);
        match flaw(bare) {
            None => Ok(Self(bare.to_ascii_lowercase().into())),
            Some(why) => Err(DnsError::BadName {
                name: text.to_owned(),
                why,
            }),
        }
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

/// What no resolver would ask for, if anything. Underscores are no part of a host's name by the
/// standard, and are in use.
fn flaw(name: &str) -> Option<&'static str> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    if name.is_empty() {
        return Some("it is empty");
    }
    if name.len() > LONGEST {
        return Some("it has more than 253 characters");
    }
    if !name.bytes().all(allowed) {
        return Some("allowed are letters, digits, '-', '_' and '.'");
    }
    name.split('.').find_map(|label| match label.len() {
        0 => Some("there is nothing between two of its dots"),
        1..=LONGEST_LABEL => None,
        _ => Some("a part of it has more than 63 characters"),
    })
}
