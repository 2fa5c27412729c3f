//! [`Emulator`]: a program that runs those for another processor: qemu's user mode.

use std::fmt::Write;
use std::fs::File;
use std::io::Read;
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
    let folders = || path.iter().map(PathBuf::as_path).chain(FOLDERS.iter().map(Path::new));
    let named = |name: String| folders().filter(|folder| folder.is_absolute()).map(move |folder| folder.join(&name));
    let is_program = |path: &PathBuf| path.is_file() && rustix::fs::access(path, Access::EXEC_OK).is_ok();
    let name = format!("qemu-{}", architecture.qemu());
    let mut by_name = named(format!("{name}-static")).filter(is_program);
    // Newer distributions link the plain one statically, and have no other.
    let mut plain = named(name).filter(is_program).filter(|path| is_static(path));
    let path = by_name.next().or_else(|| plain.next())?;
    Some(Emulator { architecture, path })
}

/// Whether a 64-bit program of this machine asks for no loader: none of its program headers is `PT_INTERP` (elf(5)).
fn is_static(path: &Path) -> bool {
    const PT_INTERP: u64 = 3;
    let mut head = Vec::new();
    let read = File::open(path).and_then(|file| file.take(4 << 10).read_to_end(&mut head));
    let number = |place: u64, length: u64| {
        let place = usize::try_from(place).ok()?;
        let bytes = head.get(place..place.checked_add(usize::try_from(length).ok()?)?)?;
        Some(bytes.iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte)))
    };
    let kinds = || -> Option<Vec<u64>> {
        let (start, size, count) = (number(32, 8)?, number(54, 2)?, number(56, 2)?);
        (0..count).map(|index| number(start.checked_add(index * size)?, 4)).collect()
    };
    read.is_ok() && head.starts_with(b"\x7fELF\x02\x01") && kinds().is_some_and(|kinds| !kinds.contains(&PT_INTERP))
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
    fn programs_that_need_a_loader_are_no_emulators() {
        let shell = fs::canonicalize("/bin/sh").unwrap();
        let own = fs::canonicalize("/proc/self/exe").unwrap();
        assert!(!is_static(&own), "tests are linked dynamically");
        let folder = tempfile::tempdir().unwrap();
        for (name, content) in [("script", &b"#!/bin/sh\n"[..]), ("short", &fs::read(shell).unwrap()[..60])] {
            fs::write(folder.path().join(name), content).unwrap();
            assert!(!is_static(&folder.path().join(name)), "{name}");
        }
        // The same program without its program headers asks for nothing.
        let mut content = fs::read(own).unwrap();
        content[56..58].fill(0);
        fs::write(folder.path().join("static"), content).unwrap();
        assert!(is_static(&folder.path().join("static")));
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
