//! The parts of a text that a diagnostic shows: the lines of its labels, and of a very long line what stands around one.
//! It does not know how they are painted.
//!
//! A renderer looks at all of what it is given. With the whole file for every diagnostic, many diagnostics of a long file
//! would take the square of its length.

use std::ops::Range;

use layercake_compiler::source::{Source, Span};

/// Labels that are farther apart than this many bytes are shown apart; a line that is longer is cut.
const LONGEST: usize = 4 << 10;

/// How much of a line that is cut is shown on either side of where its label begins, in bytes.
const AROUND: usize = 512;

/// A part of a text, with the labels in it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Excerpt<'a> {
    /// The part: whole lines, or a part of one.
    pub(super) range: Range<usize>,
    /// Labels, the spans counted from the beginning of the part, and their indices among all labels.
    pub(super) labels: Vec<(usize, Span, &'a str)>,
}

impl<'a> Excerpt<'a> {
    /// What to show for labels, the part that holds the first of them first. Of a label that goes on for several lines, the
    /// first counts.
    pub(super) fn of(source: &Source, labels: &[(Span, &'a str)]) -> Vec<Self> {
        let mut spans: Vec<(usize, Span, &str)> =
            labels.iter().enumerate().map(|(index, (span, text))| (index, first_line(source, *span), *text)).collect();
        spans.sort_by_key(|(_, span, _)| span.start);
        let mut excerpts: Vec<Self> = Vec::new();
        for label in spans {
            let line = line_around(source.text(), label.1);
            match excerpts.last_mut() {
                Some(last) if line.end.max(last.range.end) - last.range.start <= LONGEST => {
                    last.range.end = line.end.max(last.range.end);
                    last.labels.push(label);
                }
                _ => excerpts.push(Self { range: line, labels: vec![label] }),
            }
        }
        for excerpt in &mut excerpts {
            excerpt.count_from_beginning();
        }
        let holds_first = |excerpt: &Self| excerpt.labels.iter().any(|(index, ..)| *index == 0);
        excerpts.sort_by_key(|excerpt| !holds_first(excerpt));
        excerpts
    }

    fn count_from_beginning(&mut self) {
        let Range { start, end } = self.range;
        for (_, span, _) in &mut self.labels {
            *span = Span::new(span.start.clamp(start, end) - start, span.end.clamp(start, end) - start);
        }
        // Labels are told in the order in which they were given.
        self.labels.sort_by_key(|(index, ..)| *index);
    }
}

/// As much of a span as lies on its first line: an instruction may go on for a page.
fn first_line(source: &Source, span: Span) -> Span {
    let text = source.slice(span);
    let length = text.find(['\n', '\r']).unwrap_or(text.len());
    Span::new(span.start, span.start + text[..length].trim_end().len())
}

/// The line that a span within a line lies on, or of a long one the part where the span begins.
fn line_around(text: &str, span: Span) -> Range<usize> {
    let begin = |from: usize| text[from..span.start].rfind('\n').map(|at| from + at + 1);
    let end = |to: usize| text[span.end..to].find('\n').map(|at| span.end + at);
    // Only a part as long as a line may be is looked through.
    let from = floor(text, span.start.saturating_sub(LONGEST));
    let to = floor(text, span.end.saturating_add(LONGEST));
    let begin = begin(from).or_else(|| (from == 0).then_some(0));
    let end = end(to).or_else(|| (to == text.len()).then_some(to));
    match (begin, end) {
        (Some(begin), Some(end)) if end - begin <= LONGEST => begin..end,
        (begin, end) => {
            let near = floor(text, span.start.saturating_sub(AROUND));
            let far = floor(text, span.start.saturating_add(AROUND));
            near.max(begin.unwrap_or(0))..far.min(end.unwrap_or(text.len()))
        }
    }
}

/// The boundary of characters at an offset, or the last one before it.
pub(super) fn floor(text: &str, at: usize) -> usize {
    (0..=at.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str, spans: &[(usize, usize)]) -> Vec<(String, Vec<String>)> {
        let labels: Vec<(Span, &str)> = spans.iter().map(|(start, end)| (Span::new(*start, *end), "")).collect();
        let part = |excerpt: Excerpt<'_>| {
            let part = &text[excerpt.range.clone()];
            let labelled = excerpt.labels.iter().map(|(_, span, _)| part[span.range()].to_owned());
            (part.to_owned(), labelled.collect())
        };
        Excerpt::of(&Source::new(text), &labels).into_iter().map(part).collect()
    }

    fn owned(part: &str, labelled: &[&str]) -> (String, Vec<String>) {
        (part.to_owned(), labelled.iter().map(|text| (*text).to_owned()).collect())
    }

    #[test]
    fn the_lines_of_the_labels_are_shown_and_what_is_between_them() {
        let text = "FROM a\nRUN b \\\n c\nCMD d\n";
        assert_eq!(shown(text, &[(7, 17)]), [owned("RUN b \\", &["RUN b \\"])]);
        assert_eq!(shown(text, &[(22, 23), (5, 6)]), [owned("FROM a\nRUN b \\\n c\nCMD d", &["d", "a"])]);
        assert_eq!(shown(text, &[(24, 24)]), [owned("", &[""])]);
        assert_eq!(shown("", &[(0, 0)]), [owned("", &[""])]);
    }

    #[test]
    fn labels_that_are_far_apart_are_shown_apart_the_first_one_first() {
        let text = format!("FROM a\n{}CMD d\n", "RUN x\n".repeat(10_000));
        let last = text.len() - 2;
        assert_eq!(shown(&text, &[(last, last + 1), (5, 6)]), [owned("CMD d", &["d"]), owned("FROM a", &["a"])]);
    }

    #[test]
    fn a_long_line_is_cut_around_the_label_between_characters() {
        let text = format!("RUN {}b{}\nCMD d\n", "é".repeat(1 << 20), "ü".repeat(1 << 20));
        let place = text.find('b').unwrap_or_default();
        let [(part, labelled)] = &shown(&text, &[(place, place + 1)])[..] else { panic!("one part") };
        assert!(part.len() <= 2 * AROUND && part.contains("éb") && labelled == &["b"], "{part}");
        let [(part, labelled)] = &shown(&text, &[(0, text.len())])[..] else { panic!("one part") };
        assert!(part.len() <= AROUND && labelled == std::slice::from_ref(part), "{part}");
    }
}
