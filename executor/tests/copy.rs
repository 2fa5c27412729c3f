//! What `COPY` makes of sources and destinations: the rules of BuildKit, as a table.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::Path;

use layercake_cache::ContentId;
use layercake_executor::change::capture;
use layercake_executor::draft::{Draft, WriteError};
use layercake_executor::op::copy::mode::ModeChange;
use layercake_executor::op::copy::source::{SelectError, Selected, Source};
use layercake_executor::op::copy::write::{Owner, Writer};
use layercake_executor::root::Root;
use layercake_executor::select::{self, Owners, Verdict};
use proptest::prelude::*;
use rustix::fs::FileType;

/// Makes files (`a/b=content`), folders (`a/b/`) and links (`a -> target`).
fn plant(folder: &Path, entries: &[&str]) {
    for entry in entries {
        if let Some((name, target)) = entry.split_once(" -> ") {
            fs::create_dir_all(folder.join(name).parent().unwrap()).unwrap();
            symlink(target, folder.join(name)).unwrap();
        } else if let Some(name) = entry.strip_suffix('/') {
            fs::create_dir_all(folder.join(name)).unwrap();
        } else {
            let (name, content) = entry.split_once('=').unwrap_or((entry, entry));
            fs::create_dir_all(folder.join(name).parent().unwrap()).unwrap();
            fs::write(folder.join(name), content).unwrap();
        }
    }
}

/// What `plant` would have to be given.
fn harvest(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in walkdir::WalkDir::new(folder).min_depth(1).sort_by_file_name() {
        let entry = entry.unwrap();
        let name = entry.path().strip_prefix(folder).unwrap().display().to_string();
        found.push(if entry.file_type().is_symlink() {
            format!("{name} -> {}", fs::read_link(entry.path()).unwrap().display())
        } else if entry.file_type().is_dir() {
            format!("{name}/")
        } else {
            format!("{name}={}", fs::read_to_string(entry.path()).unwrap())
        });
    }
    found
}

/// Whoever runs the tests owns what they write: nobody else but root may give files away.
fn mine() -> Owner {
    Owner::Set { uid: rustix::process::getuid().as_raw(), gid: rustix::process::getgid().as_raw() }
}

fn everything(_: &Path, _: FileType) -> Verdict {
    Verdict::Take
}

/// Copies `pattern` to `destination` and gives the error's text, if any.
fn copy(from: &Path, to: &Path, pattern: &str, destination: &str) -> Result<(), String> {
    copy_filtered(from, to, pattern, destination, &everything)
}

fn copy_filtered(
    from: &Path,
    to: &Path,
    pattern: &str,
    destination: &str,
    filter: &(dyn Fn(&Path, FileType) -> Verdict + Sync),
) -> Result<(), String> {
    let root = Root::open(from).unwrap();
    let source = Source { root: &root, filter };
    let selected = source.select(pattern).map_err(|error| error.to_string())?;
    write(&source, &selected, to, destination, None).map_err(|error| error.to_string())
}

/// Copies what was selected to `destination` in the folder `to`.
fn write(
    source: &Source<'_>,
    selected: &[Selected],
    to: &Path,
    destination: &str,
    mode: Option<&ModeChange>,
) -> Result<(), WriteError> {
    let layers = [to.to_owned()];
    let mut draft = Draft::on(&layers)?;
    let mut writer = Writer::new(&mut draft, mine(), mode);
    for selected in selected {
        writer.copy(source.root, source.filter, selected, destination)?;
    }
    draft.write_onto(&Root::open(to).unwrap())
}

#[track_caller]
fn check(before: &[&str], pattern: &str, destination: &str, after: &[&str]) {
    let (from, to) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let links = ["link -> dir", "filelink -> a", "dir/inner -> ../a"];
    plant(from.path(), &["a=1", "b=2", "dir/x=3", "dir/sub/y=4", "deep/one/f=5", "deep/two/f=6"]);
    plant(from.path(), &links);
    plant(to.path(), before);
    copy(from.path(), to.path(), pattern, destination).unwrap();
    assert_eq!(harvest(to.path()), after, "COPY {pattern} {destination}");
}

