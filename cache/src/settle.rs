//! What is on the disk for certain. Nothing is synced while anybody waits: what was published lately is in doubt if the machine
//! has been started anew since, and what is in doubt is checked or dropped before anybody finds it.
//!
//! The file `settled` says in which boot of the machine the store was used last, and up to when everything published was on the
//! disk. A process of its own syncs some seconds after whoever has published something.

use std::collections::HashSet;
use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustix::fs::{Access, FlockOperation, flock};

use crate::digest::{Digest, Digester};
use crate::error::{At, Error};
use crate::id::ContentId;
use crate::publish;
use crate::scratch;
use crate::store::Store;

/// The file's name.
pub(crate) const SETTLED: &str = "settled";

/// What the executable is called when it is started to sync.
const NAME: &str = "layercake-settle";

/// How long a sync waits for more to come: as long as ext4 does with its journal.
const PAUSE: Duration = Duration::from_secs(5);

/// Times of files are those of the last tick of a clock that is set now and then, in seconds.
const MARGIN: i64 = 2;

/// Whether this executable can be started to sync.
static CAN_START: AtomicBool = AtomicBool::new(false);

/// The content of the file.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Settled {
    /// The kernel's id of the boot.
    boot: String,
    /// Everything that was published before is on the disk, in seconds since 1970.
    until: i64,
}

/// Takes over the process if it was started to sync a store, and does not return then. `main` calls this early.
pub fn settle_hook() {
    let mut arguments = std::env::args_os();
    if arguments.next().is_some_and(|name| name.as_bytes() == NAME.as_bytes()) {
        if let Some(root) = arguments.next() {
            std::thread::sleep(PAUSE);
            let _ = settle(Path::new(&root), now().saturating_sub(PAUSE.as_secs().cast_signed()));
        }
        std::process::exit(0);
    }
    CAN_START.store(true, Ordering::Relaxed);
}

/// Has the store at `root` synced, by a process that outlives this one by some seconds.
pub(crate) fn begin(root: &Path) {
    if !CAN_START.load(Ordering::Relaxed) {
        return;
    }
    let mut command = Command::new("/proc/self/exe");
    command.arg0(NAME).arg(root).env_clear().current_dir("/").process_group(0);
    // That it cannot be started leaves more in doubt, and nothing wrong.
    let _ = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
}

/// Brings everything that was published before now to the disk, unless somebody has done so since `asked`.
fn settle(root: &Path, asked: i64) -> Result<(), Error> {
    if !root.join("format").exists() || Settled::read(root).is_some_and(|settled| settled.until > asked) {
        return Ok(());
    }
    let Some(boot) = boot() else { return Ok(()) };
    // What another boot has left in doubt stays so until it is looked at.
    if Settled::read(root).is_some_and(|settled| settled.boot != boot) {
        return Ok(());
    }
    let until = now() - MARGIN;
    // Not opened as a store: nobody who makes room has to wait for this.
    let folder = File::open(root).at("open", root)?;
    rustix::fs::syncfs(&folder).at("sync", root)?;
    Settled { boot, until }.write(root)
}

/// Notes of a new store that nothing of it is in doubt.
pub(crate) fn note_new(root: &Path) -> Result<(), Error> {
    let Some(boot) = boot() else { return Ok(()) };
    // Lost in a power failure, it leaves all in doubt, as it should: nothing was synced.
    publish::bytes(Settled { boot, until: now() - MARGIN }.text().as_bytes(), &temporary(root), &root.join(SETTLED))
}

/// Says which of some folders are whole. Nobody else uses the store meanwhile.
pub type Judge = dyn Fn(&Store, &[ContentId]) -> Vec<ContentId>;

/// Drops what may not have reached the disk, if the machine has been started since the store was used last. `lock` is held
/// shared, before and afterwards.
pub(crate) fn check(store: &Store, lock: &File, judge: &Judge) -> Result<(), Error> {
    let root = store.root();
    let Some(boot) = boot() else { return Ok(()) };
    if Settled::read(root).is_some_and(|settled| settled.boot == boot) {
        return Ok(());
    }
    // In a store that can only be read, nothing can be dropped.
    if rustix::fs::access(root, Access::WRITE_OK).is_err() {
        return Ok(());
    }
    let path = root.join("format");
    flock(lock, FlockOperation::LockExclusive).at("lock", &path)?;
    let checked = match Settled::read(root) {
        // Somebody else came first.
        Some(settled) if settled.boot == boot => Ok(()),
        settled => {
            // What is here now has survived: it is on the disk.
            let until = now();
            drop_doubtful(store, settled.map_or(0, |settled| settled.until), judge)
                .and_then(|()| Settled { boot, until }.write(root))
        }
    };
    flock(lock, FlockOperation::LockShared).at("lock", &path)?;
    checked
}

