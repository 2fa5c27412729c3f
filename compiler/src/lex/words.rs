//! The ways in which instructions split what follows them into words.

use crate::ast::{Escape, Word};
use crate::lex::line::Line;

/// A part of a logical line that is still to be read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rest<'a> {
    line: &'a Line,
    start: usize,
    end: usize,
}

impl<'a> Rest<'a> {
    /// From `start` to `end` of a line's text.
    pub(crate) fn new(line: &'a Line, start: usize, end: usize) -> Self {
        Self { line, start, end }
    }

    /// The text.
    pub(crate) fn text(self) -> &'a str {
        &self.line.text()[self.start..self.end]
    }

    /// Where it begins in its line.
    pub(crate) fn start(self) -> usize {
        self.start
    }

    /// The line it is a part of.
    pub(crate) fn line(self) -> &'a Line {
        self.line
    }

    /// What begins `offset` bytes later.
    pub(crate) fn skip(self, offset: usize) -> Self {
        Self { start: self.start + offset, ..self }
    }

    /// Without the whitespace around it.
    pub(crate) fn trim(self) -> Self {
        let text = self.text();
        let start = self.start + (text.len() - text.trim_start().len());
        Self { start, end: start + text.trim().len(), ..self }
    }

    /// All of it, as one word.
    pub(crate) fn word(self) -> Word {
        self.part(0, self.end - self.start)
    }

    /// A part of it as a word, as it stands there.
    pub(crate) fn part(self, start: usize, end: usize) -> Word {
        Word { text: self.text()[start..end].to_owned(), span: self.line.span(self.start + start, self.start + end) }
    }

    /// A part of it as a word that reads differently from how it stands there.
    pub(crate) fn read_as(self, text: String, start: usize, end: usize) -> Word {
        Word { text, span: self.line.span(self.start + start, self.start + end) }
    }
}

/// What separates the words of most instructions: narrower than Unicode's whitespace.
pub(crate) const BLANK: [char; 5] = ['\t', '\x0b', '\x0c', '\r', ' '];

/// Words between runs of blanks. Like a split, it yields empty words at blank ends.
pub(crate) fn blank_separated(rest: Rest<'_>) -> Vec<Word> {
    let text = rest.text();
    let mut words = Vec::new();
    let mut start = 0;
    while let Some(blank) = text[start..].find(BLANK) {
        words.push(rest.part(start, start + blank));
        let after = &text[start + blank..];
        start += blank + (after.len() - after.trim_start_matches(BLANK).len());
    }
    words.push(rest.part(start, text.len()));
    words
}

/// Words in which quotes and the escape character protect whitespace; both are kept for expansion to take away.
pub(crate) fn quoted(rest: Rest<'_>, escape: Escape) -> Vec<Word> {
    let escape = escape.character();
    let mut words = Vec::new();
    let mut current: Option<(usize, String)> = None;
    let mut quote = None;
    let mut characters = rest.text().char_indices().peekable();
    while let Some((at, character)) = characters.next() {
        if quote.is_none() && character.is_whitespace() {
            words.extend(
                current.take().filter(|(_, word)| !word.is_empty()).map(|(start, word)| rest.read_as(word, start, at)),
            );
            continue;
        }
        let (_, word) = current.get_or_insert_with(|| (at, String::new()));
        if character == escape && quote != Some('\'') {
            // An escape character at the very end escapes nothing and is dropped.
            if let Some((_, escaped)) = characters.next() {
                word.push(character);
                word.push(escaped);
            }
            continue;
        }
        match quote {
            None if character == '\'' || character == '"' => quote = Some(character),
            Some(open) if open == character => quote = None,
            _ => {}
        }
        word.push(character);
    }
    let end = rest.text().len();
    words.extend(current.filter(|(_, word)| !word.is_empty()).map(|(start, word)| rest.read_as(word, start, end)));
    words
}
