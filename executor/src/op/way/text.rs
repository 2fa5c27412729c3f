//! [`Text`]: a path or the target of a link, which may be any bytes, as text in JSON wherever it is text.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use serde::{Deserialize, Serialize};

/// Any bytes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub(super) enum Text {
    /// Those that are UTF-8.
    Plain(String),
    /// Those that are not.
    Bytes(Vec<u8>),
}

impl Text {
    /// These bytes.
    #[must_use]
    pub(super) fn of(bytes: &[u8]) -> Self {
        std::str::from_utf8(bytes).map_or_else(|_| Self::Bytes(bytes.to_vec()), |text| Self::Plain(text.to_owned()))
    }

    /// As a path.
    #[must_use]
    pub(super) fn path(&self) -> &Path {
        match self {
            Self::Plain(text) => Path::new(text),
            Self::Bytes(bytes) => Path::new(OsStr::from_bytes(bytes)),
        }
    }

    /// For people, so that no two look alike: in quotes where it is not plain.
    #[must_use]
    pub(super) fn shown(&self) -> String {
        match self {
            Self::Plain(text) if !text.contains(['"', '\\']) && !text.contains(char::is_control) => text.clone(),
            _ => format!("{:?}", self.path()),
        }
    }
}
