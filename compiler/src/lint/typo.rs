//! Shell commands that are not what their author meant. These are our own findings, not BuildKit's.

use crate::ast::{CommandLine, Instruction};
use crate::diagnostic::{Code, Diagnostic, Severity};

/// Checks the text of a shell-form `RUN`.
pub(crate) fn check(instruction: &Instruction, command: &CommandLine) -> Option<Diagnostic> {
    let CommandLine::Shell(text) = command else { return None };
    let (at, length, message, help) = find(&text.text)?;
    let warning = Diagnostic::error(Code::ShellTypo, instruction.span, message);
    let span = if text.span.len() == text.text.len() {
        text.part(at, at + length)
    } else {
        instruction.place_of(&text.text[at..at + length])
    };
    Some(Diagnostic { severity: Severity::Warning, ..warning }.label(span, "").help(help))
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
