//! What a person sees: colours, tables, progress, and errors with their place.

pub mod diagnostic;
pub mod difference;
mod excerpt;
pub mod listing;
pub mod output;
pub mod paint;
pub mod progress;
pub mod table;
pub mod template;
