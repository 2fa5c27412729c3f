//! An image for two platforms to start from: this machine's, and one whose programs an emulator has to run.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use super::home::Home;
use super::{base, machine, tools};

/// This machine's platform, as an image has it, and what `uname -m` says there.
pub(crate) const NATIVE: (&str, &str) = if cfg!(target_arch = "x86_64") { AMD64 } else { ARM64 };
/// The other one.
pub(crate) const FOREIGN: (&str, &str) = if cfg!(target_arch = "x86_64") { ARM64 } else { AMD64 };

const AMD64: (&str, &str) = ("amd64", "x86_64");
const ARM64: (&str, &str) = ("arm64", "aarch64");

/// Both, for `--platform`.
pub(crate) const BOTH: &str =
    if cfg!(target_arch = "x86_64") { "linux/amd64,linux/arm64" } else { "linux/arm64,linux/amd64" };

/// What the two images of `base` are made of.
const DOCKERFILE: &str = "FROM scratch\nARG TARGETARCH\nADD $TARGETARCH.tar /\nENV PATH=/bin\nCMD [\"sh\"]\n";

/// The emulator of the foreign platform.
pub(crate) fn emulator() -> String {
    format!("/usr/bin/qemu-{}-static", FOREIGN.1)
}

impl Home {
    /// One whose store has the image `base` for both platforms; `None`, and a word about it, where the machine cannot build,
    /// cannot emulate, or has no program for the other platform.
    pub(crate) fn with_platforms() -> Option<Self> {
        if let Some(missing) = machine::missing_for_builds() {
            tools::skip(missing);
            return None;
        }
        if !Path::new(&emulator()).exists() {
            tools::skip("qemu's user mode (package qemu-user-static)");
            return None;
        }
        let Some(foreign) = foreign_busybox() else {
            tools::skip("a foreign busybox (package mmdebstrap, and a mirror of the distribution)");
            return None;
        };
        let home = Self::empty();
        home.write("base/Dockerfile", DOCKERFILE)
            .write(&format!("base/{}.tar", NATIVE.0), base::rootfs_of(&base::busybox().unwrap()))
            .write(&format!("base/{}.tar", FOREIGN.0), base::rootfs_of(foreign));
        home.dated(["--platform", BOTH, "-t", "base", "base"]);
        Some(home)
    }
}

/// Debian's static busybox for the foreign platform, fetched once for all tests.
fn foreign_busybox() -> Option<&'static [u8]> {
    static BUSYBOX: OnceLock<Option<Vec<u8>>> = OnceLock::new();
    BUSYBOX.get_or_init(|| cached().or_else(fetched)).as_deref()
}

fn place() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("busybox-{}", FOREIGN.0))
}

fn cached() -> Option<Vec<u8>> {
    fs::read(place()).ok().filter(|program| base::is_static(program))
}

/// Packages are only unpacked, so nothing of the other platform has to run for it.
fn fetched() -> Option<Vec<u8>> {
    let release = fs::read_to_string("/etc/os-release").ok()?;
    let suite = release.lines().find_map(|line| line.strip_prefix("VERSION_CODENAME="))?.to_owned();
    let mut command = Command::new("mmdebstrap");
    command.args(["--quiet", "--variant=extract", "--include=busybox-static"]);
    command.arg(format!("--architectures={}", FOREIGN.0)).args([&suite, "-"]);
    // Ubuntu's mirrors have no other platforms.
    if release.contains("ID=ubuntu") && FOREIGN == ARM64 {
        command.arg("http://ports.ubuntu.com/ubuntu-ports");
    }
    let output = command.stdin(Stdio::null()).stderr(Stdio::null()).output().ok()?;
    let mut archive = tar::Archive::new(output.stdout.as_slice());
    for entry in archive.entries().ok()? {
        let mut entry = entry.ok()?;
        if !entry.path().ok()?.ends_with("bin/busybox") {
            continue;
        }
        let mut program = Vec::new();
        entry.read_to_end(&mut program).ok()?;
        // Somebody else may have the place, or write to it at the same time: then everybody fetches.
        let part = place().with_extension(std::process::id().to_string());
        let _ = fs::write(&part, &program).and_then(|()| fs::rename(&part, place()));
        return Some(program).filter(|program| base::is_static(program));
    }
    None
}
