//! Caches that travel: what steps have become, as an image in a registry or in an OCI layout, so that another machine need not
//! do them again.
//!
//! A cache is an ordinary image, whose configuration says in one more field which layer came of which key. So every registry
//! takes it, and an image that is pushed can be its own cache.

pub mod ahead;
pub mod caches;
pub mod chunk;
pub mod error;
pub mod export;
pub mod index;
pub mod mounts;
pub mod place;
pub mod rate;
pub mod worth;
