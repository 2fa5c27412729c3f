//! What is wrong with a Dockerfile, and what to do about it. It does not know how it will be shown.

mod code;

use serde::Serialize;

pub use code::Code;

use crate::lint::{Advice, Rule};
use crate::source::{Source, Span};

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Severity {
    /// The image is right, and there is a better way to it.
    Advice,
    /// The build can go on.
    Warning,
    /// There is nothing to build.
    Error,
}

/// One finding about a Dockerfile.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Diagnostic {
    /// How bad it is.
    pub severity: Severity,
    /// What kind of finding it is.
    pub code: Code,
    /// What is wrong, in one sentence without a full stop.
    pub message: String,
    /// The instruction it is about; `None` if it is about the file or the caller's request.
    pub instruction: Option<Span>,
    /// The places to show; the first is the one it is about. Without any, the instruction is.
    pub labels: Vec<Label>,
    /// What to do; each begins with a verb.
    pub help: Vec<String>,
}

/// A place that a finding points at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Label {
    /// Where.
    pub span: Span,
    /// What is to be seen there; may be empty.
    pub text: String,
}

impl Diagnostic {
    /// An error about an instruction.
    #[must_use]
    pub fn error(code: Code, instruction: Span, message: impl Into<String>) -> Self {
        Self { instruction: Some(instruction), ..Self::about_request(code, message) }
    }

    /// An error about the file as a whole or about what the caller asked for.
    #[must_use]
    pub fn about_request(code: Code, message: impl Into<String>) -> Self {
        Self {
            severity: Severity::Error,
            code,
            message: message.into(),
            instruction: None,
            labels: Vec::new(),
            help: Vec::new(),
        }
    }

    /// What a lint rule found.
    #[must_use]
    pub fn warning(rule: Rule, instruction: Span, message: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, ..Self::error(Code::Rule(rule), instruction, message) }
    }

    /// What a check of our own found.
    #[must_use]
    pub fn advice(advice: Advice, instruction: Span, message: impl Into<String>) -> Self {
        Self { severity: advice.severity(), ..Self::error(Code::Advice(advice), instruction, message) }
    }

    /// Adds a place to show; the first is the one it is about.
    #[must_use]
    pub fn label(mut self, span: Span, text: impl Into<String>) -> Self {
        self.labels.push(Label { span, text: text.into() });
        self
    }

    /// Adds what to do.
    #[must_use]
    pub fn help(mut self, text: impl Into<String>) -> Self {
        self.help.push(text.into());
        self
    }

    /// The place it is about.
    #[must_use]
    pub fn span(&self) -> Option<Span> {
        self.labels.first().map(|label| label.span).or(self.instruction)
    }

    /// The line to report: that of the instruction's beginning, as BuildKit reports it.
    #[must_use]
    pub fn line(&self, source: &Source) -> Option<usize> {
        Some(source.line(self.instruction.or_else(|| self.span())?.start))
    }
}
