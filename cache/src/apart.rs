//! Where on the disk a new folder comes to lie: apart from others, where files can be made quickly.
//!
//! ext4 has block groups, each with a table of inodes. A file goes to the group of its folder, and a folder usually to that
//! of its parent, so everything in a store comes to lie in a few groups. Without a journal, ext4 leaves inodes alone that
//! were freed within the last minutes, and looks at each of them whenever it makes a file (`recently_deleted` in Linux's
//! `fs/ext4/ialloc.c`): where thousands of files have just been deleted, making thousands takes seconds. So a folder
//! for many files is put elsewhere (`find_group_orlov`, there too), and tried.
//!
//! Other file systems refuse the flag that this needs, and then nothing is done.

use std::fs::{self, DirBuilder, File};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::fs::{CWD, IFlags, Mode, OFlags, ioctl_getflags, ioctl_setflags, openat};

use crate::error::{At, Error};

/// Folders that are tried before one is taken as it is.
const MOST: usize = 10;
/// Files that are made for a trial. The quickest counts: the first may wait for the disk, and any for other processes.
const TRIALS: usize = 4;
/// As long as making a file may take. It takes a quarter of that, and 0.1 µs more for each freed inode.
const QUICK: Duration = Duration::from_micros(25);

/// Makes a folder in `parent`. Names have to differ from those of earlier processes, since where the search for a group
/// begins is made of the name.
pub(crate) fn make(parent: &Path, mode: u32, mut name: impl FnMut() -> String) -> Result<PathBuf, Error> {
    let can_choose = spread(parent);
    let mut rejected = Vec::new();
    loop {
        let path = parent.join(name());
        DirBuilder::new().mode(mode).create(&path).at("create the folder", &path)?;
        if !can_choose || rejected.len() == MOST || is_quick(&path) {
            // Only now: the group with the fewest folders is taken first, and would be again.
            for path in rejected {
                let _ = fs::remove_dir(path);
            }
            return Ok(path);
        }
        rejected.push(path);
    }
}

/// Lets each new folder in this one go to a group with few folders, as those in a root do. Says whether it could.
fn spread(folder: &Path) -> bool {
    let Ok(file) = File::open(folder) else { return false };
    match ioctl_getflags(&file) {
        Ok(flags) if flags.contains(IFlags::TOPDIR) => true,
        Ok(flags) => ioctl_setflags(&file, flags | IFlags::TOPDIR).is_ok(),
        Err(_) => false,
    }
}

/// Whether files are made quickly in a folder, or none can be made for a trial.
fn is_quick(folder: &Path) -> bool {
    let trial = |_| {
        let start = Instant::now();
        // It never has a name.
        let made = openat(CWD, folder, OFlags::WRONLY | OFlags::TMPFILE | OFlags::CLOEXEC, Mode::RUSR | Mode::WUSR);
        if made.is_ok() { start.elapsed() } else { Duration::ZERO }
    };
    (0..TRIALS).map(trial).any(|took| took < QUICK)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

    use super::*;

    #[test]
    fn one_empty_folder_is_made_and_nothing_else() {
        let parent = tempfile::tempdir().unwrap();
        let mut names = (0..).map(|number: u32| number.to_string());
        let path = make(parent.path(), 0o750, || names.next().unwrap()).unwrap();
        let all: Vec<PathBuf> = fs::read_dir(parent.path()).unwrap().map(|entry| entry.unwrap().path()).collect();
        assert_eq!(all, std::slice::from_ref(&path));
        assert_eq!(fs::read_dir(&path).unwrap().count(), 0);
        assert_eq!(std::os::unix::fs::PermissionsExt::mode(&fs::metadata(&path).unwrap().permissions()) & 0o777, 0o750);
    }

    #[test]
    fn what_cannot_be_made_is_an_error_with_its_path() {
        let parent = tempfile::tempdir().unwrap();
        let error = make(&parent.path().join("missing"), 0o700, || "new".to_owned()).unwrap_err();
        assert!(error.to_string().contains("missing/new"), "{error}");
    }
}
