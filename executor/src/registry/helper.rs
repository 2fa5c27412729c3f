//! Credential helpers: programs that keep secrets, `docker-credential-NAME`.
//!
//! Source: docker/docker-credential-helpers: a verb as argument, the request on standard input, JSON on standard output.

use std::io::{Read, Write};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use serde::Deserialize;

use crate::fault::reason;
use crate::registry::credentials::Credential;

/// The user name by which a helper says that its secret is an identity token.
const TOKEN_USER: &str = "<token>";

/// A program that keeps secrets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Helper {
    program: String,
}

/// A helper that does not help.
#[derive(Debug, thiserror::Error)]
pub enum HelperError {
    /// It is not there.
    #[error("the credential helper `{0}` is not installed")]
    NotInstalled(String),
    /// It cannot be started.
    #[error("the credential helper `{program}` cannot be started: {}", reason(source))]
    Start {
        /// The program.
        program: String,
        /// What the system says.
        source: std::io::Error,
    },
    /// It is too slow.
    #[error("the credential helper `{program}` gave no answer within {} s", after.as_secs_f32())]
    Silent {
        /// The program.
        program: String,
        /// How long was waited.
        after: Duration,
    },
    /// It failed.
    #[error("the credential helper `{program}` failed: {message}")]
    Failed {
        /// The program.
        program: String,
        /// Its words.
        message: String,
    },
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Answer {
    username: String,
    secret: String,
}

impl Helper {
    pub(crate) fn named(name: &str) -> Self {
        Self { program: format!("docker-credential-{name}") }
    }

    /// What it keeps for a registry; `None` if it has nothing.
    pub(crate) fn get(&self, registry: &str, limit: Duration) -> Result<Option<Credential>, HelperError> {
        let output = match self.run("get", registry.as_bytes(), limit) {
            Err(HelperError::Failed { message, .. }) if message.contains("credentials not found") => return Ok(None),
            result => result?,
        };
        let failed = |message: String| HelperError::Failed { program: self.program.clone(), message };
        // The parser's words could quote the secret.
        let Answer { username, secret } =
            serde_json::from_slice(&output).map_err(|_| failed("its answer is not what it must be".to_owned()))?;
        Ok(match username.as_str() {
            "" if secret.is_empty() => None,
            TOKEN_USER => Some(Credential::Identity(secret)),
            _ => Some(Credential::Password { user: username, password: secret }),
        })
    }

    /// Has it keep a password.
    pub(crate) fn store(&self, registry: &str, user: &str, secret: &str, limit: Duration) -> Result<(), HelperError> {
        let request = serde_json::json!({"ServerURL": registry, "Username": user, "Secret": secret}).to_string();
        self.run("store", request.as_bytes(), limit).map(drop)
    }

    /// Has it forget what it keeps for a registry.
    pub(crate) fn erase(&self, registry: &str, limit: Duration) -> Result<(), HelperError> {
        match self.run("erase", registry.as_bytes(), limit) {
            Err(HelperError::Failed { message, .. }) if message.contains("credentials not found") => Ok(()),
            result => result.map(drop),
        }
    }

    fn run(&self, verb: &str, input: &[u8], limit: Duration) -> Result<Vec<u8>, HelperError> {
        let mut command = Command::new(&self.program);
        // A group of its own, so that what it starts can be ended with it.
        command.arg(verb).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).process_group(0);
        let mut child = command.spawn().map_err(|source| match source.kind() {
            std::io::ErrorKind::NotFound => HelperError::NotInstalled(self.program.clone()),
            _ => HelperError::Start { program: self.program.clone(), source },
        })?;
        if let Some(mut pipe) = child.stdin.take() {
            // A helper that does not want to read says why in its answer.
            let _ = pipe.write_all(input);
        }
        let Some(output) = read_until(&mut child, limit) else {
            end(&mut child);
            return Err(HelperError::Silent { program: self.program.clone(), after: limit });
        };
        match child.wait() {
            Ok(status) if status.success() => Ok(output),
            Ok(_) => {
                let message = String::from_utf8_lossy(&output).trim().chars().take(200).collect();
                Err(HelperError::Failed { program: self.program.clone(), message })
            }
            Err(source) => Err(HelperError::Start { program: self.program.clone(), source }),
        }
    }
}

