//! [`Files`]: what a tar holds, as a value that can be compared and read.

use std::collections::BTreeMap;
use std::fmt;
use std::io::Read;

use tar::{Archive, EntryType};

/// The entries of a tar by path, without a leading `./` or an ending `/`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Files(pub(crate) BTreeMap<String, File>);

/// One of them.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct File {
    pub(crate) kind: EntryType,
    pub(crate) mode: u32,
    /// User and group.
    pub(crate) owner: (u64, u64),
    /// What a link leads to.
    pub(crate) target: String,
    pub(crate) content: Vec<u8>,
    /// Extended attributes, as PAX records have them.
    pub(crate) attributes: BTreeMap<String, Vec<u8>>,
}

impl Files {
    /// Reads a tar.
    pub(crate) fn read(tar: &[u8]) -> Self {
        let mut files = BTreeMap::new();
        for entry in Archive::new(tar).entries().unwrap() {
            let mut entry = entry.unwrap();
            let attributes = entry.pax_extensions().unwrap().into_iter().flatten().map(Result::unwrap);
            let attributes = attributes.filter_map(|record| {
                let name = record.key().unwrap().strip_prefix("SCHILY.xattr.")?.to_owned();
                Some((name, record.value_bytes().to_owned()))
            });
            let attributes = attributes.collect();
            let mut content = Vec::new();
            entry.read_to_end(&mut content).unwrap();
            let path = text(&entry.path_bytes());
            let target = entry.link_name_bytes().map(|name| text(&name));
            let header = entry.header();
            let file = File {
                kind: header.entry_type(),
                mode: header.mode().unwrap() & 0o7777,
                owner: (header.uid().unwrap(), header.gid().unwrap()),
                target: target.unwrap_or_default(),
                content,
                attributes,
            };
            files.insert(plain(&path).to_owned(), file);
        }
        Self(files)
    }

    /// When each entry of a tar was modified, in seconds since 1970, by path.
    pub(crate) fn times(tar: &[u8]) -> BTreeMap<String, u64> {
        let mut archive = Archive::new(tar);
        let entries = archive.entries().unwrap().map(Result::unwrap);
        let time = |entry: tar::Entry<'_, &[u8]>| {
            (plain(&text(&entry.path_bytes())).to_owned(), entry.header().mtime().unwrap())
        };
        entries.map(time).collect()
    }

    /// The paths, sorted.
    pub(crate) fn paths(&self) -> Vec<&str> {
        self.0.keys().map(String::as_str).collect()
    }

    /// The entry of this path, which has to be there.
    #[track_caller]
    pub(crate) fn file(&self, path: &str) -> &File {
        self.0.get(path).unwrap_or_else(|| panic!("no `{path}` among {:?}", self.paths()))
    }

    /// The content of the file of this path, which has to be there.
    #[track_caller]
    pub(crate) fn text(&self, path: &str) -> &str {
        std::str::from_utf8(&self.file(path).content).unwrap()
    }

    /// Whether there is such a path.
    pub(crate) fn has(&self, path: &str) -> bool {
        self.0.contains_key(path)
    }
}

impl fmt::Debug for File {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (user, group) = self.owner;
        write!(f, "{:?} {:o} {user}:{group} ->{:?} {} bytes", self.kind, self.mode, self.target, self.content.len())?;
        if self.attributes.is_empty() { Ok(()) } else { write!(f, " {:?}", self.attributes) }
    }
}

/// Names need not be UTF-8; other bytes are shown in a way that keeps them apart.
fn text(name: &[u8]) -> String {
    std::str::from_utf8(name).map_or_else(|_| name.escape_ascii().to_string(), str::to_owned)
}

/// A path as everybody writes it: programs differ in `./` before and `/` behind.
fn plain(path: &str) -> &str {
    let path = path.trim_end_matches('/');
    if path == "." { "" } else { path.strip_prefix("./").unwrap_or(path) }
}
