//! The comment above a stage or an argument, which tools show as its description.

use crate::ast::{Arguments, Instruction};
use crate::diagnostic::Diagnostic;
use crate::lint::Rule;

/// Checks that the last comment above a definition begins with a name it defines.
pub(crate) fn check(instruction: &Instruction, names: &[&str], warnings: &mut Vec<Diagnostic>) {
    let Some(comment) = instruction.comments.last() else { return };
    let first = comment.text.split(' ').next().unwrap_or_default();
    if names.is_empty() || names.contains(&first) {
        return;
    }
    let keyword = match &instruction.arguments {
        Arguments::Words(_) if instruction.keyword.text.eq_ignore_ascii_case("from") => "FROM",
        _ => "ARG",
    };
    let example = if names.len() > 1 { "<arg_key>" } else { names[0] };
    let message = format!("Comment for {keyword} should follow the format: `# {example} <description>`");
    let warning = Diagnostic::warning(Rule::InvalidDefinitionDescription, instruction.span, message);
    warnings.push(warning.label(comment.span, "").help("put an empty comment below it if it is no description"));
}
