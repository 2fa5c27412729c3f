//! Words as a POSIX shell reads them: quotes, escapes and `$NAME`, `${NAME…}`.
//!
//! The rules are those of BuildKit (`frontend/dockerfile/shell`), which took them from bash and POSIX 2.6.

mod expand;
mod pattern;
mod scanner;

pub use expand::{Expanded, ExpansionError, Lexer, Quotes, Unset, Variable};
