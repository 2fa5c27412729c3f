//! Drafts: what is to be written to a tree, kept in memory until all of it is known. Then the folders are made level by level,
//! the files of a level on all cores, and what is read to be written is hashed on the way.
//!
//! A draft that is written into an empty upper folder is its change set: what stands below, and what the draft puts there, say
//! what changes. Nothing is mounted for it, and nothing that was written is read again.
//!
//! It puts and replaces, and removes nothing: neither whiteouts nor opaque folders come of it.

mod archive;
mod attributes;
mod content;
mod error;
mod order;
mod tree;
mod write;
mod written;

pub use archive::Archived;
pub use error::WriteError;
pub use tree::{Draft, FolderId, Kind, Leaf, LeafId, Modified, Place, SourceFolder};
