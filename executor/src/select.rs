//! Selections: the identity of what a `COPY` would take from a folder, without copying anything.

mod digest;
mod error;
mod memo;

pub(crate) use digest::DOMAIN;
pub use digest::{Owners, Root, Selected, Verdict, select, select_listed};
pub use error::Error;
pub use memo::Memo;
