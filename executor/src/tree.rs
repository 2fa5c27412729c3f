//! Trees on disk: folders in overlay form, what of them counts, and how stacks of them are read.
//!
//! *Overlay form* is what the kernel's overlay file system keeps in an upper folder when mounted with `userxattr`: a
//! character device 0:0 deletes what lies below it, and the attribute `user.overlay.opaque=y` of a folder hides the
//! content of the same folder below.

pub mod attributes;
pub mod content;
pub mod identity;
pub mod inode;
pub mod list;
pub mod lookup;
pub mod mark;
pub mod walk;
pub mod xattr;
