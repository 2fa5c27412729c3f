//! Who looks at parts, and who takes them away: what was used is known, and only who is alone takes anything.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::fs::{self, File};
use std::os::unix::fs::symlink;
use std::path::Path;
use std::thread;
use std::time::{Duration, SystemTime};

use layercake_cache::{ContentId, ContentKey, Error, KeyHasher, Part, PartKind, Sharing, Store};

/// Longer ago than what counts as the same use.
const DAY: Duration = Duration::from_secs(86_400);

fn key(name: &str) -> ContentKey {
    KeyHasher::new("test").field(name.as_bytes()).finish()
}

/// A store with a part of every kind, none of them used for a day.
fn store() -> (tempfile::TempDir, Store) {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(&folder.path().join("store")).unwrap();
    store.put_record(&key("a"), b"one").unwrap();
    store.put_blob(b"blob").unwrap();
    store.put_named("shelf", "name", b"value").unwrap();
    let scratch = store.scratch().unwrap();
    fs::write(scratch.path().join("file"), vec![1; 10_000]).unwrap();
    fs::hard_link(scratch.path().join("file"), scratch.path().join("again")).unwrap();
    symlink("/etc", scratch.path().join("elsewhere")).unwrap();
    store.put_folder(&ContentId::new(blake3::hash(b"x")), scratch.path()).unwrap();
    drop(store.shared_folder::<Error>("mount /cache", Sharing::Locked, |_| Ok(())).unwrap());
    for part in store.parts().0.iter().filter(|part| matches!(part.kind, PartKind::Record | PartKind::Blob)) {
        age(&part.path);
    }
    (folder, store)
}

fn age(path: &Path) {
    File::open(path).unwrap().set_modified(SystemTime::now() - DAY).unwrap();
}

fn part(store: &Store, kind: PartKind) -> Part {
    let (parts, failed) = store.parts();
    assert!(failed.is_empty(), "{failed:?}");
    let mut found = parts.into_iter().filter(|part| part.kind == kind);
    let first = found.next().unwrap();
    assert_eq!(found.next(), None);
    first
}

fn is_fresh(part: &Part) -> bool {
    SystemTime::now().duration_since(part.used).unwrap_or_default() < DAY / 2
}

#[test]
fn every_part_is_listed_with_its_size() {
    let (_folder, store) = store();
    let folder = part(&store, PartKind::Folder);
    let size = folder.size().unwrap();
    assert!((10_000..40_000).contains(&size), "the file counts once, and what a link leads to not at all: {size}");
    let shared = part(&store, PartKind::Shared);
    assert_eq!(shared.label().as_deref(), Some("mount /cache"));
    assert_eq!(part(&store, PartKind::Name).label(), None);
    fs::create_dir(store.root().join("from-the-future")).unwrap();
    assert_eq!(part(&store, PartKind::Other).name, "from-the-future");
}

#[test]
fn reading_is_using_unless_one_only_looks() {
    let (_folder, store) = store();
    let digest = layercake_cache::Digest::of(b"blob");
    let both = |store: &Store| [PartKind::Record, PartKind::Blob].map(|kind| is_fresh(&part(store, kind)));
    assert_eq!(both(&store), [false, false]);
    let looking = store.clone().onlooking();
    looking.record(&key("a")).unwrap().unwrap();
    looking.read_blob(&digest).unwrap().unwrap();
    assert_eq!(both(&store), [false, false]);
    store.record(&key("a")).unwrap().unwrap();
    assert_eq!(both(&store), [true, false]);
    store.read_blob(&digest).unwrap().unwrap();
    assert_eq!(both(&store), [true, true]);
}

#[test]
fn only_who_is_alone_takes_away_and_others_wait() {
    let (folder, store) = store();
    let root = folder.path().join("store");
    let other = Store::open(&root).unwrap();
    assert!(store.alone().unwrap().is_none(), "somebody else has it open");
    drop(other);
    let alone = store.alone().unwrap().unwrap();
    alone.discard(&part(&store, PartKind::Folder)).unwrap();
    alone.discard(&part(&store, PartKind::Record)).unwrap();
    assert_eq!(store.record(&key("a")).unwrap(), None);
    let waiting = thread::spawn(move || drop(Store::open(&root).unwrap()));
    thread::sleep(Duration::from_millis(50));
    assert!(!waiting.is_finished());
    drop(alone);
    waiting.join().unwrap();
    assert!(store.parts().0.iter().all(|part| !matches!(part.kind, PartKind::Folder | PartKind::Record)));
    // And alone no more.
    let second = Store::open(&folder.path().join("store")).unwrap();
    assert!(second.alone().unwrap().is_none());
}
