//! Why a device cannot be given to a command.

use std::path::PathBuf;

use crate::fault::{Fault, PathError};

/// Why a device cannot be given to a command.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No name of a device.
    #[error("`{0}` is no name of a CDI device")]
    Name(String),
    /// A device that no file describes.
    #[error("required device `{name}` is not registered{}", unread(ignored))]
    Missing {
        /// Its name.
        name: String,
        /// Files that are not read, since they are YAML.
        ignored: Vec<PathBuf>,
    },
    /// Two files of a folder describe the same device.
    #[error("both `{}` and `{}` describe the device `{name}`", one.display(), other.display())]
    Ambiguous {
        /// Its name.
        name: String,
        /// A file.
        one: PathBuf,
        /// Another one.
        other: PathBuf,
    },
    /// A file that cannot be read.
    #[error(transparent)]
    Path(#[from] PathError),
    /// A file that describes no devices.
    #[error("`{}` describes no CDI devices: {message}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// What is wrong.
        message: String,
    },
}

fn unread(ignored: &[PathBuf]) -> String {
    let names: Vec<_> = ignored.iter().map(|path| format!("`{}`", path.display())).collect();
    if names.is_empty() { String::new() } else { format!(" ({} is YAML, and only JSON is read)", names.join(", ")) }
}

impl Error {
    /// Whose fault it is.
    #[must_use]
    pub fn fault(&self) -> Fault {
        match self {
            Self::Name(_) | Self::Missing { .. } => Fault::Input,
            Self::Ambiguous { .. } | Self::Path(_) | Self::File { .. } => Fault::Environment,
        }
    }

    /// What to do about it.
    #[must_use]
    pub fn help(&self) -> Option<&'static str> {
        match self {
            Self::Name(_) => Some("write `vendor.example/class=name`, as the files in `/etc/cdi` have it"),
            Self::Missing { ignored, .. } if !ignored.is_empty() => {
                Some("write the file as JSON, such as with `nvidia-ctk cdi generate --format=json`")
            }
            Self::Missing { .. } => Some("describe it in a JSON file in `/etc/cdi`; the vendor has a program for that"),
            Self::Ambiguous { .. } => Some("remove one of the two"),
            Self::Path(_) | Self::File { .. } => None,
        }
    }
}
