//! The syntax of a Dockerfile: what stands where, before anything is looked up.
//!
//! Every node knows its span. Nothing here depends on build arguments, base images or other files.

mod command;
mod text;

pub use command::{
    Add, ArgDeclaration, Command, CommandLine, Copy, CopySources, Device, From, HealthTest, Healthcheck, InlineSource,
    KeepGitDir, MountFlag, Onbuild, RemoteUnpack, Run, StageName,
};

use serde::Serialize;

pub use crate::lex::line::Line;
use crate::source::Span;

/// A whole Dockerfile.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Ast {
    /// The directives at its top, in order.
    pub directives: Vec<Directive>,
    /// The escape character in force.
    pub escape: Escape,
    /// In the order of the text.
    pub instructions: Vec<Instruction>,
}

/// `# name=value` at the top of a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Directive {
    /// Which one it is.
    pub name: DirectiveName,
    /// What it says.
    pub value: String,
    /// The whole comment.
    pub span: Span,
}

/// The directives that there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum DirectiveName {
    /// The frontend that should read the file. It is accepted and has no effect.
    Syntax,
    /// The escape character.
    Escape,
    /// What the linter skips, tries, and takes for errors.
    Check,
}

/// The character that continues lines and takes the meaning from the next one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Escape {
    /// `\`
    #[default]
    Backslash,
    /// A backtick, for files that are full of Windows paths.
    Backtick,
}

impl Escape {
    /// The character.
    #[must_use]
    pub fn character(self) -> char {
        match self {
            Self::Backslash => '\\',
            Self::Backtick => '`',
        }
    }
}

/// A piece of text and where it stands.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Word {
    /// The text. Where quotes, escapes or continuations were taken away, it is shorter than its span.
    pub text: String,
    /// Where it stands.
    pub span: Span,
}

impl Word {
    /// Where a part of the text stands; the whole word, if it does not stand in the source as it is.
    #[must_use]
    pub fn part(&self, start: usize, end: usize) -> Span {
        if self.span.len() != self.text.len() {
            return self.span;
        }
        Span::new(self.span.start + start, self.span.start + end)
    }
}

/// One instruction.
#[derive(Clone, Debug, Serialize)]
pub struct Instruction {
    /// Its name, as it is written.
    pub keyword: Word,
    /// Its flags, `--name=value`, without quotes.
    pub flags: Vec<Word>,
    /// What follows them, split in the instruction's own way.
    pub arguments: Arguments,
    /// The heredocs it opens, in order.
    pub heredocs: Vec<Heredoc>,
    /// The comments directly above it, without `#`. A comment without text separates; an empty line does not.
    pub comments: Vec<Word>,
    /// The logical line. What it says is in the other fields, and where in their spans.
    #[serde(skip)]
    pub line: Line,
    /// From its name to the end of the line, or of its last heredoc.
    pub span: Span,
    /// Its last physical line, as a place in it.
    pub last_line: usize,
    /// What it means; `None` if a diagnostic says why it means nothing.
    pub command: Option<Command>,
}

/// How the arguments of an instruction were split.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Arguments {
    /// There are none.
    None,
    /// The instruction is unknown, and so is how to split what follows.
    Unknown,
    /// The rest of the line as it is.
    Text(Word),
    /// Words; what separates them depends on the instruction.
    Words(Vec<Word>),
    /// The exec form, a JSON array of strings.
    Array(Vec<Word>),
    /// `NAME=value` pairs.
    Pairs(Vec<Pair>),
    /// `HEALTHCHECK`: the kind of check and the rest.
    Health(Word, Box<Arguments>),
    /// `ONBUILD`: the instruction that is put off.
    Trigger(Box<Instruction>),
}

/// `NAME=value`, or `NAME value` in the old form.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Pair {
    /// The name, before expansion.
    pub name: Word,
    /// The value, before expansion.
    pub value: Word,
    /// How it is written.
    pub form: PairForm,
}

/// How a pair is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum PairForm {
    /// `NAME=value`
    Equals,
    /// `NAME value`, the old form; there is one pair to a line.
    Blank,
}

/// A text that stands in the lines below an instruction.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Heredoc {
    /// The line that ends it.
    pub name: String,
    /// The lines, as they are.
    pub content: Word,
    /// What becomes of variables in it.
    pub body: Body,
    /// Whether the tabs that lines begin with go.
    pub chomp: bool,
    /// The number before `<<`; 0 if there is none.
    pub file_descriptor: u32,
}

/// What becomes of variables in a heredoc.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Body {
    /// They are expanded.
    Expanded,
    /// They stay: its name was quoted.
    Literal,
}

impl PartialEq for Instruction {
    /// Two instructions are equal if they stand in the same place: there is one instruction to a place.
    fn eq(&self, other: &Self) -> bool {
        self.span == other.span && self.line == other.line
    }
}
