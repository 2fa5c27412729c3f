//! Diagnostics as a person reads them: the line, a caret, and help. The only place that knows `annotate-snippets`.

use annotate_snippets::renderer::DecorStyle;
use std::borrow::Cow;

use annotate_snippets::{AnnotationKind, Level, Origin, Renderer, Snippet};
use layercake_compiler::address::{redact, redact_in_place};
use layercake_compiler::source::{Source, Span};
use layercake_compiler::{Diagnostic, Severity};

use super::excerpt::{self, Excerpt};
use super::paint::Paint;

/// How many diagnostics anybody reads.
const MOST: usize = 1_000;

/// As much of a message as is shown, in bytes: it may quote a line of any length.
const LONGEST_MESSAGE: usize = 2 << 10;

/// A message about a place of a file.
struct Report<'a> {
    level: Level<'a>,
    code: Option<String>,
    message: &'a str,
    labels: Vec<(Span, &'a str)>,
    help: Vec<&'a str>,
}

/// Renders diagnostics of the file that people know as `file`, one after the other. Of very many, the errors come first
/// and the rest is only counted.
#[must_use]
pub fn render(diagnostics: &[Diagnostic], source: &Source, file: &str, paint: Paint) -> String {
    let mut shown: Vec<&Diagnostic> = diagnostics.iter().collect();
    let more = shown.len().saturating_sub(MOST);
    if more > 0 {
        shown.sort_by_key(|diagnostic| diagnostic.severity != Severity::Error);
        shown.truncate(MOST);
    }
    let mut text: String = shown.into_iter().map(|diagnostic| one(diagnostic, source, file, paint)).collect();
    text.extend((more > 0).then(|| format!("{more} more are not shown\n\n")));
    text
}

/// Renders an error about a line of the file, such as that of a step that failed. Line 0 is no line.
#[must_use]
pub fn render_line(
    message: &str,
    line: usize,
    help: Option<&str>,
    source: &Source,
    file: &str,
    paint: Paint,
) -> String {
    let labels = line_span(source, line).map(|span| (span, "")).into_iter().collect();
    let report = Report { level: Level::ERROR, code: None, message, labels, help: help.into_iter().collect() };
    snippet(&report, source, file, paint)
}

fn one(diagnostic: &Diagnostic, source: &Source, file: &str, paint: Paint) -> String {
    let mut labels: Vec<(Span, &str)> =
        diagnostic.labels.iter().map(|label| (label.span, label.text.as_str())).collect();
    if labels.is_empty() {
        labels.extend(diagnostic.instruction.map(|span| (span, "")));
    }
    let report = Report {
        level: match diagnostic.severity {
            Severity::Error => Level::ERROR,
            Severity::Warning => Level::WARNING,
            Severity::Advice => Level::INFO.with_name("advice"),
        },
        code: Some(diagnostic.code.to_string()),
        message: &diagnostic.message,
        labels,
        help: diagnostic.help.iter().map(String::as_str).collect(),
    };
    snippet(&report, source, file, paint)
}

fn snippet(report: &Report<'_>, source: &Source, file: &str, paint: Paint) -> String {
    let message = redact(report.message);
    let title = report.level.clone().primary_title(shortened(&message));
    let title = match &report.code {
        Some(code) => title.id(code.as_str()),
        None => title,
    };
    let mut group = title.elements(std::iter::empty::<Snippet<'_, annotate_snippets::Annotation<'_>>>());
    for excerpt in Excerpt::of(source, &report.labels) {
        let annotations = excerpt.labels.iter().map(|(index, span, text)| {
            let kind = if *index == 0 { AnnotationKind::Primary } else { AnnotationKind::Context };
            kind.span(span.range()).label((!text.is_empty()).then(|| shortened(text)))
        });
        let place = source.position(excerpt.range.start);
        let part = &source.text()[excerpt.range.clone()];
        // As many bytes as there were, so that labels stay where they are.
        let shown = redact_in_place(part);
        let snippet = Snippet::source(shown).line_start(place.line).annotations(annotations);
        if place.column == 1 {
            group = group.element(snippet.path(file));
        } else {
            // The renderer would count columns from where the line was cut.
            let first = excerpt.labels.first().map_or(0, |(_, span, _)| span.start);
            let column = place.column + part[..first].chars().count();
            group = group.element(Origin::path(file).line(place.line).char_column(column)).element(snippet);
        }
    }
    for help in &report.help {
        group = group.element(Level::HELP.message(shortened(help)));
    }
    let renderer = match paint {
        Paint::Colour => Renderer::styled(),
        Paint::Plain => Renderer::plain(),
    };
    format!("{}\n\n", renderer.decor_style(DecorStyle::Ascii).render(&[group]))
}

/// A text of which not all may be shown.
fn shortened(text: &str) -> Cow<'_, str> {
    if text.len() <= LONGEST_MESSAGE {
        return Cow::Borrowed(text);
    }
    let half = LONGEST_MESSAGE / 2;
    let (begin, end) = (excerpt::floor(text, half), excerpt::floor(text, text.len() - half));
    Cow::Owned(format!("{} … {}", &text[..begin], &text[end..]))
}

/// The text of a line, from 1.
fn line_span(source: &Source, line: usize) -> Option<Span> {
    let text = source.text();
    let start = match line {
        0 => return None,
        1 => 0,
        line => text.match_indices('\n').nth(line - 2).map(|(at, _)| at + 1)?,
    };
    let length = text[start..].find('\n').unwrap_or(text.len() - start);
    Some(Span::new(start, start + text[start..start + length].trim_end().len()))
}
