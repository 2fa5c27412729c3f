//! What layers are made of: overlays on the store's file system, and file systems of our own.

use std::fs;
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags};
use rustix::mount::{MountAttrFlags, fsconfig_set_flag, fsconfig_set_string};

use super::fact::{Fact, State, Subject};
use crate::fault::reason;
use crate::mount;
use crate::overlay::{Overlay, Upper};

/// A folder for a trial, gone afterwards.
pub(super) struct Trial {
    pub(super) folder: PathBuf,
}

impl Drop for Trial {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}

impl Trial {
    pub(super) fn new(store: &Path, name: &str) -> io::Result<Self> {
        let trial = Self { folder: store.join(format!(".{name}-{}", std::process::id())) };
        for name in ["first", "second", "upper", "work"] {
            fs::create_dir_all(trial.folder.join(name))?;
        }
        fs::write(trial.folder.join("first/file"), "")?;
        Ok(trial)
    }

    fn overlay(&self) -> Overlay {
        let path = |name: &str| self.folder.join(name);
        let upper = Upper { upper: path("upper"), work: path("work") };
        Overlay { lowers: vec![path("first"), path("second")], upper: Some(upper) }
    }
}

pub(super) fn overlay(store: &Path) -> Fact {
    let trial = || -> Result<bool, (String, Option<&'static str>)> {
        let system = |error: io::Error| (format!("`{}`: {}", store.display(), reason(&error)), None);
        let trial = Trial::new(store, "overlay").map_err(system)?;
        let overlay = trial.overlay();
        let root = overlay.mount().map_err(|error| (error.to_string(), error.help()))?;
        fs::remove_file(root.path().join("file")).map_err(system)?;
        let whiteout = fs::symlink_metadata(trial.folder.join("upper/file")).map_err(system)?;
        Ok(whiteout.file_type().is_char_device())
    };
    let (detail, help) = match trial() {
        Ok(true) => return Fact::ok(Subject::Overlay, format!("works in `{}`", store.display())),
        Ok(false) => ("a removed file leaves no whiteout".to_owned(), None),
        Err(error) => error,
    };
    let consequence = "no command can run in a tree, and no files can be copied onto one";
    let help = help.unwrap_or("put the store on ext4, xfs, btrfs or tmpfs: set `LAYERCAKE_HOME`");
    Fact::lacking(Subject::Overlay, State::Missing, detail, consequence, Some(help.to_owned()))
}

pub(super) fn layers(store: &Path) -> Fact {
    let lacking = |detail: String| {
        let consequence = "images of more than about 200 layers cannot be used";
        let help = "use Linux 6.5 or newer".to_owned();
        Fact::lacking(Subject::Layers, State::Limited, detail, consequence, Some(help))
    };
    let trial = match Trial::new(store, "layers") {
        Ok(trial) => trial,
        Err(error) => return lacking(reason(&error)),
    };
    match trial.overlay().takes_layers_one_by_one() {
        Ok(true) => Fact::ok(Subject::Layers, "taken one by one"),
        Ok(false) => lacking("taken in one string".to_owned()),
        Err(error) => lacking(error.to_string()),
    }
}

pub(super) fn fuse() -> Fact {
    let help = match fs::metadata("/dev/fuse") {
        Err(_) => "load the module `fuse`; in a container, pass the device in: `--device /dev/fuse`",
        Ok(_) => "make `/dev/fuse` writable for this user: `sudo chmod 666 /dev/fuse`",
    };
    match try_fuse() {
        Ok(()) => Fact::ok(Subject::Fuse, "mounts file systems of our own"),
        Err(error) => Fact::lacking(
            Subject::Fuse,
            State::Missing,
            reason(&error),
            "what a command reads is not observed: it runs again whenever anything below it changes",
            Some(help.to_owned()),
        ),
    }
}

/// Opens the device and mounts a file system with it, which nobody serves, and nobody can see.
fn try_fuse() -> io::Result<()> {
    let device = rustix::fs::open("/dev/fuse", OFlags::RDWR | OFlags::CLOEXEC, Mode::empty())?;
    let description = mount::describe(c"fuse")?;
    let number = device.as_raw_fd().to_string();
    for (key, value) in
        [("source", "layercake"), ("fd", &number), ("rootmode", "40755"), ("user_id", "0"), ("group_id", "0")]
    {
        fsconfig_set_string(&description, key, value)?;
    }
    fsconfig_set_flag(&description, "allow_other")?;
    mount::create(&description, MountAttrFlags::MOUNT_ATTR_RDONLY)?;
    Ok(())
}
