//! Names of stages that mean something else, or that two stages have.

use std::collections::HashMap;

use crate::ast::StageName;
use crate::diagnostic::Diagnostic;
use crate::go;
use crate::lint::Rule;
use crate::source::Span;

/// Checks the names of all stages, each with the span of its `FROM`.
pub(crate) fn check<'a>(names: impl IntoIterator<Item = (Span, &'a StageName)>, warnings: &mut Vec<Diagnostic>) {
    let mut seen: HashMap<&str, Span> = HashMap::new();
    for (at, name) in names {
        if matches!(name.name.as_str(), "context" | "scratch") {
            let message =
                format!("Stage name should not use the same name as reserved stage {}", go::quote(&name.name));
            let warning = Diagnostic::warning(Rule::ReservedStageName, at, message).label(name.written.span, "");
            warnings.push(warning.help("choose another name"));
        }
        if let Some(first) = seen.insert(&name.name, name.written.span) {
            let message = format!("Duplicate stage name {}, stage names should be unique", go::quote(&name.name));
            let warning = Diagnostic::warning(Rule::DuplicateStageName, at, message);
            let warning = warning.label(name.written.span, "").label(first, "also here");
            warnings.push(warning.help("choose another name"));
        }
    }
}
