//! Programs for another processor: found out before the command begins, and given to an emulator.
//!
//! Where the machine has no handler for them, the command gets a user namespace of its own, with the same ids, because only
//! there an emulator can be registered without the whole machine being changed. It is entered last, so that the tree and all
//! that is mounted in it are made as for any other command.

use std::io::{PipeReader, Read, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{FileType, Mode, OFlags};
use rustix::io::Errno;
use rustix::mount::MountAttrFlags;
use rustix::thread::UnshareFlags;
use serde::{Deserialize, Serialize};

use super::failure::{Doing, Failure};
use super::process::{self, Side};
use super::spec::Spec;
use crate::emulation::{Architecture, Emulator, FOLDER, Handler, Opened, registration};
use crate::fault::At;
use crate::mount::{self, Depth};

/// How many interpreters of scripts may stand behind one another; the kernel follows as many.
const MOST_SCRIPTS: usize = 5;

/// How much of a file the kernel looks at to find out how to run it.
const LOOKED_AT: usize = 256;

/// The program of a command, where it is for another processor.
pub(super) struct Foreign {
    architecture: Architecture,
    way: Way,
}

/// How it will run.
enum Way {
    /// The machine has a handler.
    Handled,
    /// This emulator is registered for it.
    Emulated(Prepared),
    /// It will not, as far as can be seen from here.
    Not(Lack),
}

/// What is not to be found any more in the command's tree.
struct Prepared {
    emulator: Emulator,
    program: OwnedFd,
    /// This process, in the machine's `/proc`.
    process: OwnedFd,
}

/// Why a program for another processor does not run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Lack {
    /// There is no emulator.
    Emulator,
    /// The machine has a handler that does not help: its interpreter is not in the tree.
    Interpreter(Box<Path>),
    /// The emulator cannot be registered.
    Registration {
        /// Where it lies.
        emulator: Box<Path>,
        /// Why not.
        reason: Box<str>,
    },
}

impl Foreign {
    /// Looks at the program that `candidates` lead to, in a tree that is mounted and not entered yet.
    pub(super) fn find<'a>(
        root: BorrowedFd<'_>,
        spec: &Spec,
        candidates: impl Iterator<Item = &'a Path>,
    ) -> Result<Option<Self>, Failure> {
        let mut paths = candidates.map(|path| Path::new(&spec.workdir).join(path));
        let head = paths.find_map(|path| head(root, &path)).and_then(|head| without_scripts(root, head));
        let Some(head) = head else { return Ok(None) };
        let Some(architecture) = Architecture::of(&head).filter(|architecture| !architecture.is_native()) else {
            return Ok(None);
        };
        let emulator = spec.emulators.iter().find(|emulator| emulator.architecture == architecture);
        let way = match (Handler::of(&head), emulator) {
            (Some(handler), _) if handler.opened == Opened::Already || is_there(root, &handler.interpreter) => {
                Way::Handled
            }
            (_, Some(emulator)) => Way::Emulated(Prepared {
                emulator: emulator.clone(),
                program: mount::open_place(&emulator.path).at("open the emulator", &emulator.path)?,
                process: mount::open_place(Path::new("/proc/self")).doing("find this process in `/proc`")?,
            }),
            (Some(handler), None) => Way::Not(Lack::Interpreter(handler.interpreter.into())),
            (None, None) => Way::Not(Lack::Emulator),
        };
        Ok(Some(Self { architecture, way }))
    }

    /// Registers the emulator, in the tree that has been entered. Where that does not work, the command may yet be able to run:
    /// a container can hide what the machine has registered.
    pub(super) fn arrange(self) -> Refused {
        let lack = match self.way {
            Way::Handled => Lack::Emulator,
            Way::Not(lack) => lack,
            Way::Emulated(prepared) => match prepared.register() {
                Ok(()) => Lack::Emulator,
                Err(failure) => {
                    Lack::Registration { emulator: prepared.emulator.path.into(), reason: failure.to_string().into() }
                }
            },
        };
        Refused { architecture: self.architecture, lack }
    }
}

/// What it means if the kernel does not run the program all the same.
pub(super) struct Refused {
    architecture: Architecture,
    lack: Lack,
}

impl Refused {
    /// The failure to run a program, told by what is behind it.
    pub(super) fn explain(self, failure: Failure) -> Failure {
        let Failure::Program { program, errno } = failure else { return failure };
        let is_meant = match Errno::from_raw_os_error(errno) {
            Errno::NOEXEC => true,
            // It is not the program that is missing.
            Errno::NOENT => matches!(self.lack, Lack::Interpreter(_)),
            _ => false,
        };
        if is_meant {
            Failure::Foreign { program, architecture: self.architecture, lack: self.lack }
        } else {
            Failure::Program { program, errno }
        }
    }
}

impl Prepared {
    fn register(&self) -> Result<(), Failure> {
        enter_users(self.process.as_fd())?;
        let own = mount::new(c"binfmt_misc", &[], MountAttrFlags::MOUNT_ATTR_NOEXEC)
            .doing("mount a `binfmt_misc` of our own")?;
        let register = rustix::fs::openat(&own, "register", OFlags::WRONLY | OFlags::CLOEXEC, Mode::empty())
            .doing("open `register`")?;
        // The tree does not have the emulator. The kernel opens it now, and this name is not needed again.
        let line = registration(self.emulator.architecture, &mount::path_of(&self.program));
        rustix::io::write(register, line.as_bytes()).doing("register the emulator")?;
        // It is there as long as it is mounted. The command can see it there, and not add to it.
        mount::set_attributes(own.as_fd(), MountAttrFlags::MOUNT_ATTR_RDONLY, Depth::Single)
            .doing("make `binfmt_misc` read-only")?;
        let place = mount::open_place(Path::new(FOLDER)).doing("open the folder of `binfmt_misc`")?;
        mount::attach(&own, place.as_fd()).doing("mount a `binfmt_misc` of our own")
    }
}

