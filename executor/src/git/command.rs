//! Running `git`: with nothing of the user's settings but how to reach servers, nothing that a repository could make it run,
//! and an end when the build is stopped.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, Read, Seek, Write};
use std::path::Path;
use std::process::{Child, Stdio};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{MemfdFlags, memfd_create};
use rustix::process::{Pid, PidfdFlags, Signal, kill_process_group, pidfd_open};

use super::error::Error;
use super::process;
use crate::build::cancel::Cancel;

/// What holds for every command. What decides about contents is set, although nobody's settings are read: an old `git` does
/// not know that it is not to read the user's.
const CONFIG: [&str; 23] = [
    "core.hooksPath=/dev/null",
    "core.fsmonitor=false",
    "core.untrackedCache=false",
    "core.attributesFile=/dev/null",
    "core.excludesFile=/dev/null",
    "core.autocrlf=false",
    "core.symlinks=true",
    "core.logAllRefUpdates=false",
    "core.askPass=",
    "credential.helper=",
    "init.defaultBranch=master",
    "safe.directory=*",
    "submodule.recurse=false",
    "fetch.recurseSubmodules=false",
    // A pack is there whole or not at all; loose objects come one by one.
    "fetch.unpackLimit=1",
    "gc.auto=0",
    "maintenance.auto=false",
    "protocol.allow=never",
    "protocol.http.allow=always",
    "protocol.https.allow=always",
    "protocol.ssh.allow=always",
    "protocol.git.allow=always",
    // A server that says nothing for two minutes is gone.
    "http.lowSpeedTime=120",
];

/// Variables that hold for every command.
const VARIABLES: [(&str, &str); 9] = [
    ("GIT_CONFIG_NOSYSTEM", "1"),
    ("GIT_CONFIG_GLOBAL", "/dev/null"),
    ("GIT_CONFIG_SYSTEM", "/dev/null"),
    ("XDG_CONFIG_HOME", "/dev/null"),
    ("GIT_ATTR_NOSYSTEM", "1"),
    ("GIT_TERMINAL_PROMPT", "0"),
    ("GIT_OPTIONAL_LOCKS", "0"),
    ("LC_ALL", "C"),
    ("LANGUAGE", ""),
];

/// A command to be run.
pub(super) struct Command<'a> {
    inner: std::process::Command,
    name: String,
    settings: Vec<(String, String)>,
    cancel: &'a Cancel,
}

/// What a command has left.
pub(super) struct Finished {
    name: String,
    pub(super) is_success: bool,
    output: File,
    errors: File,
}

/// Whether repositories of this machine may be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Local {
    Allowed,
    Refused,
}

impl<'a> Command<'a> {
    /// `git` with these variables of the user's.
    pub(super) fn new(variables: &[(OsString, OsString)], local: Local, cancel: &'a Cancel) -> Self {
        let mut inner = std::process::Command::new("git");
        inner.env_clear().env("GIT_SSH_COMMAND", "ssh -o BatchMode=yes");
        inner.envs(variables.iter().map(|(name, value)| (name, value))).envs(VARIABLES);
        for setting in CONFIG {
            inner.args(["-c", setting]);
        }
        let file = if local == Local::Allowed { "always" } else { "never" };
        inner.args(["-c", "http.lowSpeedLimit=1", "-c"]).arg(format!("protocol.file.allow={file}"));
        Self { inner, name: String::new(), settings: Vec::new(), cancel }
    }

    /// In the repository at this path.
    pub(super) fn repository(mut self, folder: &Path) -> Self {
        self.inner.arg("--git-dir").arg(folder).current_dir(folder);
        self
    }

    /// With the files in `folder`, and what is known of them in `index`.
    pub(super) fn files(mut self, folder: &Path, index: &Path) -> Self {
        self.inner.arg("--work-tree").arg(folder).current_dir(folder).env("GIT_INDEX_FILE", index);
        self
    }

    /// A setting that nobody else on the machine is to see.
    pub(super) fn secret(mut self, name: &str, value: String) -> Self {
        self.settings.push((name.to_owned(), value));
        self
    }

    /// The command's name and arguments.
    pub(super) fn args<S: AsRef<OsStr>>(mut self, args: impl IntoIterator<Item = S>) -> Self {
        for arg in args {
            if self.name.is_empty() {
                self.name = arg.as_ref().to_string_lossy().into_owned();
            }
            self.inner.arg(arg);
        }
        self
    }

    /// One more argument: a path.
    pub(super) fn arg(mut self, path: &Path) -> Self {
        self.inner.arg(path);
        self
    }

    /// What it reads.
    fn input(mut self, input: File) -> Self {
        self.inner.stdin(input);
        self
    }

