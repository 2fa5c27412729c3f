//! Text to plan: parses a Dockerfile, resolves its variables, lowers it to a graph of typed operations and freezes that.
//! It does not know files, the environment, the clock, processes, threads or sockets: all it needs is handed to it.

#![forbid(unsafe_code)]

pub mod oci;
pub mod operation;
pub mod plan;
pub mod platform;
