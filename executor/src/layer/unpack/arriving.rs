//! Reads a blob along while it is being fetched.

use std::fs::File;
use std::io::{self, Read};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use layercake_cache::{Digest, Store};

/// How long a reader waits before it looks for more.
const PAUSE: Duration = Duration::from_millis(2);

/// Whether a blob is still being fetched.
#[derive(Debug, Default)]
pub(super) struct Transfer {
    has_ended: Mutex<bool>,
    ended: Condvar,
}

/// Whoever fetches the blob. The transfer has ended, well or not, when it is dropped.
pub(super) struct Fetching<'a>(&'a Transfer);

impl Transfer {
    pub(super) fn begin(&self) -> Fetching<'_> {
        Fetching(self)
    }

    fn has_ended(&self) -> MutexGuard<'_, bool> {
        self.has_ended.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait(&self) {
        let waited = self.ended.wait_timeout_while(self.has_ended(), PAUSE, |has_ended| !*has_ended);
        drop(waited.unwrap_or_else(PoisonError::into_inner));
    }
}

impl Drop for Fetching<'_> {
    fn drop(&mut self) {
        *self.0.has_ended() = true;
        self.0.ended.notify_all();
    }
}

/// The bytes of a blob that is being fetched. They are not checked: a transfer may even begin anew with others.
pub(super) struct Arriving<'a> {
    store: &'a Store,
    digest: Digest,
    transfer: &'a Transfer,
    file: Option<File>,
}

impl<'a> Arriving<'a> {
    pub(super) fn new(store: &'a Store, digest: Digest, transfer: &'a Transfer) -> Self {
        Self { store, digest, transfer, file: None }
    }
}

impl Read for Arriving<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            // Asked first: what is not there after the end never comes.
            let has_ended = *self.transfer.has_ended();
            if self.file.is_none() {
                self.file = self.store.coming_blob(&self.digest).map_err(io::Error::other)?;
            }
            let length = self.file.as_mut().map_or(Ok(0), |file| file.read(buffer))?;
            if length > 0 || has_ended {
                return Ok(length);
            }
            self.transfer.wait();
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

    use std::io::Write;
    use std::thread;

    use super::*;

    #[test]
    fn what_comes_is_read_to_its_end() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        let content: Vec<u8> = (0..100_000_u32).flat_map(u32::to_le_bytes).collect();
        let digest = Digest::of(&content);
        let transfer = Transfer::default();
        let mut read = Vec::new();
        thread::scope(|scope| {
            let fetching = transfer.begin();
            let (store, content) = (&store, &content);
            scope.spawn(move || {
                let _fetching = fetching;
                thread::sleep(PAUSE * 2);
                let mut partial = store.partial_blob(&digest).unwrap();
                for piece in content.chunks(30_000) {
                    partial.write_all(piece).unwrap();
                    thread::sleep(PAUSE / 2);
                }
                partial.finish(content.len() as u64).unwrap();
            });
            Arriving::new(store, digest, &transfer).read_to_end(&mut read).unwrap();
        });
        assert!(read == content);
    }

    #[test]
    fn what_never_comes_ends_with_its_transfer() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        let transfer = Transfer::default();
        drop(transfer.begin());
        let mut read: Vec<u8> = Vec::new();
        Arriving::new(&store, Digest::of(b"never"), &transfer).read_to_end(&mut read).unwrap();
        assert!(read.is_empty());
    }
}
