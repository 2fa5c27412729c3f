//! Submodules: what a commit and its `.gitmodules` say of them.
//!
//! They are fetched like any other repository, each into a repository of the store, and not by `git submodule`: that keeps
//! their addresses in the repository of the whole, which all builds share.

use std::collections::BTreeMap;

/// A submodule of a commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Submodule {
    /// What `.gitmodules` calls it.
    pub(super) name: String,
    /// Where it lies.
    pub(super) path: String,
    /// As it stands.
    pub(super) url: Option<String>,
    /// The commit that it is at.
    pub(super) commit: String,
}

/// The commits of submodules, by path, among the lines of `git ls-files -z --stage`.
pub(super) fn links(entries: &[u8]) -> Vec<(String, String)> {
    let entries = entries.split(|byte| *byte == 0).filter_map(|entry| {
        let entry = String::from_utf8_lossy(entry).into_owned();
        let (what, path) = entry.split_once('\t')?;
        let mut words = what.split(' ');
        let commit = (words.next()? == "160000").then(|| words.next()).flatten()?;
        Some((path.to_owned(), commit.to_owned()))
    });
    entries.collect()
}

/// The submodules at these paths, with what the pairs of `git config -z` say of them. Those that are not to be fetched are
/// left out.
pub(super) fn submodules(links: Vec<(String, String)>, settings: &[u8]) -> Vec<Submodule> {
    let mut named: BTreeMap<String, BTreeMap<String, String>> = BTreeMap::new();
    for pair in settings.split(|byte| *byte == 0) {
        let pair = String::from_utf8_lossy(pair);
        let (key, value) = pair.split_once('\n').unwrap_or((&pair, ""));
        // The name may have dots in it.
        let Some((name, variable)) = key.strip_prefix("submodule.").and_then(|key| key.rsplit_once('.')) else {
            continue;
        };
        if is_name(name) {
            named.entry(name.to_owned()).or_default().insert(variable.to_ascii_lowercase(), value.to_owned());
        }
    }
    let found = links.into_iter().filter_map(|(path, commit)| {
        let settings = named.iter().find(|(_, settings)| settings.get("path") == Some(&path));
        let value = |variable: &str| settings.and_then(|(_, settings)| settings.get(variable).cloned());
        if value("update").as_deref() == Some("none") {
            return None;
        }
        let name = settings.map_or_else(|| path.clone(), |(name, _)| name.clone());
        Some(Submodule { name, url: value("url"), path, commit })
    });
    found.collect()
}

/// Whether a name can be part of a path, as git itself checks it.
fn is_name(name: &str) -> bool {
    !name.is_empty() && !name.starts_with('/') && !name.split(['/', '\\']).any(|part| part == "..")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_gitmodules_says() {
        let entries =
            b"100644 e69de29b 0\t.gitmodules\x00160000 aaaa 0\tlib/one\x00160000 bbbb 0\ttwo\x00160000 cccc 0\tno\0";
        let settings = b"submodule.a.b.path\nlib/one\0submodule.a.b.url\n../one.git\0submodule.../x.path\ntwo\0\
                         submodule.../x.url\nhttps://h/x\0submodule.n.path\nno\0submodule.n.update\nnone\0";
        let found = submodules(links(entries), settings);
        let one = Submodule {
            name: "a.b".to_owned(),
            path: "lib/one".to_owned(),
            url: Some("../one.git".to_owned()),
            commit: "aaaa".to_owned(),
        };
        // What leads out of the repository's folder is no name, and then nothing is known of the submodule.
        let two = Submodule { name: "two".to_owned(), path: "two".to_owned(), url: None, commit: "bbbb".to_owned() };
        assert_eq!(found, [one, two]);
    }
}
