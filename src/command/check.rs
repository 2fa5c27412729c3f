//! `check`: what is doubtful in a Dockerfile, in all of its stages.

use layercake_compiler::source::Source;
use layercake_compiler::{Bases, Checked, Code, Diagnostic, Severity, check};
use serde_json::{Value, json};

use super::inputs::Inputs;
use crate::arguments::build::{Check, CheckFormat};
use crate::failure::Failure;
use crate::terminal::output;
use crate::terminal::paint::Paint;

/// `layercake check`.
///
/// # Errors
/// If the Dockerfile is wrong or doubtful.
pub fn run(arguments: &Check, paint: Paint) -> Result<(), Failure> {
    if arguments.fix {
        return Err(Failure::not_built("`check --fix`"));
    }
    let inputs = Inputs::read(&arguments.inputs)?;
    let findings = findings(&inputs, arguments, paint)?;
    match arguments.format {
        CheckFormat::Text => inputs.tell(&findings, paint),
        CheckFormat::Json => output::line(&json!({"warnings": list(&findings, &inputs.parsed.source)}).to_string())?,
        CheckFormat::Sarif | CheckFormat::Github => return Err(Failure::not_built("this format of `check`")),
    }
    if findings.is_empty() { Ok(()) } else { Err(Failure::silent(2)) }
}

fn findings(inputs: &Inputs, arguments: &Check, paint: Paint) -> Result<Vec<Diagnostic>, Failure> {
    let settings = crate::settings::Settings::read(super::inputs::project(&arguments.inputs))?;
    let store = super::inputs::open_store(&settings)?;
    let client = super::registry::client_unless(arguments.inputs.offline, &settings);
    let freshness = super::inputs::freshness(&arguments.inputs);
    let resolver = super::inputs::Resolver { store: &store, client: client.as_ref(), freshness };
    inputs.until_done(&resolver, paint, |bases: &Bases| match check(&inputs.parsed, &inputs.request, bases) {
        Checked::NeedsBases(requests) => Err(requests),
        Checked::Findings(findings) => Ok(findings),
    })
}

/// The warnings among diagnostics, for programs.
#[must_use]
pub fn list(diagnostics: &[Diagnostic], source: &Source) -> Vec<Value> {
    let warnings = diagnostics.iter().filter(|diagnostic| diagnostic.severity == Severity::Warning);
    warnings.map(|warning| describe(warning, source)).collect()
}

fn describe(warning: &Diagnostic, source: &Source) -> Value {
    let column = warning.span().map(|span| source.position(span.start).column);
    let (rule, url) = match warning.code {
        Code::Rule(rule) => (rule.name().to_owned(), Some(rule.url())),
        code => (code.to_string(), None),
    };
    json!({"rule": rule, "line": warning.line(source), "column": column, "detail": warning.message, "url": url})
}
