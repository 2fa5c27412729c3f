//! What is done when all entries are there: whiteouts, opaque marks, times of folders.
//!
//! A mark concerns what lies below and nothing of its own archive (image-spec `layer.md`, "Whiteouts"), wherever in the
//! archive it stands; so marks are put last. One that would hide nothing is left out: in a folder that exists in one
//! layer only, the overlay lists the whiteouts themselves.

use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;

use rustix::fs::FileType;

use super::extract::status;
use super::folder::{Root, c_string, parent};
use super::node::{self, Place};
use super::{Dependence, Skipped};
use crate::fault::At;
use crate::layer::error::Error;
use crate::tree::lookup::{self, Found};
use crate::tree::{list, mark};

impl Root<'_> {
    /// Puts the marks and sets the times of folders.
    pub(super) fn finish(mut self) -> Result<(Skipped, Dependence), Error> {
        self.open_root()?;
        for path in std::mem::take(&mut self.deleted) {
            self.delete(&path)?;
            // Looked up again, for what lies in it.
            self.deleted.insert(path);
        }
        for path in std::mem::take(&mut self.opaque) {
            self.hide(&path)?;
            self.opaque.insert(path);
        }
        for (path, time) in &self.times {
            if let Some(fd) = self.open(path)? {
                node::touch(&fd, *time, &self.place(path))?;
            }
        }
        Ok((self.skipped, self.dependence()))
    }

    /// An overlay merges the roots of its layers whatever they say, so an opaque root deletes each name instead.
    fn open_root(&mut self) -> Result<(), Error> {
        if !self.opaque.remove(&b""[..]) {
            return Ok(());
        }
        let names = lookup::Folder::root(self.layers()?).names()?;
        self.deleted.extend(names.into_iter().map(|name| name.as_bytes().to_vec()));
        Ok(())
    }

    /// Hides what is below at a path: by a whiteout if the archive has nothing there, and by an opaque mark if it has a
    /// folder.
    fn delete(&self, path: &[u8]) -> Result<(), Error> {
        let below_is_folder = match self.below(path)? {
            Found::Absent => return Ok(()),
            Found::Folder(_) => true,
            Found::Other(..) => false,
        };
        let Some(folder) = self.open(parent(path))? else { return Ok(()) };
        let name = c_string(path.rsplit(|byte| *byte == b'/').next().unwrap_or_default(), path)?;
        let place_path = self.place(path);
        let place = Place { folder: folder.as_fd(), name: &name, path: &place_path };
        match status(&place)? {
            None => mark::put_whiteout(place.folder, place.name).at("create the whiteout", &place_path)?,
            Some(stat) if FileType::from_raw_mode(stat.st_mode) == FileType::Directory && below_is_folder => {
                let own = list::open_folder(place.folder, place.name).at("open", &place_path)?;
                mark::make_opaque(&own).at("make opaque", &place_path)?;
            }
            Some(_) => (),
        }
        Ok(())
    }

    fn hide(&self, path: &[u8]) -> Result<(), Error> {
        if let Found::Folder(_) = self.below(path)?
            && let Some(folder) = self.open(path)?
        {
            mark::make_opaque(&folder).at("make opaque", &self.place(path))?;
        }
        Ok(())
    }
}
