//! [`Inode`]: which file a name is of.

use rustix::fs::Stat;

/// Device and inode number.
pub type Inode = (u64, u64);

/// Says which file this is a name of, if it has several.
#[must_use]
pub fn shared_inode(stat: &Stat) -> Option<Inode> {
    (stat.st_nlink > 1).then_some((stat.st_dev, stat.st_ino))
}
