//! Which devices the processes of a control group may open: a program of the kernel's (`BPF_PROG_TYPE_CGROUP_DEVICE`), attached
//! to the group.
//!
//! Making device nodes is allowed, as Docker has it, and opening those of its list. Sources: the kernel's
//! `include/uapi/linux/bpf.h` and `Documentation/bpf/standardization/instruction-set.rst`; for the list, runc's
//! `libcontainer/specconv` (`AllowedDevices`).

use std::ffi::c_long;
use std::fs::{self, File};
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::Path;
use std::sync::OnceLock;

/// A device, or all of a major number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Device {
    kind: Kind,
    major: u32,
    /// `None`: each.
    minor: Option<u32>,
}

/// The kind of a device, as the kernel's program is told it (`BPF_DEVCG_DEV_BLOCK`, `BPF_DEVCG_DEV_CHAR`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Block = 1,
    Character = 2,
}

/// null, zero, full, random, urandom, tty, ptmx, and terminals.
const USUAL: [Device; 8] = [
    Device::character(1, Some(3)),
    Device::character(1, Some(5)),
    Device::character(1, Some(7)),
    Device::character(1, Some(8)),
    Device::character(1, Some(9)),
    Device::character(5, Some(0)),
    Device::character(5, Some(2)),
    Device::character(136, None),
];

impl Device {
    const fn character(major: u32, minor: Option<u32>) -> Self {
        Self { kind: Kind::Character, major, minor }
    }

    /// The device at a path; `None` if what is there is none.
    pub(super) fn at(path: &Path) -> Option<Self> {
        let node = fs::metadata(path).ok()?;
        let kind = match node.file_type() {
            kind if kind.is_block_device() => Kind::Block,
            kind if kind.is_char_device() => Kind::Character,
            _ => return None,
        };
        let (major, minor) = (rustix::fs::major(node.rdev()), rustix::fs::minor(node.rdev()));
        Some(Self { kind, major, minor: Some(minor) })
    }
}

/// Lets the processes of the group in `folder` open the usual devices and `more`, and no others.
///
/// # Errors
/// If the kernel refuses: it takes root's capabilities over the machine.
pub(super) fn guard(folder: &Path, more: &[Device]) -> io::Result<()> {
    // The kernel checks and translates a program when it is loaded. The usual one serves all groups.
    static USUAL_PROGRAM: OnceLock<OwnedFd> = OnceLock::new();
    let own;
    let program = match USUAL_PROGRAM.get() {
        Some(usual) if more.is_empty() => usual,
        _ => {
            let loaded = load(&program(USUAL.iter().chain(more)))?;
            if more.is_empty() {
                USUAL_PROGRAM.get_or_init(|| loaded)
            } else {
                own = loaded;
                &own
            }
        }
    };
    let group = File::open(folder)?;
    // `struct { … } /* anonymous struct used by BPF_PROG_ATTACH/DETACH commands */` of `union bpf_attr`.
    #[repr(C)]
    struct Attach {
        target: RawFd,
        program: RawFd,
        kind: u32,
        flags: u32,
        replaced: u32,
    }
    const BPF_PROG_ATTACH: c_long = 8;
    const BPF_CGROUP_DEVICE: u32 = 6;
    const BPF_F_ALLOW_MULTI: u32 = 2;
    let attach = Attach {
        target: group.as_raw_fd(),
        program: program.as_raw_fd(),
        kind: BPF_CGROUP_DEVICE,
        flags: BPF_F_ALLOW_MULTI,
        replaced: 0,
    };
    bpf(BPF_PROG_ATTACH, &attach).map(drop)
}

fn load(program: &[u64]) -> io::Result<OwnedFd> {
    // `struct { /* anonymous struct used by BPF_PROG_LOAD command */ … }` of `union bpf_attr`, as far as it is used.
    #[repr(C)]
    struct Load {
        kind: u32,
        length: u32,
        program: u64,
        license: u64,
    }
    const BPF_PROG_LOAD: c_long = 5;
    const BPF_PROG_TYPE_CGROUP_DEVICE: u32 = 15;
    let load = Load {
        kind: BPF_PROG_TYPE_CGROUP_DEVICE,
        length: program.len() as u32,
        program: program.as_ptr() as u64,
        license: c"Apache-2.0".as_ptr() as u64,
    };
    let file = bpf(BPF_PROG_LOAD, &load)?;
    // SAFETY: the call has succeeded, so this is a descriptor that is new and nobody else's.
    Ok(unsafe { OwnedFd::from_raw_fd(file) })
}

fn bpf<A>(command: c_long, attributes: &A) -> io::Result<RawFd> {
    // SAFETY: the attributes are those of the command and outlive the call, as does what they point to; the kernel reads so
    // many bytes and takes the rest for zeros.
    let result = unsafe { libc::syscall(libc::SYS_bpf, command, std::ptr::from_ref(attributes), size_of::<A>()) };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result as RawFd) }
}

