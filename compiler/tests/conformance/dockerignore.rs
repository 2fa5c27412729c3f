//! Which paths a list of patterns excludes.

use layercake_compiler::ignore::{Ignore, parse_file};
use serde_json::Value;

use crate::Problems;
use crate::cases::Case;

pub(crate) fn judge(case: &Case) -> Problems {
    let patterns: Vec<String> = match case.str("ignorefile") {
        Some(text) => parse_file(text),
        None => case.value["patterns"].as_array().unwrap().iter().map(|p| p.as_str().unwrap().to_owned()).collect(),
    };
    let mut problems = Problems::new();
    if let (Some(_), Some(wanted)) = (case.str("ignorefile"), case.value.get("patterns").and_then(Value::as_array)) {
        let wanted: Vec<&str> = wanted.iter().filter_map(Value::as_str).collect();
        if patterns != wanted {
            problems.push(format!("patterns {patterns:?}, expected {wanted:?}"));
        }
    }
    if case.str("kind") == Some("ignorefile_parse") {
        return problems;
    }
    let is_error = case.value.get("error").is_some_and(|error| *error != Value::Bool(false));
    let list = match Ignore::new(&patterns) {
        Err(_) if is_error => return problems,
        Err(error) => return vec![error.to_string()],
        Ok(_) if is_error => return vec![format!("{patterns:?} are fine, expected an error")],
        Ok(list) => list,
    };
    let mut compare = |path: &str, wanted: &Value| {
        if list.excludes(path) != wanted.as_bool().unwrap() {
            problems.push(format!("{patterns:?} on {path}: expected {wanted}"));
        }
    };
    match case.value.get("excluded") {
        Some(Value::Object(paths)) => paths.iter().for_each(|(path, wanted)| compare(path, wanted)),
        Some(wanted) => compare(case.str("path").unwrap(), wanted),
        None => {}
    }
    problems
}
