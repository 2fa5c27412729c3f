//! Change sets: what one step changed, taken from the upper folder that it wrote to.

mod capture;
mod error;
mod node;
mod summary;
mod upper;
mod walk;

pub use capture::capture;
pub use error::Error;
pub use summary::ChangeSet;
pub(crate) use summary::Summary;
pub use upper::prepare;
