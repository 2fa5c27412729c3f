//! The image that tests start from: Debian's static busybox, two accounts, and a few folders.

use std::fs;
use std::sync::OnceLock;

use tar::{Builder, EntryType, Header};

/// What it is made of. It has to be linked statically: there is no library in the image.
pub(crate) const BUSYBOX: &str = "/bin/busybox";

/// The programs that busybox is called as in it.
const APPLETS: &str = "sh ash cat ls echo mkdir rm rmdir mv cp ln chmod chown touch sleep true false env id stat test head tail \
     wc sort tr seq date dd find grep sed mknod mkfifo pwd sha256sum nc wget hostname kill ps sync truncate xargs";

/// Folders and files, in the order in which they stand in the tar: path, mode, owner and content.
const FILES: [(&str, u32, u64, Option<&str>); 12] = [
    ("bin", 0o755, 0, None),
    ("dev", 0o755, 0, None),
    ("etc", 0o755, 0, None),
    ("etc/group", 0o644, 0, Some("root:x:0:\nann:x:1000:\nstaff:x:50:ann\n")),
    ("etc/passwd", 0o644, 0, Some("root:x:0:0::/root:/bin/sh\nann:x:1000:1000::/home/ann:/bin/sh\n")),
    ("home", 0o755, 0, None),
    ("home/ann", 0o755, 1000, None),
    ("home/ann/notes", 0o600, 1000, Some("ann's\n")),
    ("proc", 0o755, 0, None),
    ("root", 0o700, 0, None),
    ("sys", 0o755, 0, None),
    ("tmp", 0o1777, 0, None),
];

/// Its root file system in a tar; `None` where the machine has no static busybox.
pub(crate) fn rootfs() -> Option<&'static [u8]> {
    static ROOTFS: OnceLock<Option<Vec<u8>>> = OnceLock::new();
    ROOTFS.get_or_init(|| busybox().map(|program| tar(&FILES, &program))).as_deref()
}

/// The same around another processor's busybox, with nothing that is not root's: a user namespace of a single id can unpack it.
pub(crate) fn rootfs_of(busybox: &[u8]) -> Vec<u8> {
    let of_root: Vec<_> = FILES.into_iter().filter(|(_, _, owner, _)| *owner == 0).collect();
    tar(&of_root, busybox)
}

pub(crate) fn busybox() -> Option<Vec<u8>> {
    fs::read(BUSYBOX).ok().filter(|program| is_static(program))
}

/// Whether a 64-bit ELF program asks for no loader: it has no program header of the type `PT_INTERP` (elf(5)).
pub(crate) fn is_static(program: &[u8]) -> bool {
    const PT_INTERP: u32 = 3;
    let number = |place: usize, length: usize| {
        let bytes = program.get(place..place + length)?;
        Some(bytes.iter().rev().fold(0, |number, byte| number << 8 | usize::from(*byte)))
    };
    let is_interpreted = || {
        let (start, size, count) = (number(32, 8)?, number(54, 2)?, number(56, 2)?);
        Some((0..count).any(|index| number(start + index * size, 4) == Some(PT_INTERP as usize)))
    };
    program.starts_with(b"\x7fELF\x02\x01") && is_interpreted() == Some(false)
}

fn tar(files: &[(&str, u32, u64, Option<&str>)], busybox: &[u8]) -> Vec<u8> {
    let mut tar = Builder::new(Vec::new());
    for (path, mode, owner, content) in files.iter().copied() {
        let kind = if content.is_some() { EntryType::Regular } else { EntryType::Directory };
        append(&mut tar, path, (kind, mode, owner), content.unwrap_or_default().as_bytes());
    }
    append(&mut tar, "bin/busybox", (EntryType::Regular, 0o755, 0), busybox);
    for applet in APPLETS.split_whitespace() {
        let mut header = header((EntryType::Symlink, 0o777, 0), 0);
        tar.append_link(&mut header, format!("bin/{applet}"), "busybox").unwrap();
    }
    tar.into_inner().unwrap()
}

fn append(tar: &mut Builder<Vec<u8>>, path: &str, what: (EntryType, u32, u64), content: &[u8]) {
    let mut header = header(what, content.len() as u64);
    tar.append_data(&mut header, path, content).unwrap();
}

fn header((kind, mode, owner): (EntryType, u32, u64), size: u64) -> Header {
    let mut header = Header::new_gnu();
    header.set_entry_type(kind);
    header.set_mode(mode);
    header.set_uid(owner);
    header.set_gid(owner);
    header.set_size(size);
    // The first second of 2024.
    header.set_mtime(1_704_067_200);
    header
}
