//! Files by their addresses: fetched over HTTP, checked on the way, and fetched again only if they have changed.
//!
//! What a file is called, which attributes it gets and what its contents are good for is up to whoever asks for it.

pub mod address;
pub mod blob;
pub mod checksum;
pub mod error;
mod known;
pub mod source;
mod stream;
mod time;