#[test]
fn a_file_goes_to_a_name_or_into_a_folder() {
    check(&[], "a", "/c", &["c=1"]);
    check(&[], "a", "/new/c", &["new/", "new/c=1"]);
    check(&[], "a", "/new/", &["new/", "new/a=1"]);
    check(&["there/"], "a", "/there", &["there/", "there/a=1"]);
    check(&["c=old"], "a", "/c", &["c=1"]);
    check(&[], "/a", "/", &["a=1"]);
    check(&[], "../../a", "/", &["a=1"]);
}

#[test]
fn a_folder_gives_its_contents() {
    let contents = ["d/", "d/inner -> ../a", "d/sub/", "d/sub/y=4", "d/x=3"];
    check(&[], "dir", "/d", &contents);
    check(&[], "dir/", "/d/", &contents);
    check(&["d/x=old"], "dir", "/d", &contents);
    check(&["d/keep"], "deep/one", "/d", &["d/", "d/f=5", "d/keep=d/keep"]);
}

#[test]
fn links_that_are_named_are_followed_and_those_below_are_kept() {
    check(&[], "link", "/d", &["d/", "d/inner -> ../a", "d/sub/", "d/sub/y=4", "d/x=3"]);
    check(&[], "link/x", "/", &["x=3"]);
    check(&[], "filelink", "/", &["filelink=1"]);
    check(&[], "filelink", "/c", &["c=1"]);
}

#[test]
fn links_of_the_destination_are_followed_inside_the_tree() {
    check(&["usr/lib/", "lib -> usr/lib"], "a", "/lib/", &["lib -> usr/lib", "usr/", "usr/lib/", "usr/lib/a=1"]);
    check(&["lib -> /usr/lib"], "a", "/lib/", &["lib -> /usr/lib", "usr/", "usr/lib/", "usr/lib/a=1"]);
    check(&["out -> ../../../etc"], "a", "/out/", &["etc/", "etc/a=1", "out -> ../../../etc"]);
}

#[test]
fn wildcards_match_a_level_each() {
    check(&[], "?", "/d/", &["d/", "d/a=1", "d/b=2"]);
    check(&[], "deep/*/f", "/d/", &["d/", "d/f=6"]);
    let all = ["d/", "d/inner -> ../a", "d/one/", "d/one/f=5", "d/sub/", "d/sub/y=4", "d/two/", "d/two/f=6", "d/x=3"];
    check(&[], "d*", "/d/", &all);
    check(&[], "nothing*", "/d/", &[]);
    check(&[], "[ab]", "/d/", &["d/", "d/a=1", "d/b=2"]);
}

#[test]
fn what_does_not_exist_is_an_error() {
    let (from, to) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    plant(from.path(), &["a", "dir/x"]);
    for missing in ["b", "dir/y", "a/x", "dir/x/z"] {
        assert_eq!(copy(from.path(), to.path(), missing, "/"), Err(format!("\"/{missing}\": not found")));
    }
}

#[test]
fn neither_replaces_a_folder_a_file_nor_a_file_a_folder() {
    let (from, to) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    plant(from.path(), &["dir/sub/x", "file", "top/sub"]);
    plant(to.path(), &["d/sub=a file", "taken=a file", "e/sub/"]);
    let from_root = Root::open(from.path()).unwrap();
    let source = Source { root: &from_root, filter: &everything };
    let fail = |pattern: &str, destination: &str| {
        let selected = source.select(pattern).unwrap();
        write(&source, &selected, to.path(), destination, None).unwrap_err()
    };
    assert!(matches!(fail("dir", "/d"), WriteError::FolderOverFile(path) if path == Path::new("d/sub")));
    assert!(matches!(fail("dir", "/taken"), WriteError::FolderOverFile(path) if path == Path::new("taken")));
    assert!(matches!(fail("file", "/taken/"), WriteError::FolderOverFile(path) if path == Path::new("taken")));
    assert!(matches!(fail("top", "/e"), WriteError::FileOverFolder(path) if path == Path::new("e/sub")));
    assert_eq!(fs::read_to_string(to.path().join("d/sub")).unwrap(), "a file");
}

