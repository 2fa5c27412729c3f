//! [`Keeper`]: an `ssh-agent` of our own for keys that are given as files.
//!
//! The programs of OpenSSH read every kind of key, and ask for a passphrase where there is a terminal.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use layercake_cache::Scratch;
use rustix::process::Signal;

use super::error::Error;
use crate::fault::At;

/// The name of its socket. Short, and used from within its folder: a socket's path has at most 107 bytes.
const SOCKET: &str = "agent";

/// An agent that was started by us.
#[derive(Debug)]
pub(super) struct Keeper {
    process: Child,
    folder: Scratch,
}

impl Drop for Keeper {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Keeper {
    /// Starts one in `folder` that has these keys.
    pub(super) fn start(keys: &[PathBuf], folder: Scratch) -> Result<Self, Error> {
        let mut command = Command::new("ssh-agent");
        command.args(["-D", "-a", SOCKET]).current_dir(folder.path());
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        // SAFETY: both calls are single system calls that take no memory and no lock.
        unsafe {
            command.pre_exec(|| {
                // Debian's is a setgid program, which would lose its death signal by that.
                rustix::thread::set_no_new_privs(true)?;
                Ok(rustix::process::set_parent_process_death_signal(Some(Signal::TERM))?)
            });
        }
        let process = command.spawn().map_err(|source| Error::Program { program: "ssh-agent", source })?;
        let mut keeper = Self { process, folder };
        keeper.wait_until_it_listens()?;
        keys.iter().try_for_each(|key| keeper.add(key))?;
        Ok(keeper)
    }

    pub(super) fn socket(&self) -> PathBuf {
        self.folder.path().join(SOCKET)
    }

    /// It says where it listens once it does.
    fn wait_until_it_listens(&mut self) -> Result<(), Error> {
        let mut line = String::new();
        let stdout = self.process.stdout.take().expect("it is piped");
        if BufReader::new(stdout).read_line(&mut line).is_ok_and(|length| length > 0) {
            return Ok(());
        }
        let mut complaint = String::new();
        let mut stderr = self.process.stderr.take().expect("it is piped");
        let _ = stderr.read_to_string(&mut complaint);
        Err(Error::Ended(complaint.trim().to_owned()))
    }

    /// Adds a key through the standard input: whoever else may read the file does not matter here, as for docker.
    fn add(&self, key: &Path) -> Result<(), Error> {
        let file = File::open(key).at("read the SSH key", key)?;
        let mut command = Command::new("ssh-add");
        command.args(["-q", "-"]).current_dir(self.folder.path()).env("SSH_AUTH_SOCK", SOCKET);
        let output = command.stdin(file).output().map_err(|source| Error::Program { program: "ssh-add", source })?;
        if output.status.success() {
            return Ok(());
        }
        let said = String::from_utf8_lossy(&output.stderr);
        let message = said.lines().map(str::trim).filter(|line| !line.is_empty()).collect::<Vec<_>>().join("; ");
        Err(Error::Key { path: key.to_owned(), message })
    }
}
