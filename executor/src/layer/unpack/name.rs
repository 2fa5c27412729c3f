//! Names in archives: made relative to the root, and read as marks.

use super::Marks;
use crate::layer::{OPAQUE_NAME, WHITEOUT_PREFIX};

/// The components of a path from the root, or why there are none such. `.` and empty ones are dropped, `a/..` is
/// nothing, a leading slash means the root. A path of a layer that leads out of the root is refused; in any other archive
/// the root is its own parent, as it is for Docker, which unpacks with the root changed.
pub(super) fn components(path: &[u8], marks: Marks) -> Result<Vec<&[u8]>, &'static str> {
    let mut components = Vec::new();
    for component in path.split(|byte| *byte == b'/') {
        match component {
            b"" | b"." => (),
            b".." => {
                if components.pop().is_none() && marks == Marks::Deletions {
                    return Err("its name leads out of the root with `..`");
                }
            }
            component if component.contains(&0) => return Err("its name holds a zero byte"),
            component => components.push(component),
        }
    }
    Ok(components)
}

/// What a name in a folder is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Meaning<'a> {
    /// The name of an entry.
    Entry(&'a [u8]),
    /// This name is deleted from what lies below.
    Whiteout(&'a [u8]),
    /// Everything in the folder that lies below is.
    Opaque,
    /// Something that AUFS kept for itself, which moved into archives with it.
    Ignored,
}

/// Reads the last component of a path.
pub(super) fn meaning(name: &[u8], marks: Marks) -> Result<Meaning<'_>, &'static str> {
    let Some(deleted) = name.strip_prefix(WHITEOUT_PREFIX).filter(|_| marks == Marks::Deletions) else {
        return Ok(Meaning::Entry(name));
    };
    match deleted {
        _ if name == OPAQUE_NAME => Ok(Meaning::Opaque),
        b"" | b"." | b".." => Err("it deletes something that is no name"),
        deleted if deleted.starts_with(WHITEOUT_PREFIX) => Ok(Meaning::Ignored),
        deleted => Ok(Meaning::Whiteout(deleted)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_stay_inside() {
        assert_eq!(components(b"./a//b/", Marks::Deletions), Ok(vec![&b"a"[..], b"b"]));
        assert_eq!(components(b"/a/../b", Marks::Deletions), Ok(vec![&b"b"[..]]));
        assert_eq!(components(b"./", Marks::Deletions), Ok(vec![]));
        for marks in [Marks::Deletions, Marks::Names] {
            assert!(components(b"a\0b", marks).is_err());
        }
        for path in [&b"../a"[..], b"b/../../a"] {
            assert!(components(path, Marks::Deletions).is_err());
            assert_eq!(components(path, Marks::Names), Ok(vec![&b"a"[..]]));
        }
    }

    #[test]
    fn marks_are_read_in_layers_only() {
        assert_eq!(meaning(b".wh.a", Marks::Deletions), Ok(Meaning::Whiteout(b"a")));
        assert_eq!(meaning(b".wh.a", Marks::Names), Ok(Meaning::Entry(b".wh.a")));
        assert_eq!(meaning(b".wh..wh..opq", Marks::Deletions), Ok(Meaning::Opaque));
        assert_eq!(meaning(b".wh..wh.plnk", Marks::Deletions), Ok(Meaning::Ignored));
        assert_eq!(meaning(b".who", Marks::Deletions), Ok(Meaning::Entry(b".who")));
        for name in [&b".wh."[..], b".wh..", b".wh..."] {
            assert!(meaning(name, Marks::Deletions).is_err());
        }
    }
}