/// Drops what has been published since `settled` and cannot be shown to be whole. Records are left: each has a checksum.
fn drop_doubtful(store: &Store, settled: i64, judge: &Judge) -> Result<(), Error> {
    let root = store.root();
    let mut discarded = Vec::new();
    for path in published_since(&root.join("blobs/sha256"), settled)? {
        if !is_blob_whole(&path).at("read", &path)? {
            discarded.push(path);
        }
    }
    let folders = published_since(&root.join("folders"), settled)?.into_iter();
    let (ids, unnamed): (Vec<_>, Vec<_>) = folders.map(|path| (id_of(&path), path)).partition(|(id, _)| id.is_some());
    let ids: Vec<ContentId> = ids.into_iter().filter_map(|(id, _)| id).collect();
    let whole: HashSet<ContentId> =
        if ids.is_empty() { HashSet::new() } else { judge(store, &ids).into_iter().collect() };
    discarded.extend(ids.iter().filter(|id| !whole.contains(id)).map(|id| store.folder_path(id)));
    discarded.extend(unnamed.into_iter().map(|(_, path)| path));
    for shelf in entries(&root.join("names"))? {
        // Less than a block: all of it is there, or nothing.
        let lost = |path: &PathBuf| fs::metadata(path).is_ok_and(|found| found.len() == 0);
        discarded.extend(published_since(&shelf, settled)?.into_iter().filter(lost));
    }
    if discarded.is_empty() {
        return Ok(());
    }
    let trash = store.scratch()?;
    for (number, path) in discarded.iter().enumerate() {
        fs::rename(path, trash.path().join(number.to_string())).at("discard", path)?;
    }
    Ok(())
}

fn id_of(folder: &Path) -> Option<ContentId> {
    folder.file_name()?.to_str()?.to_owned().try_into().ok()
}

/// What in a folder has been changed, or moved there, since a time in seconds since 1970.
fn published_since(folder: &Path, time: i64) -> Result<Vec<PathBuf>, Error> {
    let mut found = entries(folder)?;
    found.retain(|path| fs::symlink_metadata(path).is_ok_and(|found| found.ctime() >= time));
    Ok(found)
}

