//! Engines by way of their clients: an archive on the standard input of a program.

use std::fs::{self, File};
use std::io::{self, Read, Seek, Write};
use std::process::{Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::fs::{MemfdFlags, memfd_create};

use super::error::{Error, Problem};
use super::{Client, Platforms};
use crate::image::error::Error as ImageError;

/// How long a client may take to find its service: it may be on another machine.
const PATIENCE: Duration = Duration::from_secs(10);

impl Client {
    /// In the order in which they are looked for.
    pub(super) const ALL: [Self; 4] = [Self::Docker, Self::Podman, Self::Nerdctl, Self::Ctr];

    pub(super) fn program(self) -> &'static str {
        match self {
            Self::Docker => "docker",
            Self::Podman => "podman",
            Self::Nerdctl => "nerdctl",
            Self::Ctr => "ctr",
        }
    }

    /// Arguments that it succeeds with only if the service that it speaks to answers.
    fn question(self) -> &'static [&'static str] {
        match self {
            Self::Docker => &["version", "--format", "{{.Server.Version}}"],
            Self::Podman => &["--version"],
            Self::Nerdctl => &["info"],
            Self::Ctr => &["version"],
        }
    }

    /// Arguments that make it read an archive from its standard input.
    fn load(self, platforms: Platforms) -> &'static [&'static str] {
        match (self, platforms) {
            (Self::Nerdctl, Platforms::Several) => &["load", "--all-platforms"],
            (Self::Docker | Self::Podman | Self::Nerdctl, _) => &["load"],
            (Self::Ctr, Platforms::One) => &["images", "import", "-"],
            (Self::Ctr, Platforms::Several) => &["images", "import", "--all-platforms", "-"],
        }
    }

    /// Whether the store behind it can hold images for several platforms under one name.
    pub(super) fn holds_several(self) -> bool {
        match self {
            Self::Nerdctl | Self::Ctr => true,
            Self::Podman => false,
            Self::Docker => {
                let question = ["info", "--format", "{{json .DriverStatus}}"];
                let answer = Command::new(self.program()).args(question).stdin(Stdio::null()).output();
                // What docker says where its images are containerd's ("containerd image store" in its manual).
                answer.is_ok_and(|answer| text(Some(answer.stdout.as_slice())).contains("io.containerd.snapshotter"))
            }
        }
    }

    /// Why it cannot be used; `None` if it can.
    pub(super) fn problem(self) -> Option<Problem> {
        let program = self.program();
        match self.answer() {
            Ok(Answer { status: Some(status), .. }) if status.success() => None,
            Ok(Answer { status, said }) => {
                let silence = if status.is_some() { "it does not say why" } else { "it does not answer" };
                let said = last_line(&said).unwrap_or(silence).to_owned();
                Some(Problem::Unusable { program, said })
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Some(Problem::Missing(program)),
            Err(source) => Some(Problem::System { program, source }),
        }
    }

    /// What it answers to its question in the time that it has. Without a thread: who asks may have none yet.
    fn answer(self) -> io::Result<Answer> {
        let mut said = File::from(memfd_create("answer", MemfdFlags::CLOEXEC)?);
        let mut command = Command::new(self.program());
        command.args(self.question()).stdin(Stdio::null()).stdout(Stdio::null()).stderr(said.try_clone()?);
        let mut child = command.spawn()?;
        let start = Instant::now();
        let status = loop {
            match child.try_wait()? {
                None if start.elapsed() < PATIENCE => thread::sleep(Duration::from_millis(5)),
                None => {
                    child.kill()?;
                    child.wait()?;
                    break None;
                }
                status => break status,
            }
        };
        said.rewind()?;
        Ok(Answer { status, said: text(Some(said)) })
    }
}

/// What a client answers.
struct Answer {
    /// `None` if it was ended, for it took too long.
    status: Option<ExitStatus>,
    /// On standard error.
    said: String,
}

/// Gives the client the archive that `write` writes; returns what it says.
pub(super) fn load(
    client: Client,
    platforms: Platforms,
    write: impl FnOnce(&mut dyn Write) -> Result<(), ImageError>,
) -> Result<Vec<String>, Error> {
    let engine = client.program();
    let mut command = Command::new(engine);
    command.args(client.load(platforms)).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    if client == Client::Podman {
        command.envs(user_namespace());
    }
    let failed = |source| Error::System { engine, source };
    let mut child = command.spawn().map_err(failed)?;
    let (mut input, output, errors) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    let (written, output, errors) = thread::scope(|scope| {
        let (output, errors) = (scope.spawn(move || text(output)), scope.spawn(move || text(errors)));
        let written = input.as_mut().map_or(Ok(()), |input| write(input));
        // The client waits for the end of the archive.
        drop(input);
        (written, output.join().unwrap_or_default(), errors.join().unwrap_or_default())
    });
    let status = child.wait().map_err(failed)?;
    // A client that has ended early is the reason why the archive could not be written.
    if !status.success() {
        let said = last_line(&errors).map_or_else(|| status.to_string(), str::to_owned);
        return Err(Error::Refused { engine, said });
    }
    written?;
    Ok(output.lines().map(str::to_owned).collect())
}

/// What tells podman that it runs in the user namespace that it would have made itself, and for whom, as
/// `podman unshare` does (containers/storage, `pkg/unshare`). Nothing where this process is in none of its own.
fn user_namespace() -> Vec<(&'static str, String)> {
    let outside = |map: &str| {
        let map = fs::read_to_string(map).ok()?;
        map.split_whitespace().nth(1).filter(|id| *id != "0").map(str::to_owned)
    };
    match (outside("/proc/self/uid_map"), outside("/proc/self/gid_map")) {
        (Some(user), Some(group)) => vec![
            ("_CONTAINERS_USERNS_CONFIGURED", "done".to_owned()),
            ("_CONTAINERS_ROOTLESS_UID", user),
            ("_CONTAINERS_ROOTLESS_GID", group),
        ],
        _ => Vec::new(),
    }
}

fn text(stream: Option<impl Read>) -> String {
    let mut bytes = Vec::new();
    // What cannot be read is not shown; the status tells how it went.
    let _ = stream.map(|mut stream| stream.read_to_end(&mut bytes));
    String::from_utf8_lossy(&bytes).into_owned()
}

/// The last line that says something: most programs end with what went wrong.
fn last_line(text: &str) -> Option<&str> {
    text.lines().rev().map(str::trim).find(|line| !line.is_empty())
}
