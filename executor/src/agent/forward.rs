//! [`Forwarding`]: a socket of ours that a command asks an agent through, for as long as the command runs.

use std::fs::{self, File, Permissions as Mode};
use std::io::{self, PipeReader, PipeWriter};
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::thread;

use layercake_cache::Scratch;

use super::error::Error;
use super::protocol;
use super::source::{Agent, connect};
use crate::listen::until_stopped;
use crate::mount;

/// The name of the socket in its folder.
const SOCKET: &str = "socket";

/// Who may use the socket.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Permissions {
    pub(crate) uid: u32,
    pub(crate) gid: u32,
    pub(crate) mode: u32,
}

/// A socket that leads to an agent, until this is dropped. Connections that are open then end with the command.
#[derive(Debug)]
pub(crate) struct Forwarding {
    folder: Scratch,
    /// Closing it wakes the thread that waits for connections.
    _stop: PipeWriter,
}

impl Forwarding {
    /// Makes the socket in `folder` and listens at it. On this machine nobody else gets at it: the folder is ours alone.
    pub(crate) fn start(agent: &Agent, folder: Scratch, permissions: Permissions) -> Result<Self, Error> {
        // Said now, since a command would only see that the connection ends.
        connect(agent.socket())?;
        let listener = listen(folder.path(), permissions).map_err(Error::Forward)?;
        let (stopped, stop) = io::pipe().map_err(Error::Forward)?;
        let agent = agent.socket().to_owned();
        thread::Builder::new()
            .name("ssh agent".to_owned())
            .spawn(move || accept(&listener, &stopped, &agent))
            .map_err(Error::Forward)?;
        Ok(Self { folder, _stop: stop })
    }

    /// The path of the socket.
    pub(crate) fn socket(&self) -> PathBuf {
        self.folder.path().join(SOCKET)
    }
}

fn listen(folder: &Path, permissions: Permissions) -> io::Result<UnixListener> {
    fs::set_permissions(folder, Mode::from_mode(0o700))?;
    // A socket's path has at most 107 bytes, and a store may lie deeper than that.
    let folder = File::open(folder)?;
    let place = mount::path_of(&folder).join(SOCKET);
    let listener = UnixListener::bind(&place)?;
    chown(&place, Some(permissions.uid), Some(permissions.gid))?;
    fs::set_permissions(&place, Mode::from_mode(permissions.mode))?;
    // Who gives up between the poll and the accept must not leave us waiting.
    listener.set_nonblocking(true)?;
    Ok(listener)
}

fn accept(listener: &UnixListener, stopped: &PipeReader, agent: &Path) {
    until_stopped(listener, stopped, UnixListener::accept, |(mut client, _)| {
        let agent = agent.to_owned();
        // A machine without a thread to spare drops the connection, and the command sees that.
        let _ = thread::Builder::new().name("ssh agent".to_owned()).spawn(move || {
            client.set_nonblocking(false)?;
            let mut agent = connect(&agent).map_err(io::Error::other)?;
            protocol::serve(&mut client, &mut agent)
        });
    });
}
