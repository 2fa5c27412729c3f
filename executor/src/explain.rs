//! Why each step of the last build was a hit or a miss: what is remembered of builds, and the comparison of two.

pub mod align;
mod cause;
pub mod difference;
pub mod document;
pub mod explanation;
pub mod history;
pub mod listing;
pub mod reason;
pub mod recorder;
