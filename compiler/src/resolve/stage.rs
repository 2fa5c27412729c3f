//! The instructions of a Dockerfile, by stage.

use crate::ast::{Ast, Command, From, Instruction};
use crate::diagnostic::{Code, Diagnostic, Severity};
use crate::parse::{Keyword, Parsed};
use crate::suggest;

/// A stage as it is written.
#[derive(Clone, Copy, Debug)]
pub(super) struct StageSyntax<'a> {
    pub(super) from: &'a From,
    pub(super) instruction: &'a Instruction,
    pub(super) body: &'a [Instruction],
}

/// Splits a file at its `FROM`s; before the first one, only `ARG` may stand. `None` if it has none.
pub(super) fn split<'a>(ast: &'a Ast, findings: &mut Vec<Diagnostic>) -> Option<Vec<StageSyntax<'a>>> {
    let is_from = |instruction: &&Instruction| matches!(instruction.command, Some(Command::From(_)));
    let first = ast.instructions.iter().take_while(|instruction| !is_from(instruction)).count();
    let (global, rest) = ast.instructions.split_at(first);
    // What is not understood has been complained about.
    for instruction in global.iter().filter(|instruction| !matches!(instruction.command, None | Some(Command::Arg(_))))
    {
        let error = Diagnostic::error(Code::OutsideStage, instruction.span, "no build stage in current context");
        let error = error.label(instruction.keyword.span, "only `ARG` may stand before the first `FROM`");
        findings.push(error.help("put `FROM image` above it"));
    }
    if rest.is_empty() {
        let error = Diagnostic::about_request(Code::NoStage, "dockerfile contains no stages to build");
        findings.push(error.help("add `FROM image`"));
        return None;
    }
    let mut stages: Vec<StageSyntax<'a>> = Vec::new();
    let starts: Vec<usize> = (0..rest.len()).filter(|at| is_from(&&rest[*at])).collect();
    for (number, start) in starts.iter().enumerate() {
        let end = starts.get(number + 1).copied().unwrap_or(rest.len());
        if let Some(Command::From(from)) = &rest[*start].command {
            stages.push(StageSyntax { from, instruction: &rest[*start], body: &rest[start + 1..end] });
        }
    }
    Some(stages)
}

/// The arguments declared above the first stage.
pub(super) fn global(ast: &Ast) -> impl Iterator<Item = &Instruction> {
    ast.instructions.iter().take_while(|instruction| matches!(instruction.command, Some(Command::Arg(_))))
}

/// Whether the stages and their names are sure, whatever errors the parser has found: where a `FROM` is wrong, or an
/// instruction that may be meant as one, everything that names its stage would look wrong too.
pub(super) fn are_certain(parsed: &Parsed) -> bool {
    let is_from = |instruction: &Instruction| matches!(instruction.command, Some(Command::From(_)));
    let first = parsed.ast.instructions.iter().find(|instruction| is_from(instruction));
    let first = first.map_or(usize::MAX, |from| from.span.start);
    let errors = parsed.diagnostics.iter().filter(|found| found.severity == Severity::Error);
    errors.into_iter().all(|error| {
        let Some(span) = error.instruction.filter(|span| span.start >= first) else { return false };
        // Behind a heredoc without end, the rest of the file is lost.
        if error.code == Code::InvalidHeredoc {
            return false;
        }
        let name = parsed.source.slice(span).split_whitespace().next().unwrap_or_default();
        match Keyword::of(name) {
            Some(keyword) => keyword != Keyword::From,
            None => suggest::nearest_any_case(name, &["FROM"]).is_none(),
        }
    })
}
