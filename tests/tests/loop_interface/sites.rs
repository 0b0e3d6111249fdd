//! Texts without the places they name, which move whenever a file is edited.

use std::fmt;

use crate::log::sentence;

/// The text with `[site]` in place of every `file:line:column` of these tests.
pub(crate) fn without_sites(text: impl fmt::Display) -> String {
    let text = text.to_string();
    let lines: Vec<_> = text.lines().map(sentence).collect();
    lines.join("\n")
}
