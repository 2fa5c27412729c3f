//! Expansion: a text with variables in, the text or the words that it means out.

use std::collections::HashSet;

use super::pattern::{HowMany, InvalidEscape, Length, Pattern};
use super::scanner::Scanner;

/// How deep `${a:-${b:-…}}` may nest: far more than anyone writes, far less than a stack holds.
const MAX_DEPTH: usize = 100;

/// By how many bytes an expansion may grow a text. Doubling a variable again and again must come to an end, and no system
/// takes an environment of this size.
const MAX_GROWTH: usize = 1 << 20;

/// Expands words. What it does not know, the values of variables, it asks for.
#[derive(Clone, Copy, Debug)]
pub struct Lexer {
    /// The character that takes the meaning from the next one.
    pub escape: char,
    /// What becomes of quotes.
    pub quotes: Quotes,
    /// Whether escape characters stay in the result.
    pub keep_escapes: bool,
    /// What a variable becomes that is not set.
    pub unset: Unset,
}

/// What becomes of quotes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Quotes {
    /// They protect what is in them, and are taken away.
    Remove,
    /// They protect what is in them, and stay.
    Keep,
    /// They are characters like any other.
    Ignore,
}

/// What a variable becomes that is not set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unset {
    /// Nothing.
    Empty,
    /// The expression itself.
    Keep,
}

/// What an expansion made.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Expanded {
    /// The text as one word.
    pub text: String,
    /// The text split where whitespace stands outside of quotes.
    pub words: Vec<String>,
    /// Variables that were asked for and are set, in order, each once.
    pub matched: Vec<Variable>,
    /// Variables that were asked for and are not set, in order, each once.
    pub unmatched: Vec<Variable>,
}

/// A variable that was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Variable {
    /// Its name.
    pub name: String,
    /// Where its expression begins in the text.
    pub start: usize,
    /// Where its name ends.
    pub end: usize,
}

/// Why a text cannot be expanded. The texts are BuildKit's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ExpansionError {
    /// A quote or brace is never closed.
    #[error("unexpected end of statement while looking for matching {0}")]
    Unclosed(&'static str),
    /// `${` without `}`.
    #[error("syntax error: missing '}}'")]
    MissingBrace,
    /// `${x/pattern` without a second slash.
    #[error("syntax error: missing '/' in ${{}}")]
    MissingSlash,
    /// `${}` and the like.
    #[error("syntax error: bad substitution")]
    BadSubstitution,
    /// An operator that does not exist.
    #[error("unsupported modifier ({0}) in substitution")]
    UnsupportedModifier(String),
    /// `${x:?message}` of a variable without value.
    #[error("{name}: {message}")]
    Demanded {
        /// The variable.
        name: String,
        /// What the author says about it.
        message: String,
    },
    /// A backslash in a pattern before something that needs none.
    #[error("invalid pattern ({pattern}) in substitution: invalid escape '\\{}'", .escaped.map(String::from).unwrap_or_default())]
    InvalidPattern {
        /// The pattern.
        pattern: String,
        /// What stands behind the backslash.
        escaped: Option<char>,
    },
    /// The variables in it make it too large.
    #[error("the value is larger than {MAX_GROWTH} bytes")]
    TooLarge,
    /// Nested too deeply.
    #[error("expressions are nested more than {MAX_DEPTH} deep")]
    TooDeep,
}

impl Lexer {
    /// As instructions expand their arguments.
    #[must_use]
    pub fn new(escape: char) -> Self {
        Self { escape, quotes: Quotes::Remove, keep_escapes: false, unset: Unset::Empty }
    }

    /// Expands a text with the variables that `lookup` knows.
    ///
    /// # Errors
    /// If a quote or an expression is malformed, or `${x:?}` demands what is not there.
    pub fn expand<'e>(&self, text: &str, lookup: &dyn Fn(&str) -> Option<&'e str>) -> Result<Expanded, ExpansionError> {
        let mut expansion = Expansion {
            lexer: *self,
            keep_escapes: self.keep_escapes,
            scanner: Scanner::new(text),
            lookup,
            matched: Vec::new(),
            unmatched: Vec::new(),
            seen: HashSet::new(),
            depth: 0,
            grown: 0,
        };
        let (text, words) = expansion.read(None)?;
        Ok(Expanded { text, words, matched: expansion.matched, unmatched: expansion.unmatched })
    }
}

