//! How each instruction splits what follows its flags.

use crate::ast::{Arguments, Escape, Pair, PairForm, Word};
use crate::diagnostic::{Code, Diagnostic};
use crate::lex::array::{self, Array};
use crate::lex::words::{BLANK, Rest, blank_separated, quoted};
use crate::source::Span;

/// The instructions that there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "each is the instruction of its name")]
pub enum Keyword {
    Add,
    Arg,
    Cmd,
    Copy,
    Entrypoint,
    Env,
    Expose,
    From,
    Healthcheck,
    Label,
    Maintainer,
    Onbuild,
    Run,
    Shell,
    StopSignal,
    User,
    Volume,
    Workdir,
}

impl Keyword {
    /// All of them.
    pub const ALL: [Self; 18] = [
        Self::Add,
        Self::Arg,
        Self::Cmd,
        Self::Copy,
        Self::Entrypoint,
        Self::Env,
        Self::Expose,
        Self::From,
        Self::Healthcheck,
        Self::Label,
        Self::Maintainer,
        Self::Onbuild,
        Self::Run,
        Self::Shell,
        Self::StopSignal,
        Self::User,
        Self::Volume,
        Self::Workdir,
    ];

    /// Its name in upper case.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Add => "ADD",
            Self::Arg => "ARG",
            Self::Cmd => "CMD",
            Self::Copy => "COPY",
            Self::Entrypoint => "ENTRYPOINT",
            Self::Env => "ENV",
            Self::Expose => "EXPOSE",
            Self::From => "FROM",
            Self::Healthcheck => "HEALTHCHECK",
            Self::Label => "LABEL",
            Self::Maintainer => "MAINTAINER",
            Self::Onbuild => "ONBUILD",
            Self::Run => "RUN",
            Self::Shell => "SHELL",
            Self::StopSignal => "STOPSIGNAL",
            Self::User => "USER",
            Self::Volume => "VOLUME",
            Self::Workdir => "WORKDIR",
        }
    }

    /// The instruction of that name, in any case.
    #[must_use]
    pub fn of(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|keyword| keyword.name().eq_ignore_ascii_case(name))
    }
}

/// How long a chain of `ONBUILD ONBUILD …` is read.
const MAX_CHAIN: usize = 8;

/// Splits in the way of the instruction named; `depth` is the number of `ONBUILD`s around it.
pub(super) fn split(
    name: &str,
    rest: Rest<'_>,
    escape: Escape,
    instruction: Span,
    depth: usize,
) -> Result<Arguments, Box<Diagnostic>> {
    let Some(keyword) = Keyword::of(name) else { return Ok(Arguments::Unknown) };
    if rest.text().is_empty() {
        return Ok(Arguments::None);
    }
    match keyword {
        Keyword::Add | Keyword::Copy | Keyword::Volume => {
            array_or(rest, instruction, |rest| Arguments::Words(blank_separated(rest)))
        }
        Keyword::Cmd | Keyword::Entrypoint | Keyword::Run | Keyword::Shell => {
            array_or(rest, instruction, |rest| Arguments::Text(rest.word()))
        }
        Keyword::Expose | Keyword::From => Ok(Arguments::Words(blank_separated(rest))),
        Keyword::Arg => Ok(Arguments::Words(quoted(rest, escape))),
        Keyword::Env | Keyword::Label => pairs(keyword, rest, escape, instruction),
        Keyword::Maintainer | Keyword::StopSignal | Keyword::User | Keyword::Workdir => {
            Ok(Arguments::Text(rest.word()))
        }
        Keyword::Healthcheck => health(rest, instruction),
        Keyword::Onbuild => {
            let line = rest.line().slice(rest.start(), rest.start() + rest.text().len());
            // Chains are an error, but one that is found later; until then they must not be followed without end.
            if depth == MAX_CHAIN {
                return Ok(Arguments::Unknown);
            }
            super::split(line, Vec::new(), escape, instruction.start, depth + 1)
                .map(|trigger| Arguments::Trigger(Box::new(trigger)))
        }
    }
}

/// An array, if it is one; else what `other` makes of it.
fn array_or<'a>(
    rest: Rest<'a>,
    instruction: Span,
    other: impl FnOnce(Rest<'a>) -> Arguments,
) -> Result<Arguments, Box<Diagnostic>> {
    match array::read(rest) {
        Array::Strings(words) => Ok(Arguments::Array(words)),
        Array::Not => Ok(other(rest)),
        Array::Mixed => {
            let message = "when using JSON array syntax, arrays must be comprised of strings only";
            let error = Diagnostic::error(Code::InvalidArray, instruction, message);
            Err(Box::new(error.label(rest.word().span, "").help("put every item in double quotes")))
        }
    }
}

/// `NAME=value …`, or `NAME value` in the old form. Which one it is depends on the first word.
fn pairs(keyword: Keyword, rest: Rest<'_>, escape: Escape, instruction: Span) -> Result<Arguments, Box<Diagnostic>> {
    let words = quoted(rest, escape);
    let Some(first) = words.first() else { return Ok(Arguments::None) };
    if !first.text.contains('=') {
        let text = rest.text();
        let Some(end) = text.find(BLANK) else {
            let name = keyword.name();
            let error = Diagnostic::error(Code::InvalidPair, instruction, format!("{name} must have two arguments"))
                .label(first.span, "")
                .help(format!("write `{name} {}=value`", first.text));
            return Err(Box::new(error));
        };
        let start = text.len() - text[end..].trim_start_matches(BLANK).len();
        let (name, value) = (rest.part(0, end), rest.part(start, text.len()));
        return Ok(Arguments::Pairs(vec![Pair { name, value, form: PairForm::Blank }]));
    }
    let pairs: Result<Vec<Pair>, Box<Diagnostic>> = words.iter().map(|word| pair(word, instruction)).collect();
    Ok(Arguments::Pairs(pairs?))
}

fn pair(word: &Word, instruction: Span) -> Result<Pair, Box<Diagnostic>> {
    let Some((name, value)) = word.text.split_once('=') else {
        let message =
            format!("Syntax error - can't find = in {}. Must be of the form: name=value", crate::go::quote(&word.text));
        let error = Diagnostic::error(Code::InvalidPair, instruction, message)
            .label(word.span, "this is neither a pair nor part of one")
            .help("put the value in quotes if it has spaces");
        return Err(Box::new(error));
    };
    let part = |start, end, text: &str| Word { text: text.to_owned(), span: word.part(start, end) };
    Ok(Pair {
        name: part(0, name.len(), name),
        value: part(name.len() + 1, word.text.len(), value),
        form: PairForm::Equals,
    })
}

/// `HEALTHCHECK`: the kind of test, and its command.
fn health(rest: Rest<'_>, instruction: Span) -> Result<Arguments, Box<Diagnostic>> {
    let text = rest.text();
    let end = text.find(char::is_whitespace).unwrap_or(text.len());
    let kind = rest.part(0, end);
    let command = rest.skip(text.len() - text[end..].trim_start().len());
    if command.text().is_empty() {
        return Ok(Arguments::Health(kind, Box::new(Arguments::None)));
    }
    let command = array_or(command, instruction, |rest| Arguments::Text(rest.word()))?;
    Ok(Arguments::Health(kind, Box::new(command)))
}
