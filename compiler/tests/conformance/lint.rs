//! What the linter finds.

use layercake_compiler::ignore::Ignore;
use layercake_compiler::{Bases, Checked, Code, Diagnostic, Request, check, parse};
use serde_json::Value;

use crate::cases::{self, Case};
use crate::compile::{compare_error, compiled_for, messages};
use crate::{Problems, Verdict};

pub(crate) fn judge(case: &Case) -> Verdict {
    let mut request = cases::request(case);
    if let Some(text) = case.str("dockerignore") {
        request.ignore = Ignore::parse(text).unwrap();
    }
    let wanted = case.value.get("check_warnings").unwrap_or(&case.value["warnings"]);
    let mut verdict: Verdict = compare(case, &findings(&case.text, &request), wanted).into();
    match (compiled_for(case, &request), case.str("build_error")) {
        (Ok(_), Some(error)) => verdict.problems.push(format!("compiles, expected the error: {error}")),
        (Err(found), Some(error)) => compare_error(&mut verdict, case, &found, error, &case.value),
        // A build warns about the stages it needs.
        (Ok(compilation), None) if case.str("mode") == Some("build+check") => {
            verdict.problems.extend(compare(case, &compilation.warnings, &case.value["warnings"]));
        }
        (Ok(_), None) => {}
        (Err(found), None) => verdict.problems.push(format!("does not compile: {}", messages(&found))),
    }
    verdict
}

pub(crate) fn judge_file(case: &Case, expected: &Value) -> Problems {
    compare(case, &findings(&case.text, &cases::request(case)), &expected["warnings"])
}

fn compare(case: &Case, findings: &[Diagnostic], wanted: &Value) -> Problems {
    let parsed = parse(&case.text);
    let mut found: Vec<(String, u64, String)> = findings
        .iter()
        .filter(|finding| matches!(finding.code, Code::Rule(_)))
        .map(|finding| {
            let line = finding.line(&parsed.source).unwrap_or_default() as u64;
            (finding.code.to_string(), line, finding.message.clone())
        })
        .collect();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let wanted = wanted.as_array().map(Vec::as_slice).unwrap_or_default();
    let mut problems = Problems::new();
    for warning in wanted {
        let warning = (text(&warning["rule"]), warning["line"].as_u64().unwrap_or_default(), text(&warning["detail"]));
        match found.iter().position(|finding| *finding == warning) {
            Some(at) => drop(found.remove(at)),
            None => problems.push(format!("not reported: {warning:?}")),
        }
    }
    problems.extend(found.iter().map(|finding| format!("reported, not expected: {finding:?}")));
    problems
}

fn findings(text: &str, request: &Request) -> Vec<Diagnostic> {
    let (parsed, mut bases) = (parse(text), Bases::new());
    loop {
        match check(&parsed, request, &bases) {
            Checked::NeedsBases(requests) => cases::supply(&mut bases, &requests),
            Checked::Findings(findings) => return findings,
        }
    }
}
