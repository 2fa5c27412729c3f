//! Logical lines: physical lines joined where one ends in the escape character, without the comments between them.

use crate::ast::Escape;
use crate::lex::comment::is_comment;
use crate::source::Span;

/// A logical line: its joined text and where each part of it stands in the source.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Line {
    /// The text, without continuations, comments and the last line break.
    text: String,
    /// The parts it was joined from, by where they begin: in the text, and in the source.
    parts: Vec<(usize, usize)>,
}

impl Line {
    /// A part of the line, as a line of its own.
    pub(crate) fn slice(&self, start: usize, end: usize) -> Self {
        let first = self.parts.partition_point(|(begin, _)| *begin <= start);
        let mut parts = vec![(0, self.offset(start))];
        let inner = self.parts[first..].iter().take_while(|(begin, _)| *begin < end);
        parts.extend(inner.map(|(begin, source)| (begin - start, *source)));
        Self { text: self.text[start..end].to_owned(), parts }
    }

    /// Appends a part that begins at `start` in the source.
    fn push(&mut self, part: &str, start: usize) {
        if !part.is_empty() || self.parts.is_empty() {
            self.parts.push((self.text.len(), start));
        }
        self.text.push_str(part);
    }

    /// The joined text.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Where a range of the text stands in the source. It covers what was left out in between.
    #[must_use]
    pub fn span(&self, start: usize, end: usize) -> Span {
        if start >= end {
            let place = self.offset(start);
            return Span::new(place, place);
        }
        Span::new(self.offset(start), self.offset(end - 1) + 1)
    }

    fn offset(&self, at: usize) -> usize {
        let part = self.parts.partition_point(|(begin, _)| *begin <= at).saturating_sub(1);
        self.parts.get(part).map_or(0, |(begin, source)| source + (at - begin))
    }
}

/// The physical lines of a text, each with its line break.
#[derive(Debug)]
pub(crate) struct PhysicalLines<'a> {
    text: &'a str,
    next: usize,
}

/// One physical line and where it begins.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PhysicalLine<'a> {
    pub(crate) text: &'a str,
    pub(crate) start: usize,
}

impl<'a> PhysicalLines<'a> {
    pub(crate) fn new(text: &'a str) -> Self {
        // A byte order mark is no part of the first line.
        Self { text, next: if text.starts_with('\u{feff}') { '\u{feff}'.len_utf8() } else { 0 } }
    }

    /// Where the next line begins.
    pub(crate) fn offset(&self) -> usize {
        self.next
    }
}

impl<'a> Iterator for PhysicalLines<'a> {
    type Item = PhysicalLine<'a>;

    fn next(&mut self) -> Option<PhysicalLine<'a>> {
        let (start, rest) = (self.next, &self.text[self.next..]);
        let length = rest.find('\n').map_or(rest.len(), |at| at + 1);
        self.next += length;
        (length > 0).then_some(PhysicalLine { text: &rest[..length], start })
    }
}

/// A logical line as it was read.
#[derive(Debug)]
pub(crate) struct Joined {
    pub(crate) line: Line,
    /// Where the last physical line of it begins.
    pub(crate) last: usize,
    /// The empty physical lines that were passed over between its parts, with their line breaks.
    pub(crate) empty_lines: Vec<Span>,
}

/// Joins a physical line with those that continue it; `None` for an empty one.
pub(crate) fn join(first: PhysicalLine<'_>, escape: Escape, lines: &mut PhysicalLines<'_>) -> Option<Joined> {
    let begin = first.text.trim_end_matches(BREAK);
    let trimmed = begin.trim_start();
    let (part, mut ends) = continued(trimmed, escape);
    if ends && part.is_empty() {
        return None;
    }
    let mut joined = Joined { line: Line::default(), last: first.start, empty_lines: Vec::new() };
    joined.line.push(part, first.start + (begin.len() - trimmed.len()));
    while !ends {
        let Some(next) = lines.next() else { break };
        joined.last = next.start;
        if is_comment(next.text) {
            continue;
        }
        let text = next.text.trim_end_matches(BREAK);
        if text.trim_start().is_empty() {
            joined.empty_lines.push(Span::new(next.start, next.start + next.text.len()));
            continue;
        }
        let (part, end) = continued(text, escape);
        ends = end;
        joined.line.push(part, next.start);
    }
    Some(joined)
}

/// What ends a physical line.
pub(crate) const BREAK: [char; 2] = ['\r', '\n'];

/// The line without its continuation character, and whether it had none.
///
/// A continuation character is the last one but for blanks, and not itself escaped. It is not looked at whether what
/// escapes it is escaped: three of them in a row do not continue the line. Source: BuildKit's regular expression.
fn continued(line: &str, escape: Escape) -> (&str, bool) {
    let escape = escape.character();
    match line.trim_end_matches([' ', '\t']).strip_suffix(escape) {
        Some(before) if !before.ends_with(escape) => (before, false),
        _ => (line, true),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn joined_text_knows_where_it_stands_in_the_source() {
        let source = "  RUN a \\\n# no\n\n  b\\ \t\nc";
        let mut lines = PhysicalLines::new(source);
        let first = lines.next().unwrap();
        let joined = join(first, Escape::Backslash, &mut lines).unwrap();
        assert_eq!(joined.line.text(), "RUN a   bc");
        assert_eq!(joined.empty_lines, [Span::new(15, 16)]);
        for (at, character) in joined.line.text().char_indices() {
            let span = joined.line.span(at, at + 1);
            assert_eq!(&source[span.range()], character.to_string());
        }
        let b = joined.line.text().find('b').unwrap();
        assert_eq!(&source[joined.line.span(b, b + 2).range()], "b\\ \t\nc");
    }
}
