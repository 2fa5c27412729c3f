//! `RUN`: the command, and everything it sees.

use super::link::Task;
use super::walk::{StageWalk, Step};
use crate::ast::{CommandLine, Heredoc, Run};
use crate::diagnostic::{Code, Diagnostic};
use crate::lex::heredoc;
use crate::operation::{self, Device, Inline, InlineFile, Mount, MountKind, Operation};
use crate::path;
use crate::program::Tree;

/// Where a heredoc that begins with `#!` is put to be run.
const SCRIPTS: &str = "/dev/pipes";

impl StageWalk<'_> {
    pub(super) fn run_command(&mut self, task: &Task<'_>, run: &Run) -> Step {
        let (command, script) = self.command(task, run)?;
        let (mut mounts, mut inputs) = self.mounts(task, run)?;
        if let Some(script) = script {
            inputs.push(Tree::Inline(Inline { files: vec![script] }));
            let kind = MountKind::Bind { input: inputs.len(), source: "/".to_owned(), writable: false };
            mounts.push(Mount { target: Some(SCRIPTS.to_owned()), kind });
        }
        let mut arguments: Vec<String> = match &run.command {
            CommandLine::Exec(_) => command,
            CommandLine::Shell(_) => self.image.shell().into_iter().chain(command).collect(),
        };
        let mut created_by = "RUN ".to_owned();
        let declared = self.image.scope.arguments();
        if !declared.is_empty() {
            created_by = format!("{created_by}|{} {} ", declared.len(), declared.join(" "));
        }
        created_by = format!("{created_by}{} # buildkit", arguments.join(" "));

        // `RUN []` runs nothing; that no program has an empty name comes out when it is run.
        if arguments.is_empty() {
            arguments.push(String::new());
        }
        let mut env = self.image.scope.environment();
        if self.image.scope.get("SSH_AUTH_SOCK").is_none() {
            let socket = mounts.iter().find(|mount| matches!(mount.kind, MountKind::Ssh { .. }));
            let socket = socket.and_then(|mount| mount.target.clone());
            if let Some(socket) = socket {
                env = env.iter().cloned().chain([("SSH_AUTH_SOCK".into(), socket.into())]).collect();
            }
        }
        let devices = run.devices.iter().map(|device| Device { name: device.name.clone(), required: device.required });
        let operation = Operation::Run(operation::Run {
            arguments,
            env,
            user: self.image.user.clone(),
            workdir: path::join("/", self.workdir_or_root()),
            mounts,
            network: run.network,
            security: run.security,
            devices: devices.collect(),
        });
        self.state(task, operation, inputs, created_by)
    }

    /// The command without its shell, and the script that it runs, if it is one that names its interpreter.
    fn command(&self, task: &Task<'_>, run: &Run) -> Step<(Vec<String>, Option<InlineFile>)> {
        let arguments = run.command.arguments();
        let [first, ..] = run.heredocs.as_slice() else { return Ok((arguments, None)) };
        let [text] = arguments.as_slice() else {
            let message = format!("parsing produced an invalid run command: {}", crate::go::list(&arguments));
            return Err(Box::new(Diagnostic::error(Code::InvalidHeredoc, task.at, message)));
        };
        if heredoc::opening(text).ok().flatten().is_none() {
            // The heredocs are part of a longer command: the shell reads them.
            let whole = run
                .heredocs
                .iter()
                .fold(text.clone(), |text, heredoc| format!("{text}\n{}{}", heredoc.content.text, heredoc.name));
            return Ok((vec![whole], None));
        }
        let content = body(first);
        if self.image.platform.os != "windows" && content.starts_with("#!") {
            let script = InlineFile { name: first.name.clone(), content, executable: true };
            return Ok((vec![format!("{SCRIPTS}/{}", first.name)], Some(script)));
        }
        Ok((vec![content], None))
    }
}

fn body(found: &Heredoc) -> String {
    if found.chomp { heredoc::without_tabs(&found.content.text) } else { found.content.text.clone() }
}
