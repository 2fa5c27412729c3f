//! What the linter finds.

use layercake_compiler::ignore::Ignore;
use layercake_compiler::{Bases, Checked, Code, Diagnostic, Request, check, parse};
use serde_json::Value;

use crate::cases::{self, Case};
use crate::compile::{compare_error, compiled};
use crate::{Problems, Verdict};

pub(crate) fn judge(case: &Case) -> Verdict {
    let mut request = cases::request(case);
    if let Some(text) = case.str("dockerignore") {
        request.ignore = Ignore::parse(text).unwrap();
    }
    let wanted = case.value.get("check_warnings").unwrap_or(&case.value["warnings"]);
    let mut verdict = Verdict { problems: compare(case, &request, wanted), grades: Vec::new() };
    if let Some(error) = case.str("build_error") {
        match compiled(case, &case.text) {
            Ok(_) => verdict.problems.push(format!("compiles, expected the error: {error}")),
            Err(found) => compare_error(&mut verdict, case, &found, error, &case.value),
        }
    }
    verdict
}

pub(crate) fn judge_file(case: &Case, expected: &Value) -> Problems {
    compare(case, &cases::request(case), &expected["warnings"])
}

fn compare(case: &Case, request: &Request, wanted: &Value) -> Problems {
    let parsed = parse(&case.text);
    let mut found: Vec<(String, u64, String)> = findings(&case.text, request)
        .into_iter()
        .filter(|finding| matches!(finding.code, Code::Rule(_)))
        .map(|finding| {
            let line = finding.line(&parsed.source).unwrap_or_default() as u64;
            (finding.code.to_string(), line, finding.message)
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
