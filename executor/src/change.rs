//! Change sets: what one step changed, taken from the upper folder that it wrote to.

mod capture;
mod error;
mod node;
mod upper;
mod walk;

pub use capture::{ChangeSet, capture};
pub use error::Error;
pub use upper::prepare;