#[test]
fn what_is_hidden_is_neither_copied_nor_found() {
    let (from, to) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    plant(from.path(), &["a", "secret", "dir/x", "dir/secret", "closed/open/x", "closed/y", "empty/secret"]);
    let filter = |path: &Path, _: FileType| match path.to_str().unwrap() {
        path if path.ends_with("secret") => Verdict::Skip,
        "closed" | "empty" => Verdict::Enter,
        "closed/y" => Verdict::Skip,
        _ => Verdict::Take,
    };
    copy_filtered(from.path(), to.path(), ".", "/", &filter).unwrap();
    let expected = ["a=a", "closed/", "closed/open/", "closed/open/x=closed/open/x", "dir/", "dir/x=dir/x"];
    assert_eq!(harvest(to.path()), expected);

    let root = Root::open(from.path()).unwrap();
    let source = Source { root: &root, filter: &filter };
    assert!(matches!(source.select("secret"), Err(SelectError::Ignored(_))));
    assert!(source.select("sec*").unwrap().is_empty());
}

#[test]
fn hard_links_modes_and_times_are_kept() {
    let (from, to) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    plant(from.path(), &["d/a=same", "d/sub/"]);
    fs::hard_link(from.path().join("d/a"), from.path().join("d/sub/b")).unwrap();
    fs::set_permissions(from.path().join("d/a"), fs::Permissions::from_mode(0o4751)).unwrap();
    fs::set_permissions(from.path().join("d/sub"), fs::Permissions::from_mode(0o1777)).unwrap();
    let past = std::time::SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(1_000_000_000);
    fs::File::open(from.path().join("d/a")).unwrap().set_modified(past).unwrap();
    fs::File::open(from.path().join("d/sub")).unwrap().set_modified(past).unwrap();
    copy(from.path(), to.path(), "d", "/to").unwrap();
    let stat = |name: &str| fs::symlink_metadata(to.path().join(name)).unwrap();
    assert_eq!(stat("to/a").ino(), stat("to/sub/b").ino());
    assert_eq!((stat("to/a").mode() & 0o7777, stat("to/sub").mode() & 0o7777), (0o4751, 0o1777));
    assert_eq!((stat("to/a").mtime(), stat("to/sub").mtime()), (1_000_000_000, 1_000_000_000));
}

#[test]
fn a_further_name_of_a_file_that_was_replaced_is_the_file_all_the_same() {
    let (from, to) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    plant(from.path(), &["a/x=same", "b/x=other", "c/", "d/", "e/"]);
    for name in ["c/x", "d/x", "e/y"] {
        fs::hard_link(from.path().join("a/x"), from.path().join(name)).unwrap();
    }
    // Each `x` replaces the one before; that of `d` is the same file as that of `c`, and `y` is too.
    copy(from.path(), to.path(), "*/*", "/to/").unwrap();
    assert_eq!(harvest(to.path()), ["to/", "to/x=same", "to/y=same"]);
    let stat = |name: &str| fs::symlink_metadata(to.path().join(name)).unwrap();
    assert_eq!((stat("to/x").ino(), stat("to/x").nlink()), (stat("to/y").ino(), 2));
}

