//! Reading the files of an archive or a folder of images into the store, each checked on its way.
//!
//! Nothing is unpacked under its own name: blobs go into the store under their digests, lists stay in memory.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read, Write};
use std::path::Path;

use layercake_cache::{Digest, Digester, Store};

use crate::fault::At;
use crate::image::docker;
use crate::image::document::LIMIT;
use crate::image::error::{ArchiveProblem, Error, RootFileSystem};
use crate::image::layout;

/// How many links may lead to one another.
const LINKS: usize = 16;

/// What an archive holds.
#[derive(Debug, Default)]
pub(crate) struct Contents {
    /// The lists, by path.
    pub(crate) lists: BTreeMap<String, Vec<u8>>,
    /// Everything else.
    members: BTreeMap<String, Member>,
    root_file_system: bool,
}

#[derive(Clone, Debug)]
enum Member {
    /// In the store now.
    File(Blob),
    /// Leads to this path.
    Link(String),
}

/// A file of the archive that lies in the store.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Blob {
    pub(crate) digest: Digest,
    /// Bytes.
    pub(crate) size: u64,
}

/// What can stop the reading: the archive, or the store.
#[derive(Debug)]
pub(crate) enum Stop {
    Archive(ArchiveProblem),
    Other(Error),
}

impl From<ArchiveProblem> for Stop {
    fn from(problem: ArchiveProblem) -> Self {
        Self::Archive(problem)
    }
}

impl<E: Into<Error>> From<E> for Stop {
    fn from(error: E) -> Self {
        Self::Other(error.into())
    }
}

impl Contents {
    /// The file at `path`, links followed.
    pub(crate) fn file(&self, path: &str) -> Result<Option<Blob>, ArchiveProblem> {
        let Some(mut path) = clean(path) else { return Err(ArchiveProblem::Escape(path.to_owned())) };
        let first = path.clone();
        for _ in 0..LINKS {
            match self.members.get(&path) {
                Some(Member::File(blob)) => return Ok(Some(*blob)),
                Some(Member::Link(target)) => path = target.clone(),
                None if path == first => return Ok(None),
                None => break,
            }
        }
        Err(ArchiveProblem::Link(first))
    }

    /// Whether it looks as if somebody meant `import`.
    pub(crate) fn root_file_system(&self) -> RootFileSystem {
        if self.root_file_system { RootFileSystem::Likely } else { RootFileSystem::Unlikely }
    }

    fn add(&mut self, path: &str, member: Member) -> Result<(), ArchiveProblem> {
        if self.lists.contains_key(path) || self.members.insert(path.to_owned(), member).is_some() {
            return Err(ArchiveProblem::Duplicate(path.to_owned()));
        }
        Ok(())
    }

    fn add_file(&mut self, store: &Store, path: String, content: &mut dyn Read) -> Result<(), Stop> {
        if matches!(path.as_str(), layout::INDEX | layout::VERSION_FILE | docker::MANIFEST | docker::REPOSITORIES) {
            let bytes = read_list(&path, content)?;
            if self.members.contains_key(&path) || self.lists.insert(path.clone(), bytes).is_some() {
                return Err(ArchiveProblem::Duplicate(path).into());
            }
            return Ok(());
        }
        let blob = match path.strip_prefix("blobs/sha256/") {
            Some(hex) => {
                // Other files there are none of the layout's.
                let Ok(digest) = format!("sha256:{hex}").parse() else { return Ok(()) };
                let blob = take_known(store, &digest, content)?;
                if blob.digest != digest {
                    return Err(ArchiveProblem::Digest { path, found: blob.digest }.into());
                }
                blob
            }
            None if is_wanted(&path) => take(store, content)?,
            None => {
                self.root_file_system |=
                    path.starts_with("etc/") || path.starts_with("bin/") || path.starts_with("usr/");
                return Ok(());
            }
        };
        Ok(self.add(&path, Member::File(blob))?)
    }
}

/// Whether a docker archive can refer to a file of this name. What old ones hold besides (`VERSION`, `json`) is not read.
fn is_wanted(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or_default();
    let by_digest = name.starts_with("sha256:");
    by_digest
        || path.ends_with(".json")
        || [".tar", ".tar.gz", ".tgz", ".tar.zst"].iter().any(|end| name.ends_with(end))
}

fn read_list(path: &str, content: &mut dyn Read) -> Result<Vec<u8>, ArchiveProblem> {
    let mut bytes = Vec::new();
    content.take(LIMIT + 1).read_to_end(&mut bytes).map_err(stream_problem)?;
    if bytes.len() as u64 > LIMIT { Err(ArchiveProblem::TooLong(path.to_owned())) } else { Ok(bytes) }
}

/// Reads a blob that claims a digest. One that is in the store already is only compared.
fn take_known(store: &Store, digest: &Digest, content: &mut dyn Read) -> Result<Blob, Stop> {
    if !store.has_blob(digest) {
        return take(store, content);
    }
    let mut digester = Digester::default();
    copy(content, &mut digester, store)?;
    let (digest, size) = digester.finish();
    Ok(Blob { digest, size })
}

