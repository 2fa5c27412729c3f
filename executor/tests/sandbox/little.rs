//! A little tree, made of busybox, and a short way to run something in it.

use std::fs;
use std::io::Read;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::thread;

use layercake_executor::overlay::{Overlay, Upper};
use layercake_executor::sandbox::{self, End, Error, Outcome, Spec, Standard};
use tempfile::TempDir;

/// What every tree here is made of: Debian's `busybox-static`.
const BUSYBOX: &str = "/bin/busybox";

/// A tree with busybox and two accounts, an upper folder over it, and all of it gone afterwards.
pub(crate) struct Little {
    scratch: TempDir,
}

/// How a command went.
#[derive(Debug)]
pub(crate) struct Finished {
    pub(crate) outcome: Outcome,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Little {
    pub(crate) fn new() -> Self {
        let scratch = TempDir::new().unwrap();
        fs::set_permissions(scratch.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let little = Self { scratch };
        let lower = little.lower();
        for folder in ["lower/bin", "lower/etc", "lower/home/ann", "upper", "work"] {
            fs::create_dir_all(little.path(folder)).unwrap();
        }
        fs::create_dir(lower.join("tmp")).unwrap();
        fs::set_permissions(lower.join("tmp"), fs::Permissions::from_mode(0o1777)).unwrap();
        fs::copy(BUSYBOX, lower.join("bin/busybox")).unwrap();
        for name in [
            "sh", "true", "cat", "ls", "id", "rm", "mkdir", "sleep", "ps", "stat", "mount", "unshare", "hostname",
            "ip", "nc", "wc", "readlink", "env", "kill", "chmod", "chown", "touch", "mv", "grep", "tty", "stty",
            "ping", "httpd", "mknod", "dd",
        ] {
            symlink("busybox", lower.join("bin").join(name)).unwrap();
        }
        fs::write(lower.join("etc/passwd"), "root:x:0:0::/root:/bin/sh\nann:x:1000:1000::/home/ann:/bin/sh\n").unwrap();
        fs::write(lower.join("etc/group"), "root:x:0:\nann:x:1000:\naudio:x:29:ann\n").unwrap();
        little
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.scratch.path().join(name)
    }

    pub(crate) fn lower(&self) -> PathBuf {
        self.path("lower")
    }

    pub(crate) fn overlay(&self) -> Overlay {
        let upper = Upper { upper: self.path("upper"), work: self.path("work") };
        Overlay { lowers: vec![self.lower()], upper: Some(upper) }
    }

    /// Root runs a shell script.
    pub(crate) fn script(&self, script: &str) -> Spec {
        self.command(&["sh", "-c", script])
    }

    /// Root runs a command.
    pub(crate) fn command(&self, arguments: &[&str]) -> Spec {
        let arguments = arguments.iter().map(|&argument| argument.to_owned()).collect();
        let env = vec![("PATH".to_owned(), "/bin".to_owned())];
        Spec { env, ..Spec::new(self.overlay(), arguments) }
    }

    /// What root's shell script prints; it has to succeed.
    pub(crate) fn output(&self, script: &str) -> String {
        output(&self.script(script))
    }

    /// The paths in the upper folder, sorted.
    pub(crate) fn changes(&self) -> Vec<String> {
        let upper = self.path("upper");
        let mut paths = Vec::new();
        list(&upper, &upper, &mut paths);
        paths.sort();
        paths
    }
}

fn list(root: &Path, folder: &Path, paths: &mut Vec<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        paths.push(entry.path().strip_prefix(root).unwrap().to_str().unwrap().to_owned());
        if entry.file_type().unwrap().is_dir() {
            list(root, &entry.path(), paths);
        }
    }
}

/// Runs a command to its end.
pub(crate) fn run(spec: &Spec) -> Result<Finished, Error> {
    let (mut stdout, to_stdout) = std::io::pipe().unwrap();
    let (mut stderr, to_stderr) = std::io::pipe().unwrap();
    let standard = Standard { stdin: None, stdout: Some(to_stdout.into()), stderr: Some(to_stderr.into()) };
    let running = sandbox::start(spec, standard)?;
    let errors = thread::spawn(move || {
        let mut text = String::new();
        stderr.read_to_string(&mut text).unwrap();
        text
    });
    let mut text = String::new();
    stdout.read_to_string(&mut text).unwrap();
    let outcome = running.wait()?;
    Ok(Finished { outcome, stdout: text, stderr: errors.join().unwrap() })
}

/// What a command prints that succeeds.
pub(crate) fn output(spec: &Spec) -> String {
    let finished = run(spec).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(finished.outcome.end, End::Exited(0), "{finished:?}");
    finished.stdout
}