/// Registers of the kernel's machine: the answer, what is given, and three to work with.
const ANSWER: u64 = 0;
const GIVEN: u64 = 1;
const KIND: u64 = 2;
const ACCESS: u64 = 3;
const MAJOR: u64 = 4;
const MINOR: u64 = 5;

/// Operations: a load of 32 bits, and others of 64.
const LOAD: u64 = 0x61;
const SET: u64 = 0xb7;
const COPY: u64 = 0xbf;
const SHIFT_RIGHT: u64 = 0x77;
const AND: u64 = 0x57;
const SKIP_UNLESS: u64 = 0x55;
const END: u64 = 0x95;

/// `BPF_DEVCG_ACC_MKNOD`, alone.
const MAKE: u64 = 1;

/// The program. It is given `struct bpf_cgroup_dev_ctx`: the access in the upper half of a word and the kind in the lower one,
/// the major number, and the minor one; its answer is whether that is allowed.
fn program<'a>(allowed: impl Iterator<Item = &'a Device>) -> Vec<u64> {
    let mut program = vec![
        load_word(KIND, 0),
        instruction(COPY, ACCESS | KIND << 4, 0, 0),
        instruction(SHIFT_RIGHT, ACCESS, 0, 16),
        instruction(SKIP_UNLESS, ACCESS, 2, MAKE),
        instruction(SET, ANSWER, 0, 1),
        instruction(END, 0, 0, 0),
        instruction(AND, KIND, 0, 0xffff),
        load_word(MAJOR, 4),
        load_word(MINOR, 8),
    ];
    for device in allowed {
        let mut tests = vec![(KIND, device.kind as u64), (MAJOR, device.major.into())];
        tests.extend(device.minor.map(|minor| (MINOR, minor.into())));
        let length = tests.len() as u64;
        // Each skips the rest of them, and the two instructions that say yes.
        let tests = tests.into_iter().zip(0..);
        program.extend(
            tests.map(|((register, value), place)| instruction(SKIP_UNLESS, register, length - place + 1, value)),
        );
        program.extend([instruction(SET, ANSWER, 0, 1), instruction(END, 0, 0, 0)]);
    }
    program.extend([instruction(SET, ANSWER, 0, 0), instruction(END, 0, 0, 0)]);
    program
}

fn load_word(register: u64, offset: u64) -> u64 {
    instruction(LOAD, register | GIVEN << 4, offset, 0)
}

/// An instruction of 64 bits, from the lowest on: 8 of the operation, 8 of two registers, 16 of the offset, 32 of the value.
fn instruction(operation: u64, registers: u64, offset: u64, value: u64) -> u64 {
    let number = operation | registers << 8 | offset << 16 | value << 32;
    // The kernel takes them as structures in the machine's own order; all architectures here are little-endian.
    number.to_le()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs the few instructions that are used here.
    fn run(program: &[u64], context: [u32; 3]) -> u64 {
        let (mut registers, mut at) = ([0_u64; 6], 0);
        loop {
            let word = program[at];
            let (operation, to, from) = (word & 0xff, (word >> 8 & 0xf) as usize, (word >> 12 & 0xf) as usize);
            let (offset, value) = ((word >> 16 & 0xffff) as usize, word >> 32);
            at += 1;
            match operation {
                LOAD => registers[to] = context[offset / 4].into(),
                SET => registers[to] = value,
                COPY => registers[to] = registers[from],
                SHIFT_RIGHT => registers[to] >>= value,
                AND => registers[to] &= value,
                SKIP_UNLESS => at += if registers[to] == value { 0 } else { offset },
                END => return registers[0],
                other => panic!("operation {other:#x}"),
            }
        }
    }

    #[test]
    fn nodes_are_made_and_few_are_opened() {
        let more = [Device { kind: Kind::Block, major: 7, minor: Some(1) }];
        let program = program(USUAL.iter().chain(&more));
        let (make, read, write, block, character) = (1, 2, 4, 1, 2);
        let is_allowed = |access: u32, kind: u32, major, minor| run(&program, [access << 16 | kind, major, minor]) == 1;
        assert!(is_allowed(make, block, 254, 0) && is_allowed(make, character, 10, 200));
        for minor in [3, 5, 7, 8, 9] {
            assert!(is_allowed(read | write, character, 1, minor));
            assert!(!is_allowed(read, block, 1, minor));
        }
        assert!(is_allowed(read, character, 136, 77) && is_allowed(read, character, 5, 2));
        assert!(!is_allowed(read, character, 1, 1) && !is_allowed(read, character, 5, 1));
        assert!(!is_allowed(read, block, 254, 0) && !is_allowed(make | write, block, 254, 0));
        assert!(is_allowed(read, block, 7, 1) && !is_allowed(read, block, 7, 2));
    }

    #[test]
    fn devices_are_told_from_files() {
        assert_eq!(Device::at(Path::new("/dev/null")), Some(USUAL[0]));
        assert_eq!(Device::at(Path::new("/etc")), None);
    }
}
