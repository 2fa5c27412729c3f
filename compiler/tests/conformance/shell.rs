//! Expansion of words.

use std::collections::{BTreeSet, HashMap};

use layercake_compiler::go;
use layercake_compiler::shell::{Lexer, Variable};
use serde_json::Value;

use crate::Problems;
use crate::cases::Case;

pub(crate) fn judge(case: &Case) -> Problems {
    let env: HashMap<&str, &str> =
        case.value["env"].as_object().unwrap().iter().map(|(name, value)| (&**name, value.as_str().unwrap())).collect();
    let escape = case.str("escape").unwrap().chars().next().unwrap();
    let input = case.str("input").unwrap();
    let result = Lexer::new(escape).expand(input, &|name| env.get(name).copied());
    let mut problems = Problems::new();
    let is_error = case.value.get("error").is_some_and(|error| *error != Value::Bool(false));
    let expanded = match result {
        Err(error) if is_error => {
            let message = format!("failed to process {}: {error}", go::quote(input));
            if let Some(wanted) = case.str("error_contains").filter(|wanted| !message.contains(wanted)) {
                problems.push(format!("fails with {message}, expected {wanted}"));
            }
            return problems;
        }
        Err(error) => return vec![format!("fails with {error}")],
        Ok(expanded) if is_error => return vec![format!("{:?}, expected an error", expanded.text)],
        Ok(expanded) => expanded,
    };
    let expected = &case.value["expected"];
    let found = match case.str("fn") {
        Some("words") => serde_json::json!(expanded.words),
        _ => serde_json::json!(expanded.text),
    };
    let is_same = found == *expected || (expected.is_null() && expanded.words.is_empty());
    if !is_same {
        problems.push(format!("{found}, expected {expected}"));
    }
    for (key, variables) in [("matched", &expanded.matched), ("unmatched", &expanded.unmatched)] {
        if let Some(wanted) = case.value.get(key) {
            let found: BTreeSet<&str> = variables.iter().map(|Variable { name, .. }| name.as_str()).collect();
            let names: Vec<&str> = match wanted {
                Value::Object(names) => names.keys().map(String::as_str).collect(),
                list => list.as_array().into_iter().flatten().filter_map(Value::as_str).collect(),
            };
            let wanted: BTreeSet<&str> = names.into_iter().collect();
            if found != wanted {
                problems.push(format!("{key}: {found:?}, expected {wanted:?}"));
            }
        }
    }
    problems
}
