//! Shell texts, read as far as the checks need it: pipelines of simple commands, their words and where they write to.
//!
//! It knows no expansion, and gives up where a heredoc begins: a check that knows less stays silent.

use crate::ast::{Command, Instruction};
use crate::operation;

/// Commands whose outputs are joined by `|`.
pub(super) type Pipeline = Vec<Simple>;

/// A command without operators.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Simple {
    /// Its words without quotes, from the program on: assignments and words like `then` and `sudo` are left out.
    pub(super) words: Vec<String>,
    /// The files that `>` and `>>` name.
    pub(super) writes: Vec<String>,
}

impl Simple {
    /// The name of the program, without its folder.
    pub(super) fn program(&self) -> &str {
        self.words.first().map_or("", |word| crate::path::base(word))
    }

    /// What follows the program and is no option.
    pub(super) fn operands(&self) -> impl Iterator<Item = &str> {
        self.words.iter().skip(1).map(String::as_str).filter(|word| !word.starts_with('-'))
    }

    /// Whether it has an option of this name, with or without a value.
    pub(super) fn has_option(&self, name: &str) -> bool {
        self.words
            .iter()
            .any(|word| word.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with('=')))
    }
}

/// What a `RUN` runs.
pub(super) fn of_run(instruction: &Instruction, run: &operation::Run) -> Vec<Pipeline> {
    match &instruction.command {
        Some(Command::Run(written)) if matches!(written.command, crate::ast::CommandLine::Exec(_)) => {
            vec![vec![Simple { words: run.arguments.clone(), writes: Vec::new() }]]
        }
        _ => run.arguments.last().map(|text| read(text)).unwrap_or_default(),
    }
}

/// Words that stand before a command and do not change what it is.
const BEFORE: [&str; 13] =
    ["then", "do", "else", "if", "elif", "while", "until", "!", "{", "time", "exec", "sudo", "env"];

/// Splits a shell text into pipelines.
pub(super) fn read(text: &str) -> Vec<Pipeline> {
    let mut reader = Reader::default();
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        match (reader.quote, character) {
            (Some('\''), '\'') | (Some('"'), '"') => reader.quote = None,
            (Some('\''), other) => reader.push(other),
            (_, '\\') => match characters.next() {
                Some('\n') | None => {}
                Some(escaped) => reader.push(escaped),
            },
            (Some(_), other) => reader.push(other),
            (None, '\'' | '"') => {
                reader.quote = Some(character);
                reader.word.get_or_insert_default();
            }
            (None, ' ' | '\t' | '\r') => reader.end_word(),
            (None, '#') if reader.word.is_none() => while characters.next_if(|next| *next != '\n').is_some() {},
            (None, '<') if characters.peek() == Some(&'<') => break,
            (None, '>' | '<') => {
                // A number before it says which stream; it is no word of the command.
                if reader.word.as_ref().is_some_and(|word| word.bytes().all(|byte| byte.is_ascii_digit())) {
                    reader.word = None;
                }
                reader.end_word();
                characters.next_if(|next| matches!(next, '>' | '|'));
                let is_stream = characters.next_if_eq(&'&').is_some();
                reader.next = if character == '>' && !is_stream { Place::Write } else { Place::Nowhere };
            }
            (None, '|') if characters.next_if_eq(&'|').is_none() => {
                characters.next_if_eq(&'&');
                reader.end_command();
            }
            (None, '&') if characters.peek() == Some(&'>') => {}
            (None, '|' | '&' | ';' | '\n' | '(' | ')' | '`') => reader.end_pipeline(),
            (None, other) => reader.push(other),
        }
    }
    reader.end_pipeline();
    reader.done
}

/// Where the next word belongs.
#[derive(Debug, Default)]
enum Place {
    #[default]
    Word,
    Write,
    Nowhere,
}

#[derive(Debug, Default)]
struct Reader {
    done: Vec<Pipeline>,
    pipeline: Pipeline,
    command: Simple,
    word: Option<String>,
    quote: Option<char>,
    next: Place,
}

impl Reader {
    fn push(&mut self, character: char) {
        self.word.get_or_insert_default().push(character);
    }

    fn end_word(&mut self) {
        let Some(word) = self.word.take() else { return };
        match std::mem::take(&mut self.next) {
            Place::Write => self.command.writes.push(word),
            Place::Nowhere => {}
            Place::Word if self.command.words.is_empty() && is_before_command(&word) => {}
            Place::Word => self.command.words.push(word),
        }
    }

    fn end_command(&mut self) {
        self.end_word();
        let command = std::mem::take(&mut self.command);
        if command != Simple::default() {
            self.pipeline.push(command);
        }
    }

    fn end_pipeline(&mut self) {
        self.end_command();
        if !self.pipeline.is_empty() {
            self.done.push(std::mem::take(&mut self.pipeline));
        }
    }
}

fn is_before_command(word: &str) -> bool {
    let is_name =
        |name: &str| !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    BEFORE.contains(&word) || word.split_once('=').is_some_and(|(name, _)| is_name(name))
}

#[cfg(test)]
mod tests {
    use super::read;

    #[test]
    fn commands_are_split_at_operators_and_not_in_quotes() {
        let text =
            "set -e; if A=1 npm \"c\"i 2>/dev/null && echo 'a && b' > x; then sudo y >> '/z' 2>&1 | tee q; fi # ; no";
        let words = |at: usize, command: usize| read(text)[at][command].words.join(" ");
        assert_eq!([words(0, 0), words(1, 0), words(2, 0), words(3, 0)], ["set -e", "npm ci", "echo a && b", "y"]);
        assert_eq!(words(3, 1), "tee q");
        assert_eq!(read(text)[2][0].writes, ["x"]);
        assert_eq!(read(text)[3][0].writes, ["/z"]);
        assert_eq!(read("cat <<E > f\nnpm ci\nE")[0][0].words, ["cat"]);
        assert_eq!(read("a \\\n b\nc").len(), 2);
    }
}