fn entries(folder: &Path) -> Result<Vec<PathBuf>, Error> {
    match fs::read_dir(folder) {
        Ok(entries) => entries.map(|entry| Ok(entry.at("list", folder)?.path())).collect(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(error).at("list", folder),
    }
}

fn is_blob_whole(path: &Path) -> io::Result<bool> {
    let mut digester = Digester::default();
    io::copy(&mut File::open(path)?, &mut digester)?;
    let digest: Digest = digester.finish().0;
    Ok(path.file_name().is_some_and(|name| name.as_bytes() == digest.hex().as_bytes()))
}

impl Settled {
    /// `None`: there is none, or it has not reached the disk itself.
    fn read(root: &Path) -> Option<Self> {
        let text = fs::read_to_string(root.join(SETTLED)).ok()?;
        let (boot, until) = text.strip_suffix('\n')?.split_once(' ')?;
        Some(Self { boot: boot.to_owned(), until: until.parse().ok()? })
    }

    fn write(&self, root: &Path) -> Result<(), Error> {
        let temporary = temporary(root);
        let mut file = File::create_new(&temporary).at("create", &temporary)?;
        file.write_all(self.text().as_bytes()).at("write", &temporary)?;
        file.sync_data().at("sync", &temporary)?;
        publish::rename(&temporary, &root.join(SETTLED))
    }

    fn text(&self) -> String {
        format!("{} {}\n", self.boot, self.until)
    }
}

/// A path beside the file, for who has not opened the store.
fn temporary(root: &Path) -> PathBuf {
    root.join(format!("{SETTLED}.{}-{}", std::process::id(), scratch::unique()))
}

/// The id of the machine's current boot; `None` where the kernel does not tell, and nothing is then in doubt.
fn boot() -> Option<String> {
    let text = fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    Some(text.trim().to_owned())
}

fn now() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs().cast_signed())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

    use super::*;
    use crate::key::KeyHasher;

    /// A store that was used in another boot, in which everything before `until` was synced.
    fn after_power_failure(root: &Path, until: i64) -> Store {
        let settled = Settled { boot: "another".to_owned(), until };
        settled.write(root).unwrap();
        open(root, &[])
    }

    /// Opened by somebody who knows of these folders that they are whole.
    fn open(root: &Path, whole: &[ContentId]) -> Store {
        let whole = whole.to_vec();
        Store::open_settled(root, &move |_, folders| {
            folders.iter().copied().filter(|folder| whole.contains(folder)).collect()
        })
        .unwrap()
    }

    fn published(root: &Path) -> (Digest, Digest, ContentId) {
        let store = Store::open(root).unwrap();
        let (whole, lost) = (store.put_blob(b"whole").unwrap(), store.put_blob(b"lost").unwrap());
        let id = ContentId::new(blake3::hash(b"folder"));
        let scratch = store.scratch().unwrap();
        let folder = scratch.path().join("folder");
        fs::create_dir(&folder).unwrap();
        store.put_folder(&id, &folder).unwrap();
        store.put_record(&KeyHasher::new("test").finish(), b"record").unwrap();
        store.put_named("shelf", "kept", b"value").unwrap();
        store.put_named("shelf", "lost", b"value").unwrap();
        (whole, lost, id)
    }

    /// What ext4 leaves of a file whose content was still to be written.
    fn lose(path: &Path) {
        fs::write(path, "").unwrap();
    }

    #[test]
    fn what_may_not_have_reached_the_disk_is_whole_or_not_found() {
        let folder = tempfile::tempdir().unwrap();
        let root = &folder.path().join("store");
        let (whole, lost, id) = published(root);
        let store = Store::open(root).unwrap();
        lose(&store.blob_path(&lost));
        lose(&store.name_path("shelf", "lost"));
        drop(store);
        let store = after_power_failure(root, now() - 100);
        assert!(store.has_blob(&whole) && !store.has_blob(&lost));
        assert!(!store.has_folder(&id), "nobody says that the folder is whole");
        assert_eq!(store.record(&KeyHasher::new("test").finish()).unwrap().unwrap(), b"record");
        assert_eq!(store.named("shelf", "kept").unwrap().unwrap(), b"value");
        assert_eq!(store.named("shelf", "lost").unwrap(), None);
    }

    #[test]
    fn what_was_synced_is_believed() {
        let folder = tempfile::tempdir().unwrap();
        let root = &folder.path().join("store");
        let (whole, _, id) = published(root);
        assert!(after_power_failure(root, now() + 100).has_folder(&id));
        // In the same boot nothing is in doubt, synced or not.
        assert!(open(root, &[]).has_folder(&id));
        assert!(open(root, &[]).has_blob(&whole));
        // A file that has not reached the disk itself says nothing.
        lose(&root.join(SETTLED));
        assert!(!open(root, &[]).has_folder(&id));
    }

    #[test]
    fn a_sync_settles_what_was_published_before_it() {
        let folder = tempfile::tempdir().unwrap();
        let root = &folder.path().join("store");
        published(root);
        let old = Settled { boot: boot().unwrap(), until: 7 };
        old.write(root).unwrap();
        settle(root, 6).unwrap();
        assert_eq!(Settled::read(root), Some(old), "somebody has synced since it was asked for");
        let start = now();
        settle(root, start).unwrap();
        assert!(Settled::read(root).unwrap().until >= start - MARGIN);
        fs::remove_dir_all(root).unwrap();
        settle(root, now()).unwrap();
        assert!(!root.exists(), "a store that is gone stays so");
    }

    #[test]
    fn a_store_whose_making_was_cut_short_is_made_again() {
        let folder = tempfile::tempdir().unwrap();
        let root = &folder.path().join("store");
        let (_, _, id) = published(root);
        lose(&root.join("format"));
        lose(&root.join(SETTLED));
        assert!(!open(root, &[]).has_folder(&id));
        drop(open(root, &[]));
    }
}