    /// Runs it, and it has to succeed.
    pub(super) fn output(self) -> Result<Finished, Error> {
        let finished = self.without_input().run()?;
        if finished.is_success { Ok(finished) } else { Err(finished.failure()) }
    }

    /// Runs it; whether it succeeds is an answer.
    pub(super) fn ask(self) -> Result<Finished, Error> {
        self.without_input().run()
    }

    /// Runs it with what it reads.
    pub(super) fn feed(self, input: File) -> Result<Finished, Error> {
        let finished = self.input(input).run()?;
        if finished.is_success { Ok(finished) } else { Err(finished.failure()) }
    }

    /// Runs it with these bytes as what it reads.
    pub(super) fn feed_bytes(self, input: &[u8]) -> Result<Finished, Error> {
        let mut file = memory().map_err(Error::Start)?;
        file.write_all(input).and_then(|()| file.rewind()).map_err(Error::Start)?;
        self.feed(file)
    }

    fn without_input(mut self) -> Self {
        self.inner.stdin(Stdio::null());
        self
    }

    fn run(mut self) -> Result<Finished, Error> {
        self.cancel.check().map_err(|_| Error::Cancelled)?;
        // In files: a program that git leaves behind (of ssh, for its next connection) may keep them open for long.
        let (output, errors) = (memory().map_err(Error::Start)?, memory().map_err(Error::Start)?);
        self.inner.stdout(output.try_clone().map_err(Error::Start)?);
        self.inner.stderr(errors.try_clone().map_err(Error::Start)?);
        if !self.settings.is_empty() {
            self.inner.env("GIT_CONFIG_COUNT", self.settings.len().to_string());
            for (index, (name, value)) in self.settings.iter().enumerate() {
                self.inner.env(format!("GIT_CONFIG_KEY_{index}"), name);
                self.inner.env(format!("GIT_CONFIG_VALUE_{index}"), value);
            }
        }
        process::prepare(&mut self.inner);
        let mut child = self.inner.spawn().map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => Error::NotInstalled,
            _ => Error::Start(error),
        })?;
        let status = self.wait(&mut child)?;
        Ok(Finished { name: self.name, is_success: status.success(), output, errors })
    }

    fn wait(&self, child: &mut Child) -> Result<std::process::ExitStatus, Error> {
        let pid = Pid::from_child(child);
        let process = pidfd_open(pid, PidfdFlags::empty()).map_err(|error| Error::Start(error.into()))?;
        let mut is_stopped = false;
        loop {
            if let Some(status) = child.try_wait().map_err(Error::Start)? {
                return if is_stopped { Err(Error::Cancelled) } else { Ok(status) };
            }
            if self.cancel.check().is_err() {
                is_stopped = true;
                // It may have ended meanwhile. What it leaves unfinished is no worse than after a loss of power.
                let _ = kill_process_group(pid, Signal::KILL);
            }
            let tick = Timespec { tv_sec: 0, tv_nsec: 50_000_000 };
            // An interrupted wait is one that was shorter.
            let _ = poll(&mut [PollFd::new(&process, PollFlags::IN)], Some(&tick));
        }
    }
}

impl Finished {
    /// What it wrote, from the beginning.
    pub(super) fn into_output(self) -> Result<File, Error> {
        let mut output = self.output;
        output.rewind().map_err(Error::Start)?;
        Ok(output)
    }

    /// What it wrote.
    pub(super) fn bytes(self) -> Result<Vec<u8>, Error> {
        let mut bytes = Vec::new();
        self.into_output()?.read_to_end(&mut bytes).map_err(Error::Start)?;
        Ok(bytes)
    }

    /// What it wrote, as a text without the line's end.
    pub(super) fn text(self) -> Result<String, Error> {
        Ok(String::from_utf8_lossy(&self.bytes()?).trim_end().to_owned())
    }

    /// The last of what it complained about.
    pub(super) fn words(&self) -> String {
        let mut bytes = Vec::new();
        let read = self.errors.try_clone().and_then(|mut errors| {
            errors.rewind()?;
            errors.read_to_end(&mut bytes)
        });
        if let Err(error) = read {
            return format!("(its words cannot be read: {error})");
        }
        let text = String::from_utf8_lossy(&bytes);
        // Progress is written over itself.
        let lines = text.lines().map(|line| line.rsplit('\r').find(|part| !part.is_empty()).unwrap_or_default());
        let lines: Vec<&str> = lines.map(str::trim_end).filter(|line| !line.is_empty()).collect();
        lines[lines.len().saturating_sub(8)..].join("\n")
    }

    /// Its failure, as one of this machine.
    pub(super) fn failure(&self) -> Error {
        Error::Local { command: self.name.clone(), words: self.words() }
    }
}

fn memory() -> io::Result<File> {
    Ok(File::from(memfd_create("git", MemfdFlags::CLOEXEC)?))
}
