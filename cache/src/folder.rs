//! Folders: whole trees of files by [`ContentId`], moved into place finished and never written to again.

use std::path::{Path, PathBuf};

use crate::error::Error;
use crate::id::ContentId;
use crate::publish;
use crate::store::Store;

impl Store {
    /// Where the folder lies or would lie.
    #[must_use]
    pub fn folder_path(&self, id: &ContentId) -> PathBuf {
        self.root().join("folders").join(id.to_string())
    }

    /// Whether the folder is there.
    #[must_use]
    pub fn has_folder(&self, id: &ContentId) -> bool {
        self.folder_path(id).is_dir()
    }

    /// Moves a finished folder of the store's file system into place and says where that is. If there is one of the
    /// same id already, that one stays and `finished` is left alone.
    ///
    /// # Errors
    /// If it cannot be moved.
    pub fn put_folder(&self, id: &ContentId, finished: &Path) -> Result<PathBuf, Error> {
        let path = self.folder_path(id);
        if path.is_dir() {
            return Ok(path);
        }
        match publish::rename(finished, &path) {
            // Another build has published the same content meanwhile.
            Err(_) if path.is_dir() => Ok(path),
            result => result.map(|()| path),
        }
    }
}