struct Expansion<'a, 'e> {
    lexer: Lexer,
    keep_escapes: bool,
    scanner: Scanner<'a>,
    lookup: &'a dyn Fn(&str) -> Option<&'e str>,
    matched: Vec<Variable>,
    unmatched: Vec<Variable>,
    seen: HashSet<String>,
    depth: usize,
    grown: usize,
}

/// Collects the words of a text while it is read.
#[derive(Default)]
struct Words {
    done: Vec<String>,
    current: String,
}

impl Words {
    /// A character that ends a word if it is whitespace.
    fn character(&mut self, character: char) {
        if !character.is_whitespace() {
            self.current.push(character);
        } else if !self.current.is_empty() {
            self.done.push(std::mem::take(&mut self.current));
        }
    }

    fn into_all(mut self) -> Vec<String> {
        if !self.current.is_empty() {
            self.done.push(self.current);
        }
        self.done
    }
}

impl Expansion<'_, '_> {
    /// Reads up to `stop`, which is taken, or to the end.
    fn read(&mut self, stop: Option<char>) -> Result<(String, Vec<String>), ExpansionError> {
        let mut text = String::new();
        let mut words = Words::default();
        while let Some(next) = self.scanner.peek() {
            if stop == Some(next) {
                self.scanner.take();
                return Ok((text, words.into_all()));
            }
            match next {
                '\'' | '"' if self.lexer.quotes != Quotes::Ignore => {
                    let quoted = if next == '"' { self.double_quoted()? } else { self.single_quoted()? };
                    text.push_str(&quoted);
                    words.current.push_str(&quoted);
                }
                '$' => {
                    let value = self.dollar()?;
                    text.push_str(&value);
                    value.chars().for_each(|character| words.character(character));
                }
                '<' => {
                    let raw = self.less_than();
                    text.push_str(&raw);
                    words.current.push_str(&raw);
                }
                _ => {
                    self.scanner.take();
                    if next != self.lexer.escape {
                        text.push(next);
                        words.character(next);
                        continue;
                    }
                    if self.keep_escapes {
                        text.push(next);
                        words.current.push(next);
                    }
                    // At the very end it escapes nothing.
                    if let Some(escaped) = self.scanner.take() {
                        text.push(escaped);
                        words.current.push(escaped);
                    }
                }
            }
        }
        match stop {
            None => Ok((text, words.into_all())),
            Some('/') => Err(ExpansionError::MissingSlash),
            Some(_) => Err(ExpansionError::MissingBrace),
        }
    }

    /// Nothing means anything between single quotes.
    fn single_quoted(&mut self) -> Result<String, ExpansionError> {
        self.scanner.take();
        let inside = self.scanner.take_until('\'').ok_or(ExpansionError::Unclosed("single-quote"))?;
        Ok(if self.lexer.quotes == Quotes::Keep { format!("'{inside}'") } else { inside.to_owned() })
    }

    /// Between double quotes, `$` keeps its meaning, and the escape character before `"`, `$` and itself.
    fn double_quoted(&mut self) -> Result<String, ExpansionError> {
        let keep = self.lexer.quotes == Quotes::Keep;
        let mut text = String::new();
        self.scanner.take();
        if keep {
            text.push('"');
        }
        loop {
            let next = self.scanner.peek().ok_or(ExpansionError::Unclosed("double-quote"))?;
            if next == '$' {
                text.push_str(&self.dollar()?);
                continue;
            }
            self.scanner.take();
            if next == '"' {
                if keep {
                    text.push('"');
                }
                return Ok(text);
            }
            if next != self.lexer.escape {
                text.push(next);
                continue;
            }
            if self.keep_escapes {
                text.push(next);
            }
            match self.scanner.peek() {
                None => {}
                Some(escaped) if escaped == '"' || escaped == '$' || escaped == self.lexer.escape => {
                    self.scanner.take();
                    text.push(escaped);
                }
                Some(_) => text.push(next),
            }
        }
    }