/// The helper's output up to its end; `None` if that does not come in time.
fn read_until(child: &mut Child, limit: Duration) -> Option<Vec<u8>> {
    let mut output = child.stdout.take()?;
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        let mut bytes = Vec::new();
        // A failing read gives what came before it; the receiver may have stopped waiting.
        let _ = output.by_ref().take(1 << 20).read_to_end(&mut bytes);
        let _ = sender.send(bytes);
    });
    receiver.recv_timeout(limit).ok()
}

fn end(child: &mut Child) {
    // It may end by itself just now; then there is nothing left to end.
    if let Some(group) = i32::try_from(child.id()).ok().and_then(rustix::process::Pid::from_raw) {
        let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
    }
    let _ = child.wait();
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

    use std::fs;
    use std::time::Instant;

    use super::*;

    const LIMIT: Duration = Duration::from_secs(10);

    /// Does something with a helper that is this shell script.
    fn with<T>(script: &str, act: impl FnOnce(&Helper) -> T) -> T {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("helper");
        // Another process writes it: a file that this one has open for writing, or a child of another thread's has
        // inherited so, cannot be run.
        let mut writer = Command::new("sh")
            .args(["-c", r#"cat >"$0" && chmod 755 "$0""#])
            .arg(&path)
            .stdin(Stdio::piped())
            .spawn()
            .unwrap();
        writer.stdin.take().unwrap().write_all(format!("#!/bin/sh\n{script}\n").as_bytes()).unwrap();
        assert!(writer.wait().unwrap().success());
        act(&Helper { program: path.display().to_string() })
    }

    fn get(script: &str, limit: Duration) -> Result<Option<Credential>, HelperError> {
        with(script, |helper| helper.get("r.io:5000", limit))
    }

    #[test]
    fn it_is_asked_for_the_registry_and_gives_a_password_or_a_token() {
        let answer = |user: &str| {
            format!(
                r#"test "$1" = get && read -r host; test "$host" = r.io:5000 && echo '{{"Username":"{user}","Secret":"s"}}'"#
            )
        };
        let password = Credential::Password { user: "me".to_owned(), password: "s".to_owned() };
        assert!(get(&answer("me"), LIMIT).unwrap() == Some(password));
        assert!(get(&answer("<token>"), LIMIT).unwrap() == Some(Credential::Identity("s".to_owned())));
        assert!(get("echo credentials not found in native keychain; exit 1", LIMIT).unwrap().is_none());
    }

    #[test]
    fn it_has_a_time_limit_together_with_what_it_starts() {
        let begin = Instant::now();
        let error = get("sleep 30 & sleep 30", Duration::from_millis(100)).map(drop).unwrap_err();
        assert!(begin.elapsed() < LIMIT);
        assert!(error.to_string().ends_with("gave no answer within 0.1 s"), "{error}");
    }

    #[test]
    fn its_failures_are_told_and_its_secrets_are_not() {
        let error = get("echo the safe is locked; exit 1", LIMIT).map(drop).unwrap_err();
        assert!(error.to_string().ends_with("failed: the safe is locked"), "{error}");
        let error = get("echo secret-but-not-json", LIMIT).map(drop).unwrap_err();
        assert!(!error.to_string().contains("secret-but-not-json"), "{error}");
        let error = Helper::named("that-nobody-has").get("r.io", LIMIT).map(drop).unwrap_err();
        assert_eq!(error.to_string(), "the credential helper `docker-credential-that-nobody-has` is not installed");
    }

    #[test]
    fn it_keeps_and_forgets() {
        let folder = tempfile::tempdir().unwrap();
        let kept = folder.path().join("kept");
        let script = format!(r#"case "$1" in store) cat >{0};; erase) rm {0};; *) exit 1;; esac"#, kept.display());
        with(&script, |helper| {
            helper.store("r.io", "me", "p\"w", LIMIT).unwrap();
            let request: serde_json::Value = serde_json::from_slice(&fs::read(&kept).unwrap()).unwrap();
            assert_eq!(request, serde_json::json!({"ServerURL": "r.io", "Username": "me", "Secret": "p\"w"}));
            helper.erase("r.io", LIMIT).unwrap();
            assert!(!kept.exists());
        });
    }
}
