//! Plan to image: everything that touches the kernel, the network and the disk's trees.
//! It does not know the Dockerfile language, the terminal, the home directory or the environment.

pub mod fault;
pub mod image;
pub mod registry;
