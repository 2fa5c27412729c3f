//! What a store promises: published things are whole, damage is a miss, unfinished work disappears, claims exclude.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::fs;
use std::io::Write;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use layercake_cache::{ContentId, ContentKey, Digest, Error, KeyHasher, Sharing, Store};

fn key(name: &str) -> ContentKey {
    KeyHasher::new("test").field(name.as_bytes()).finish()
}

fn store() -> (tempfile::TempDir, Store) {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(&folder.path().join("store")).unwrap();
    (folder, store)
}

/// All files below `folder`, for tests of what is left.
fn files(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten() {
        let entry = entry.unwrap();
        if entry.file_type().unwrap().is_dir() {
            found.extend(files(&entry.path()));
        }
        found.push(entry.path().display().to_string());
    }
    found
}

#[test]
fn records_are_found_again_and_replaced() {
    let (_folder, store) = store();
    assert_eq!(store.record(&key("a")).unwrap(), None);
    store.put_record(&key("a"), b"one").unwrap();
    store.put_record(&key("a"), b"two").unwrap();
    assert_eq!(store.record(&key("a")).unwrap().unwrap(), b"two");
    assert_eq!(store.record(&key("b")).unwrap(), None);
}

#[test]
fn a_damaged_record_is_a_miss() {
    let (_folder, store) = store();
    store.put_record(&key("a"), b"a value of some length").unwrap();
    let path = files(&store.root().join("records")).into_iter().find(|path| Path::new(path).is_file()).unwrap();
    let whole = fs::read(&path).unwrap();
    for length in 0..whole.len() {
        fs::write(&path, &whole[..length]).unwrap();
        assert_eq!(store.record(&key("a")).unwrap(), None, "cut to {length} bytes");
    }
    for position in 0..whole.len() {
        let mut flipped = whole.clone();
        flipped[position] ^= 1;
        fs::write(&path, flipped).unwrap();
        assert_eq!(store.record(&key("a")).unwrap(), None, "byte {position} flipped");
    }
}

#[test]
fn a_blob_is_published_only_if_it_is_what_was_promised() {
    let (_folder, store) = store();
    let promised = Digest::of(b"hello");
    for (bytes, size) in [(&b"hellO"[..], None), (b"hell", Some(5)), (b"hello", Some(6))] {
        let mut writer = store.blob_writer().unwrap();
        writer.write_all(bytes).unwrap();
        let error = writer.finish_as(&promised, size).unwrap_err();
        assert!(matches!(error, Error::Digest { .. } | Error::Size { .. }), "{error}");
        assert!(!store.has_blob(&promised));
    }
    assert!(files(&store.root().join("blobs")).is_empty(), "nothing half-published");
    let mut writer = store.blob_writer().unwrap();
    writer.write_all(b"hello").unwrap();
    writer.finish_as(&promised, Some(5)).unwrap();
    assert_eq!(store.read_blob(&promised).unwrap().unwrap(), b"hello");
}

/// What has come of blobs that are not complete.
fn partials(store: &Store) -> Vec<String> {
    files(&store.root().join("partial/sha256"))
}

#[test]
fn a_partial_blob_is_gone_on_with_by_the_next() {
    let (folder, store) = store();
    let digest = Digest::of(b"hello");
    let mut first = store.partial_blob(&digest).unwrap();
    assert_eq!(first.length(), 0);
    first.write_all(b"hel").unwrap();
    drop(first);
    assert!(!store.has_blob(&digest), "nothing half-published");
    drop(store);
    let store = Store::open(&folder.path().join("store")).unwrap();
    let mut second = store.partial_blob(&digest).unwrap();
    assert_eq!(second.length(), 3);
    second.write_all(b"lo").unwrap();
    second.finish(5).unwrap();
    assert_eq!(store.read_blob(&digest).unwrap().unwrap(), b"hello");
    assert!(partials(&store).is_empty());
    // One that never got anything leaves nothing.
    drop(store.partial_blob(&Digest::of(b"other")).unwrap());
    assert!(partials(&store).is_empty());
}

#[test]
fn a_partial_blob_is_published_only_if_it_is_what_was_promised() {
    let (_folder, store) = store();
    let digest = Digest::of(b"hello");
    for (bytes, size) in [(&b"hellO"[..], 5), (b"hell", 5), (b"hello", 6)] {
        let mut partial = store.partial_blob(&digest).unwrap();
        assert_eq!(partial.length(), 0, "what was of no use is not gone on with");
        partial.write_all(bytes).unwrap();
        assert!(matches!(partial.finish(size), Err(Error::Digest { .. } | Error::Size { .. })));
        assert!(!store.has_blob(&digest));
        assert!(partials(&store).is_empty());
    }
    let mut partial = store.partial_blob(&digest).unwrap();
    partial.write_all(b"something else").unwrap();
    partial.restart().unwrap();
    partial.write_all(b"hello").unwrap();
    partial.finish(5).unwrap();
    assert!(store.has_blob(&digest));
}

