//! Folders for unfinished work, each process's below one that it holds locked; what nobody holds is dropped.

use std::fs::{self, File};
use std::io::ErrorKind;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, Sender};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread::{self, JoinHandle};

use rustix::fs::{FlockOperation, flock};

use crate::apart;
use crate::error::{At, Error};
use crate::settle;

/// One process's unfinished work: made when first needed, gone when dropped.
#[derive(Debug)]
pub(crate) struct Session {
    /// The folder of all processes.
    all: PathBuf,
    own: OnceLock<(PathBuf, File)>,
    next: AtomicU64,
    sweeper: Arc<Sweeper>,
}

/// A folder for unfinished work. What is still in it when it is dropped is deleted, at the latest when the store is dropped:
/// nobody waits for a disk that is slow to forget.
#[derive(Debug)]
pub struct Scratch {
    path: PathBuf,
    sweeper: Arc<Sweeper>,
}

/// Deletes in a thread of its own, which is there from the first folder on.
#[derive(Debug, Default)]
struct Sweeper(Mutex<Option<(Sender<PathBuf>, JoinHandle<()>)>>);

impl Session {
    /// Drops what dead processes left in `all`.
    pub(crate) fn begin(all: &Path) -> Result<Self, Error> {
        match fs::read_dir(all) {
            Ok(entries) => entries.flatten().for_each(|entry| drop_if_dead(&entry.path())),
            Err(error) if error.kind() == ErrorKind::NotFound => (),
            Err(error) => return Err(error).at("list", all),
        }
        Ok(Self { all: all.to_owned(), own: OnceLock::new(), next: AtomicU64::new(0), sweeper: Arc::default() })
    }

    pub(crate) fn folder(&self) -> Result<Scratch, Error> {
        let path = self.path()?;
        fs::DirBuilder::new().mode(0o700).create(&path).at("create the folder", &path)?;
        Ok(Scratch { path, sweeper: Arc::clone(&self.sweeper) })
    }

    /// A path that nobody else uses.
    pub(crate) fn path(&self) -> Result<PathBuf, Error> {
        if self.own.get().is_none() {
            let own = self.make_own()?;
            // Of two threads that come here at once one wins; the other's folder is dropped as a dead process's would be.
            if let Err((path, lock)) = self.own.set(own) {
                drop(lock);
                drop_if_dead(&path);
            }
        }
        let (own, _) = self.own.get().expect("it has just been set");
        Ok(own.join(self.next.fetch_add(1, Ordering::Relaxed).to_string()))
    }

    fn make_own(&self) -> Result<(PathBuf, File), Error> {
        fs::create_dir_all(&self.all).at("create the folder", &self.all)?;
        loop {
            let path = apart::make(&self.all, 0o700, || format!("{}-{}", std::process::id(), unique()))?;
            // Another process may take the folder for a dead one's before it is locked; then it is made anew.
            let lock = match File::open(&path) {
                Err(error) if error.kind() == ErrorKind::NotFound => continue,
                opened => opened.at("open", &path)?,
            };
            if flock(&lock, FlockOperation::NonBlockingLockExclusive).is_ok() && path.exists() {
                return Ok((path, lock));
            }
        }
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.sweeper.finish();
        if let Some((path, _)) = self.own.get() {
            remove(path);
            // Who has had something unfinished has published something.
            self.all.parent().into_iter().for_each(settle::begin);
        }
    }
}

impl Scratch {
    /// The folder.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Makes a folder in it for a great many files: where they can be made quickly, if the file system lets choose.
    ///
    /// # Errors
    /// If it cannot be made.
    pub fn folder_apart(&self) -> Result<PathBuf, Error> {
        apart::make(&self.path, 0o755, unique)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        self.sweeper.delete(std::mem::take(&mut self.path));
    }
}

impl Sweeper {
    fn delete(&self, path: PathBuf) {
        let mut thread = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if thread.is_none() {
            let (sender, paths) = mpsc::channel::<PathBuf>();
            let sweep = move || paths.iter().for_each(|path| remove(&path));
            *thread =
                thread::Builder::new().name("sweeper".to_owned()).spawn(sweep).ok().map(|handle| (sender, handle));
        }
        match &*thread {
            // The thread ends with this sender and not before.
            Some((sender, _)) => drop(sender.send(path)),
            None => remove(&path),
        }
    }

    /// Waits until all that is to be deleted has been.
    fn finish(&self) {
        let thread = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some((sender, thread)) = thread {
            drop(sender);
            let _ = thread.join();
        }
    }
}

/// Distinguishes what is made at once by two threads, or by two processes of the same number, as in two containers over
/// one store.
pub(crate) fn unique() -> String {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0, |since| since.as_nanos());
    format!("{now}-{}", NEXT.fetch_add(1, Ordering::Relaxed))
}

fn drop_if_dead(path: &Path) {
    // No access, or a lock that is held: not ours to drop.
    if let Ok(file) = File::open(path)
        && flock(&file, FlockOperation::NonBlockingLockExclusive).is_ok()
    {
        remove(path);
    }
}

/// Deletes as much as can be deleted; what remains costs room and does no harm. Folders without write permission are
/// given it first.
fn remove(path: &Path) {
    use std::os::unix::fs::PermissionsExt;
    if fs::remove_dir_all(path).is_ok() {
        return;
    }
    let mut folders = vec![path.to_owned()];
    while let Some(folder) = folders.pop() {
        let _ = fs::set_permissions(&folder, fs::Permissions::from_mode(0o700));
        let children = fs::read_dir(&folder).into_iter().flatten().flatten();
        folders.extend(
            children.filter(|child| child.file_type().is_ok_and(|kind| kind.is_dir())).map(|child| child.path()),
        );
    }
    let _ = fs::remove_dir_all(path);
}
