//! Dockerfiles of public repositories, where they are there.

#![allow(clippy::disallowed_methods, reason = "a measurement may read files and the environment")]

use std::fs;
use std::path::{Path, PathBuf};

/// All those in the folder of recorded cases that `LAYERCAKE_CONFORMANCE` names, in no order.
pub(crate) fn dockerfiles() -> Vec<String> {
    let mut found = Vec::new();
    if let Some(folder) = std::env::var_os("LAYERCAKE_CONFORMANCE") {
        collect(&PathBuf::from(folder).join("realworld/files"), &mut found);
    }
    found
}

fn collect(folder: &Path, found: &mut Vec<String>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            collect(&path, found);
        } else if let Ok(bytes) = fs::read(&path) {
            found.push(String::from_utf8_lossy(&bytes).into_owned());
        }
    }
}
