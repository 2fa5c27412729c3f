//! Files that are written whole or not at all.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;

/// Writes a text to a file, in place of what it held. Its mode stays, and a link goes on leading to it.
///
/// # Errors
/// If it cannot be written; then it is what it was.
pub fn write(path: &Path, text: &str) -> io::Result<()> {
    let target = match fs::canonicalize(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => path.to_owned(),
        result => result?,
    };
    let mut name = target.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}.part", std::process::id()));
    let part = target.with_file_name(name);
    let written = (|| {
        let mut file = File::create_new(&part)?;
        if let Ok(known) = fs::metadata(&target) {
            file.set_permissions(known.permissions())?;
        }
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::rename(&part, &target)
    })();
    if written.is_err() {
        let _ = fs::remove_file(&part);
    }
    written
}
