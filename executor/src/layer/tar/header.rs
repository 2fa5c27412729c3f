//! One entry's header: ustar, with an extended header for what ustar has no room for.
//!
//! Names that are not UTF-8 are written as they are, in extended headers too: POSIX has `hdrcharset=BINARY` to announce
//! that, which GNU tar warns about and Go does not know; all of them read the bytes as they are without it.

use std::io::{self, Write};

use rustix::fs::{Dev, Stat, major, minor};
use tar::{Builder, EntryType};

use crate::tree::attributes::Attributes;
use crate::tree::xattr::{self, Xattrs};

/// The greatest number of a ustar field of 12 bytes, as size and time are: 8 GiB less one.
const MOST_LONG: u64 = 0o777_7777_7777;
/// The greatest number of a field of 8 bytes.
const MOST_SHORT: u32 = 0o777_7777;
/// Bytes of the fields for the name and for what comes before it.
const NAME: usize = 100;
const PREFIX: usize = 155;

/// What is said about an entry.
#[derive(Debug)]
pub(crate) struct Header<'a> {
    pub(crate) path: &'a [u8],
    pub(crate) kind: EntryType,
    /// The target of a link of either kind.
    pub(crate) link: &'a [u8],
    pub(crate) mode: u32,
    pub(crate) uid: u32,
    pub(crate) gid: u32,
    pub(crate) size: u64,
    /// Seconds since 1970.
    pub(crate) mtime: i64,
    pub(crate) device: Dev,
    pub(crate) xattrs: Option<&'a Xattrs>,
}

impl<'a> Header<'a> {
    /// Of a whiteout or an opaque mark, but for the path.
    pub(crate) fn mark() -> Self {
        let kind = EntryType::Regular;
        Self { path: b"", kind, link: b"", mode: 0, uid: 0, gid: 0, size: 0, mtime: 0, device: 0, xattrs: None }
    }

    /// Of an entry with this status, but for the path and the target.
    pub(crate) fn of(kind: EntryType, stat: &Stat, attributes: &'a Attributes) -> Self {
        let Attributes { mode, uid, gid, xattrs } = attributes;
        Self {
            kind,
            mode: *mode,
            uid: *uid,
            gid: *gid,
            size: if kind == EntryType::Regular { stat.st_size.unsigned_abs() } else { 0 },
            mtime: stat.st_mtime,
            device: stat.st_rdev,
            xattrs: Some(xattrs),
            ..Self::mark()
        }
    }

    pub(crate) fn write<W: Write>(&self, out: &mut Builder<W>) -> io::Result<()> {
        let mut header = tar::Header::new_ustar();
        let mut extended = Vec::new();
        header.set_entry_type(self.kind);
        header.set_mode(self.mode);
        header.set_uid(short(self.uid, "uid", &mut extended));
        header.set_gid(short(self.gid, "gid", &mut extended));
        header.set_size(long(self.size.into(), "size", &mut extended));
        header.set_mtime(long(self.mtime.into(), "mtime", &mut extended));
        let fields = header.as_ustar_mut().expect("it was made as ustar");
        if matches!(self.kind, EntryType::Char | EntryType::Block) {
            fields.set_device_major(major(self.device));
            fields.set_device_minor(minor(self.device));
        }
        if let Some((prefix, name)) = split(self.path) {
            fields.prefix[..prefix.len()].copy_from_slice(prefix);
            fields.name[..name.len()].copy_from_slice(name);
        } else {
            fields.name.copy_from_slice(&self.path[..NAME]);
            extended.push(("path".to_owned(), self.path.to_vec()));
        }
        let fits = self.link.len().min(fields.linkname.len());
        fields.linkname[..fits].copy_from_slice(&self.link[..fits]);
        if fits < self.link.len() {
            extended.push(("linkpath".to_owned(), self.link.to_vec()));
        }
        for (name, value) in self.xattrs.into_iter().flat_map(Xattrs::iter) {
            let name = xattr::to_archive(name.to_bytes());
            extended.push((format!("SCHILY.xattr.{}", String::from_utf8_lossy(&name)), value.to_vec()));
        }
        header.set_cksum();
        out.append_pax_extensions(extended.iter().map(|(key, value)| (key.as_str(), value.as_slice())))?;
        out.get_mut().write_all(header.as_bytes())
    }
}

