//! Images as documents and blobs: their names, their OCI documents, those that are stored, and the archives they travel in.
//!
//! It does not know the network; `registry` brings images from there.

pub(crate) mod archive;
pub mod config;
pub(crate) mod decompress;
pub mod descriptor;
pub(crate) mod docker;
pub mod document;
pub mod error;
pub mod import;
pub mod layout;
pub mod load;
pub mod local;
pub mod manifest;
pub mod media;
pub mod packed;
pub mod pick;
pub mod reference;
pub mod save;
pub mod select;
