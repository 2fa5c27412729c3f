//! What a person sees: colours, tables, progress, and errors with their place.

pub mod diagnostic;
mod excerpt;
pub mod output;
pub mod paint;
pub mod progress;
pub mod table;
