//! The syntax as text: each instruction with its place, and below it what it was split into, each part with its own.
//!
//! A place is `line:column`, both from 1. Nothing is expanded, and every word is shown as it was read: without quotes,
//! continuations and escapes where the instruction takes them away.

use std::cell::Cell;
use std::fmt::{self, Write};

use super::{Arguments, Ast, Body, Directive, DirectiveName, Heredoc, Instruction, PairForm, Word};
use crate::plan::text::{on_one_line, word};
use crate::source::{Source, Span};

/// An AST and the text it was read from.
struct Placed<'a> {
    ast: &'a Ast,
    source: &'a Source,
    /// The place that was told last: its line, offset and column. What follows on a line is counted from there, for a line may be
    /// as long as a file.
    last: Cell<(usize, usize, usize)>,
}

impl Ast {
    /// As text. `source` is what it was parsed from.
    #[must_use]
    pub fn to_text(&self, source: &Source) -> String {
        Placed { ast: self, source, last: Cell::default() }.to_string()
    }
}

impl fmt::Display for Placed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "dockerfile: {} instructions, escape {}",
            self.ast.instructions.len(),
            self.ast.escape.character()
        )?;
        for directive in &self.ast.directives {
            self.directive(f, directive)?;
        }
        for instruction in &self.ast.instructions {
            writeln!(f)?;
            self.instruction(f, instruction, 0)?;
        }
        Ok(())
    }
}

impl Placed<'_> {
    fn place(&self, span: Span) -> String {
        let line = self.source.line(span.start);
        let (last_line, last_offset, last_column) = self.last.get();
        let column = if line == last_line && span.start >= last_offset {
            last_column + self.source.slice(Span::new(last_offset, span.start)).chars().count()
        } else {
            self.source.position(span.start).column
        };
        self.last.set((line, span.start, column));
        format!("{line}:{column}")
    }

    /// One part: what it is, where it stands, and what it says.
    fn part(&self, f: &mut fmt::Formatter<'_>, depth: usize, name: &str, span: Span, text: &str) -> fmt::Result {
        writeln!(f, "{:indent$}{name:<9} {:<7} {text}", "", self.place(span), indent = 4 * (depth + 1))
    }

    fn word(&self, f: &mut fmt::Formatter<'_>, depth: usize, name: &str, found: &Word) -> fmt::Result {
        self.part(f, depth, name, found.span, &word(&found.text))
    }

    fn directive(&self, f: &mut fmt::Formatter<'_>, directive: &Directive) -> fmt::Result {
        let name = match directive.name {
            DirectiveName::Syntax => "syntax",
            DirectiveName::Escape => "escape",
            DirectiveName::Check => "check",
        };
        self.part(f, 0, name, directive.span, &word(&directive.value))
    }

    fn instruction(&self, f: &mut fmt::Formatter<'_>, instruction: &Instruction, depth: usize) -> fmt::Result {
        let (start, end) = (self.place(instruction.span), self.source.position(instruction.span.end));
        // What is put off means nothing yet.
        let unknown = if instruction.command.is_none() && depth == 0 { "  (means nothing)" } else { "" };
        let keyword = word(&instruction.keyword.text);
        writeln!(f, "{:indent$}{keyword} {start}-{}:{}{unknown}", "", end.line, end.column, indent = 4 * depth)?;
        for comment in &instruction.comments {
            self.part(f, depth, "comment", comment.span, &on_one_line(&comment.text))?;
        }
        for flag in &instruction.flags {
            self.word(f, depth, "flag", flag)?;
        }
        self.arguments(f, &instruction.arguments, depth)?;
        instruction.heredocs.iter().try_for_each(|heredoc| self.heredoc(f, heredoc, depth))
    }

    fn arguments(&self, f: &mut fmt::Formatter<'_>, arguments: &Arguments, depth: usize) -> fmt::Result {
        match arguments {
            Arguments::None => Ok(()),
            Arguments::Unknown => writeln!(f, "{:indent$}unknown", "", indent = 4 * (depth + 1)),
            Arguments::Text(text) => self.part(f, depth, "text", text.span, &on_one_line(&text.text)),
            Arguments::Words(words) => {
                words.iter().try_for_each(|word| self.part(f, depth, "word", word.span, &on_one_line(&word.text)))
            }
            Arguments::Array(items) => items.iter().try_for_each(|item| self.word(f, depth, "item", item)),
            Arguments::Pairs(pairs) => pairs.iter().try_for_each(|pair| {
                let separator = if pair.form == PairForm::Equals { '=' } else { ' ' };
                let text = format!("{}{separator}{}", pair.name.text, pair.value.text);
                self.part(f, depth, "pair", pair.name.span, &on_one_line(&text))
            }),
            Arguments::Health(kind, rest) => {
                self.word(f, depth, "kind", kind)?;
                self.arguments(f, rest, depth)
            }
            Arguments::Trigger(trigger) => self.instruction(f, trigger, depth + 1),
        }
    }

    fn heredoc(&self, f: &mut fmt::Formatter<'_>, heredoc: &Heredoc, depth: usize) -> fmt::Result {
        let mut text = word(&heredoc.name);
        if heredoc.file_descriptor != 0 {
            write!(text, "  descriptor {}", heredoc.file_descriptor)?;
        }
        text.push_str(if heredoc.body == Body::Literal { "  literal" } else { "  expanded" });
        text.push_str(if heredoc.chomp { "  without tabs" } else { "" });
        self.part(f, depth, "heredoc", heredoc.content.span, &text)?;
        for line in heredoc.content.text.split_inclusive('\n') {
            writeln!(f, "{:indent$}| {}", "", on_one_line(line), indent = 4 * (depth + 1) + 2)?;
        }
        Ok(())
    }
}
