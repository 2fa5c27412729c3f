//! `check`: what is doubtful in a Dockerfile, in all of its stages.

mod fix;
mod sarif;

use layercake_compiler::source::Source;
use layercake_compiler::{Bases, Checked, Code, Diagnostic, Severity, check};
use serde_json::{Value, json};

use super::inputs::{Fetching, Inputs, Resolver, project, without_repetitions};
use crate::arguments::build::{Check, CheckFormat};
use crate::arguments::inputs as arguments;
use crate::failure::Failure;
use crate::settings::Settings;
use crate::terminal::output;
use crate::terminal::paint::Paint;

/// `layercake check`.
///
/// # Errors
/// If the Dockerfile is wrong or doubtful.
pub fn run(arguments: &Check, paint: Paint) -> Result<(), Failure> {
    if arguments.fix {
        let settings = Settings::read(project(&arguments.inputs))?;
        let inputs = Inputs::read(&arguments.inputs, &Fetching::new(&settings, paint))?;
        fix::mend(&inputs, &findings(&inputs, &arguments.inputs, &settings, paint)?)?;
    }
    // What is left is told of the file as it is now.
    answer(&arguments.inputs, arguments.format, paint)
}

/// Checks, and prints what was found.
///
/// # Errors
/// As [`run`]: exit status 2, silently, if anything but advice was found.
pub fn answer(arguments: &arguments::Inputs, format: CheckFormat, paint: Paint) -> Result<(), Failure> {
    let settings = Settings::read(project(arguments))?;
    let inputs = Inputs::read(arguments, &Fetching::new(&settings, paint))?;
    let findings = findings(&inputs, arguments, &settings, paint)?;
    let source = &inputs.parsed.source;
    match format {
        CheckFormat::Text if findings.is_empty() => output::tell("nothing to say\n"),
        CheckFormat::Text => inputs.tell(&findings, paint),
        CheckFormat::Json => output::line(&in_json(&findings, source).to_string())?,
        CheckFormat::Sarif => output::line(&sarif::log(&findings, source, &inputs.file).to_string())?,
        CheckFormat::Github => {
            for finding in &findings {
                output::line(&annotation(finding, source, &inputs.file))?;
            }
        }
    }
    // Advice is there to be weighed: a pipeline that was green stays so when there is more of it.
    if findings.iter().all(|finding| finding.severity == Severity::Advice) { Ok(()) } else { Err(Failure::silent(2)) }
}

fn findings(
    inputs: &Inputs,
    arguments: &arguments::Inputs,
    settings: &Settings,
    paint: Paint,
) -> Result<Vec<Diagnostic>, Failure> {
    let resolver = Resolver::open(arguments, settings)?;
    inputs.until_done(&resolver, paint, |bases: &Bases| {
        let (mut all, mut wanted) = (Vec::new(), Vec::new());
        for request in inputs.requests() {
            match check(&inputs.parsed, &request, bases) {
                Checked::NeedsBases(requests) => wanted.extend(requests),
                Checked::Findings(findings) => all.extend(findings),
            }
        }
        if wanted.is_empty() { Ok(without_repetitions(all.iter())) } else { Err(wanted) }
    })
}

/// BuildKit's `warnings`, and beside them `findings` of our own, so that who compares with BuildKit sees its rules only.
fn in_json(findings: &[Diagnostic], source: &Source) -> Value {
    let own = findings.iter().filter(|finding| matches!(finding.code, Code::Advice(_)));
    let own: Vec<Value> = own.map(|finding| describe(finding, source)).collect();
    json!({"warnings": list(findings, source), "findings": own})
}

/// What BuildKit's rules found, for programs.
#[must_use]
pub fn list(diagnostics: &[Diagnostic], source: &Source) -> Vec<Value> {
    let warnings = diagnostics.iter().filter(|diagnostic| matches!(diagnostic.code, Code::Rule(_)));
    warnings.map(|warning| describe(warning, source)).collect()
}

fn describe(finding: &Diagnostic, source: &Source) -> Value {
    let column = finding.span().map(|span| source.position(span.start).column);
    json!({
        "rule": finding.code.name(),
        "line": finding.line(source),
        "column": column,
        "detail": finding.message,
        "url": finding.code.url(),
    })
}

/// A line that GitHub shows beside the source.
///
/// Source: GitHub's "Workflow commands", with their escapes.
fn annotation(finding: &Diagnostic, source: &Source, file: &str) -> String {
    let level = match finding.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Advice => "notice",
    };
    let escape = |text: &str| text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A");
    let property = |text: &str| escape(text).replace(':', "%3A").replace(',', "%2C");
    let place = finding.span().map(|span| source.position(span.start));
    let place = place.map_or_else(String::new, |place| format!(",line={},col={}", place.line, place.column));
    format!("::{level} file={}{place},title={}::{}", property(file), finding.code.name(), escape(&finding.message))
}
