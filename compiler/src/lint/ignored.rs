//! Sources of `COPY` and `ADD` that `.dockerignore` keeps out of the context.

use crate::ast::Word;
use crate::diagnostic::Diagnostic;
use crate::go;
use crate::ignore::Ignore;
use crate::lint::Rule;
use crate::path;
use crate::source::Span;

/// Checks a source that is taken from the build context; `command` is `Copy` or `Add`.
pub(crate) fn check(command: &str, source: &str, word: &Word, ignore: &Ignore, at: Span) -> Option<Diagnostic> {
    // What `!` re-includes below an excluded folder cannot be told without looking at the files.
    if ignore.is_empty() || ignore.has_exceptions() {
        return None;
    }
    let cleaned = path::clean(source);
    // The root itself is only excluded where everything in it is.
    if matches!(cleaned.as_str(), "." | "/") && !ignore.patterns().any(|p| matches!(p, "*" | "**" | "**/*")) {
        return None;
    }
    if !ignore.excludes(&cleaned) {
        return None;
    }
    let message = format!("Attempting to {command} file {} that is excluded by .dockerignore", go::quote(&cleaned));
    let warning = Diagnostic::warning(Rule::CopyIgnoredFile, at, message).label(word.span, "");
    Some(warning.help(format!("add `!{}` to the end of .dockerignore", cleaned.trim_start_matches('/'))))
}
