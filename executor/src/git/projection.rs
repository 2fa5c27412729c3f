//! Which files of a commit are taken where some paths of it are read: those at the paths, and all that links among them lead to.

use std::collections::{BTreeMap, HashSet};

/// How many symbolic links one path may lead through, as in the kernel. One that leads through more leads nowhere.
const MOST_LINKS: usize = 40;

/// What the index of a commit says of a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Entry {
    /// A file.
    File,
    /// A symbolic link: the object that has its target.
    Link(String),
    /// A submodule.
    Submodule,
}

/// The files of a commit by path.
pub(super) type Entries = BTreeMap<Vec<u8>, Entry>;

/// What the lines of `git ls-files -z --stage` say.
pub(super) fn entries(listed: &[u8]) -> Entries {
    let entries = listed.split(|byte| *byte == 0).filter_map(|line| {
        let tab = line.iter().position(|byte| *byte == b'\t')?;
        let (what, path) = (String::from_utf8_lossy(&line[..tab]), &line[tab + 1..]);
        let mut words = what.split(' ');
        let entry = match words.next()? {
            "120000" => Entry::Link(words.next()?.to_owned()),
            "160000" => Entry::Submodule,
            _ => Entry::File,
        };
        Some((path.to_owned(), entry))
    });
    entries.collect()
}

/// The files to take for `paths` below the folder `root` of the commit, out of which no link leads; `None` if that cannot be told
/// from the commit, for a submodule is among them. `targets` has what links lead to, by object.
pub(super) fn files<'e>(
    entries: &'e Entries,
    root: &str,
    paths: &[String],
    targets: &BTreeMap<&str, Vec<u8>>,
) -> Option<Vec<&'e [u8]>> {
    let prefix = if root.is_empty() { Vec::new() } else { [root.as_bytes(), b"/"].concat() };
    let is_above_root = |path: &[u8]| !path.is_empty() && prefix.starts_with(&[path, b"/"].concat());
    if entries.iter().any(|(path, entry)| *entry == Entry::Submodule && is_above_root(path)) {
        return None;
    }
    let mut found = Projection { entries, prefix, targets, taken: HashSet::new(), links: Vec::new() };
    for path in paths {
        found.follow(Vec::new(), names(path.as_bytes()))?;
    }
    while let Some((folder, target)) = found.links.pop() {
        found.follow(folder, target)?;
    }
    let mut taken: Vec<&[u8]> = found.taken.into_iter().collect();
    taken.sort_unstable();
    Some(taken)
}

struct Projection<'e, 't> {
    entries: &'e Entries,
    /// The root's path with a slash, or nothing.
    prefix: Vec<u8>,
    targets: &'t BTreeMap<&'t str, Vec<u8>>,
    taken: HashSet<&'e [u8]>,
    /// Links that were taken: the folder that each lies in, and the names in its target.
    links: Vec<(Vec<Name>, Vec<Name>)>,
}

type Name = Vec<u8>;

/// The names in a path that say something, last first.
fn names(path: &[u8]) -> Vec<Name> {
    path.split(|byte| *byte == b'/')
        .rev()
        .filter(|name| !name.is_empty() && *name != b".")
        .map(<[u8]>::to_vec)
        .collect()
}

