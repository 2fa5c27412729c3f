//! Handing an image over to whoever runs containers here: docker, podman, or containerd by way of nerdctl or ctr.

use std::fs;
use std::io::{self, Read, Write};
use std::process::{Command, Stdio};
use std::thread;

use layercake_executor::fault::reason;
use layercake_executor::image::error::Error;

use crate::failure::Failure;
use crate::settings::file::Engine;
use crate::terminal::output::tell;

impl Engine {
    /// In the order in which they are looked for.
    const ALL: [Self; 4] = [Self::Docker, Self::Podman, Self::Nerdctl, Self::Ctr];

    fn program(self) -> &'static str {
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
    fn problem(self) -> Option<String> {
        let program = self.program();
        match Command::new(program).args(self.question()).stdin(Stdio::null()).output() {
            Ok(output) if output.status.success() => None,
            Ok(output) => {
                let text = String::from_utf8_lossy(&output.stderr);
                Some(format!("`{program}` does not work: {}", last_line(&text).unwrap_or("it does not say why")))
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Some(format!("there is no `{program}`")),
            Err(error) => Some(format!("`{program}` cannot be started: {}", reason(&error))),
        }
    }
}

/// Who is to load images: who the settings name, or the first that can. Has to be asked before this process becomes root
/// of a user namespace, where podman would take it for root.
///
/// # Errors
/// If nobody can.
pub(super) fn find(wanted: Option<Engine>) -> Result<Engine, Failure> {
    let candidates = wanted.map_or_else(|| Engine::ALL.to_vec(), |engine| vec![engine]);
    let mut problems = Vec::new();
    for engine in candidates {
        match engine.problem() {
            None => return Ok(engine),
            Some(problem) => problems.push(problem),
        }
    }
    Err(Failure::environment(format!("nobody can load the image: {}", problems.join("; "))).help(
        "start one of them, or write an archive with `--output type=docker,dest=FILE`; \
         `load = \"podman\"` in the section `[build]` of the settings chooses",
    ))
}

/// Gives an engine the archive that `write` writes.
///
/// # Errors
/// If it does not take the image, or the archive cannot be written.
pub(super) fn hand_over(
    engine: Engine,
    write: impl FnOnce(&mut dyn Write) -> Result<(), Error>,
) -> Result<(), Failure> {
    let program = engine.program();
    let failed = |what: &str| Failure::environment(format!("`{program}` has not loaded the image: {what}"));
    let mut command = Command::new(program);
    command.args(engine.load()).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    if engine == Engine::Podman {
        command.envs(user_namespace());
    }
    let mut child = command.spawn().map_err(|error| failed(&reason(&error)))?;
    let (mut input, output, errors) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    let (written, output, errors) = thread::scope(|scope| {
        let (output, errors) = (scope.spawn(move || text(output)), scope.spawn(move || text(errors)));
        let written = input.as_mut().map_or(Ok(()), |input| write(input));
        // The engine waits for the end of the archive.
        drop(input);
        (written, output.join().unwrap_or_default(), errors.join().unwrap_or_default())
    });
    let status = child.wait().map_err(|error| failed(&reason(&error)))?;
    // An engine that has ended early is the reason why the archive could not be written.
    if !status.success() {
        return Err(failed(last_line(&errors).unwrap_or(&status.to_string())));
    }
    written?;
    // Our standard output is for the image's digest alone.
    output.lines().for_each(|line| tell(&format!("{program}: {line}\n")));
    Ok(())
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
