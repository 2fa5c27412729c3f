//! CDI, the Container Device Interface: files of this machine's that say what a container needs to use a device.
//!
//! Source: `SPEC.md` of `cncf-tags/container-device-interface`, version 0.8. Which devices a name means is BuildKit's rule
//! (`solver/llbsolver/cdidevices/manager.go`).

mod edits;
mod error;
mod name;
mod registry;

pub use edits::{DeviceNode, Edits, Mount};
pub use error::Error;
pub use name::{Name, Which};
pub use registry::{FOLDERS, Found, Registry};
