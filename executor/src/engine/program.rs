//! Engines by way of their clients: an archive on the standard input of a program.

use std::fs;
use std::io::{self, Read, Write};
use std::process::{Command, Stdio};
use std::thread;

use super::Client;
use super::error::{Error, Problem};
use crate::image::error::Error as ImageError;

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
    fn load(self) -> &'static [&'static str] {
        match self {
            Self::Docker | Self::Podman | Self::Nerdctl => &["load"],
            Self::Ctr => &["images", "import", "-"],
        }
    }

    /// Why it cannot be used; `None` if it can.
    pub(super) fn problem(self) -> Option<Problem> {
        let program = self.program();
        match Command::new(program).args(self.question()).stdin(Stdio::null()).output() {
            Ok(output) if output.status.success() => None,
            Ok(output) => {
                let text = String::from_utf8_lossy(&output.stderr);
                let said = last_line(&text).unwrap_or("it does not say why");
                Some(Problem::Unusable { program, said: said.to_owned() })
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Some(Problem::Missing(program)),
            Err(source) => Some(Problem::System { program, source }),
        }
    }
}

/// Gives the client the archive that `write` writes; returns what it says.
pub(super) fn load(
    client: Client,
    write: impl FnOnce(&mut dyn Write) -> Result<(), ImageError>,
) -> Result<Vec<String>, Error> {
    let engine = client.program();
    let mut command = Command::new(engine);
    command.args(client.load()).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
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
