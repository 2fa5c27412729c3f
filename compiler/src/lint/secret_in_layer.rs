//! `secret-in-layer`: a file or a value that looks like a secret becomes part of an image.
//!
//! **Why**: whoever has the image has every layer of it, and what a later instruction removes is still in the one below.
//! **Silent** in stages that no image starts from or is, since their layers go nowhere; for sources that `.dockerignore`
//! keeps out; for public halves and examples; and where the same `RUN` removes the file, or writes it to a mount.

use std::collections::HashSet;

use super::advice::Seen;
use super::script::{self, Pipeline, Simple};
use super::{Advice, secrets, unused_stage};
use crate::ast::{Command, Instruction};
use crate::diagnostic::Diagnostic;
use crate::operation::{MountKind, Operation, Run};
use crate::path;
use crate::program::{Stage, StageId, Statement, Tree};

pub(super) fn check(seen: &Seen<'_>, found: &mut Vec<Diagnostic>) {
    let shipped = shipped(seen);
    for stage in seen.program.stages.iter().filter(|stage| shipped.contains(&stage.id)) {
        let arguments = secret_arguments(seen, stage);
        for (instruction, statement) in seen.of_stage(stage) {
            match &statement.operation {
                Operation::Copy(_) => found.extend(of_copy(seen, instruction, statement)),
                Operation::Run(run) => found.extend(of_run(instruction, run, &arguments)),
                _ => {}
            }
        }
    }
}

/// The stages whose layers are part of an image: targets, and what they start from.
fn shipped(seen: &Seen<'_>) -> HashSet<StageId> {
    let used = unused_stage::used(seen);
    let mut shipped = HashSet::new();
    for stage in &seen.program.stages {
        if stage.id != seen.program.target && used.contains(&stage.id) {
            continue;
        }
        let mut next = Some(stage);
        while let Some(stage) = next.filter(|stage| shipped.insert(stage.id)) {
            next = if let Tree::Stage(id) = stage.base { seen.program.stage(id) } else { None };
        }
    }
    shipped
}

fn of_copy(seen: &Seen<'_>, instruction: &Instruction, statement: &Statement) -> Option<Diagnostic> {
    let Operation::Copy(copy) = &statement.operation else { return None };
    let source = copy.sources.iter().find(|source| {
        let is_here = match statement.inputs.get(source.input.wrapping_sub(1)) {
            Some(Tree::Context(context)) => {
                context.name.is_some() || !seen.request.ignore.excludes(&path::clean(&source.path))
            }
            Some(Tree::Stage(_)) => true,
            _ => false,
        };
        is_here && is_secret_file(path::base(&path::clean(&source.path)))
    })?;
    let name = path::clean(&source.path);
    let message = format!("`{}` looks like a secret, and becomes part of the image", name.trim_start_matches('/'));
    let advice = Diagnostic::advice(Advice::SecretInLayer, instruction.span, message);
    let place = instruction.place_of(path::base(&name));
    Some(advice.label(place, "").help("hand it to the command that needs it: `RUN --mount=type=secret,id=NAME …`"))
}

/// Whether files of this name are mostly secret.
fn is_secret_file(name: &str) -> bool {
    const NAMES: [&str; 19] = [
        ".env",
        ".npmrc",
        ".pypirc",
        ".netrc",
        ".git-credentials",
        ".git",
        ".ssh",
        ".aws",
        ".gnupg",
        ".dockerconfigjson",
        ".htpasswd",
        "credentials",
        "credentials.json",
        "credentials.yml",
        "id_rsa",
        "id_dsa",
        "id_ecdsa",
        "id_ed25519",
        "kubeconfig",
    ];
    const HARMLESS: [&str; 10] =
        ["example", "sample", "template", "dist", "default", "defaults", "test", "pub", "public", "cert"];
    let lower = name.to_lowercase();
    let has = |words: &[&str]| lower.split(['.', '-', '_']).any(|part| words.contains(&part));
    if NAMES.contains(&lower.as_str()) {
        return true;
    }
    if has(&HARMLESS) {
        return false;
    }
    let is_key = [".p12", ".pfx", ".key"].iter().any(|end| lower.ends_with(end) && lower.len() > end.len());
    // Certificates are kept in the same format as keys.
    let is_certificate = ["ca", "chain", "fullchain", "bundle", "root", "certs", "certificate", "crt"];
    lower.starts_with(".env.") || is_key || lower.ends_with(".pem") && !has(&is_certificate)
}

