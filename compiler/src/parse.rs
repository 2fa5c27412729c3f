//! Text to syntax: reads a Dockerfile instruction by instruction and says what is wrong with each.
//!
//! It never fails: what cannot be understood is left out of the [`Ast`] or stays in it untyped, with a diagnostic that
//! says why. It does not know build arguments, base images or other files.

mod arguments;
mod command;
mod copy;
mod flags;
mod from;
mod health;
mod mount;
mod run;

use crate::ast::{Arguments, Ast, DirectiveName, Escape, Heredoc, Instruction, Word};
use crate::diagnostic::{Code, Diagnostic};
use crate::lex::comment::is_comment;
use crate::lex::directive::{self, DirectiveLine, Directives};
use crate::lex::line::{BREAK, Joined, Line, PhysicalLine, PhysicalLines, join};
use crate::lex::words::{BLANK, Rest};
use crate::lex::{flags as flag_words, heredoc};
use crate::lint::Rule;
use crate::source::{Source, Span};

pub use arguments::Keyword;
pub(crate) use mount::{Mount, MountType, parse_mount};
#[doc(inline)]
pub use run::parse_device;

/// A Dockerfile that was read.
#[derive(Clone, Debug)]
pub struct Parsed {
    /// Its text.
    pub source: Source,
    /// What stands where.
    pub ast: Ast,
    /// All that is wrong with it whatever the build arguments are. Warnings are findings of lint rules.
    pub diagnostics: Vec<Diagnostic>,
}

impl Parsed {
    /// The frontend that the file asks for. Beside `# syntax=`, `// syntax=` and a JSON object with a `syntax` field count.
    #[must_use]
    pub fn syntax(&self) -> Option<String> {
        directive::syntax(self.source.text())
    }

    /// What the file says about linting. Unlike other directives it may stand below a `#!` line.
    #[must_use]
    pub fn check(&self) -> Option<String> {
        directive::named(self.source.text(), DirectiveName::Check, "#")
    }
}

/// The longest text that is read, in bytes. It is what a frontend of BuildKit can be sent (16 MiB is the limit of its gRPC
/// messages), and some hundred times the longest file that anybody writes.
pub const MAX_SOURCE: usize = 16 << 20;

/// Reads a Dockerfile. One that is longer than [`MAX_SOURCE`] is not looked at.
#[must_use]
pub fn parse(source: &str) -> Parsed {
    if source.len() > MAX_SOURCE {
        let message = format!("the Dockerfile has more than {} MiB", MAX_SOURCE >> 20);
        let error = Diagnostic::about_request(Code::TooLarge, message);
        let error = error.help("put what is large into files of the context, and `COPY` or mount them");
        return Parsed { source: Source::new(""), ast: Ast::default(), diagnostics: vec![error] };
    }
    let mut reader = Reader { ast: Ast::default(), diagnostics: Vec::new() };
    reader.read(source);
    let Reader { ast, diagnostics } = reader;
    Parsed { source: Source::new(source), ast, diagnostics }
}

/// Reads a trigger as an image keeps it: one instruction, with its heredocs.
///
/// # Errors
/// What is wrong with it; the spans are offsets into the trigger, not into any Dockerfile.
pub(crate) fn parse_trigger(expression: &str) -> Result<Instruction, Diagnostic> {
    let mut parsed = parse(expression);
    if let Some(error) = parsed.diagnostics.into_iter().find(|found| !matches!(found.code, Code::Rule(_))) {
        return Err(error);
    }
    match (parsed.ast.instructions.pop(), parsed.ast.instructions.len()) {
        (Some(instruction), 0) => Ok(instruction),
        _ => Err(Diagnostic::about_request(Code::InvalidTrigger, "onbuild trigger should be a single expression")),
    }
}

struct Reader {
    ast: Ast,
    diagnostics: Vec<Diagnostic>,
}