    /// Keeps `<<` and the blanks behind it in one word, as heredocs need it.
    fn less_than(&mut self) -> String {
        self.scanner.take();
        if !self.scanner.take_if('<') {
            return "<".to_owned();
        }
        let blanks = self.scanner.take_while(|character| matches!(character, ' ' | '\t' | '\r'));
        format!("<<{blanks}")
    }

    fn dollar(&mut self) -> Result<String, ExpansionError> {
        let value = self.expression()?;
        self.grown = self.grown.saturating_add(value.len());
        if self.grown > MAX_GROWTH { Err(ExpansionError::TooLarge) } else { Ok(value) }
    }

    /// What stands behind `$`.
    fn expression(&mut self) -> Result<String, ExpansionError> {
        let start = self.scanner.offset();
        self.scanner.take();
        if self.scanner.peek() != Some('{') {
            let name = self.name();
            if name.is_empty() {
                return Ok("$".to_owned());
            }
            return Ok(match self.variable(&name, start) {
                None if self.lexer.unset == Unset::Keep => format!("${name}"),
                value => value.unwrap_or_default(),
            });
        }
        self.scanner.take();
        match self.scanner.peek() {
            None => return Err(ExpansionError::MissingBrace),
            Some('{' | '}' | ':') => return Err(ExpansionError::BadSubstitution),
            Some(_) => {}
        }
        if self.depth == MAX_DEPTH {
            return Err(ExpansionError::TooDeep);
        }
        self.depth += 1;
        let value = self.braced(start);
        self.depth -= 1;
        value
    }

    /// What stands behind `${`.
    fn braced(&mut self, start: usize) -> Result<String, ExpansionError> {
        let name = self.name();
        let operator = self.scanner.take();
        match operator {
            Some('}') => Ok(match self.variable(&name, start) {
                None if self.lexer.unset == Unset::Keep => format!("${{{name}}}"),
                value => value.unwrap_or_default(),
            }),
            Some(':') => {
                let operator = self.scanner.take();
                self.conditional(&name, start, operator, Emptiness::CountsAsUnset)
            }
            Some('+' | '-' | '?') => self.conditional(&name, start, operator, Emptiness::IsAValue),
            Some(side @ ('#' | '%')) => self.trimmed(&name, start, side),
            Some('/') => self.replaced(&name, start),
            other => Err(unsupported("", other)),
        }
    }

    /// `${x-word}`, `${x+word}`, `${x?word}`, and the same with a colon.
    fn conditional(
        &mut self,
        name: &str,
        start: usize,
        operator: Option<char>,
        emptiness: Emptiness,
    ) -> Result<String, ExpansionError> {
        let colon = if emptiness == Emptiness::CountsAsUnset { ":" } else { "" };
        if let Some('#' | '%') = operator {
            return Err(unsupported(colon, operator));
        }
        let word = self.with_escapes(false, '}')?;
        let value = self.variable(name, start);
        let is_set = value.is_some();
        if self.lexer.unset == Unset::Keep && !is_set {
            let operator = operator.map(String::from).unwrap_or_default();
            return Ok(format!("${{{name}{colon}{operator}{word}}}"));
        }
        let value = value.filter(|value| emptiness == Emptiness::IsAValue || !value.is_empty());
        match operator {
            Some('-') => Ok(value.unwrap_or(word)),
            Some('+') => Ok(value.map(|_| word).unwrap_or_default()),
            Some('?') => value.ok_or_else(|| {
                let message = match (word.as_str(), is_set) {
                    ("", true) => "is not allowed to be empty".to_owned(),
                    ("", false) => "is not allowed to be unset".to_owned(),
                    _ => word,
                };
                ExpansionError::Demanded { name: name.to_owned(), message }
            }),
            other => Err(unsupported(colon, other)),
        }
    }