impl<'e> Projection<'e, '_> {
    /// Goes the way that `rest` (last name first) describes from the folder `at`, as [`crate::root::Root::resolve`] will go it,
    /// and takes the links on it and what is at its end.
    fn follow(&mut self, mut at: Vec<Name>, mut rest: Vec<Name>) -> Option<()> {
        let mut links = 0;
        while let Some(name) = rest.pop() {
            if name == b".." {
                at.pop();
                continue;
            }
            at.push(name);
            let Some((path, entry)) = self.entry(&at) else { continue };
            match entry {
                Entry::Submodule => return None,
                Entry::File => drop(self.taken.insert(path)),
                Entry::Link(object) => {
                    self.taken.insert(path);
                    links += 1;
                    if links > MOST_LINKS {
                        return Some(());
                    }
                    let target = self.targets.get(object.as_str())?;
                    at.pop();
                    if target.first() == Some(&b'/') {
                        at.clear();
                    }
                    rest.extend(names(target));
                }
            }
        }
        self.take_below(&at)
    }

    fn entry(&self, at: &[Name]) -> Option<(&'e [u8], &'e Entry)> {
        let path = self.path(at);
        self.entries.get_key_value(&path).map(|(path, entry)| (path.as_slice(), entry))
    }

    fn path(&self, at: &[Name]) -> Vec<u8> {
        [self.prefix.as_slice(), &at.join(&b'/')].concat()
    }

    /// Takes everything in a folder.
    fn take_below(&mut self, folder: &[Name]) -> Option<()> {
        let mut prefix = self.path(folder);
        if !folder.is_empty() {
            prefix.push(b'/');
        }
        let entries = self.entries;
        for (path, entry) in entries.range(prefix.clone()..).take_while(|(path, _)| path.starts_with(&prefix)) {
            if *entry == Entry::Submodule {
                return None;
            }
            let is_new = self.taken.insert(path);
            if let (Entry::Link(object), true) = (entry, is_new) {
                let target = self.targets.get(object.as_str())?;
                let mut folder = names(&path[self.prefix.len()..]);
                folder.reverse();
                folder.pop();
                let folder = if target.first() == Some(&b'/') { Vec::new() } else { folder };
                self.links.push((folder, names(target)));
            }
        }
        Some(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

    use super::*;

    /// What is taken of a commit whose links are written `path -> target`, and its submodules `path @`.
    fn taken(commit: &[&str], root: &str, paths: &[&str]) -> Option<String> {
        let mut listed = Vec::new();
        for line in commit {
            let (path, mode, object) = match (line.split_once(" -> "), line.strip_suffix(" @")) {
                (Some((path, target)), _) => (path, "120000", target),
                (None, Some(path)) => (path, "160000", "x"),
                (None, None) => (*line, "100644", "x"),
            };
            listed.extend(format!("{mode} {object} 0\t{path}\0").into_bytes());
        }
        let entries = entries(&listed);
        // Each link's object is called after its target.
        let links = entries.values().filter_map(|entry| match entry {
            Entry::Link(object) => Some((object.as_str(), object.clone().into_bytes())),
            Entry::File | Entry::Submodule => None,
        });
        let paths: Vec<String> = paths.iter().map(ToString::to_string).collect();
        let files = files(&entries, root, &paths, &links.collect())?;
        Some(String::from_utf8(files.join(&b' ')).unwrap())
    }

    #[test]
    fn a_path_is_a_file_or_all_of_a_folder() {
        let commit = ["a", "dir/b", "dir/sub/c", "dir.d", "e"];
        for (path, expected) in
            [("a", "a"), ("dir", "dir/b dir/sub/c"), ("dir/sub", "dir/sub/c"), ("no", ""), ("a/x", "a")]
        {
            assert_eq!(taken(&commit, "", &[path]).unwrap(), expected, "{path}");
        }
        assert_eq!(taken(&commit, "", &["a", "e"]).unwrap(), "a e");
        assert_eq!(taken(&commit, "dir", &["sub"]).unwrap(), "dir/sub/c");
    }

    #[test]
    fn links_are_followed_wherever_they_stand() {
        let commit = [
            "a/link -> ../b/f",
            "b/f",
            "b/g",
            "c -> a",
            "d -> /b",
            "up -> ../../b/g",
            "loop -> loop",
            "e/in -> ../c/link",
        ];
        for (path, expected) in [
            ("c/link", "a/link b/f c"),
            ("c", "a/link b/f c"),
            ("d/g", "b/g d"),
            ("up", "b/g up"),
            ("loop/x", "loop"),
            // Through two links, of which the second is found in the first's folder.
            ("e", "a/link b/f c e/in"),
        ] {
            assert_eq!(taken(&commit, "", &[path]).unwrap(), expected, "{path}");
        }
    }

    #[test]
    fn the_root_is_the_folder_that_is_asked_for() {
        let commit = ["b/f", "sub/b/f", "sub/l -> /b/f", "sub/m -> ../b/f", "sub/n -> no/../b"];
        for path in ["l", "m"] {
            assert_eq!(taken(&commit, "sub", &[path]).unwrap(), format!("sub/b/f sub/{path}"), "{path}");
        }
        // What is not there is taken as it is written, as whoever reads the files takes it.
        assert_eq!(taken(&commit, "sub", &["n"]).unwrap(), "sub/b/f sub/n");
    }

    #[test]
    fn a_submodule_may_lead_anywhere() {
        let commit = ["a/f", "lib/one @", "l -> lib/one/x"];
        for path in ["lib", "lib/one", "lib/one/x", "l"] {
            assert_eq!(taken(&commit, "", &[path]), None, "{path}");
        }
        assert_eq!(taken(&commit, "lib/one/x", &["y"]), None);
        assert_eq!(taken(&commit, "", &["a"]).unwrap(), "a/f");
    }
}
