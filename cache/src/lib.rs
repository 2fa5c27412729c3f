//! Key to bytes: a store of plain files, published by rename and never changed in place.
//! It does not know Dockerfiles, OCI images, or what a step is.

#![forbid(unsafe_code)]
