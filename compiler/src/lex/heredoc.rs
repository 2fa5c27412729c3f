//! Heredocs: `<<NAME` in an instruction, and the lines up to the one that is `NAME`.

use crate::ast::{Body, Heredoc, Word};
use crate::lex::line::{BREAK, PhysicalLines};
use crate::shell::{ExpansionError, Lexer, Quotes, Unset};
use crate::source::Span;

/// The beginning of a heredoc, as a word.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Opening {
    /// The line that ends it.
    pub(crate) name: String,
    /// Whether leading tabs go: `<<-`.
    pub(crate) chomp: bool,
    /// What becomes of variables in it.
    pub(crate) body: Body,
    /// The number before `<<`.
    pub(crate) file_descriptor: u32,
}

/// Reads a word as the beginning of a heredoc: `[N]<<[-]NAME`, where NAME may be quoted.
///
/// # Errors
/// If the name has a quote that does not end.
pub(crate) fn opening(word: &str) -> Result<Option<Opening>, ExpansionError> {
    let digits = word.len() - word.trim_start_matches(|character: char| character.is_ascii_digit()).len();
    let Some(rest) = word[digits..].strip_prefix("<<") else { return Ok(None) };
    let chomp = rest.starts_with('-');
    let name = rest.strip_prefix('-').unwrap_or(rest).trim_start_matches(['\t', '\n', '\x0c', '\r', ' ']);
    if name.is_empty() || name.contains('<') {
        return Ok(None);
    }
    let read = |quotes| Lexer { quotes, unset: Unset::Keep, ..Lexer::new('\\') }.expand(name, &|_| None);
    let (plain, raw) = (read(Quotes::Remove)?, read(Quotes::Keep)?);
    let ([plain], [raw]) = (plain.words.as_slice(), raw.words.as_slice()) else { return Ok(None) };
    // A name that loses quotes when it is read is quoted, and then nothing in the body is expanded.
    let quotes = |text: &str| text.matches(['\'', '"']).count();
    let body = if quotes(plain) == quotes(raw) { Body::Expanded } else { Body::Literal };
    let file_descriptor = word[..digits].parse().unwrap_or(0);
    Ok(Some(Opening { name: plain.clone(), chomp, body, file_descriptor }))
}

/// All heredocs that a line opens.
///
/// # Errors
/// As [`opening`]. A line that no shell could read opens none.
pub(crate) fn openings(line: &str) -> Result<Vec<Opening>, ExpansionError> {
    let lexer = Lexer { quotes: Quotes::Keep, keep_escapes: true, unset: Unset::Keep, ..Lexer::new('\\') };
    let Ok(expanded) = lexer.expand(line, &|_| None) else { return Ok(Vec::new()) };
    let found: Result<Vec<_>, _> = expanded.words.iter().map(|word| opening(word)).collect();
    Ok(found?.into_iter().flatten().collect())
}

/// Reads the body of a heredoc; `None` if the text ends before it.
pub(crate) fn body(opening: Opening, lines: &mut PhysicalLines<'_>) -> Option<Heredoc> {
    let start = lines.offset();
    let mut content = String::new();
    for line in lines {
        let text = line.text.trim_end_matches(BREAK);
        if (if opening.chomp { text.trim_start_matches('\t') } else { text }) == opening.name {
            let Opening { name, chomp, body, file_descriptor } = opening;
            let content = Word { text: content, span: Span::new(start, line.start) };
            return Some(Heredoc { name, content, body, chomp, file_descriptor });
        }
        content.push_str(line.text);
    }
    None
}

/// The text without the tabs that its lines begin with.
pub(crate) fn without_tabs(text: &str) -> String {
    text.split_inclusive('\n').map(|line| line.trim_start_matches('\t')).collect()
}