impl Reader {
    fn read(&mut self, text: &str) {
        let mut lines = PhysicalLines::new(text);
        let mut directives = Directives::default();
        let mut comments: Vec<Word> = Vec::new();
        while let Some(line) = lines.next() {
            if let Some(comment) = self.directive(line, &mut directives) {
                if let Some(comment) = comment {
                    note(&mut comments, &comment);
                }
                continue;
            }
            let Some(joined) = join(line, self.ast.escape, &mut lines) else { continue };
            let comments = std::mem::take(&mut comments);
            if self.instruction(joined, comments, &mut lines).is_none() {
                break;
            }
        }
        self.ast.directives = directives.into_found();
        if self.ast.instructions.is_empty() && self.diagnostics.is_empty() {
            let message = if text.is_empty() {
                "the Dockerfile cannot be empty: file with no instructions"
            } else {
                "file with no instructions"
            };
            let error = Diagnostic::about_request(Code::NoStage, message);
            self.diagnostics.push(error.help("begin with a base image: `FROM alpine`, or `FROM scratch` for none"));
        }
    }

    /// Takes a line that is a comment: a directive, or the comment's text.
    fn directive<'a>(&mut self, line: PhysicalLine<'a>, directives: &mut Directives) -> Option<Option<Comment<'a>>> {
        let text = line.text.trim_end_matches(BREAK);
        let trimmed = text.trim_start();
        let start = line.start + (text.len() - trimmed.len());
        match directives.read(trimmed, start) {
            DirectiveLine::Other => is_comment(line.text).then(|| Some(Comment::of(line))),
            DirectiveLine::Repeated(name, span) => {
                let name = format!("{name:?}").to_lowercase();
                let message = format!("only one {name} parser directive can be used");
                let error = Diagnostic::error(Code::DuplicateDirective, span, message);
                self.diagnostics.push(error.help("remove one of the two"));
                Some(None)
            }
            DirectiveLine::Found => {
                self.escape(directives);
                Some(None)
            }
        }
    }

    /// Puts a directive in force that names the escape character.
    fn escape(&mut self, directives: &Directives) {
        let Some(directive) = directives.last() else { return };
        if directive.name != DirectiveName::Escape {
            return;
        }
        match directive.value.as_str() {
            "\\" => self.ast.escape = Escape::Backslash,
            "`" => self.ast.escape = Escape::Backtick,
            other => {
                let message = format!("invalid escape token '{other}' does not match ` or \\");
                self.diagnostics.push(
                    Diagnostic::error(Code::InvalidEscape, directive.span, message)
                        .help("write `# escape=\\` or, with a backtick, # escape=`"),
                );
            }
        }
    }

    /// Takes a logical line and its heredocs; `None` if the rest of the text is lost.
    fn instruction(&mut self, joined: Joined, comments: Vec<Word>, lines: &mut PhysicalLines<'_>) -> Option<()> {
        let Joined { line, last, empty_lines } = joined;
        let whole = line.span(0, line.text().len());
        if !empty_lines.is_empty() {
            let place = Span::new(last, last);
            let warning = Diagnostic::warning(Rule::NoEmptyContinuation, place, "Empty continuation line");
            let warning = empty_lines.into_iter().fold(warning, |warning, line| warning.label(line, ""));
            self.diagnostics.push(warning.help("remove the empty line, or make it a comment"));
        }
        let mut instruction = match split(line, comments, self.ast.escape, last, 0) {
            Ok(instruction) => instruction,
            Err(error) => {
                self.diagnostics.push(*error);
                return Some(());
            }
        };
        let opens_heredocs = instruction.can_open_heredocs() && instruction.line.text().contains("<<");
        if opens_heredocs && let Err(error) = read_heredocs(&mut instruction, lines) {
            self.diagnostics.push(*error);
            return None;
        }
        instruction.span = whole.to(instruction.span);
        match command::typed(&instruction, &mut self.diagnostics) {
            Ok(command) => instruction.command = Some(command),
            Err(error) => self.diagnostics.push(*error),
        }
        self.ast.instructions.push(instruction);
        Some(())
    }
}

