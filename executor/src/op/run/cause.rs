//! [`Cause`]: what may be behind the failure of a command whose end does not tell: a full disk, too little memory, or another
//! processor.

use std::path::{Path, PathBuf};

use crate::sandbox::End;

/// Below this many bytes a disk counts as full: what a file system keeps back for itself is more.
const LITTLE: u64 = 1 << 20;

/// The system's words for a disk or a quota that is used up, as the usual libraries have them, in small letters. (Its number
/// would not do: `ENOSPC` also means that there are too many file watchers.)
const WORDS: [&str; 2] = ["no space left on device", "disk quota exceeded"];

/// What may be behind a failure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cause {
    /// The disk of the store is full, here.
    FullDisk(PathBuf),
    /// The command complains of a full disk, and that of the store is not.
    FullElsewhere,
    /// It was killed, and the kernel has killed a process meanwhile, for want of memory.
    PerhapsMemory,
    /// It was killed, and not for want of memory.
    Killed,
    /// It was killed, and nobody can say why.
    KilledUnknown,
    /// It used an instruction that the processor does not have.
    IllegalInstruction,
}

impl Cause {
    /// Looks for it. `kills` is how many processes of the machine the kernel has ended for want of memory meanwhile.
    pub(super) fn find(end: End, tail: &str, store: &Path, kills: Option<u64>) -> Option<Self> {
        if is_full(store) {
            return Some(Self::FullDisk(store.to_owned()));
        }
        let tail = tail.to_ascii_lowercase();
        if WORDS.iter().any(|words| tail.contains(words)) {
            return Some(Self::FullElsewhere);
        }
        match (end, kills) {
            (End::Exited(137) | End::Signalled(libc::SIGKILL), Some(0)) => Some(Self::Killed),
            (End::Exited(137) | End::Signalled(libc::SIGKILL), Some(_)) => Some(Self::PerhapsMemory),
            (End::Exited(137) | End::Signalled(libc::SIGKILL), None) => Some(Self::KilledUnknown),
            (End::Exited(132) | End::Signalled(libc::SIGILL), _) => Some(Self::IllegalInstruction),
            _ => None,
        }
    }

    /// What to do about it, and what is known.
    pub(super) fn help(&self) -> String {
        match self {
            Self::FullDisk(store) => format!(
                "make room on the disk of the store, or choose another one with `LAYERCAKE_HOME`: there is no room left in \
                 `{}`",
                store.display()
            ),
            Self::FullElsewhere => "give the command more room: the disk of the store has some, so look at a \
                                    `--mount=type=tmpfs,size=…`, at `/dev/shm` (`--shm-size`), or at what was written and \
                                    removed again"
                .to_owned(),
            Self::PerhapsMemory => "give the machine more memory, or run fewer steps at once with `--jobs`: the kernel ended a \
                                    process for want of memory meanwhile, though it does not say that it was the command's"
                .to_owned(),
            Self::Killed => "look for what killed it: it was not the kernel for want of memory, which has ended no process \
                             meanwhile"
                .to_owned(),
            Self::IllegalInstruction => "check the platform's variant, such as `linux/amd64/v3`: a program used an instruction that this \
                                          machine's processor, or the one that qemu stands for, does not have"
                .to_owned(),
            Self::KilledUnknown => {
                "check whether the memory was used up, with `dmesg`: status 137 means a kill, by the kernel or by another \
                 program, and this kernel does not tell which"
                    .to_owned()
            }
        }
    }
}

/// Whether the file system has no room for another file.
fn is_full(folder: &Path) -> bool {
    rustix::fs::statvfs(folder).is_ok_and(|system| {
        // File systems that make nodes as they need them count none.
        let no_nodes = system.f_files > 0 && system.f_favail == 0;
        system.f_bavail.saturating_mul(system.f_frsize) < LITTLE || no_nodes
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

    use super::*;

    #[test]
    fn kills_are_told_apart() {
        let folder = tempfile::tempdir().unwrap();
        let find = |end, tail, kills| Cause::find(end, tail, folder.path(), kills);
        assert_eq!(find(End::Exited(1), "", Some(3)), None);
        assert_eq!(find(End::Exited(137), "", Some(0)), Some(Cause::Killed));
        assert_eq!(find(End::Signalled(9), "", Some(1)), Some(Cause::PerhapsMemory));
        assert_eq!(find(End::Exited(137), "", None), Some(Cause::KilledUnknown));
        assert_eq!(find(End::Signalled(15), "", Some(1)), None);
        assert_eq!(find(End::Exited(132), "", None), Some(Cause::IllegalInstruction));
        let said = "sh: write error: No space left on device\n";
        assert_eq!(find(End::Exited(1), said, Some(0)), Some(Cause::FullElsewhere));
        let said = "npm ERR! nospc ENOSPC: no space left on device, write\n";
        assert_eq!(find(End::Exited(1), said, Some(0)), Some(Cause::FullElsewhere));
        let said = "Error: ENOSPC: System limit for number of file watchers reached\n";
        assert_eq!(find(End::Exited(1), said, Some(0)), None);
        // That of processes has no room for anything, ever.
        assert!(is_full(Path::new("/proc")));
    }
}
