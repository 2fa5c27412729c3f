//! Names of variables that look as if their value were a secret: arguments and variables stay in the image.

use crate::ast::Word;
use crate::diagnostic::Diagnostic;
use crate::go;
use crate::lint::Rule;
use crate::source::Span;

const SECRET: [&str; 10] =
    ["apikey", "auth", "credential", "credentials", "key", "password", "pword", "passwd", "secret", "token"];
const HARMLESS: [&str; 3] = ["public", "file", "version"];

/// Checks the name that an instruction (`ARG` or `ENV`) defines.
pub(crate) fn check(instruction: &str, name: &str, word: &Word, at: Span) -> Option<Diagnostic> {
    if !is_secret(name) {
        return None;
    }
    let message = format!("Do not use ARG or ENV instructions for sensitive data ({instruction} {})", go::quote(name));
    let warning = Diagnostic::warning(Rule::SecretsUsedInArgOrEnv, at, message);
    Some(
        warning
            .label(word.span, "")
            .help(format!("give it to the command alone: `RUN --mount=type=secret,env={name}`")),
    )
}

/// Whether the value of a variable of this name is mostly secret.
#[must_use]
pub fn is_secret(name: &str) -> bool {
    let lower = name.to_lowercase();
    let has = |words: &[&str]| lower.split('_').any(|part| words.contains(&part));
    has(&SECRET) && !has(&HARMLESS)
}