/// A comment: its text and where that begins.
struct Comment<'a> {
    text: &'a str,
    start: usize,
}

impl<'a> Comment<'a> {
    /// What stands behind the first character of a comment line, without the whitespace around it. For an indented comment
    /// that is the `#` too, as in BuildKit.
    fn of(line: PhysicalLine<'a>) -> Self {
        let behind = line.text.chars().next().map_or(0, char::len_utf8);
        let rest = &line.text[behind..];
        let text = rest.trim();
        Self { text, start: line.start + behind + (rest.len() - rest.trim_start().len()) }
    }
}

/// Adds a comment to those that stand above the next instruction; one without text separates.
fn note(comments: &mut Vec<Word>, comment: &Comment<'_>) {
    let Comment { text, start } = *comment;
    if text.is_empty() {
        comments.clear();
    } else {
        comments.push(Word { text: text.to_owned(), span: Span::new(start, start + text.len()) });
    }
}

/// Splits a logical line into its name, flags and arguments.
fn split(
    line: Line,
    comments: Vec<Word>,
    escape: Escape,
    last_line: usize,
    depth: usize,
) -> Result<Instruction, Box<Diagnostic>> {
    let span = line.span(0, line.text().len());
    let (keyword, flags, arguments) = words(Rest::new(&line, 0, line.text().len()).trim(), escape, span, depth)?;
    let (heredocs, command) = (Vec::new(), None);
    Ok(Instruction { keyword, flags, arguments, heredocs, comments, line, span, last_line, command })
}

/// The name, flags and arguments of an instruction.
fn words(
    rest: Rest<'_>,
    escape: Escape,
    span: Span,
    depth: usize,
) -> Result<(Word, Vec<Word>, Arguments), Box<Diagnostic>> {
    let text = rest.text();
    let end = text.find(BLANK).unwrap_or(text.len());
    let keyword = rest.part(0, end);
    let behind = rest.skip(text.len() - text[end..].trim_start_matches(BLANK).len());
    let (flags, behind) = flag_words::split(behind, escape);
    let arguments = arguments::split(&keyword.text, behind.trim(), escape, span, depth)?;
    Ok((keyword, flags, arguments))
}

/// Reads the heredocs that a line opens from the lines below it.
fn read_heredocs(instruction: &mut Instruction, lines: &mut PhysicalLines<'_>) -> Result<(), Box<Diagnostic>> {
    let openings = heredoc::openings(instruction.line.text())
        .map_err(|error| Box::new(Diagnostic::error(Code::InvalidHeredoc, instruction.span, error.to_string())))?;
    for opening in openings {
        let name = opening.name.clone();
        let place = instruction.place_of(&format!("<<{name}"));
        let found: Heredoc = heredoc::body(opening, lines).ok_or_else(|| {
            Box::new(
                Diagnostic::error(Code::InvalidHeredoc, instruction.span, "unterminated heredoc")
                    .label(place, format!("no line below is just `{name}`"))
                    .help(format!("end it with a line that holds `{name}` and nothing else")),
            )
        })?;
        instruction.span.end = found.content.span.end;
        instruction.last_line = lines.offset().saturating_sub(1);
        instruction.heredocs.push(found);
    }
    Ok(())
}

impl Instruction {
    /// Whether `<<` in it opens heredocs.
    fn can_open_heredocs(&self) -> bool {
        let inner = match &self.arguments {
            Arguments::Trigger(trigger) => trigger,
            _ => self,
        };
        let is_array = matches!(inner.arguments, Arguments::Array(_));
        matches!(Keyword::of(&inner.keyword.text), Some(Keyword::Add | Keyword::Copy | Keyword::Run)) && !is_array
    }

    /// Where a text stands in its line; the whole line if it does not.
    pub(crate) fn place_of(&self, text: &str) -> Span {
        self.line.text().find(text).map_or(self.span, |at| self.line.span(at, at + text.len()))
    }
}