fn take(store: &Store, content: &mut dyn Read) -> Result<Blob, Stop> {
    let mut writer = store.blob_writer()?;
    copy(content, &mut writer, store)?;
    let (digest, size) = writer.finish()?;
    Ok(Blob { digest, size })
}

/// Copies, telling a failure of the archive from one of the store.
fn copy(from: &mut dyn Read, to: &mut dyn Write, store: &Store) -> Result<(), Stop> {
    let mut buffer = vec![0; 1 << 16];
    loop {
        match from.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(length) => to.write_all(&buffer[..length]).at("write a blob in", store.root())?,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => (),
            Err(error) => return Err(stream_problem(error).into()),
        }
    }
}

/// What a failure in the middle of an archive means. A decompressor that finds nonsense says `InvalidData` or
/// `InvalidInput`; a stream that ends too early says `UnexpectedEof`, or in tar's words `Other`.
pub(crate) fn stream_problem(error: io::Error) -> ArchiveProblem {
    match error.kind() {
        io::ErrorKind::UnexpectedEof
        | io::ErrorKind::InvalidData
        | io::ErrorKind::InvalidInput
        | io::ErrorKind::Other => ArchiveProblem::Truncated(error.to_string()),
        _ => ArchiveProblem::Read(error),
    }
}

/// Reads a tar, already decompressed, to its end.
pub(crate) fn read_tar(store: &Store, input: &mut dyn Read) -> Result<Contents, Stop> {
    let mut contents = Contents::default();
    let mut archive = tar::Archive::new(input);
    let mut first = true;
    for entry in archive.entries().map_err(ArchiveProblem::Read)? {
        let entry = entry.map_err(if first { ArchiveProblem::NotATar } else { stream_problem })?;
        first = false;
        read_entry(store, &mut contents, entry)?;
    }
    // What follows is padding; read to its end, the decompressor checks its sums and a writing program is not cut off.
    io::copy(&mut archive.into_inner(), &mut io::sink()).map_err(stream_problem)?;
    Ok(contents)
}

fn read_entry(store: &Store, contents: &mut Contents, mut entry: tar::Entry<'_, &mut dyn Read>) -> Result<(), Stop> {
    let name = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
    let Some(path) = clean(&name) else { return Err(ArchiveProblem::Escape(name).into()) };
    let kind = entry.header().entry_type();
    if kind.is_dir() || kind.is_pax_global_extensions() {
        return Ok(());
    }
    if kind.is_file() || kind.is_contiguous() || kind.is_gnu_sparse() {
        return contents.add_file(store, path, &mut entry);
    }
    if !(kind.is_symlink() || kind.is_hard_link()) {
        return match is_wanted(&path) || path.starts_with("blobs/") {
            true => Err(ArchiveProblem::EntryType(name).into()),
            // A device of a root file system: the message will say that.
            false => Ok(()),
        };
    }
    let target = String::from_utf8_lossy(&entry.link_name_bytes().unwrap_or_default()).into_owned();
    // A hard link's target is a path in the archive; a symbolic link's is relative to the link.
    let folder = path.rsplit_once('/').filter(|_| kind.is_symlink()).map_or("", |(folder, _)| folder);
    if !is_wanted(&path) && !path.starts_with("blobs/") {
        return Ok(());
    }
    match clean(format!("{folder}/{target}").trim_start_matches('/')).filter(|_| !target.starts_with('/')) {
        Some(target) => Ok(contents.add(&path, Member::Link(target))?),
        None => Err(ArchiveProblem::Escape(name).into()),
    }
}

/// The path without `.` and `..`; `None` if it leads out.
fn clean(path: &str) -> Option<String> {
    if path.starts_with('/') {
        return None;
    }
    let mut parts = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => (),
            ".." => drop(parts.pop()?),
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

/// Reads the layout or docker archive that lies unpacked in `folder`.
pub(crate) fn read_folder(store: &Store, folder: &Path) -> Result<Contents, Stop> {
    let mut contents = Contents::default();
    for entry in walkdir::WalkDir::new(folder).follow_links(true).sort_by_file_name() {
        let entry = entry.map_err(|error| {
            let path = error.path().unwrap_or(folder).to_owned();
            crate::fault::PathError::new("read", path, error)
        })?;
        if !entry.file_type().is_file() {
            continue;
        }
        let relative = entry.path().strip_prefix(folder).unwrap_or(entry.path()).to_string_lossy().into_owned();
        let mut file = File::open(entry.path()).at("open", entry.path())?;
        contents.add_file(store, relative, &mut file)?;
    }
    Ok(contents)
}

#[cfg(test)]
mod tests {
    use super::clean;

    #[test]
    fn paths_stay_inside() {
        assert_eq!(clean("./a//b/./c").as_deref(), Some("a/b/c"));
        assert_eq!(clean("a/../b").as_deref(), Some("b"));
        for path in ["/a", "..", "a/../../b", "../a"] {
            assert_eq!(clean(path), None, "{path}");
        }
    }
}
