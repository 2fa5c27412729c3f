//! Partial blobs: what has come of a blob from elsewhere stays when its process ends, so that the next one goes on from
//! there.
//!
//! A partial blob is a file below `partial/` that only whoever holds its lock writes to, and only at its end. What it
//! holds is not believed before the digest of the whole is checked; then the file is renamed to its place. One that
//! nobody has gone on with for a week is dropped when the store is opened. (containerd calls the same an ingest.)

use std::fs::{self, File};
use std::io::{self, ErrorKind, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use rustix::fs::{FlockOperation, flock};

use crate::digest::{Digest, Digester};
use crate::error::{At, Error};
use crate::publish;
use crate::store::Store;

/// How long a partial blob is kept that nobody goes on with.
const LIFETIME: Duration = Duration::from_secs(7 * 24 * 3600);

/// The beginning of a blob whose digest is known. Dropped before it is finished, it leaves what it has got.
#[derive(Debug)]
pub struct PartialBlob<'a> {
    store: &'a Store,
    digest: Digest,
    path: PathBuf,
    // The lock goes with the open file.
    file: File,
    digester: Digester,
    length: u64,
    kept: Kept,
}

/// What becomes of the file when the value is dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kept {
    IfNotEmpty,
    Not,
    Published,
}

impl Store {
    /// Opens what has come of a blob so far, or the whole of it, to read along while it comes; `None` if nothing has. What comes later
    /// can be read from the same file. Until the blob is there under its name, nothing of it is to be believed.
    ///
    /// # Errors
    /// If it is there and cannot be opened.
    pub fn coming_blob(&self, digest: &Digest) -> Result<Option<File>, Error> {
        let path = partials(self.root()).join(digest.hex());
        match File::open(&path) {
            Ok(file) => Ok(Some(file)),
            // Not begun, or just finished and moved.
            Err(error) if error.kind() == ErrorKind::NotFound => self.open_blob(digest),
            Err(error) => Err(error).at("open", path),
        }
    }

    /// Takes up the blob where whoever came before has left it, if it was ever begun; waits while somebody else is at it.
    /// Look for the blob itself afterwards: they may have finished it.
    ///
    /// # Errors
    /// If there can be no file for it, or what is there cannot be read.
    pub fn partial_blob(&self, digest: &Digest) -> Result<PartialBlob<'_>, Error> {
        let folder = partials(self.root());
        let path = folder.join(digest.hex());
        let mut file = loop {
            let file = match File::options().create(true).read(true).append(true).open(&path) {
                Err(error) if error.kind() == ErrorKind::NotFound => {
                    fs::create_dir_all(&folder).at("create the folder", &folder)?;
                    continue;
                }
                result => result.at("open", &path)?,
            };
            flock(&file, FlockOperation::LockExclusive).at("lock", &path)?;
            // The one before us has published or removed the file; then our lock is on what is no partial blob any more.
            if is_at(&file, &path) {
                break file;
            }
        };
        let digester = digest_of(&mut file).at("read", &path)?;
        let length = digester.length();
        Ok(PartialBlob { store: self, digest: *digest, path, file, digester, length, kept: Kept::IfNotEmpty })
    }
}

impl PartialBlob<'_> {
    /// How many bytes have come.
    #[must_use]
    pub fn length(&self) -> u64 {
        self.length
    }

    /// Forgets what has come: it is of no use.
    ///
    /// # Errors
    /// If the file cannot be emptied.
    pub fn restart(&mut self) -> Result<(), Error> {
        self.file.set_len(0).at("empty", &self.path)?;
        self.digester = Digester::default();
        self.length = 0;
        Ok(())
    }

    /// Publishes the blob if all of it has come.
    ///
    /// # Errors
    /// If it is not what its name says, or has not `size` bytes; then nothing is published, and what has come is dropped.
    pub fn finish(mut self, size: u64) -> Result<(), Error> {
        self.kept = Kept::Not;
        let (found, length) = std::mem::take(&mut self.digester).finish();
        if length != size {
            return Err(Error::Size { digest: self.digest, expected: size, found: length });
        }
        if found != self.digest {
            return Err(Error::Digest { expected: self.digest, found });
        }
        publish::rename(&self.path, &self.store.blob_path(&self.digest))?;
        self.kept = Kept::Published;
        Ok(())
    }
}

impl Write for PartialBlob<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.file.write(bytes)?;
        self.digester.update(&bytes[..written]);
        self.length += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Drop for PartialBlob<'_> {
    fn drop(&mut self) {
        // Removed while still locked, as a claim is.
        if self.kept == Kept::Not || self.kept == Kept::IfNotEmpty && self.length == 0 {
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Drops the partial blobs in the store at `root` that nobody has gone on with for long. What cannot be dropped costs room
/// and does no harm.
pub(crate) fn drop_forgotten(root: &Path) {
    let now = SystemTime::now();
    for entry in fs::read_dir(partials(root)).into_iter().flatten().flatten() {
        let age = entry.metadata().ok().and_then(|found| now.duration_since(found.modified().ok()?).ok());
        if age.is_some_and(|age| age > LIFETIME)
            && let Ok(file) = File::open(entry.path())
            && flock(&file, FlockOperation::NonBlockingLockExclusive).is_ok()
            && is_at(&file, &entry.path())
        {
            let _ = fs::remove_file(entry.path());
        }
    }
}

fn partials(root: &Path) -> PathBuf {
    root.join("partial/sha256")
}

fn digest_of(file: &mut File) -> io::Result<Digester> {
    let mut digester = Digester::default();
    let mut buffer = vec![0; 1 << 17];
    file.seek(SeekFrom::Start(0))?;
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(digester),
            length => digester.update(&buffer[..length]),
        }
    }
}

/// Whether the open file is the one that has this name.
pub(crate) fn is_at(file: &File, path: &Path) -> bool {
    let (Ok(open), Ok(named)) = (file.metadata(), fs::metadata(path)) else { return false };
    (open.dev(), open.ino()) == (named.dev(), named.ino())
}
