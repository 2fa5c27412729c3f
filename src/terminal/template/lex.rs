//! From the text of a template to its pieces: texts, and actions in tokens.

use super::Problem;

/// Text that stands for itself, or what stands between `{{` and `}}`.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Piece {
    Text(String),
    Action(Vec<Token>),
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Token {
    /// `.A.B`: the fields' names. None at all for the dot alone.
    Field(Vec<String>),
    /// `$x.A`: the name, empty for `$`, and the fields' names.
    Variable(String, Vec<String>),
    Word(String),
    Text(String),
    Int(i64),
    /// `(`
    Open,
    /// `)`, and the names of fields that are taken of what it closes.
    Close(Vec<String>),
    Pipe,
    Comma,
    /// `:=`
    Declare,
    /// `=`
    Assign,
}

/// What may be cut away around an action.
const BLANKS: [char; 4] = [' ', '\t', '\r', '\n'];

pub(super) fn pieces(text: &str) -> Result<Vec<Piece>, Problem> {
    let mut pieces = Vec::new();
    let (mut rest, mut is_cut) = (text, false);
    loop {
        let (before, action) = match rest.split_once("{{") {
            Some((before, action)) => (before, Some(action)),
            None => (rest, None),
        };
        let before = if is_cut { before.trim_start_matches(BLANKS) } else { before };
        let cuts = action.and_then(|action| action.strip_prefix('-')).filter(|action| action.starts_with(BLANKS));
        let before = if cuts.is_some() { before.trim_end_matches(BLANKS) } else { before };
        if !before.is_empty() {
            pieces.push(Piece::Text(before.to_owned()));
        }
        let Some(action) = cuts.or(action) else { return Ok(pieces) };
        let tokens;
        (tokens, rest, is_cut) = if action.trim_start_matches(BLANKS).starts_with("/*") {
            let (_, after) = action.split_once("*/").ok_or(Problem::Unclosed)?;
            let (after, is_cut) = close(after).ok_or(Problem::Unclosed)?;
            (None, after, is_cut)
        } else {
            let (tokens, after, is_cut) = action_tokens(action)?;
            (Some(tokens), after, is_cut)
        };
        pieces.extend(tokens.map(Piece::Action));
    }
}

/// What follows `}}` or ` -}}`, and whether the blanks there are cut away.
fn close(text: &str) -> Option<(&str, bool)> {
    let inner = text.trim_start_matches(BLANKS);
    match inner.strip_prefix("-}}") {
        Some(after) if inner.len() < text.len() => Some((after, true)),
        _ => inner.strip_prefix("}}").map(|after| (after, false)),
    }
}

fn action_tokens(mut rest: &str) -> Result<(Vec<Token>, &str, bool), Problem> {
    let mut tokens = Vec::new();
    loop {
        if let Some((after, is_cut)) = close(rest) {
            return Ok((tokens, after, is_cut));
        }
        rest = rest.trim_start_matches(BLANKS);
        let first = rest.chars().next().ok_or(Problem::Unclosed)?;
        let token;
        (token, rest) = match first {
            '"' => quoted(rest)?,
            '`' => {
                let (text, after) = rest[1..].split_once('`').ok_or(Problem::OpenText)?;
                (Token::Text(text.to_owned()), after)
            }
            '.' => {
                let (fields, after) = fields(rest);
                if fields.is_empty() { (Token::Field(fields), &rest[1..]) } else { (Token::Field(fields), after) }
            }
            '$' => {
                let (name, after) = word(&rest[1..]);
                let (fields, after) = fields(after);
                (Token::Variable(name.to_owned(), fields), after)
            }
            '(' => (Token::Open, &rest[1..]),
            ')' => {
                let (fields, after) = fields(&rest[1..]);
                (Token::Close(fields), after)
            }
            '|' => (Token::Pipe, &rest[1..]),
            ',' => (Token::Comma, &rest[1..]),
            '=' => (Token::Assign, &rest[1..]),
            ':' if rest.starts_with(":=") => (Token::Declare, &rest[2..]),
            '0'..='9' | '-' | '+' => number(rest)?,
            letter if letter.is_alphabetic() || letter == '_' => {
                let (name, after) = word(rest);
                (Token::Word(name.to_owned()), after)
            }
            other => return Err(Problem::Character(other)),
        };
        tokens.push(token);
    }
}

fn word(text: &str) -> (&str, &str) {
    let end = text.find(|letter: char| !(letter.is_alphanumeric() || letter == '_')).unwrap_or(text.len());
    text.split_at(end)
}

/// `.A.B` at the beginning of the text.
fn fields(mut text: &str) -> (Vec<String>, &str) {
    let mut fields = Vec::new();
    while let Some(after) = text.strip_prefix('.') {
        let (name, after) = word(after);
        if name.is_empty() {
            break;
        }
        fields.push(name.to_owned());
        text = after;
    }
    (fields, text)
}

fn number(text: &str) -> Result<(Token, &str), Problem> {
    let digits = |letter: char| !(letter.is_alphanumeric() || matches!(letter, '_' | '.'));
    let end = text[1..].find(digits).map_or(text.len(), |end| end + 1);
    let (number, after) = text.split_at(end);
    number.parse().map(|number| (Token::Int(number), after)).map_err(|_| Problem::Number(number.to_owned()))
}

/// A text in double quotes, with Go's usual escapes.
fn quoted(text: &str) -> Result<(Token, &str), Problem> {
    let mut out = String::new();
    let mut letters = text.char_indices().skip(1);
    while let Some((at, letter)) = letters.next() {
        match letter {
            '"' => return Ok((Token::Text(out), &text[at + 1..])),
            '\\' => match letters.next() {
                Some((_, 'n')) => out.push('\n'),
                Some((_, 't')) => out.push('\t'),
                Some((_, 'r')) => out.push('\r'),
                Some((_, letter @ ('"' | '\\' | '\''))) => out.push(letter),
                Some((_, letter)) => return Err(Problem::NotSupported(format!("\\{letter}"))),
                None => return Err(Problem::OpenText),
            },
            '\n' => return Err(Problem::OpenText),
            letter => out.push(letter),
        }
    }
    Err(Problem::OpenText)
}
