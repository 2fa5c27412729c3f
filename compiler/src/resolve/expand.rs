//! What an expansion that failed looks like to the author.

use crate::ast::Word;
use crate::diagnostic::{Code, Diagnostic};
use crate::go;
use crate::shell::ExpansionError;
use crate::source::Span;

/// The diagnostic for a word that cannot be expanded, in BuildKit's words.
pub(super) fn error(word: &Word, error: &ExpansionError, instruction: Span) -> Diagnostic {
    let message = format!("failed to process {}: {error}", go::quote(&word.text));
    let code = match error {
        ExpansionError::TooLarge | ExpansionError::TooDeep => Code::TooLarge,
        _ => Code::InvalidExpansion,
    };
    let diagnostic = Diagnostic::error(code, instruction, message).label(word.span, "");
    match error {
        ExpansionError::Unclosed(_) => diagnostic.help("close the quote, or put a backslash before it"),
        ExpansionError::MissingBrace => diagnostic.help("close the expression with `}`"),
        // BuildKit's scanner has this character for the end of the text.
        ExpansionError::UnsupportedModifier(modifier) if modifier.ends_with('\u{fffd}') => {
            diagnostic.help("close the expression with `}`")
        }
        ExpansionError::MissingSlash => diagnostic.help("write `${name/pattern/replacement}`"),
        ExpansionError::BadSubstitution | ExpansionError::UnsupportedModifier(_) => diagnostic.help(
            "use `${name}`, `${name:-default}`, `${name:+value}`, `${name:?message}`, `${name#prefix}`, \
             `${name%suffix}` or `${name/pattern/replacement}`",
        ),
        ExpansionError::Demanded { name, .. } => diagnostic.help(format!("pass `--build-arg {name}=value`")),
        ExpansionError::InvalidPattern { .. } => diagnostic.help("remove the backslash, or write two"),
        ExpansionError::TooLarge => diagnostic.help("put large texts into files"),
        ExpansionError::TooDeep => diagnostic.help("nest fewer expressions"),
    }
}