/// The path as prefix and name; `None` if it does not fit.
fn split(path: &[u8]) -> Option<(&[u8], &[u8])> {
    if path.len() <= NAME {
        return Some((b"", path));
    }
    let slash = |index: &usize| path[*index] == b'/' && *index + 1 < path.len();
    let least = path.len() - NAME - 1;
    // The leftmost place that makes the name short enough is the one that makes the prefix shortest.
    (least..path.len())
        .find(slash)
        .filter(|index| (1..=PREFIX).contains(index))
        .map(|index| (&path[..index], &path[index + 1..]))
}

fn short(number: u32, key: &str, extended: &mut Vec<(String, Vec<u8>)>) -> u64 {
    if number <= MOST_SHORT {
        return number.into();
    }
    extended.push((key.to_owned(), number.to_string().into_bytes()));
    0
}

fn long(number: i128, key: &str, extended: &mut Vec<(String, Vec<u8>)>) -> u64 {
    match u64::try_from(number) {
        Ok(number) if number <= MOST_LONG => number,
        _ => {
            extended.push((key.to_owned(), number.to_string().into_bytes()));
            0
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

    use super::*;

    /// What a reader that is not ours makes of a header: size, modification time, owner, and whether it is extended.
    fn read(header: &Header<'_>) -> (u64, u64, u64, bool) {
        let mut out = Builder::new(Vec::new());
        header.write(&mut out).unwrap();
        let bytes = out.into_inner().unwrap();
        let mut archive = tar::Archive::new(bytes.as_slice());
        let mut entry = archive.entries().unwrap().next().unwrap().unwrap();
        let size = entry.size();
        let extended: Vec<(String, String)> = entry
            .pax_extensions()
            .unwrap()
            .into_iter()
            .flatten()
            .map(|record| record.unwrap())
            .map(|record| (record.key().unwrap().to_owned(), record.value().unwrap().to_owned()))
            .collect();
        let number = |key: &str, plain: u64| {
            let record = extended.iter().find(|(name, _)| name == key);
            record.map_or(plain, |(_, value)| value.parse().unwrap())
        };
        let (mtime, uid) = (entry.header().mtime().unwrap(), entry.header().uid().unwrap());
        (size, number("mtime", mtime), number("uid", uid), !extended.is_empty())
    }

    #[test]
    fn numbers_that_ustar_has_no_room_for_are_extended() {
        let most = (MOST_LONG, 8 << 30);
        assert_eq!(most.0 + 1, most.1, "8 GiB is the first size that does not fit");
        let header = |size, mtime, uid| Header { path: b"large", size, mtime, uid, ..Header::mark() };
        assert_eq!(read(&header(MOST_LONG, 0, MOST_SHORT)), (MOST_LONG, 0, MOST_SHORT.into(), false));
        for size in [MOST_LONG + 1, 9 << 30, 1 << 40, u64::MAX >> 2] {
            assert_eq!(read(&header(size, 0, 0)), (size, 0, 0, true), "{size}");
        }
        assert_eq!(read(&header(1, 1 << 40, 0)), (1, 1 << 40, 0, true));
        assert_eq!(read(&header(1, 0, u32::MAX)), (1, 0, u32::MAX.into(), true));
    }

    #[test]
    fn paths_are_split_where_both_parts_fit() {
        let long = |length: usize| vec![b'x'; length];
        assert_eq!(split(&long(100)), Some((&b""[..], &long(100)[..])));
        assert_eq!(split(&long(101)), None);
        let path = [&long(155)[..], b"/", &long(100)].concat();
        assert_eq!(split(&path), Some((&long(155)[..], &long(100)[..])));
        assert_eq!(split(&[&long(156)[..], b"/", &long(100)].concat()), None);
        assert_eq!(split(&[&long(155)[..], b"/", &long(101)].concat()), None);
        // The slash at the end of a folder's path separates nothing.
        assert_eq!(split(&[&long(120)[..], b"/"].concat()), None);
        assert_eq!(split(&[&b"a/"[..], &long(99), b"/"].concat()).map(|(prefix, _)| prefix), Some(&b"a"[..]));
    }
}
