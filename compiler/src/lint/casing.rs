//! Upper and lower case: of instructions, of `AS`, of stage names.

use crate::ast::{Command, Instruction, Word};
use crate::diagnostic::Diagnostic;
use crate::lint::Rule;

/// The names in one `FROM`.
pub(crate) fn check_from(instruction: &Instruction, keyword: &Word, name: &Word, warnings: &mut Vec<Diagnostic>) {
    if name.text != name.text.to_lowercase() {
        let message = format!("Stage name '{}' should be lowercase", name.text);
        let warning = Diagnostic::warning(Rule::StageNameCasing, instruction.span, message);
        warnings.push(warning.label(name.span, "").help(format!("write `{}`", name.text.to_lowercase())));
    }
    let from = &instruction.keyword.text;
    let Some(case) = case_of(from) else { return };
    let wanted = case.of(&keyword.text);
    if keyword.text != wanted {
        let message = format!("'{}' and '{from}' keywords' casing do not match", keyword.text);
        let warning = Diagnostic::warning(Rule::FromAsCasing, instruction.span, message);
        warnings.push(warning.label(keyword.span, "").help(format!("write `{wanted}`")));
    }
}

/// All instructions: they should be written as most are.
pub(crate) fn check_instructions(instructions: &[Instruction], warnings: &mut Vec<Diagnostic>) {
    let counted = counted(instructions);
    let majority = majority(instructions);
    for instruction in counted {
        let keyword = &instruction.keyword;
        if case_of(&keyword.text) == Some(majority) {
            continue;
        }
        let wanted = majority.of(&keyword.text);
        let name = if majority == Case::Lower { "lowercase" } else { "uppercase" };
        if keyword.text != wanted {
            let message = format!("Command '{}' should match the case of the command majority ({name})", keyword.text);
            let warning = Diagnostic::warning(Rule::ConsistentInstructionCasing, instruction.span, message);
            warnings.push(warning.label(keyword.span, "").help(format!("write `{wanted}`")));
        }
    }
}

/// The case that most instructions have.
pub(crate) fn majority(instructions: &[Instruction]) -> Case {
    let counted = counted(instructions);
    let count = |case| counted.iter().filter(|found| case_of(&found.keyword.text) == Some(case)).count();
    if count(Case::Lower) > count(Case::Upper) { Case::Lower } else { Case::Upper }
}

/// Arguments above the first stage belong to none, and BuildKit does not count them.
fn counted(instructions: &[Instruction]) -> &[Instruction] {
    let is_from = |instruction: &Instruction| matches!(instruction.command, Some(Command::From(_)));
    &instructions[instructions.iter().position(is_from).unwrap_or(instructions.len())..]
}

/// How a word is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Case {
    Lower,
    Upper,
}

impl Case {
    /// The word, written so.
    pub(crate) fn of(self, word: &str) -> String {
        match self {
            Self::Lower => word.to_lowercase(),
            Self::Upper => word.to_uppercase(),
        }
    }
}

/// The case of a word; `None` for a mixture.
pub(crate) fn case_of(word: &str) -> Option<Case> {
    if !word.contains(char::is_uppercase) {
        Some(Case::Lower)
    } else if !word.contains(char::is_lowercase) {
        Some(Case::Upper)
    } else {
        None
    }
}
