//! The exec form: a JSON array of strings.

use serde_json::Value;

use crate::ast::Word;
use crate::lex::words::Rest;

/// What a text is that may be an array.
pub(crate) enum Array {
    /// An array of strings.
    Strings(Vec<Word>),
    /// An array with something else in it.
    Mixed,
    /// No JSON array: a shell command, maybe.
    Not,
}

/// Reads a text as an array.
pub(crate) fn read(rest: Rest<'_>) -> Array {
    let text = rest.text();
    if !text.trim_start().starts_with('[') {
        return Array::Not;
    }
    let Ok(items) = serde_json::from_str::<Vec<Value>>(text) else { return Array::Not };
    let mut places = strings(text).into_iter();
    let words = items.into_iter().map(|item| match item {
        Value::String(item) => places.next().map(|(start, end)| rest.read_as(item, start, end)),
        _ => None,
    });
    words.collect::<Option<Vec<_>>>().map_or(Array::Mixed, Array::Strings)
}

/// Where the strings of a valid JSON text stand, quotes included.
fn strings(text: &str) -> Vec<(usize, usize)> {
    let mut found = Vec::new();
    let mut open = None;
    let mut escaped = false;
    for (at, byte) in text.bytes().enumerate() {
        match (open, byte) {
            (Some(_), _) if escaped => escaped = false,
            (Some(_), b'\\') => escaped = true,
            (Some(start), b'"') => {
                found.push((start, at + 1));
                open = None;
            }
            (None, b'"') => open = Some(at),
            _ => {}
        }
    }
    found
}
