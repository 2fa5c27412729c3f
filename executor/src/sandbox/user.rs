//! Who the command runs as: `user[:group]`, by the tree's own `/etc/passwd` and `/etc/group`.
//!
//! The rules are those of `GetExecUser` in moby/sys/user, which `docker run --user` and `USER` follow. Like containerd
//! since CVE-2022-36109, the primary group is one of the supplementary groups too.

use std::fs::File;
use std::io::Read;
use std::os::fd::BorrowedFd;
use std::path::Path;

use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;

use super::failure::Failure;
use crate::mount;

/// The longest account file that is read, in bytes.
const LONGEST: u64 = 16 << 20;

/// Who the command runs as.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Identity {
    pub(super) uid: u32,
    pub(super) gid: u32,
    /// All groups, the primary one first.
    pub(super) groups: Vec<u32>,
    /// The home folder.
    pub(super) home: String,
}

/// Looks `wanted` up in the tree.
pub(super) fn resolve(root: BorrowedFd<'_>, wanted: &str) -> Result<Identity, Failure> {
    let read = |path: &str| read(root, path).map_err(|error| Failure::tree("read", format!("/{path}"), error));
    identity(wanted, &read("etc/passwd")?, &read("etc/group")?)
}

/// The text of a file of the tree; empty where there is none.
fn read(root: BorrowedFd<'_>, path: &str) -> Result<String, Errno> {
    // Without blocking: the tree may have a pipe there.
    match mount::open_inside(root, Path::new(path), OFlags::RDONLY | OFlags::NONBLOCK, Mode::empty()) {
        Ok(file) => {
            let mut text = Vec::new();
            let read = File::from(file).take(LONGEST).read_to_end(&mut text);
            read.map_err(|error| Errno::from_io_error(&error).unwrap_or(Errno::IO))?;
            Ok(String::from_utf8_lossy(&text).into_owned())
        }
        Err(Errno::NOENT | Errno::NOTDIR) => Ok(String::new()),
        Err(error) => Err(error),
    }
}

fn identity(wanted: &str, passwd: &str, group: &str) -> Result<Identity, Failure> {
    let (user, wanted_group) = wanted.split_once(':').unwrap_or((wanted, ""));
    let user = if user.is_empty() { "0" } else { user };
    let number: Option<u32> = user.parse().ok();
    let account = passwd.lines().filter_map(Account::parse).find(|a| a.name == user || Some(a.uid) == number);
    let (uid, gid, home) = match (&account, number) {
        (Some(account), _) => (account.uid, account.gid, account.home),
        (None, Some(number)) => (number, 0, ""),
        (None, None) => return Err(unknown("user", user, "/etc/passwd")),
    };
    let mut groups: Vec<u32>;
    if wanted_group.is_empty() {
        groups = vec![gid];
        let name = account.as_ref().map(|account| account.name);
        let member = |members: &str| members.split(',').any(|member| Some(member) == name);
        groups.extend(entries(group).filter(|(_, _, members)| member(members)).map(|(_, gid, _)| gid));
    } else {
        let number = wanted_group.parse().ok();
        let found = entries(group).find(|(name, gid, _)| *name == wanted_group || Some(*gid) == number);
        let gid = found.map(|(_, gid, _)| gid).or(number);
        groups = vec![gid.ok_or_else(|| unknown("group", wanted_group, "/etc/group"))?];
    }
    let mut seen = std::collections::BTreeSet::new();
    groups.retain(|group| seen.insert(*group));
    let home = if home.is_empty() { "/" } else { home }.to_owned();
    let gid = groups.first().copied().unwrap_or(gid);
    Ok(Identity { uid, gid, groups, home })
}

fn unknown(what: &str, name: &str, file: &str) -> Failure {
    Failure::UnknownOwner { what: what.to_owned(), name: name.to_owned(), file: file.to_owned() }
}

/// A line of `/etc/passwd`.
struct Account<'a> {
    name: &'a str,
    uid: u32,
    gid: u32,
    home: &'a str,
}

impl<'a> Account<'a> {
    /// `name:password:uid:gid:comment:home:shell`.
    fn parse(line: &'a str) -> Option<Self> {
        let mut fields = line.trim().split(':');
        let name = fields.next()?;
        let uid = fields.nth(1)?.parse().ok()?;
        let gid = fields.next()?.parse().ok()?;
        Some(Self { name, uid, gid, home: fields.nth(1).unwrap_or_default() })
    }
}

/// The lines of `/etc/group`, `name:password:gid:members`.
fn entries(group: &str) -> impl Iterator<Item = (&str, u32, &str)> {
    group.lines().filter_map(|line| {
        let mut fields = line.trim().split(':');
        let name = fields.next()?;
        let gid = fields.nth(1)?.parse().ok()?;
        Some((name, gid, fields.next().unwrap_or_default()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const PASSWD: &str =
        "root:x:0:0:root:/root:/bin/sh\nann:x:1000:100:Ann,,,:/home/ann:/bin/sh\n\nbroken\n7:x:70:71::/seven:\n";
    const GROUP: &str = "root:x:0:\nusers:x:100:\nwheel:x:10:root,ann\naudio:x:11:ann\nanna:x:12:anna\n";

    #[track_caller]
    fn check(wanted: &str, uid: u32, groups: &[u32], home: &str) {
        let expected = Identity { uid, gid: groups[0], groups: groups.to_vec(), home: home.to_owned() };
        assert_eq!(identity(wanted, PASSWD, GROUP), Ok(expected), "{wanted}");
    }

    #[test]
    fn users_and_groups_go_by_name_and_number() {
        check("", 0, &[0, 10], "/root");
        check("root", 0, &[0, 10], "/root");
        check("ann", 1000, &[100, 10, 11], "/home/ann");
        check("1000", 1000, &[100, 10, 11], "/home/ann");
        check("ann:wheel", 1000, &[10], "/home/ann");
        check("ann:77", 1000, &[77], "/home/ann");
        check("4242", 4242, &[0], "/");
        check("4242:users", 4242, &[100], "/");
        check(":users", 0, &[100], "/root");
        check("7", 70, &[71], "/seven");
    }

    #[test]
    fn names_that_the_tree_does_not_know_are_named() {
        let eve = Failure::UnknownOwner { what: "user".into(), name: "eve".into(), file: "/etc/passwd".into() };
        assert_eq!(identity("eve", PASSWD, GROUP), Err(eve));
        let staff = Failure::UnknownOwner { what: "group".into(), name: "staff".into(), file: "/etc/group".into() };
        assert_eq!(identity("ann:staff", PASSWD, GROUP), Err(staff));
        assert!(identity("-1", PASSWD, GROUP).is_err());
        assert!(identity("4294967296", "", "").is_err());
    }
}
