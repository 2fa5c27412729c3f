//! The `--flag` words between an instruction's name and its arguments.

use crate::ast::{Escape, Word};
use crate::lex::words::Rest;

/// The flags, with quotes and escapes taken away, and what follows them. A lone `--` ends them.
pub(crate) fn split(rest: Rest<'_>, escape: Escape) -> (Vec<Word>, Rest<'_>) {
    let mut flags = Vec::new();
    let mut rest = rest;
    loop {
        let text = rest.text();
        rest = rest.skip(text.len() - text.trim_start().len());
        if !rest.text().starts_with("--") {
            return (flags, rest);
        }
        let (word, length) = flag(rest.text(), escape.character());
        let read = rest.read_as(word, 0, length);
        rest = rest.skip(length);
        if read.text == "--" {
            return (flags, rest);
        }
        flags.push(read);
    }
}

/// One word, unquoted, and its length in the text.
fn flag(text: &str, escape: char) -> (String, usize) {
    let mut word = String::new();
    let mut quote = None;
    let mut characters = text.char_indices();
    while let Some((at, character)) = characters.next() {
        match quote {
            None if character.is_whitespace() => return (word, at),
            None if character == '\'' || character == '"' => quote = Some(character),
            Some(open) if open == character => quote = None,
            _ if character == escape => word.extend(characters.next().map(|(_, escaped)| escaped)),
            _ => word.push(character),
        }
    }
    (word, text.len())
}