    /// `${x#pattern}`, `${x##pattern}`, `${x%pattern}`, `${x%%pattern}`.
    fn trimmed(&mut self, name: &str, start: usize, side: char) -> Result<String, ExpansionError> {
        let word = self.with_escapes(true, '}')?;
        let value = self.variable(name, start);
        if self.lexer.unset == Unset::Keep && value.is_none() {
            return Ok(format!("${{{name}{side}{word}}}"));
        }
        let (text, length) =
            word.strip_prefix(side).map_or((word.as_str(), Length::Shortest), |text| (text, Length::Longest));
        let pattern = Pattern::parse(text).map_err(|error| invalid_pattern(text, &error))?;
        let value = value.unwrap_or_default();
        let kept =
            if side == '#' { pattern.strip_prefix(&value, length) } else { pattern.strip_suffix(&value, length) };
        Ok(kept.to_owned())
    }

    /// `${x/pattern/replacement}` and `${x//pattern/replacement}`.
    fn replaced(&mut self, name: &str, start: usize) -> Result<String, ExpansionError> {
        let how_many = if self.scanner.take_if('/') { HowMany::All } else { HowMany::First };
        let text = self.with_escapes(true, '/')?;
        let replacement = self.with_escapes(true, '}')?;
        let value = self.variable(name, start);
        if self.lexer.unset == Unset::Keep && value.is_none() {
            return Ok(format!("${{{name}/{text}/{replacement}}}"));
        }
        let pattern = Pattern::parse(&text).map_err(|error| invalid_pattern(&text, &error))?;
        pattern.replace(&value.unwrap_or_default(), &replacement, how_many, MAX_GROWTH).ok_or(ExpansionError::TooLarge)
    }

    /// Reads an operand; patterns keep their escape characters.
    fn with_escapes(&mut self, keep: bool, stop: char) -> Result<String, ExpansionError> {
        let outer = std::mem::replace(&mut self.keep_escapes, keep);
        let read = self.read(Some(stop));
        self.keep_escapes = outer;
        match read {
            Ok((text, _)) => Ok(text),
            // Whatever else is missing at the end of the text, the brace is.
            Err(_) if self.scanner.peek().is_none() && stop == '}' => Err(ExpansionError::MissingBrace),
            Err(_) if self.scanner.peek().is_none() => Err(ExpansionError::MissingSlash),
            Err(error) => Err(error),
        }
    }

    /// A name: letters, digits and `_`; or digits; or one of the shell's special parameters.
    fn name(&mut self) -> String {
        match self.scanner.peek() {
            Some(digit) if digit.is_ascii_digit() => self.scanner.take_while(|c| c.is_ascii_digit()).to_owned(),
            Some(special @ ('@' | '*' | '#' | '?' | '-' | '$' | '!')) => {
                self.scanner.take();
                special.to_string()
            }
            _ => self.scanner.take_while(|character| character == '_' || character.is_alphanumeric()).to_owned(),
        }
    }

    fn variable(&mut self, name: &str, start: usize) -> Option<String> {
        let value = (self.lookup)(name).map(str::to_owned);
        if !self.seen.contains(name) {
            self.seen.insert(name.to_owned());
            let known = if value.is_some() { &mut self.matched } else { &mut self.unmatched };
            known.push(Variable { name: name.to_owned(), start, end: self.scanner.offset() });
        }
        value
    }
}

/// Whether an empty value is one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Emptiness {
    CountsAsUnset,
    IsAValue,
}

fn unsupported(colon: &str, operator: Option<char>) -> ExpansionError {
    match operator {
        // What Go prints for the end of a text.
        None => ExpansionError::UnsupportedModifier(format!("{colon}\u{fffd}")),
        Some(operator) => ExpansionError::UnsupportedModifier(format!("{colon}{operator}")),
    }
}

fn invalid_pattern(pattern: &str, error: &InvalidEscape) -> ExpansionError {
    ExpansionError::InvalidPattern { pattern: pattern.to_owned(), escaped: error.0 }
}
