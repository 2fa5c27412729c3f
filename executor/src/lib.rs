//! Plan to image: everything that touches the kernel, the network and the disk's trees.
//! It does not know the Dockerfile language, the terminal, the home directory or the environment.

pub mod agent;
pub mod archive;
pub mod assemble;
pub mod build;
pub mod cdi;
pub mod cgroup;
pub mod change;
pub mod compare;
pub mod container;
pub mod draft;
pub mod emulation;
pub mod engine;
pub mod explain;
pub mod fault;
pub mod git;
pub mod http;
pub mod image;
pub mod layer;
mod listen;
mod mount;
pub mod namespace;
pub mod op;
pub mod overlay;
pub mod probe;
pub mod registry;
pub mod remote;
pub mod root;
pub mod sandbox;
pub mod select;
pub mod tree;
pub mod unload;
pub mod usage;