#[test]
fn holes_stay_holes() {
    use std::os::unix::fs::FileExt;
    let (from, to) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let file = fs::File::create(from.path().join("sparse")).unwrap();
    file.write_all_at(b"begin", 0).unwrap();
    file.write_all_at(b"middle", 3 << 20).unwrap();
    file.set_len(64 << 20).unwrap();
    fs::File::create(from.path().join("hole")).unwrap().set_len(1 << 30).unwrap();
    copy(from.path(), to.path(), ".", "/").unwrap();
    for name in ["sparse", "hole"] {
        let stat = |folder: &Path| fs::metadata(folder.join(name)).unwrap();
        assert_eq!(stat(to.path()).len(), stat(from.path()).len());
        assert!(stat(to.path()).blocks() <= stat(from.path()).blocks(), "{name}");
    }
    let read = |folder: &Path| fs::read(folder.join("sparse")).unwrap();
    assert!(read(from.path()) == read(to.path()));
}

#[test]
fn a_mode_is_for_all_that_is_written() {
    let (from, to) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    plant(from.path(), &["d/a", "d/sub/b"]);
    let from_root = Root::open(from.path()).unwrap();
    let source = Source { root: &from_root, filter: &everything };
    let mode = ModeChange::parse("750").unwrap();
    let selected = source.select("d").unwrap();
    write(&source, &selected, to.path(), "/new/to", Some(&mode)).unwrap();
    for name in ["new", "new/to", "new/to/a", "new/to/sub", "new/to/sub/b"] {
        assert_eq!(fs::metadata(to.path().join(name)).unwrap().mode() & 0o7777, 0o750, "{name}");
    }
}

/// A file of a tree: which file its name is of, what that holds, and whether it may be run. Of a file of several names, the
/// first says the last two.
type Name = (usize, u8, bool);

/// Makes a tree of these names, half of them in a folder, in their order or from the last to the first.
fn plant_names(folder: &Path, names: &[Name], reverse: bool) {
    fs::create_dir(folder.join("d")).unwrap();
    let place =
        |index: usize| folder.join(if index.is_multiple_of(2) { format!("{index}") } else { format!("d/{index}") });
    let mut order: Vec<usize> = (0..names.len()).collect();
    if reverse {
        order.reverse();
    }
    let mut made: Vec<(usize, usize)> = Vec::new();
    for index in order {
        let group = names[index].0;
        if let Some((_, other)) = made.iter().find(|(known, _)| *known == group) {
            fs::hard_link(place(*other), place(index)).unwrap();
            continue;
        }
        let (_, content, executable) = *names.iter().find(|(other, ..)| *other == group).unwrap();
        fs::write(place(index), [content]).unwrap();
        let mode = if executable { 0o755 } else { 0o644 };
        fs::set_permissions(place(index), fs::Permissions::from_mode(mode)).unwrap();
        made.push((group, index));
    }
}

/// The ids of what would be copied of a tree of these names, and of what has been copied.
fn ids(names: &[Name], reverse: bool) -> (ContentId, ContentId) {
    let (from, to) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    plant_names(from.path(), names, reverse);
    let root = select::Root::open(from.path()).unwrap();
    let wanted = select::select(&root, &["".into()], Owners::Ignored, &everything, None).unwrap();
    copy(from.path(), to.path(), ".", "/").unwrap();
    (wanted.id, capture(to.path(), &[]).unwrap().id)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    /// The law of keys: what is copied differs exactly if the ids of what is to be copied do.
    #[test]
    fn equal_selections_are_equal_copies_and_others_are_others(
        names in prop::collection::vec((0..4_usize, 0..2_u8, any::<bool>()), 1..7),
        index in any::<prop::sample::Index>(),
        other in (0..4_usize, 0..2_u8, any::<bool>()),
    ) {
        let (wanted, copied) = ids(&names, false);
        prop_assert_eq!(ids(&names, true), (wanted, copied));
        let mut changed = names.clone();
        changed[index.index(names.len())] = other;
        let (also_wanted, also_copied) = ids(&changed, false);
        prop_assert_eq!(wanted == also_wanted, copied == also_copied, "{:?} {:?}", names, changed);
    }
}
