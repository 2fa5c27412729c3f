//! [`Handler`]: an interpreter that somebody has registered for the whole machine.

use std::fs;
use std::path::{Path, PathBuf};

use super::architecture::HEADER;
use super::{Architecture, Emulator};

/// Where the machine's handlers are shown.
pub(crate) const FOLDER: &str = "/proc/sys/fs/binfmt_misc";

/// An interpreter that is registered, as `binfmt_misc` shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Handler {
    /// The program that runs others.
    pub(crate) interpreter: PathBuf,
    /// Whether it was opened when it was registered (`F`): whoever uses it need not have it in its root directory.
    pub(crate) opened: Opened,
    offset: usize,
    magic: Vec<u8>,
    mask: Vec<u8>,
}

/// When an interpreter is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Opened {
    /// It has been.
    Already,
    /// For each program anew, by its path.
    ByPath,
}

impl Handler {
    /// The machine's handler for programs with this head, if one is registered, switched on, and shown to us.
    pub(crate) fn of(head: &[u8]) -> Option<Self> {
        Self::all(Path::new(FOLDER)).into_iter().find(|handler| handler.takes(head))
    }

    fn all(folder: &Path) -> Vec<Self> {
        let is_on = fs::read_to_string(folder.join("status")).is_ok_and(|status| status.trim() == "enabled");
        let entries = fs::read_dir(folder).ok().filter(|_| is_on).into_iter().flatten().flatten();
        entries.filter_map(|entry| Self::parse(&fs::read_to_string(entry.path()).ok()?)).collect()
    }

    /// Reads what the kernel shows of an entry; `None` if it is switched off, or goes by the names of files.
    fn parse(text: &str) -> Option<Self> {
        let mut lines = text.lines();
        lines.next().filter(|state| *state == "enabled")?;
        let field = |name: &str| text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix([' ', ':']));
        let magic = bytes(field("magic")?)?;
        let flags = field("flags").unwrap_or_default();
        Some(Self {
            interpreter: field("interpreter")?.into(),
            opened: if flags.contains('F') { Opened::Already } else { Opened::ByPath },
            offset: field("offset")?.parse().ok()?,
            mask: field("mask").map_or_else(|| Some(vec![0xff; magic.len()]), bytes)?,
            magic,
        })
    }

    fn takes(&self, head: &[u8]) -> bool {
        let Some(part) = head.get(self.offset..self.offset + self.magic.len()) else { return false };
        let wanted = self.magic.iter().zip(&self.mask);
        part.iter().zip(wanted).all(|(byte, (magic, mask))| byte & mask == magic & mask)
    }
}

/// What runs programs for this processor on the whole machine, if somebody has seen to that.
#[must_use]
pub fn registered(architecture: Architecture) -> Option<Emulator> {
    let head: [u8; HEADER] = architecture.pattern().0;
    let handler = Handler::of(&head).filter(|handler| handler.opened == Opened::Already)?;
    Some(Emulator { architecture, path: handler.interpreter })
}

fn bytes(text: &str) -> Option<Vec<u8>> {
    let digits = text.trim();
    (0..digits.len()).step_by(2).map(|place| u8::from_str_radix(digits.get(place..place + 2)?, 16).ok()).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

    use super::*;

    /// What Linux 6.18 shows of what Debian's package registers.
    const SHOWN: &str = "enabled\ninterpreter /usr/libexec/qemu-binfmt/aarch64-binfmt-P\nflags: POF\noffset 0\n\
        magic 7f454c460201010000000000000000000200b700\nmask ffffffffffffff00fffffffffffffffffeffffff\n";

    #[test]
    fn what_the_kernel_shows_is_understood() {
        let handler = Handler::parse(SHOWN).unwrap();
        assert_eq!(handler.interpreter, Path::new("/usr/libexec/qemu-binfmt/aarch64-binfmt-P"));
        assert_eq!(handler.opened, Opened::Already);
        assert!(handler.takes(&Architecture::Arm64.pattern().0));
        assert!(!handler.takes(&Architecture::Riscv64.pattern().0));
        assert!(!handler.takes(b"\x7fELF"));
        let by_path = Handler::parse(&SHOWN.replace("POF", "PO")).unwrap();
        assert_eq!(by_path.opened, Opened::ByPath);
    }

    #[test]
    fn what_is_off_or_goes_by_name_is_none() {
        assert_eq!(Handler::parse(&SHOWN.replace("enabled", "disabled")), None);
        assert_eq!(Handler::parse("enabled\ninterpreter /usr/bin/java\nflags: \nextension .jar\n"), None);
        assert_eq!(Handler::parse(""), None);
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("status"), "disabled\n").unwrap();
        fs::write(folder.path().join("qemu-aarch64"), SHOWN).unwrap();
        assert_eq!(Handler::all(folder.path()), []);
        fs::write(folder.path().join("status"), "enabled\n").unwrap();
        assert_eq!(Handler::all(folder.path()).len(), 1);
    }
}
