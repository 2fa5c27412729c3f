//! Selections: the identity of what a `COPY` would take from a folder, without copying anything.

mod digest;
mod error;
mod memo;

pub use digest::{Owners, Root, Selected, Verdict, select};
pub use error::Error;
pub use memo::Memo;
