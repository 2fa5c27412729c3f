//! What can be asked about a Dockerfile without building it: its targets, and what a target takes from its caller.
//!
//! The answers serialize to the JSON of BuildKit's `frontend/subrequests`, which `docker build --call` prints.

mod outline;
mod targets;

pub use outline::{Argument, Credential, Outline, OutlineOutcome, outline};
pub use targets::{Target, Targets, targets};

use serde::Serialize;

use crate::source::{Source, Span};

/// Where something stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Location {
    /// Its lines.
    pub ranges: Vec<LineRange>,
}

/// Lines from one to another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LineRange {
    /// The first.
    pub start: LinePosition,
    /// The last.
    pub end: LinePosition,
}

/// A line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LinePosition {
    /// From 1.
    pub line: usize,
}

impl Location {
    fn of(span: Span, source: &Source) -> Self {
        let start = LinePosition { line: source.line(span.start) };
        let end = LinePosition { line: source.line(span.end.max(span.start + 1) - 1) };
        Self { ranges: vec![LineRange { start, end }] }
    }
}

/// What is left out of the JSON.
fn is_false(value: &bool) -> bool {
    !value
}
