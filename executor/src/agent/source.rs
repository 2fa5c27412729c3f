//! [`Agent`]: where an SSH agent listens, and what keeps it alive.

use std::io;
use std::os::fd::AsFd;
use std::os::unix::fs::FileTypeExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use layercake_cache::Scratch;

use super::error::Error;
use super::keys::Keeper;
use crate::fault::At;
use crate::mount;

/// An SSH agent that commands may be let ask.
#[derive(Debug)]
pub struct Agent {
    socket: PathBuf,
    /// Present where it was started by us.
    _keeper: Option<Keeper>,
}

impl Agent {
    /// The agent of these paths: a single socket that one listens at, or files with keys, for which one is started in
    /// `folder`. It ends when this is dropped, and with the thread that called this.
    ///
    /// # Errors
    /// If there is no such file, the paths do not go together, or a key cannot be used.
    pub fn open(paths: &[PathBuf], folder: Scratch) -> Result<Self, Error> {
        let mut socket = None;
        for path in paths {
            let kind = path.metadata().at("find the SSH agent or key", path)?.file_type();
            if socket.is_some() || (kind.is_socket() && paths.len() > 1) {
                return Err(Error::Several(path.clone()));
            }
            if kind.is_socket() {
                socket = Some(path.clone());
            }
        }
        match socket {
            Some(socket) => Ok(Self { socket, _keeper: None }),
            None => {
                let keeper = Keeper::start(paths, folder)?;
                Ok(Self { socket: keeper.socket(), _keeper: Some(keeper) })
            }
        }
    }

    /// Where it listens.
    pub(super) fn socket(&self) -> &Path {
        &self.socket
    }
}

/// Connects to the agent that listens at `socket`, however long the path is.
pub(super) fn connect(socket: &Path) -> Result<UnixStream, Error> {
    let connect = || -> io::Result<UnixStream> {
        let place = mount::open_place(socket)?;
        UnixStream::connect(mount::path_of(place.as_fd()))
    };
    connect().map_err(|source| Error::Silent { path: socket.to_owned(), source })
}
