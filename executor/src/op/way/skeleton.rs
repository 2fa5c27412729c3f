//! A folder in which nothing stands but what a step looks at.

use std::fs::{self, File};
use std::os::unix::fs::symlink;
use std::path::Path;

use rustix::fs::{Gid, Mode, Timespec, Timestamps, UTIME_OMIT, Uid, fchmod, fchown, futimens};

use super::Way;
use super::seen::{Folder, Seen};
use crate::fault::{At, PathError};
use crate::tree::xattr;

impl Way {
    /// Makes everything that was seen anew in `root`, an empty folder. A step that is done on that changes what it would change
    /// in the tree.
    ///
    /// # Errors
    /// If it cannot be made.
    pub fn write(&self, root: &Path) -> Result<(), PathError> {
        for (path, seen) in &self.seen {
            let path = root.join(path.path());
            match seen {
                Seen::Nothing => (),
                Seen::Folder(_) if path == root => (),
                Seen::Folder(_) => fs::create_dir(&path).at("create the folder", &path)?,
                Seen::Link(target) => symlink(target.path(), &path).at("create the link", &path)?,
                Seen::Other => File::create(&path).map(drop).at("create", &path)?,
            }
        }
        // What is put into a folder changes its time.
        for (path, seen) in self.seen.iter().rev() {
            if let Seen::Folder(folder) = seen {
                finish(&root.join(path.path()), folder)?;
            }
        }
        Ok(())
    }
}

fn finish(path: &Path, folder: &Folder) -> Result<(), PathError> {
    let file = File::open(path).at("open", path)?;
    let attributes = folder.attributes();
    let owner = (Uid::from_raw(attributes.uid), Gid::from_raw(attributes.gid));
    fchown(&file, Some(owner.0), Some(owner.1)).at("set the owner of", path)?;
    fchmod(&file, Mode::from_raw_mode(attributes.mode)).at("set the mode of", path)?;
    for (name, value) in attributes.xattrs.iter() {
        xattr::set(&file, name, value).at("set an attribute of", path)?;
    }
    let last_access = Timespec { tv_sec: 0, tv_nsec: UTIME_OMIT };
    let last_modification = Timespec { tv_sec: folder.modified, tv_nsec: 0 };
    futimens(&file, &Timestamps { last_access, last_modification }).at("set the time of", path)
}