/// Something that a command must not write to a file.
struct Secret {
    /// How it appears in the command.
    text: String,
    /// What to call it.
    name: String,
}

/// The arguments of a stage whose names say that they are secret.
fn secret_arguments(seen: &Seen<'_>, stage: &Stage) -> Vec<Secret> {
    let declared = seen.body(stage).iter().filter_map(|instruction| match &instruction.command {
        Some(Command::Arg(declared)) => Some(declared),
        _ => None,
    });
    let names = declared.flatten().map(|declared| declared.name.text.as_str());
    names
        .filter(|name| secrets::is_secret(name))
        .flat_map(|name| variable(name, &format!("the argument `{name}`")))
        .collect()
}

fn variable(variable: &str, name: &str) -> [Secret; 2] {
    [format!("${variable}"), format!("${{{variable}}}")].map(|text| Secret { text, name: name.to_owned() })
}

fn of_run(instruction: &Instruction, run: &Run, arguments: &[Secret]) -> Option<Diagnostic> {
    let mut secrets = Vec::new();
    for mount in &run.mounts {
        let MountKind::Secret { id, env, .. } = &mount.kind else { continue };
        let name = format!("the secret `{id}`");
        secrets.extend(mount.target.iter().map(|target| Secret { text: target.clone(), name: name.clone() }));
        secrets.extend(env.iter().flat_map(|env| variable(env, &name)));
    }
    let pipelines = script::of_run(instruction, run);
    let (secret, file) = pipelines.iter().find_map(|pipeline| {
        let secret = secrets.iter().chain(arguments).find(|secret| hands_on(pipeline, &secret.text))?;
        let file = written(pipeline, secret).find(|file| stays(file, run, &pipelines))?;
        Some((secret, file))
    })?;
    let message = format!("{} is written to `{file}`, which becomes part of the image", secret.name);
    let advice = Diagnostic::advice(Advice::SecretInLayer, instruction.span, message);
    let advice = advice.label(instruction.place_of(file), "");
    Some(advice.help("mount the secret where it is read: `RUN --mount=type=secret,id=NAME,target=FILE …`"))
}

/// Programs that hand on what they are given. What others write, such as an answer that a secret gave access to, is not it.
const HAND_ON: [&str; 16] = [
    "awk", "base64", "cat", "cp", "cut", "echo", "envsubst", "grep", "head", "install", "jq", "mv", "printf", "sed",
    "tail", "tr",
];

/// Whether a program that hands on what it is given is given the secret.
fn hands_on(pipeline: &Pipeline, text: &str) -> bool {
    // `$TOKENS` does not mention `$TOKEN`.
    let ends = |rest: &str| text.ends_with('}') || !rest.starts_with(|c: char| c.is_alphanumeric() || c == '_');
    let commands = pipeline.iter().filter(|command| HAND_ON.contains(&command.program()));
    commands
        .flat_map(|command| &command.words)
        .any(|word| word.match_indices(text).any(|(at, found)| ends(&word[at + found.len()..])))
}

/// The files that a pipeline writes the secret to: where `>` leads, what `tee` names, where `cp` puts it.
fn written<'a>(pipeline: &'a Pipeline, secret: &'a Secret) -> impl Iterator<Item = &'a str> {
    let copies =
        |command: &Simple| matches!(command.program(), "cp" | "install" | "mv") && command.words.contains(&secret.text);
    pipeline.iter().flat_map(move |command| {
        let named: Vec<&str> = match command.program() {
            "tee" => command.operands().collect(),
            _ if copies(command) => command.operands().last().into_iter().collect(),
            _ => Vec::new(),
        };
        command.writes.iter().map(String::as_str).chain(named)
    })
}

/// Whether a file is still there when the command is done.
fn stays(file: &str, run: &Run, pipelines: &[Pipeline]) -> bool {
    let is_on_mount =
        run.mounts.iter().filter_map(|mount| mount.target.as_deref()).any(|target| file.starts_with(target));
    let is_device = file.starts_with("/dev/") || file.starts_with("/proc/");
    let removes =
        |command: &Simple| matches!(command.program(), "rm" | "shred") && command.operands().any(|path| path == file);
    !is_on_mount && !is_device && !pipelines.iter().flatten().any(removes)
}
