//! `FROM [--platform=P] BASE [AS NAME]`.

use super::command::{Typed, count};
use super::flags::{Flags, Takes};
use crate::ast::{Arguments, From, Instruction, StageName, Word};
use crate::diagnostic::{Code, Diagnostic};
use crate::lint;

pub(super) fn typed(instruction: &Instruction, warnings: &mut Vec<Diagnostic>) -> Typed<From> {
    let words: &[Word] = match &instruction.arguments {
        Arguments::Words(words) => words,
        _ => &[],
    };
    if let [_, keyword, name] = words {
        lint::casing::check_from(instruction, keyword, name, warnings);
    }
    let name = match words {
        [_] => None,
        [_, keyword, written] if keyword.text.eq_ignore_ascii_case("as") => {
            Some(stage_name(instruction, keyword, written)?)
        }
        _ => {
            let error = *count(instruction, "FROM requires either one or three arguments");
            return Err(Box::new(error.help("write `FROM image` or `FROM image AS name`")));
        }
    };
    let flags = Flags::read(instruction, &[("platform", Takes::Value)])?;
    if let Some(name) = &name {
        lint::description::check(instruction, &[&name.name], warnings);
    }
    Ok(From { base: words[0].clone(), name, platform: flags.non_empty("platform") })
}

/// The name of a stage: a lower-case letter, then letters, digits, `-`, `_` and `.`.
fn stage_name(instruction: &Instruction, keyword: &Word, written: &Word) -> Typed<StageName> {
    let name = written.text.to_lowercase();
    let is_valid = name.starts_with(|first: char| first.is_ascii_lowercase())
        && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '_' | '.'));
    if is_valid {
        return Ok(StageName { name, written: written.clone(), keyword: keyword.clone() });
    }
    let message = format!(
        "invalid name for build stage: {}, name can't start with a number or contain symbols",
        crate::go::quote(&written.text)
    );
    let error = Diagnostic::error(Code::InvalidStageName, instruction.span, message).label(written.span, "");
    Err(Box::new(error.help("begin it with a letter, and go on with letters, digits, `-`, `_` and `.`")))
}