/// Enters a user namespace with the same ids, and copies of all mounts. `process` is this process in `/proc`.
fn enter_users(process: BorrowedFd<'_>) -> Result<(), Failure> {
    let read = |name: &str| {
        let file = rustix::fs::openat(process, name, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty());
        std::io::read_to_string(std::fs::File::from(file.doing("open the map of ids")?)).doing("read the map of ids")
    };
    let maps = [("uid_map", same(&read("uid_map")?)), ("gid_map", same(&read("gid_map")?))];
    let (go, mut say) = std::io::pipe().doing("make a pipe")?;
    // Only who stays outside may write the maps of all ids.
    let child = match process::fork(UnshareFlags::empty(), None).doing("fork who writes the maps of ids")? {
        Side::Child => {
            drop(say);
            process::exit(write_maps(process, &maps, go))
        }
        Side::Parent(child) => child,
    };
    // SAFETY: the flags do not include `FILES`, and there is no other thread.
    let entered = unsafe { rustix::thread::unshare_unsafe(UnshareFlags::NEWUSER | UnshareFlags::NEWNS) };
    if entered.is_ok() {
        let _ = say.write_all(b"!");
    }
    drop(say);
    let outcome = child.wait().doing("wait for the maps of ids")?;
    entered.doing("make a user namespace")?;
    match outcome.end.status() {
        0 => Ok(()),
        errno => Err(Failure::system("write the maps of ids", Errno::from_raw_os_error(errno))),
    }
}

/// Writes the maps once the parent has entered the namespace. Gives 0, or the number of what went wrong.
fn write_maps(process: BorrowedFd<'_>, maps: &[(&str, String); 2], mut go: PipeReader) -> i32 {
    if go.read_exact(&mut [0]).is_err() {
        return 0;
    }
    let write = |(name, map): &(&str, String)| {
        let file = rustix::fs::openat(process, *name, OFlags::WRONLY | OFlags::CLOEXEC, Mode::empty())?;
        rustix::io::write(file, map.as_bytes())
    };
    maps.iter().map(write).find_map(Result::err).map_or(0, Errno::raw_os_error)
}

/// The map that gives each id of a namespace the same one in a namespace below it.
fn same(map: &str) -> String {
    let line = |line: &str| {
        let mut fields = line.split_whitespace();
        let (inside, count) = (fields.next()?, fields.nth(1)?);
        Some(format!("{inside} {inside} {count}\n"))
    };
    map.lines().filter_map(line).collect()
}

/// The beginning of a program of the tree; `None` if nothing that could be run is there.
fn head(root: BorrowedFd<'_>, path: &Path) -> Option<Vec<u8>> {
    let file = mount::open_inside(root, path, OFlags::RDONLY | OFlags::NONBLOCK, Mode::empty()).ok()?;
    let stat = rustix::fs::fstat(&file).ok()?;
    if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile || stat.st_mode & 0o111 == 0 {
        return None;
    }
    let mut head = Vec::new();
    std::fs::File::from(file).take(LOOKED_AT as u64).read_to_end(&mut head).ok()?;
    Some(head)
}

/// The beginning of the program that runs a script; of another program, its own.
fn without_scripts(root: BorrowedFd<'_>, mut beginning: Vec<u8>) -> Option<Vec<u8>> {
    for _ in 0..MOST_SCRIPTS {
        let Some(interpreter) = interpreter(&beginning) else { return Some(beginning) };
        beginning = head(root, &interpreter)?;
    }
    None
}

/// What a script's first line names.
fn interpreter(head: &[u8]) -> Option<PathBuf> {
    let line = head.strip_prefix(b"#!")?.split(|byte| *byte == b'\n').next()?;
    let mut words = line.split(|byte| matches!(byte, b' ' | b'\t' | b'\0')).filter(|word| !word.is_empty());
    Some(PathBuf::from(String::from_utf8_lossy(words.next()?).into_owned()))
}

fn is_there(root: BorrowedFd<'_>, path: &Path) -> bool {
    mount::open_inside(root, path, OFlags::PATH, Mode::empty()).is_ok()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn ids_stay_what_they_are() {
        assert_eq!(same("         0          0 4294967295\n"), "0 0 4294967295\n");
        assert_eq!(same("0 1000 1\n1 100000 65536\n"), "0 0 1\n1 1 65536\n");
    }

    #[test]
    fn scripts_are_followed_to_their_programs() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, content: &[u8], mode| {
            fs::write(folder.path().join(name), content).unwrap();
            fs::set_permissions(folder.path().join(name), fs::Permissions::from_mode(mode)).unwrap();
        };
        write("program", b"\x7fELF...", 0o755);
        write("script", b"#! /program -x\nrest", 0o755);
        write("second", b"#!/script", 0o755);
        write("loop", b"#!/loop\n", 0o755);
        write("gone", b"#!/nowhere\n", 0o755);
        write("plain", b"\x7fELF...", 0o644);
        let root = fs::File::open(folder.path()).unwrap();
        let found = |name: &str| without_scripts(root.as_fd(), head(root.as_fd(), Path::new(name))?);
        for name in ["/program", "/script", "/second"] {
            assert_eq!(found(name).as_deref(), Some(&b"\x7fELF..."[..]), "{name}");
        }
        for name in ["/loop", "/gone", "/plain", "/", "/nothing"] {
            assert_eq!(found(name), None, "{name}");
        }
    }
}
