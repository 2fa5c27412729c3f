//! Places: all that are named lie in the text, on boundaries of characters.

use layercake_compiler::ast::{Arguments, Instruction};
use layercake_compiler::source::{Source, Span};
use layercake_compiler::{Diagnostic, Parsed};

/// Panics unless every place in the tree and in its diagnostics lies in the text.
pub fn hold(parsed: &Parsed) {
    for instruction in &parsed.ast.instructions {
        of_instruction(instruction, &parsed.source);
    }
    lie_in(&parsed.diagnostics, parsed);
}

/// Panics unless every place in the diagnostics lies in the text.
pub fn lie_in(findings: &[Diagnostic], parsed: &Parsed) {
    for finding in findings {
        let labels = finding.labels.iter().map(|label| label.span);
        labels.chain(finding.instruction).for_each(|span| lies_in(span, &parsed.source));
        if let Some(span) = finding.span() {
            let _ = parsed.source.position(span.start);
        }
        assert!(!finding.message.is_empty(), "a diagnostic says nothing");
    }
}

fn lies_in(span: Span, source: &Source) {
    assert!(source.text().get(span.range()).is_some(), "{span:?} does not lie in the text");
}

fn of_instruction(instruction: &Instruction, source: &Source) {
    let words = instruction.flags.iter().chain(&instruction.comments).map(|word| word.span);
    let heredocs = instruction.heredocs.iter().map(|heredoc| heredoc.content.span);
    let own = [instruction.span, instruction.keyword.span];
    words.chain(heredocs).chain(own).for_each(|span| lies_in(span, source));
    of_arguments(&instruction.arguments, source);
}

fn of_arguments(arguments: &Arguments, source: &Source) {
    match arguments {
        Arguments::None | Arguments::Unknown => {}
        Arguments::Text(word) => lies_in(word.span, source),
        Arguments::Words(words) | Arguments::Array(words) => words.iter().for_each(|word| lies_in(word.span, source)),
        Arguments::Pairs(pairs) => {
            pairs.iter().flat_map(|pair| [pair.name.span, pair.value.span]).for_each(|span| lies_in(span, source));
        }
        Arguments::Health(kind, command) => {
            lies_in(kind.span, source);
            of_arguments(command, source);
        }
        Arguments::Trigger(trigger) => of_instruction(trigger, source),
    }
}
