//! The text of a Dockerfile and the places in it: byte spans, and the line and column people count in.

use std::ops::Range;

use serde::{Deserialize, Serialize};

/// A part of a source: byte offsets, from `start` up to and without `end`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Span {
    /// The first byte.
    pub start: usize,
    /// The byte after the last one.
    pub end: usize,
}

impl Span {
    /// The span between two offsets.
    #[must_use]
    pub fn new(start: usize, end: usize) -> Self {
        Self { start, end: end.max(start) }
    }

    /// Its length in bytes.
    #[must_use]
    pub fn len(self) -> usize {
        self.end - self.start
    }

    /// Whether it covers nothing: a mere place.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.start == self.end
    }

    /// The smallest span that covers both.
    #[must_use]
    pub fn to(self, other: Self) -> Self {
        Self { start: self.start.min(other.start), end: self.end.max(other.end) }
    }

    /// As a range of bytes.
    #[must_use]
    pub fn range(self) -> Range<usize> {
        self.start..self.end
    }
}

/// A place as people name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Position {
    /// From 1.
    pub line: usize,
    /// From 1, in characters.
    pub column: usize,
}

/// A text and where its lines begin.
#[derive(Clone, Debug)]
pub struct Source {
    text: String,
    lines: Vec<usize>,
}

impl Source {
    /// Indexes the lines of a text.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        let text = text.into();
        let breaks = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n').map(|(at, _)| at + 1);
        let lines = std::iter::once(0).chain(breaks).collect();
        Self { text, lines }
    }

    /// The whole text.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The line that an offset lies on, from 1. An offset past the end lies on the last line.
    #[must_use]
    pub fn line(&self, offset: usize) -> usize {
        self.lines.partition_point(|start| *start <= offset)
    }

    /// A line by its number from 1, with its line break; `None` if there is none.
    #[must_use]
    pub fn line_span(&self, line: usize) -> Option<Span> {
        let start = *self.lines.get(line.checked_sub(1)?)?;
        Some(Span::new(start, self.lines.get(line).copied().unwrap_or(self.text.len())))
    }

    /// The line and column of an offset.
    #[must_use]
    pub fn position(&self, offset: usize) -> Position {
        let line = self.line(offset);
        let start = self.lines[line - 1];
        let end = offset.min(self.text.len());
        let column = self.text.get(start..end).map_or(0, |before| before.chars().count()) + 1;
        Position { line, column }
    }

    /// The text of a span; empty if it does not lie on character boundaries of this source.
    #[must_use]
    pub fn slice(&self, span: Span) -> &str {
        self.text.get(span.range()).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_count_lines_and_characters_from_one() {
        let source = Source::new("FROM a\n# é b\n");
        assert_eq!(source.position(0), Position { line: 1, column: 1 });
        assert_eq!(source.position(6), Position { line: 1, column: 7 });
        assert_eq!(source.position(7), Position { line: 2, column: 1 });
        assert_eq!(source.position(12), Position { line: 2, column: 5 });
        assert_eq!(source.position(999).line, 3);
        assert_eq!([1, 2, 3].map(|line| source.slice(source.line_span(line).unwrap())), ["FROM a\n", "# é b\n", ""]);
        assert_eq!([0, 4].map(|line| source.line_span(line)), [None; 2]);
    }
}
