//! `shell-typo`: shell commands that are not what their author meant.
//!
//! **Why**: `& &` and a dangling `&&` fail only once the command has run for minutes, and with a message about the shell.
//! **Silent** in quotes, in comments, and where `&` stands between commands on purpose.

use super::Advice;
use super::advice::Seen;
use crate::ast::{Command, CommandLine, Instruction, Word};
use crate::diagnostic::Diagnostic;

/// Checks every shell-form `RUN`.
pub(super) fn check(seen: &Seen<'_>, found: &mut Vec<Diagnostic>) {
    for (instruction, _) in seen.statements() {
        if let Some(Command::Run(run)) = &instruction.command
            && let CommandLine::Shell(text) = &run.command
        {
            found.extend(of_command(instruction, text));
        }
    }
}

fn of_command(instruction: &Instruction, text: &Word) -> Option<Diagnostic> {
    let (at, length, message, help) = find(&text.text)?;
    let span = if text.span.len() == text.text.len() {
        text.part(at, at + length)
    } else {
        instruction.place_of(&text.text[at..at + length])
    };
    Some(Diagnostic::advice(Advice::ShellTypo, instruction.span, message).label(span, "").help(help))
}

/// Where the typo is, how long it is, what is wrong and what to do.
fn find(text: &str) -> Option<(usize, usize, &'static str, &'static str)> {
    for (at, found) in unquoted(text).match_indices('&') {
        let after = &text[at + found.len()..];
        let rest = after.trim_start_matches(' ');
        let is_alone = !text[..at].ends_with(['&', '>', '<', '|']) && !after.starts_with(['&', '>']);
        if is_alone && rest.len() < after.len() && rest.starts_with('&') {
            let length = found.len() + (after.len() - rest.len()) + 1;
            return Some((at, length, "`& &` is no operator of the shell", "write `&&`"));
        }
    }
    let trimmed = text.trim_end();
    for operator in ["&&", "||"] {
        if unquoted(trimmed).ends_with(operator) {
            let help = "end the line in a `\\` so that the next one belongs to it, or remove the operator";
            return Some((trimmed.len() - 2, 2, "the command ends in an operator that joins it to nothing", help));
        }
    }
    None
}

/// The text with everything in quotes, comments and behind backslashes blanked, so that offsets stay.
fn unquoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut quote = None;
    let mut is_escaped = false;
    for character in text.chars() {
        let is_plain = quote.is_none() && !is_escaped && character != '\\';
        match (quote, character) {
            _ if is_escaped => is_escaped = false,
            (None | Some('"'), '\\') => is_escaped = true,
            (None, '\'' | '"') => quote = Some(character),
            (Some(open), _) if open == character => quote = None,
            _ => {}
        }
        if is_plain { out.push(character) } else { out.extend(std::iter::repeat_n('\x01', character.len_utf8())) }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::find;

    #[test]
    fn finds_split_and_dangling_operators_but_not_in_quotes() {
        assert!(find("apt-get update & &apt-get install").is_some());
        assert!(find("a &&").is_some());
        assert!(find("a || ").is_some());
        for fine in ["a && b", "a & b", "echo '& &'", "echo \"a &&\"", "a 2>&1 & b", "a &", "echo \\& &"] {
            assert_eq!(find(fine), None, "{fine}");
        }
    }
}
