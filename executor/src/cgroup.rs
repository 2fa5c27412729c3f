//! Control groups, version 2: how much memory and processor time a command may have, which devices it may open, and whether
//! it was ended for want of memory.
//!
//! Source of the files and their values: the kernel's `Documentation/admin-guide/cgroup-v2.rst`.

mod devices;
mod error;
mod group;
mod kills;
mod limits;
mod parent;

pub use error::Error;
pub(crate) use kills::Kills;
pub use limits::{InvalidLimits, Limits, Swap};
pub use parent::Parent;
