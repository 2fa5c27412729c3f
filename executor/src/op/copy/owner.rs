//! What `--chown` says: a user and a group by number, or by the names that the tree's own files know.
//!
//! The rules are BuildKit's (`solver/llbsolver/ops/user_linux.go`): a user's number alone is the group's number too, and
//! a user's name brings the group of its line. Unlike there, a name that nobody knows is an error and not root.

use std::io;
use std::path::Path;

use crate::fault::reason;
use crate::root::{LastLink, Root};

/// Why an owner is not known.
#[derive(Debug, thiserror::Error)]
pub enum OwnerError {
    /// The tree has no such user or group.
    #[error("the {what} `{name}` is not known: `{file}` of the tree does not name it")]
    Unknown {
        /// `user` or `group`.
        what: &'static str,
        /// What was asked for.
        name: String,
        /// Where it was looked up.
        file: &'static str,
    },
    /// The file that names them cannot be read.
    #[error("cannot read `{file}` of the tree: {}", reason(source))]
    Unreadable {
        /// Which.
        file: &'static str,
        /// What the system said.
        source: io::Error,
    },
}

const USERS: &str = "/etc/passwd";
const GROUPS: &str = "/etc/group";

/// Whether `owner` names anybody: numbers mean the same in every tree.
#[must_use]
pub fn is_named(owner: &str) -> bool {
    numbers(owner).is_none()
}

/// Whether the files that name users and groups lie where outlines have their contents, each under one name, or are not there.
///
/// # Errors
/// If the tree cannot be read.
pub fn are_in_outlines(tree: &Root) -> Result<bool, OwnerError> {
    for file in [USERS, GROUPS] {
        let resolved = tree.resolve(Path::new(file), LastLink::Follow);
        let resolved = resolved.map_err(|source| OwnerError::Unreadable { file, source })?;
        let stat = tree.stat(&resolved).map_err(|source| OwnerError::Unreadable { file, source })?;
        if Path::new("/").join(resolved) != Path::new(file) || stat.is_some_and(|stat| stat.st_nlink > 1) {
            return Ok(false);
        }
    }
    Ok(true)
}

/// The numbers that `owner` has in every tree; `None` if it names somebody.
#[must_use]
pub fn numbers(owner: &str) -> Option<(u32, u32)> {
    let (user, group) = owner.split_once(':').unwrap_or((owner, ""));
    let user = if user.is_empty() { 0 } else { user.parse().ok()? };
    Some((user, if group.is_empty() { user } else { group.parse().ok()? }))
}

/// The numbers that `owner`, `user[:group]`, has in `tree`.
///
/// # Errors
/// If the tree does not know a name.
pub fn resolve(owner: &str, tree: &Root) -> Result<(u32, u32), OwnerError> {
    let (user, group) = owner.split_once(':').map_or((owner, None), |(user, group)| (user, Some(group)));
    let (uid, own_group) = match user.parse() {
        Ok(number) => (number, number),
        Err(_) if user.is_empty() => (0, 0),
        Err(_) => find(tree, USERS, "user", user, |fields| Some((number(fields, 2)?, number(fields, 3)?)))?,
    };
    let gid = match group.filter(|group| !group.is_empty()) {
        None => own_group,
        Some(group) => match group.parse() {
            Ok(number) => number,
            Err(_) => find(tree, GROUPS, "group", group, |fields| number(fields, 2))?,
        },
    };
    Ok((uid, gid))
}

/// Looks a name up in a file of lines whose fields are separated by colons, the name first.
fn find<T>(
    tree: &Root,
    file: &'static str,
    what: &'static str,
    name: &str,
    read: impl Fn(&[&str]) -> Option<T>,
) -> Result<T, OwnerError> {
    let bytes =
        tree.read(Path::new(file)).map_err(|source| OwnerError::Unreadable { file, source })?.unwrap_or_default();
    String::from_utf8_lossy(&bytes)
        .lines()
        .map(|line| line.split(':').collect::<Vec<_>>())
        .filter(|fields| fields.first() == Some(&name))
        .find_map(|fields| read(&fields))
        .ok_or_else(|| OwnerError::Unknown { what, name: name.to_owned(), file })
}

fn number(fields: &[&str], index: usize) -> Option<u32> {
    fields.get(index)?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

    use std::fs;

    use super::*;

    #[test]
    fn owners_are_numbers_or_names_of_the_tree() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("etc")).unwrap();
        fs::write(folder.path().join("etc/passwd"), "root:x:0:0::/root:/bin/sh\nbroken\napp:x:100:101::/:/bin/sh\n")
            .unwrap();
        fs::write(folder.path().join("etc/group"), "root:x:0:\nstaff:x:50:app\n").unwrap();
        let tree = Root::open(folder.path()).unwrap();
        let cases = [
            ("1000", (1000, 1000)),
            ("1000:5", (1000, 5)),
            ("app", (100, 101)),
            ("app:staff", (100, 50)),
            ("7:staff", (7, 50)),
            ("app:9", (100, 9)),
            (":staff", (0, 50)),
            ("root:", (0, 0)),
        ];
        for (owner, expected) in cases {
            assert_eq!(resolve(owner, &tree).unwrap(), expected, "{owner}");
        }
        for owner in ["nobody", "app:nobody", "broken", "App"] {
            assert!(matches!(resolve(owner, &tree), Err(OwnerError::Unknown { .. })), "{owner}");
        }
    }
}
