//! Configs and histories.

use layercake_compiler::{Bases, Compilation, Diagnostic, Outcome, Request, Severity, compile, parse, parse_device};
use serde_json::{Value, json};

use crate::Verdict;
use crate::cases::{self, Case};

/// Compiles as a caller does: asks for base images until there are none to ask for.
pub(crate) fn compiled_for(case: &Case, request: &Request) -> Result<Box<Compilation>, Vec<Diagnostic>> {
    let (parsed, mut bases) = (parse(&case.text), Bases::new());
    loop {
        match compile(&parsed, request, &bases)? {
            Outcome::NeedsBases(requests) => cases::supply(&mut bases, &requests),
            Outcome::Compiled(compilation) => return Ok(compilation),
        }
    }
}

pub(crate) fn judge(case: &Case, expected: &Value) -> Verdict {
    if case.str("kind") == Some("run_device") {
        return device(case);
    }
    let mut verdict = Verdict::default();
    let error = expected.get("error").or_else(|| expected.get("expect_error")).and_then(Value::as_str);
    match (compiled_for(case, &cases::request(case)), error) {
        (Err(found), Some(error)) => compare_error(&mut verdict, case, &found, error, expected),
        (Err(found), None) => verdict.problems.push(format!("fails: {}", messages(&found))),
        (Ok(_), Some(error)) => verdict.problems.push(format!("compiles, expected the error: {error}")),
        (Ok(compilation), None) => compare_image(&mut verdict, &compilation, expected),
    }
    verdict
}

pub(crate) fn messages(found: &[Diagnostic]) -> String {
    let errors = found.iter().filter(|finding| finding.severity == Severity::Error);
    errors.map(|error| error.message.as_str()).collect::<Vec<_>>().join("; ")
}

/// The words and the line of an error are only counted: ours may be better.
pub(crate) fn compare_error(verdict: &mut Verdict, case: &Case, found: &[Diagnostic], error: &str, expected: &Value) {
    // We show the line beside the text, not in it.
    let words = error.strip_prefix("dockerfile parse error on line ").and_then(|rest| rest.split_once(": "));
    let words = words.map_or(error, |(_, words)| words);
    verdict.grades.push(("words of an error", messages(found).contains(words)));
    if let Some(line) = expected.get("error_line").and_then(Value::as_u64) {
        let source = layercake_compiler::source::Source::new(case.text.as_str());
        let lines = found.iter().filter(|finding| finding.severity == Severity::Error);
        let is_same = lines.filter_map(|finding| finding.line(&source)).any(|found| found as u64 == line);
        verdict.grades.push(("line of an error", is_same));
    }
    if std::env::var_os("LAYERCAKE_CONFORMANCE_GRADES").is_some() && verdict.grades.iter().any(|(_, same)| !same) {
        println!("  differs {}: {} | {error} {:?}", case.id, messages(found), expected.get("error_line"));
    }
}

pub(crate) fn compare_image(verdict: &mut Verdict, compilation: &Compilation, expected: &Value) {
    let image = &compilation.plan.image;
    let config = json!(image.config);
    let wanted = expected["config"].as_object().unwrap();
    let keys: std::collections::BTreeSet<&String> = config.as_object().unwrap().keys().chain(wanted.keys()).collect();
    for key in keys {
        let (found, wanted) = (config.get(key).unwrap_or(&Value::Null), wanted.get(key).unwrap_or(&Value::Null));
        if key == "ArgsEscaped" {
            verdict.grades.push(("ArgsEscaped", is_same(found, wanted)));
        } else if !is_same(found, wanted) {
            verdict.problems.push(format!("config.{key}: {found}, expected {wanted}"));
        }
    }
    let wanted = expected["history"].as_array().map(Vec::as_slice).unwrap_or_default();
    let shape: Vec<bool> = image.history.iter().map(|planned| planned.entry.empty_layer).collect();
    let wanted_shape: Vec<bool> =
        wanted.iter().map(|entry| entry.get("empty_layer").and_then(Value::as_bool).unwrap_or(false)).collect();
    if shape != wanted_shape {
        verdict.problems.push(format!("history: {shape:?}, expected {wanted_shape:?}"));
    }
    let texts: Vec<&str> = image.history.iter().map(|planned| planned.entry.created_by.as_str()).collect();
    let wanted_texts: Vec<&str> = wanted.iter().map(|entry| entry["created_by"].as_str().unwrap_or_default()).collect();
    verdict.grades.push(("text of the history", texts == wanted_texts));
    if texts != wanted_texts && std::env::var_os("LAYERCAKE_CONFORMANCE_GRADES").is_some() {
        println!("  history {texts:?}\n  expected {wanted_texts:?}");
    }
    let author = expected.get("author").and_then(Value::as_str);
    if author.is_some() && image.author.as_deref() != author {
        verdict.problems.push(format!("author: {:?}, expected {author:?}", image.author));
    }
}

/// Absent, null and empty mean the same.
fn is_same(a: &Value, b: &Value) -> bool {
    let is_empty = |value: &Value| match value {
        Value::Null => true,
        Value::Bool(truth) => !truth,
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(items) => items.is_empty(),
        Value::Number(_) => false,
    };
    a == b || (is_empty(a) && is_empty(b))
}

fn device(case: &Case) -> Verdict {
    let mut verdict = Verdict::default();
    match (parse_device(case.str("input").unwrap()), case.str("expect_error")) {
        (Err(message), Some(error)) => verdict.grades.push(("words of an error", message == error)),
        (Err(message), None) => verdict.problems.push(format!("fails: {message}")),
        (Ok(_), Some(error)) => verdict.problems.push(format!("is fine, expected the error: {error}")),
        (Ok(device), None) => {
            let required = case.value.get("required").and_then(Value::as_bool).unwrap_or(false);
            if Some(device.name.as_str()) != case.str("name") || device.required != required {
                verdict.problems.push(format!("{device:?}"));
            }
        }
    }
    verdict
}
