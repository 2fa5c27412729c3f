//! Diagnostics as a person reads them: the line, a caret, and help. The only place that knows `annotate-snippets`.

use annotate_snippets::renderer::DecorStyle;
use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet};
use layercake_compiler::source::{Source, Span};
use layercake_compiler::{Diagnostic, Severity};

use super::paint::Paint;

/// A message about a place of a file.
struct Report<'a> {
    level: Level<'a>,
    code: Option<String>,
    message: &'a str,
    labels: Vec<(Span, &'a str)>,
    help: Vec<&'a str>,
}

/// Renders diagnostics of the file that people know as `file`, one after the other.
#[must_use]
pub fn render(diagnostics: &[Diagnostic], source: &Source, file: &str, paint: Paint) -> String {
    diagnostics.iter().map(|diagnostic| one(diagnostic, source, file, paint)).collect()
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
    let title = report.level.clone().primary_title(report.message);
    let title = match &report.code {
        Some(code) => title.id(code.as_str()),
        None => title,
    };
    let mut group = title.elements(std::iter::empty::<Snippet<'_, annotate_snippets::Annotation<'_>>>());
    if !report.labels.is_empty() {
        let annotations = report.labels.iter().enumerate().map(|(index, (span, text))| {
            let kind = if index == 0 { AnnotationKind::Primary } else { AnnotationKind::Context };
            kind.span(first_line(source, *span).range()).label((!text.is_empty()).then_some(*text))
        });
        group = group.element(Snippet::source(source.text()).path(file).annotations(annotations));
    }
    for help in &report.help {
        group = group.element(Level::HELP.message(*help));
    }
    let renderer = match paint {
        Paint::Colour => Renderer::styled(),
        Paint::Plain => Renderer::plain(),
    };
    format!("{}\n\n", renderer.decor_style(DecorStyle::Ascii).render(&[group]))
}

/// As much of a span as lies on its first line: an instruction may go on for a page.
fn first_line(source: &Source, span: Span) -> Span {
    let text = source.slice(span);
    let length = text.find(['\n', '\r']).unwrap_or(text.len());
    Span::new(span.start, span.start + text[..length].trim_end().len())
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
