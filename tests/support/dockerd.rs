//! A docker daemon of a test's own, where root may start one: what docker says is what we are held to.

use std::fs::{self, File};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::{machine, tools};

/// A running daemon; it ends when this is dropped.
pub(crate) struct Dockerd {
    process: Child,
    folder: TempDir,
}

impl Dockerd {
    /// Starts one; `None`, and a word about it, where that cannot be.
    pub(crate) fn start() -> Option<Self> {
        // An ordinary user's daemon needs a setup of the machine that no package brings.
        if !machine::is_root() || !tools::available(&["dockerd", "docker"]) {
            return None;
        }
        let folder = TempDir::with_prefix("dockerd-").unwrap();
        let path = |name: &str| folder.path().join(name).display().to_string();
        fs::write(path("daemon.json"), "{}").unwrap();
        let log = File::create(path("log")).unwrap();
        let mut command = Command::new("dockerd");
        // Neither a network nor firewall rules: nothing of the machine is changed.
        command
            .args(["--bridge=none", "--iptables=false", "--ip6tables=false", "--storage-driver=vfs"])
            .args(["--containerd-namespace=layercake-test", "--containerd-plugins-namespace=layercake-test-plugins"])
            .args(["--config-file", &path("daemon.json"), "--host", &format!("unix://{}", path("socket"))])
            .args(["--data-root", &path("data"), "--exec-root", &path("exec"), "--pidfile", &path("pid")])
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log);
        let mut daemon = Self { process: command.spawn().unwrap(), folder };
        let end = Instant::now() + Duration::from_secs(30);
        while Instant::now() < end && daemon.process.try_wait().unwrap().is_none() {
            if daemon.docker(["version"]).output().unwrap().status.success() {
                return Some(daemon);
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        tools::skip("the permissions that dockerd needs");
        None
    }

    /// Docker's client, for this daemon.
    pub(crate) fn docker<'a>(&self, arguments: impl IntoIterator<Item = &'a str>) -> Command {
        let mut command = Command::new("docker");
        let socket = format!("unix://{}", self.folder.path().join("socket").display());
        command.env("DOCKER_HOST", socket).env("DOCKER_CONFIG", self.folder.path()).args(arguments);
        command.stdin(Stdio::null());
        command
    }
}

impl Drop for Dockerd {
    fn drop(&mut self) {
        // Asked to end, it ends its containerd too.
        let pid = rustix::process::Pid::from_child(&self.process);
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
        let _ = self.process.wait();
    }
}
