//! The lock file as it is written: TOML, sorted, so that a change of one pin is a change of one line.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fmt::Display;
use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use layercake_cache::Digest;
use layercake_compiler::platform::Platform;
use layercake_executor::fault::reason;
use layercake_executor::http::checksum::Checksum;
use serde::{Deserialize, Serialize};

use super::RENEW;
use super::entry::{Commit, Image, Remote};
use crate::command::publish;
use crate::failure::Failure;

/// The version of the form; it grows when a reader of the old form would go wrong.
const VERSION: i64 = 1;

const HEADER: &str = "# What the images, git references and URLs of this folder's Dockerfiles are: written by `layercake compile --lock`.\n";

/// What a lock file has.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Entries {
    /// The manifest of an image.
    pub(super) images: BTreeMap<Image, Digest>,
    pub(super) commits: BTreeMap<Remote, Commit>,
    /// The checksum of the file at an address.
    pub(super) files: BTreeMap<String, String>,
}

/// The file as TOML has it.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    version: i64,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    image: Vec<ImageTable>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    git: Vec<GitTable>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    url: Vec<UrlTable>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ImageTable {
    reference: String,
    platform: String,
    digest: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct GitTable {
    remote: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    reference: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tag: Option<String>,
    commit: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct UrlTable {
    url: String,
    checksum: String,
}

impl Entries {
    /// Reads a lock file; `None` if there is none.
    pub(super) fn read(path: &Path) -> Result<Option<Self>, Failure> {
        let shown = path.display();
        match fs::read_to_string(path) {
            Ok(text) => Self::parse(&text).map(Some).map_err(|problem| problem.of(&shown)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) if error.kind() == ErrorKind::InvalidData => Err(Problem::damaged("it is no text").of(&shown)),
            Err(error) => Err(Failure::environment(format!("cannot read the lock file `{shown}`: {}", reason(&error)))),
        }
    }

    /// Writes a lock file, unless it is so already.
    pub(super) fn write(&self, path: &Path) -> Result<(), Failure> {
        let text = self.text();
        if fs::read_to_string(path).is_ok_and(|known| known == text) {
            return Ok(());
        }
        publish::write(path, &text).map_err(|error| {
            Failure::environment(format!("cannot write the lock file `{}`: {}", path.display(), reason(&error)))
        })
    }

    /// Takes in what another one has, in place of what this one has of the same.
    pub(super) fn extend(&mut self, other: Self) {
        self.images.extend(other.images);
        self.commits.extend(other.commits);
        self.files.extend(other.files);
    }

    fn text(&self) -> String {
        let image = |(image, digest): (&Image, &Digest)| ImageTable {
            reference: image.reference.clone(),
            platform: image.platform.to_string(),
            digest: digest.to_string(),
        };
        let git = |(remote, commit): (&Remote, &Commit)| GitTable {
            remote: remote.remote.clone(),
            reference: remote.reference.clone(),
            name: commit.name.clone(),
            tag: commit.object.clone(),
            commit: commit.commit.clone(),
        };
        let url = |(url, checksum): (&String, &String)| UrlTable { url: url.clone(), checksum: checksum.clone() };
        let document = Document {
            version: VERSION,
            image: self.images.iter().map(image).collect(),
            git: self.commits.iter().map(git).collect(),
            url: self.files.iter().map(url).collect(),
        };
        format!("{HEADER}{}", toml::to_string(&document).expect("texts and numbers are TOML"))
    }

    fn parse(text: &str) -> Result<Self, Problem> {
        let table: toml::Table = text.parse().map_err(Problem::damaged)?;
        // Of another version nothing but this is known.
        match table.get("version").and_then(toml::Value::as_integer) {
            Some(VERSION) => (),
            Some(other) => return Err(Problem::Version(other)),
            None => return Err(Problem::damaged("it does not say which version it is of")),
        }
        let document: Document = toml::from_str(text).map_err(Problem::damaged)?;
        let mut entries = Self::default();
        for ImageTable { reference, platform, digest } in document.image {
            let platform: Platform = platform.parse().map_err(Problem::damaged)?;
            let digest: Digest =
                digest.parse().map_err(|_| Problem::damaged(format!("`{digest}` is no digest of an image")))?;
            insert(&mut entries.images, Image { reference, platform }, digest)?;
        }
        for GitTable { remote, reference, name, tag, commit } in document.git {
            for hash in std::iter::once(&commit).chain(&tag) {
                if !matches!(hash.len(), 40 | 64) || !hash.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
                {
                    return Err(Problem::damaged(format!("`{hash}` is no commit's hash")));
                }
            }
            insert(&mut entries.commits, Remote { remote, reference }, Commit { commit, object: tag, name })?;
        }
        for UrlTable { url, checksum } in document.url {
            Checksum::parse(&checksum).map_err(Problem::damaged)?;
            insert(&mut entries.files, url, checksum)?;
        }
        Ok(entries)
    }
}

fn insert<K: Ord + Display, V>(entries: &mut BTreeMap<K, V>, key: K, value: V) -> Result<(), Problem> {
    match entries.entry(key) {
        Entry::Vacant(place) => drop(place.insert(value)),
        Entry::Occupied(other) => return Err(Problem::damaged(format!("it has two entries for {}", other.key()))),
    }
    Ok(())
}

/// What is wrong with a lock file.
#[derive(Debug, PartialEq, Eq)]
enum Problem {
    Version(i64),
    Damaged(String),
}

impl Problem {
    fn damaged(what: impl Display) -> Self {
        Self::Damaged(what.to_string().trim_end().to_owned())
    }

    fn of(&self, shown: &impl Display) -> Failure {
        match self {
            Self::Version(version) => Failure::input(format!(
                "`{shown}` is a lock file of version {version}, and this layercake knows version {VERSION}"
            ))
            .help(format!("use a newer layercake, or remove the file and {RENEW}")),
            Self::Damaged(what) if what.contains('\n') => {
                Failure::input(format!("the lock file `{shown}` is damaged:\n{what}"))
                    .help(format!("mend it, or remove it and {RENEW}"))
            }
            Self::Damaged(what) => Failure::input(format!("the lock file `{shown}` is damaged: {what}"))
                .help(format!("mend it, or remove it and {RENEW}")),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

    use super::*;

    fn entries() -> Entries {
        let mut entries = Entries::default();
        for (reference, arch, content) in [("b:1", "amd64", "1"), ("a", "arm64", "2"), ("a", "amd64", "3")] {
            let image = Image { reference: reference.to_owned(), platform: Platform::new("linux", arch, "") };
            entries.images.insert(image, Digest::of(content.as_bytes()));
        }
        for (reference, name) in [(Some("v1"), Some("refs/tags/v1")), (None, Some("refs/heads/main"))] {
            let remote = Remote { remote: "https://h/r.git".to_owned(), reference: reference.map(str::to_owned) };
            let object = reference.map(|_| "b".repeat(40));
            let commit = Commit { commit: "a".repeat(40), object, name: name.map(str::to_owned) };
            entries.commits.insert(remote, commit);
        }
        entries.files.insert("http://h/f?\"q\"".to_owned(), Digest::of(b"f").to_string());
        entries
    }

    #[test]
    fn what_is_written_is_read() {
        let text = entries().text();
        assert_eq!(Entries::parse(&text).unwrap(), entries());
        assert_eq!(Entries::parse(&Entries::default().text()).unwrap(), Entries::default());
        let order: Vec<_> =
            text.lines().filter(|line| line.starts_with("reference") || line.starts_with("platform")).collect();
        let sorted = [
            "reference = \"a\"",
            "platform = \"linux/amd64\"",
            "reference = \"a\"",
            "platform = \"linux/arm64\"",
            "reference = \"b:1\"",
            "platform = \"linux/amd64\"",
            "reference = \"v1\"",
        ];
        assert_eq!(order, sorted);
        assert!(text.starts_with(HEADER) && text.lines().nth(1) == Some("version = 1"), "{text}");
    }

    #[test]
    fn what_is_no_lock_file_is_refused() {
        let damaged = |text: &str| match Entries::parse(text) {
            Err(Problem::Damaged(what)) => what,
            other => panic!("{text}: {other:?}"),
        };
        assert_eq!(Entries::parse("version = 7\nnew = 1\n"), Err(Problem::Version(7)));
        assert_eq!(damaged(""), "it does not say which version it is of");
        assert!(damaged("<<<<<<< HEAD\nversion = 1\n").contains("line 1"));
        assert!(damaged("version = 1\n[[imgae]]\n").contains("imgae"));
        let image =
            |digest: &str| format!("[[image]]\nreference = \"a\"\nplatform = \"linux/amd64\"\ndigest = \"{digest}\"\n");
        let digest = Digest::of(b"").to_string();
        assert!(Entries::parse(&format!("version = 1\n{}", image(&digest))).is_ok());
        assert_eq!(damaged(&format!("version = 1\n{}", image("sha256:1"))), "`sha256:1` is no digest of an image");
        let twice = format!("version = 1\n{}{}", image(&digest), image(&digest));
        assert_eq!(damaged(&twice), "it has two entries for the image `a` for linux/amd64");
        assert_eq!(damaged("version = 1\n[[git]]\nremote = \"r\"\ncommit = \"main\"\n"), "`main` is no commit's hash");
        assert!(damaged("version = 1\n[[url]]\nurl = \"u\"\nchecksum = \"md5:1\"\n").contains("`md5:1`"));
    }
}