#[test]
fn one_at_a_time_goes_on_with_a_partial_blob() {
    let (folder, store) = store();
    let digest = Digest::of(b"0123456789");
    thread::scope(|scope| {
        for _ in 0..5 {
            // Stores opened apart from one another stand for processes.
            let store = Store::open(&folder.path().join("store")).unwrap();
            scope.spawn(move || {
                let mut partial = store.partial_blob(&digest).unwrap();
                if store.has_blob(&digest) {
                    return;
                }
                let done = usize::try_from(partial.length()).unwrap();
                thread::sleep(std::time::Duration::from_millis(5));
                partial.write_all(&b"0123456789"[done..(done + 3).min(10)]).unwrap();
                if partial.length() == 10 {
                    partial.finish(10).unwrap();
                }
            });
        }
    });
    assert_eq!(store.read_blob(&digest).unwrap().unwrap(), b"0123456789");
    assert!(partials(&store).is_empty());
}

#[test]
fn partial_blobs_that_everybody_has_forgotten_are_dropped() {
    let (folder, store) = store();
    let root = folder.path().join("store");
    let begin = |bytes: &[u8], age: u64| {
        let digest = Digest::of(bytes);
        store.partial_blob(&digest).unwrap().write_all(b"x").unwrap();
        let path = root.join("partial/sha256").join(digest.hex());
        let then = std::time::SystemTime::now() - std::time::Duration::from_secs(age);
        fs::File::options().append(true).open(&path).unwrap().set_modified(then).unwrap();
        path
    };
    let (old, young) = (begin(b"old", 8 * 24 * 3600), begin(b"young", 6 * 24 * 3600));
    let held = begin(b"held", 8 * 24 * 3600);
    let holder = store.partial_blob(&Digest::of(b"held")).unwrap();
    Store::open(&root).unwrap();
    assert_eq!((old.exists(), young.exists(), held.exists()), (false, true, true));
    drop(holder);
}

#[test]
fn a_damaged_document_is_not_believed() {
    let (_folder, store) = store();
    let digest = store.put_blob(b"a document").unwrap();
    fs::write(store.blob_path(&digest), b"another").unwrap();
    assert!(matches!(store.read_blob(&digest), Err(Error::Digest { .. })));
}

#[test]
fn the_digest_is_sha256() {
    // FIPS 180-2, appendix B.1.
    let expected = "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    assert_eq!(Digest::of(b"abc").to_string(), expected);
    assert_eq!(expected.parse::<Digest>().unwrap(), Digest::of(b"abc"));
    for wrong in ["", "sha256:", "sha512:00", &expected.to_uppercase(), &expected[..70], &format!("{expected}0")] {
        assert!(wrong.parse::<Digest>().is_err(), "{wrong}");
    }
}

#[test]
fn of_two_equal_folders_the_first_stays() {
    let (_folder, store) = store();
    let id = ContentId::new(blake3::hash(b"content"));
    for text in ["first", "second"] {
        let scratch = store.scratch().unwrap();
        let finished = scratch.path().join("finished");
        fs::create_dir(&finished).unwrap();
        fs::write(finished.join("file"), text).unwrap();
        let place = store.put_folder(&id, &finished).unwrap();
        assert_eq!(fs::read(place.join("file")).unwrap(), b"first");
    }
}

#[test]
fn names_change_and_are_forgotten() {
    let (_folder, store) = store();
    store.put_named("images", "a/b:c", b"1").unwrap();
    store.put_named("images", "a/b:c", b"2").unwrap();
    store.put_named("images", "../../escape", b"3").unwrap();
    assert_eq!(store.named("images", "a/b:c").unwrap().unwrap(), b"2");
    let mut all = store.shelf("images").unwrap();
    all.sort();
    assert_eq!(all, [b"2", b"3"]);
    assert!(store.forget_named("images", "a/b:c").unwrap());
    assert!(!store.forget_named("images", "a/b:c").unwrap());
}

#[test]
fn a_name_that_keeps_its_value_is_as_good_as_new() {
    use std::os::unix::fs::MetadataExt;
    let (_folder, store) = store();
    store.put_named("images", "a", b"1").unwrap();
    let path = fs::read_dir(store.root().join("names/images")).unwrap().next().unwrap().unwrap().path();
    let long_ago = std::time::SystemTime::UNIX_EPOCH;
    fs::File::open(&path).unwrap().set_modified(long_ago).unwrap();
    let inode = fs::metadata(&path).unwrap().ino();
    store.put_named("images", "a", b"1").unwrap();
    assert_eq!(fs::metadata(&path).unwrap().ino(), inode, "it was not written");
    assert!(store.named_at("images", "a").unwrap() > long_ago);
    store.put_named("images", "a", b"12").unwrap();
    assert_eq!(store.named("images", "a").unwrap().unwrap(), b"12");
}

