//! Findings as a SARIF log, which code-scanning services read.
//!
//! Source: OASIS SARIF 2.1.0, sections 3.13 (log), 3.14 (run), 3.27 (result), 3.49 (rule).

use layercake_compiler::source::Source;
use layercake_compiler::{Code, Diagnostic, Severity};
use serde_json::{Value, json};

/// The log of one run over one file.
pub(super) fn log(findings: &[Diagnostic], source: &Source, file: &str) -> Value {
    let mut rules: Vec<Code> = findings.iter().map(|finding| finding.code).collect();
    rules.sort_unstable();
    rules.dedup();
    let results = findings.iter().map(|finding| result(finding, source, file, &rules));
    json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": {"driver": {
                "name": "layercake",
                "semanticVersion": env!("CARGO_PKG_VERSION"),
                "rules": rules.iter().map(|code| rule(*code)).collect::<Vec<_>>(),
            }},
            // Columns are counted in characters.
            "columnKind": "unicodeCodePoints",
            "results": results.collect::<Vec<_>>(),
        }],
    })
}

fn rule(code: Code) -> Value {
    let mut rule = json!({"id": code.name()});
    match code {
        Code::Rule(found) => rule["shortDescription"] = json!({"text": found.description()}),
        Code::Advice(found) => rule["shortDescription"] = json!({"text": found.description()}),
        _ => {}
    }
    match (code, code.url()) {
        (Code::Rule(_), Some(url)) => rule["helpUri"] = json!(url),
        // A `helpUri` must be absolute (3.49.12), so the place in our own page is a text.
        (_, Some(page)) => {
            rule["help"] = json!({"text": format!("see {page}"), "markdown": format!("See [{page}]({page}).")});
        }
        (_, None) => {}
    }
    rule
}

fn result(finding: &Diagnostic, source: &Source, file: &str, rules: &[Code]) -> Value {
    let level = match finding.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Advice => "note",
    };
    let message =
        std::iter::once(&finding.message).chain(&finding.help).map(String::as_str).collect::<Vec<_>>().join("; ");
    let mut location = json!({"artifactLocation": {"uri": file.replace('\\', "/")}});
    if let Some(span) = finding.span() {
        let (start, end) = (source.position(span.start), source.position(span.end));
        location["region"] = json!({
            "startLine": start.line, "startColumn": start.column, "endLine": end.line, "endColumn": end.column,
        });
    }
    json!({
        "ruleId": finding.code.name(),
        "ruleIndex": rules.binary_search(&finding.code).ok(),
        "level": level,
        "message": {"text": message},
        "locations": [{"physicalLocation": location}],
    })
}
