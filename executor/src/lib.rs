//! Plan to image: everything that touches the kernel, the network and the disk's trees.
//! It does not know the Dockerfile language, the terminal, the home directory or the environment.

pub mod container;
pub mod fault;
mod mount;
pub mod namespace;
pub mod overlay;
pub mod probe;
pub mod sandbox;
