//! Blobs: files named by the SHA-256 of their bytes, checked while they are written.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use crate::digest::{Digest, Hashed};
use crate::error::{At, Error};
use crate::publish;
use crate::store::Store;

/// A blob on its way into the store. Dropped before [`BlobWriter::finish`], it leaves nothing.
#[derive(Debug)]
pub struct BlobWriter<'a> {
    store: &'a Store,
    temporary: PathBuf,
    file: BufWriter<Hashed<File>>,
    published: bool,
}

impl Store {
    /// Where the blob lies or would lie.
    #[must_use]
    pub fn blob_path(&self, digest: &Digest) -> PathBuf {
        self.root().join("blobs/sha256").join(digest.hex())
    }

    /// Whether the blob is there.
    #[must_use]
    pub fn has_blob(&self, digest: &Digest) -> bool {
        self.blob_path(digest).exists()
    }

    /// Opens a blob; `None` if it is not there.
    ///
    /// # Errors
    /// If it is there and cannot be opened.
    pub fn open_blob(&self, digest: &Digest) -> Result<Option<File>, Error> {
        let path = self.blob_path(digest);
        match File::open(&path) {
            Ok(file) => {
                self.note_use(&file);
                Ok(Some(file))
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error).at("open", path),
        }
    }

    /// Reads a whole blob, a document of some kilobytes; `None` if it is not there.
    ///
    /// # Errors
    /// If it cannot be read, or is not what its name says.
    pub fn read_blob(&self, digest: &Digest) -> Result<Option<Vec<u8>>, Error> {
        let Some(mut file) = self.open_blob(digest)? else { return Ok(None) };
        let mut bytes = Vec::new();
        io::Read::read_to_end(&mut file, &mut bytes).at("read", self.blob_path(digest))?;
        match Digest::of(&bytes) {
            found if found == *digest => Ok(Some(bytes)),
            found => Err(Error::Digest { expected: *digest, found }),
        }
    }

    /// Stores a document.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn put_blob(&self, bytes: &[u8]) -> Result<Digest, Error> {
        let digest = Digest::of(bytes);
        if !self.has_blob(&digest) {
            publish::bytes(bytes, &self.temporary()?, &self.blob_path(&digest))?;
        }
        Ok(digest)
    }

    /// Begins a blob whose bytes are still to come.
    ///
    /// # Errors
    /// If no file can be made for it.
    pub fn blob_writer(&self) -> Result<BlobWriter<'_>, Error> {
        let temporary = self.temporary()?;
        let file = File::create_new(&temporary).at("create", &temporary)?;
        let hashed = Hashed::new(file);
        Ok(BlobWriter { store: self, temporary, file: BufWriter::with_capacity(1 << 17, hashed), published: false })
    }
}

impl BlobWriter<'_> {
    /// Publishes what was written and says its digest and its length in bytes.
    ///
    /// # Errors
    /// If the last bytes cannot be written.
    pub fn finish(self) -> Result<(Digest, u64), Error> {
        self.publish(None)
    }

    /// Publishes what was written if it is what was promised.
    ///
    /// # Errors
    /// If it is not, or if the last bytes cannot be written; then nothing is published.
    pub fn finish_as(self, digest: &Digest, size: Option<u64>) -> Result<(), Error> {
        self.publish(Some((*digest, size))).map(drop)
    }

    /// The bytes written so far, not published yet.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.temporary
    }

    fn publish(mut self, promised: Option<(Digest, Option<u64>)>) -> Result<(Digest, u64), Error> {
        self.file.flush().at("write", &self.temporary)?;
        let (digest, length) = std::mem::take(&mut self.file.get_mut().digester).finish();
        if let Some((expected, size)) = promised {
            if let Some(expected) = size.filter(|size| *size != length) {
                return Err(Error::Size { digest, expected, found: length });
            }
            if expected != digest {
                return Err(Error::Digest { expected, found: digest });
            }
        }
        publish::rename(&self.temporary, &self.store.blob_path(&digest))?;
        self.published = true;
        Ok((digest, length))
    }
}

impl Write for BlobWriter<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Drop for BlobWriter<'_> {
    fn drop(&mut self) {
        if !self.published {
            let _ = fs::remove_file(&self.temporary);
        }
    }
}
