//! Text to words: directives, logical lines, heredocs, and the ways in which instructions split what follows them.
//!
//! The rules are BuildKit's (`frontend/dockerfile/parser`), quirks included, since files rely on them.

pub(crate) mod array;
pub(crate) mod comment;
pub(crate) mod directive;
pub(crate) mod fields;
pub(crate) mod flags;
pub(crate) mod heredoc;
pub(crate) mod line;
pub(crate) mod words;
