//! Targets and outlines.

use layercake_compiler::subrequest::{OutlineOutcome, outline, targets};
use layercake_compiler::{Bases, Diagnostic, parse};
use serde_json::{Value, json};

use crate::Problems;
use crate::cases::{self, Case};
use crate::compile::messages;

pub(crate) fn judge(case: &Case) -> Problems {
    let mut problems = Problems::new();
    let targets = targets(&parse(&case.text)).map(|targets| json!(targets)["targets"].clone());
    compare(&mut problems, "targets", case, targets);
    compare(&mut problems, "outline", case, outlined(case));
    problems
}

fn outlined(case: &Case) -> Result<Value, Vec<Diagnostic>> {
    let (parsed, request, mut bases) = (parse(&case.text), cases::request(case), Bases::new());
    loop {
        match outline(&parsed, &request, &bases)? {
            OutlineOutcome::NeedsBases(requests) => cases::supply(&mut bases, &requests),
            OutlineOutcome::Outline(outline) => return Ok(json!(outline)),
        }
    }
}

fn compare(problems: &mut Problems, what: &str, case: &Case, found: Result<Value, Vec<Diagnostic>>) {
    let error = case.str(&format!("{what}_error")).filter(|error| !error.is_empty());
    match (found, error) {
        (Err(_), Some(_)) => {}
        (Err(found), None) => problems.push(format!("{what}: fails: {}", messages(&found))),
        (Ok(_), Some(error)) => problems.push(format!("{what}: fine, expected the error: {error}")),
        (Ok(found), None) => {
            // BuildKit itself crashed where nothing was recorded.
            let wanted = bare(&case.value[what]);
            let found = bare(&found);
            if !wanted.is_null() && found != wanted {
                problems.push(format!("{what}: {found}, expected {wanted}"));
            }
        }
    }
}

/// Without locations and what is empty; the lists of an outline are compared as sets.
fn bare(value: &Value) -> Value {
    match value {
        Value::Object(fields) => fields
            .iter()
            .filter(|(name, value)| {
                let is_empty =
                    value.is_null() || **value == json!("") || **value == json!([]) || **value == json!(false);
                !is_empty && !matches!(name.as_str(), "location" | "sources" | "version")
            })
            .map(|(name, value)| {
                let mut value = bare(value);
                if let Value::Array(items) = &mut value {
                    items.sort_by_key(ToString::to_string);
                }
                (name.clone(), value)
            })
            .collect::<serde_json::Map<_, _>>()
            .into(),
        Value::Array(items) => items.iter().map(bare).collect(),
        other => other.clone(),
    }
}