#[test]
fn unfinished_work_disappears() {
    let (folder, store) = store();
    let scratch = store.scratch().unwrap();
    fs::create_dir(scratch.path().join("locked")).unwrap();
    fs::write(scratch.path().join("locked/file"), "x").unwrap();
    fs::set_permissions(scratch.path().join("locked"), std::os::unix::fs::PermissionsExt::from_mode(0o500)).unwrap();
    drop(scratch);
    let mut writer = store.blob_writer().unwrap();
    writer.write_all(b"half").unwrap();
    drop(writer);
    drop(store);
    assert!(files(&folder.path().join("store/tmp")).is_empty());
}

#[test]
fn what_a_dead_process_left_is_dropped_and_what_a_living_one_holds_is_not() {
    let (folder, store) = store();
    let root = folder.path().join("store");
    let held = store.scratch().unwrap();
    fs::create_dir_all(root.join("tmp/123-456/half")).unwrap();
    let other = Store::open(&root).unwrap();
    assert!(!root.join("tmp/123-456").exists());
    assert!(held.path().exists());
    drop(other);
    assert!(held.path().exists());
}

#[test]
fn a_folder_of_something_else_is_refused_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("thesis.tex"), "x").unwrap();
    assert!(matches!(Store::open(folder.path()), Err(Error::NotAStore { .. })));
    assert_eq!(files(folder.path()).len(), 1);
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("format"), "layercake store 0\n").unwrap();
    assert!(matches!(Store::open(folder.path()), Err(Error::Format { .. })));
}

#[test]
fn one_at_a_time_has_the_claim() {
    let (_folder, store) = store();
    let (inside, most, done) = (AtomicUsize::new(0), AtomicUsize::new(0), AtomicUsize::new(0));
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for _ in 0..50 {
                    let claim = store.claim(&key("work")).unwrap();
                    most.fetch_max(inside.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                    inside.fetch_sub(1, Ordering::SeqCst);
                    done.fetch_add(1, Ordering::SeqCst);
                    drop(claim);
                }
            });
        }
    });
    assert_eq!((most.into_inner(), done.into_inner()), (1, 400));
    assert!(files(&store.root().join("claims")).is_empty());
}

#[test]
fn many_threads_may_begin_one_store() {
    let folder = tempfile::tempdir().unwrap();
    thread::scope(|scope| {
        for number in 0..8 {
            let root = folder.path().join("store");
            scope.spawn(move || Store::open(&root).unwrap().put_blob(format!("{number}").as_bytes()).unwrap());
        }
    });
    assert_eq!(fs::read_dir(folder.path().join("store/blobs/sha256")).unwrap().count(), 8);
}

#[test]
fn beginning_work_and_clearing_up_after_the_dead_do_not_meet() {
    let (_folder, store) = store();
    // Each that opens the store drops what nobody holds: also what another has made and not yet locked.
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for _ in 0..200 {
                    let store = Store::open(store.root()).unwrap();
                    let scratch = store.scratch().unwrap();
                    fs::write(scratch.path().join("x"), "").unwrap();
                }
            });
        }
    });
    assert_eq!(files(&store.root().join("tmp")), [""; 0]);
}

#[test]
fn shared_folders_keep_what_is_in_them_and_lock_as_they_say() {
    let (_folder, store) = store();
    let open = |sharing| {
        let prepare = |path: &Path| fs::write(path.join("first"), "x").map_err(|_| panic!("the disk is full"));
        store.shared_folder::<Error>("pip", sharing, prepare).unwrap()
    };
    let first = open(Sharing::Shared);
    fs::write(first.path().join("kept"), "y").unwrap();
    let second = open(Sharing::Shared);
    assert_eq!(fs::read(second.path().join("kept")).unwrap(), b"y");
    let apart = open(Sharing::Private);
    assert_ne!(apart.path(), first.path());
    assert!(apart.path().join("first").exists() && !apart.path().join("kept").exists());
    drop((first, second));
    let locked = open(Sharing::Locked);
    assert!(locked.path().join("kept").exists());
    thread::scope(|scope| {
        let waiting = scope.spawn(|| drop(open(Sharing::Locked)));
        thread::sleep(std::time::Duration::from_millis(50));
        assert!(!waiting.is_finished());
        drop(locked);
    });
}

#[test]
fn a_shared_folder_at_rest_is_one_that_nobody_uses() {
    let (_folder, store) = store();
    let at_rest = || store.shared_folder_at_rest("pip").unwrap();
    assert!(at_rest().is_none());
    let used = store.shared_folder::<Error>("pip", Sharing::Shared, |_| Ok(())).unwrap();
    assert!(at_rest().is_none());
    let path = used.path().to_owned();
    drop(used);
    let held = at_rest().unwrap();
    assert_eq!(held.path(), path);
    assert!(at_rest().is_none());
}
