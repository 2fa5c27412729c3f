//! [`Emulator`]: a program that runs those for another processor: qemu's user mode.

use std::fmt::Write;
use std::path::{Path, PathBuf};

use rustix::fs::Access;
use serde::{Deserialize, Serialize};

use super::Architecture;

/// A program that runs those for another processor.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Emulator {
    /// Whose programs it runs.
    pub architecture: Architecture,
    /// Where it lies on this machine. It is linked statically, for in an image there are no libraries for it.
    pub path: PathBuf,
}

/// Where distributions put emulators, besides the folders of `PATH`.
const FOLDERS: [&str; 2] = ["/usr/bin", "/usr/local/bin"];

/// The emulators of this machine for all processors that are not its own. `path` are the folders of `PATH`.
#[must_use]
pub fn installed(path: &[PathBuf]) -> Vec<Emulator> {
    let foreign = Architecture::all().filter(|architecture| !architecture.is_native());
    foreign.filter_map(|architecture| find(architecture, path)).collect()
}

fn find(architecture: Architecture, path: &[PathBuf]) -> Option<Emulator> {
    let name = format!("qemu-{}-static", architecture.qemu());
    let folders = path.iter().map(PathBuf::as_path).chain(FOLDERS.iter().map(Path::new));
    let mut programs = folders.filter(|folder| folder.is_absolute()).map(|folder| folder.join(&name));
    let path = programs.find(|path| path.is_file() && rustix::fs::access(path, Access::EXEC_OK).is_ok())?;
    Some(Emulator { architecture, path })
}

/// The line that registers `interpreter` for the programs of a processor.
///
/// The flags: `F`, it is opened now, since the command's root directory has none; `P`, programs see the name that they were
/// called by; `O` and `C`, what a program may do is said by the program and not by its interpreter, so that `su` works in the
/// image. All of it holds in one user namespace, where nobody can become more than its root.
///
/// Source: the kernel's `Documentation/admin-guide/binfmt-misc.rst`. qemu knows of `P` since its version 6.0.
pub(crate) fn registration(architecture: Architecture, interpreter: &Path) -> String {
    let (head, mask) = architecture.pattern();
    let escaped = |bytes: &[u8]| {
        bytes.iter().fold(String::new(), |mut text, byte| {
            let _ = write!(text, "\\x{byte:02x}");
            text
        })
    };
    let (head, mask) = (escaped(&head), escaped(&mask));
    format!(":qemu-{}:M:0:{head}:{mask}:{}:POCF", architecture.qemu(), interpreter.display())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn the_first_folder_that_has_one_counts() {
        let folder = tempfile::tempdir().unwrap();
        let (one, two) = (folder.path().join("one"), folder.path().join("two"));
        for (folder, mode) in [(&one, 0o644), (&two, 0o755)] {
            fs::create_dir(folder).unwrap();
            let program = folder.join("qemu-riscv64-static");
            fs::write(&program, "").unwrap();
            fs::set_permissions(&program, fs::Permissions::from_mode(mode)).unwrap();
        }
        let path = [PathBuf::from("relative"), one, two.clone()];
        let found = find(Architecture::Riscv64, &path).unwrap();
        assert_eq!(found.path, two.join("qemu-riscv64-static"));
    }

    #[test]
    fn a_registration_has_the_head_of_its_programs() {
        let line = registration(Architecture::Arm64, Path::new("/q"));
        let expected = ":qemu-aarch64:M:0:\
            \\x7f\\x45\\x4c\\x46\\x02\\x01\\x01\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x02\\x00\\xb7\\x00:\
            \\xff\\xff\\xff\\xff\\xff\\xff\\xff\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\xfe\\xff\\xff\\xff:/q:POCF";
        assert_eq!(line, expected);
    }
}
