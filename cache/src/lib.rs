//! Key to bytes: a store of plain files, published by rename and never changed in place.
//! It does not know Dockerfiles, OCI images, or what a step is.

#![forbid(unsafe_code)]

mod apart;
mod blob;
mod claim;
mod digest;
mod error;
mod folder;
mod id;
mod key;
mod name;
mod part;
mod partial;
mod publish;
mod record;
mod scratch;
mod settle;
mod shared;
mod store;

pub use blob::BlobWriter;
pub use claim::Claim;
pub use digest::{Digest, Digester, Hashed, InvalidDigest};
pub use error::{Error, reason};
pub use id::ContentId;
pub use key::{ContentKey, KeyHasher};
pub use part::{Alone, Part, PartKind};
pub use partial::PartialBlob;
pub use scratch::Scratch;
pub use settle::{Judge, settle_hook};
pub use shared::{SharedFolder, Sharing};
pub use store::Store;
