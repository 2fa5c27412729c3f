//! The stages of a file, as they are written.

use serde::Serialize;

use super::{Location, is_false};
use crate::ast::Command;
use crate::diagnostic::{Diagnostic, Severity};
use crate::lex::comment::description;
use crate::parse::Parsed;

/// All stages of a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Targets {
    /// In the order of the file.
    pub targets: Vec<Target>,
}

/// A stage.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Target {
    /// Its name; empty if it has none.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// Whether it is built when no target is named.
    #[serde(skip_serializing_if = "is_false")]
    pub default: bool,
    /// What the comment above it says about it.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// What it starts from, unexpanded.
    pub base: String,
    /// Its `--platform`, unexpanded.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub platform: String,
    /// Where it stands.
    pub location: Location,
}

/// Lists the stages of a file.
///
/// # Errors
/// What is wrong with the file whatever its arguments are.
pub fn targets(parsed: &Parsed) -> Result<Targets, Vec<Diagnostic>> {
    let errors: Vec<Diagnostic> =
        parsed.diagnostics.iter().filter(|finding| finding.severity == Severity::Error).cloned().collect();
    if !errors.is_empty() {
        return Err(errors);
    }
    let mut targets: Vec<Target> = Vec::new();
    for instruction in &parsed.ast.instructions {
        let Some(Command::From(from)) = &instruction.command else { continue };
        let name = from.name.as_ref().map(|name| name.name.clone()).unwrap_or_default();
        let comments = instruction.comments.iter().map(|comment| comment.text.as_str());
        targets.push(Target {
            description: description(comments, &name).to_owned(),
            name,
            default: false,
            base: from.base.text.clone(),
            platform: from.platform.as_ref().map(|platform| platform.text.clone()).unwrap_or_default(),
            location: Location::of(instruction.span, &parsed.source),
        });
    }
    if let Some(last) = targets.last_mut() {
        last.default = true;
    }
    Ok(Targets { targets })
}
