//! Variables that nothing has set.

use crate::ast::Word;
use crate::diagnostic::Diagnostic;
use crate::lint::Rule;
use crate::shell::Variable;
use crate::source::Span;
use crate::suggest;

/// A variable in an instruction of a stage; `known` are those that are set.
pub(crate) fn undefined<'a>(
    variable: &Variable,
    word: &Word,
    known: impl IntoIterator<Item = &'a str>,
    at: Span,
) -> Diagnostic {
    let name = &variable.name;
    let near = suggest::nearest(name, known);
    let guess = near.map(|near| format!(" (did you mean ${near}?)")).unwrap_or_default();
    let message = format!("Usage of undefined variable '${name}'{guess}");
    let warning = Diagnostic::warning(Rule::UndefinedVar, at, message);
    warning.label(word.part(variable.start, variable.end), "").help(match near {
        Some(near) => format!("write `${near}`"),
        None => format!("declare it with `ARG {name}`, or write `\\${name}` if no variable is meant"),
    })
}

/// A variable in a `FROM`; `known` are the arguments declared above the first stage and the predefined ones.
pub(crate) fn undeclared<'a>(
    variable: &Variable,
    word: &Word,
    known: impl IntoIterator<Item = &'a str>,
    at: Span,
) -> Diagnostic {
    let name = &variable.name;
    let near = suggest::nearest(name, known);
    let guess = near.map(|near| format!(" (did you mean {near}?)")).unwrap_or_default();
    let message = format!("FROM argument '{name}' is not declared{guess}");
    let warning = Diagnostic::warning(Rule::UndefinedArgInFrom, at, message);
    warning.label(word.part(variable.start, variable.end), "").help(match near {
        Some(near) => format!("write `${near}`"),
        None => format!("put `ARG {name}` above the first `FROM`"),
    })
}
