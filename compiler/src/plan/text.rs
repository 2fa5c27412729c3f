//! The plan as text, to be read, kept in a repository and reviewed as a diff.
//!
//! One fact to a line, in an order that does not change, with nothing of the machine in it, and nothing that only says where
//! something stands: a line or a step that comes or goes leaves the other lines as they are. A step's own line names its
//! inputs; the lines below it say which instruction it is of and everything it depends on. An environment is written out where
//! it differs from that of the command before.
//!
//! A graph is written in the same way, but with numbers and lines: it is read together with what a pass says of it.

use std::fmt::{self, Write};

use crate::address::redact;
use crate::go;
use crate::oci::ContainerConfig;
use crate::operation::{
    Below, Copy, Environment, Git, Http, Image, Inline, MakeDir, Mount, MountKind, Mtime, Network, Operation, Run,
    Security, Sharing, Unpack,
};
use crate::plan::names::Names;
use crate::plan::{Origin, Plan, PlannedImage, Step, StepId};

/// How steps are called.
#[derive(Clone, Copy)]
pub(crate) enum Called<'n> {
    /// By their names: a plan.
    Names(&'n Names),
    /// By their numbers, with the lines that they come from: a graph, in which nodes may be missing.
    Numbers,
}

impl Called<'_> {
    /// What a step is called.
    fn step(self, step: StepId) -> String {
        match self {
            Self::Names(names) => names.name(step).to_owned(),
            Self::Numbers => step.to_string(),
        }
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "plan {}: `{}` for {}", self.version, self.target, self.platform)?;
        let names = Names::of(&self.steps);
        write_steps(f, &self.steps, Called::Names(&names))?;
        write_image(f, &self.image, self.result, Called::Names(&names))
    }
}

/// All steps, with an empty line before each and after the last.
pub(crate) fn write_steps(f: &mut fmt::Formatter<'_>, all: &[Step], called: Called<'_>) -> fmt::Result {
    for step in steps(all, called, Variables::Changed) {
        writeln!(f)?;
        write!(f, "{step}")?;
    }
    writeln!(f)
}

impl fmt::Display for StepId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "%{}", self.0)
    }
}

/// A step with everything it depends on, several lines long. Its variables are those of the last command where it says so.
pub(super) struct StepText<'p> {
    step: &'p Step,
    called: Called<'p>,
    last_env: Option<(StepId, &'p Environment)>,
}

impl fmt::Display for StepText<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_step(f, self.step, self.called, self.last_env)
    }
}

/// When the variables of a command are written out.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Variables {
    /// Where they differ from those of the command before.
    Changed,
    /// With each command, so that it can be read on its own; but not where there are so many that nobody would.
    Each,
}

/// The most variables that are written out again and again.
const MANY: usize = 40;

/// Steps as texts.
pub(super) fn steps<'p>(
    all: &'p [Step],
    called: Called<'p>,
    variables: Variables,
) -> impl Iterator<Item = StepText<'p>> {
    all.iter().scan(None, move |last_env, step| {
        let text = StepText { step, called, last_env: *last_env };
        if let Operation::Run(run) = &step.operation
            && (variables == Variables::Changed || run.env.len() > MANY)
        {
            *last_env = Some((step.id, &run.env));
        }
        Some(text)
    })
}

/// One fact: a name in a column of its own, and a value.
pub(crate) fn fact(f: &mut fmt::Formatter<'_>, name: &str, value: impl fmt::Display) -> fmt::Result {
    writeln!(f, "    {name:<9} {value}")
}

fn write_step(
    f: &mut fmt::Formatter<'_>,
    step: &Step,
    called: Called<'_>,
    last_env: Option<(StepId, &Environment)>,
) -> fmt::Result {
    write!(f, "{} = {}", called.step(step.id), operation_name(&step.operation))?;
    if let Operation::Image(image) = &step.operation {
        write!(f, " {}", word(&image.reference))?;
    }
    let inputs: Vec<String> = step.inputs.iter().map(|input| called.step(*input)).collect();
    for (slot, input) in inputs.iter().enumerate() {
        let separator = match slot {
            0 => " ",
            1 => " <- ",
            _ => ", ",
        };
        write!(f, "{separator}{input}")?;
    }
    writeln!(f)?;
    match called {
        Called::Numbers => write_origin(f, &step.origin)?,
        Called::Names(_) if step.origin.stage.is_empty() => {}
        Called::Names(_) => fact(f, "for", shortened(&step.origin.name))?,
    }
    write_operation(f, &step.operation, &inputs, last_env.map(|(step, env)| (called.step(step), env)))
}

/// Where something comes from.
pub(crate) fn write_origin(f: &mut fmt::Formatter<'_>, origin: &Origin) -> fmt::Result {
    if origin.stage.is_empty() {
        return Ok(());
    }
    let line = if origin.line == 0 { String::new() } else { format!(":{}", origin.line) };
    fact(f, "from", format_args!("{}{line}  {}", origin.stage, shortened(&origin.name)))
}

/// Everything that an operation depends on but its inputs, which are called as `inputs` says.
pub(crate) fn write_operation(
    f: &mut fmt::Formatter<'_>,
    operation: &Operation,
    inputs: &[impl fmt::Display],
    last_env: Option<(impl fmt::Display, &Environment)>,
) -> fmt::Result {
    match operation {
        Operation::Scratch | Operation::Stack => Ok(()),
        Operation::Image(image) => write_image_source(f, image),
        Operation::Context(context) => context.name.as_ref().map_or(Ok(()), |name| fact(f, "name", word(name))),
        Operation::Inline(inline) => write_inline(f, inline),
        Operation::Http(http) => write_http(f, http),
        Operation::Git(git) => write_git(f, git),
        Operation::Copy(copy) => write_copy(f, copy, inputs),
        Operation::Run(run) => write_run(f, run, inputs, last_env),
        Operation::MakeDir(make_dir) => write_make_dir(f, make_dir),
    }
}

pub(crate) fn operation_name(operation: &Operation) -> &'static str {
    match operation {
        Operation::Image(_) => "image",
        Operation::Scratch => "scratch",
        Operation::Context(_) => "context",
        Operation::Inline(_) => "inline",
        Operation::Http(_) => "http",
        Operation::Git(_) => "git",
        Operation::Copy(_) => "copy",
        Operation::Run(_) => "run",
        Operation::MakeDir(_) => "make-dir",
        Operation::Stack => "stack",
    }
}

pub(crate) fn write_image_source(f: &mut fmt::Formatter<'_>, image: &Image) -> fmt::Result {
    fact(f, "platform", &image.platform)?;
    image.digest.as_ref().map_or(Ok(()), |digest| fact(f, "digest", digest))
}

pub(crate) fn write_inline(f: &mut fmt::Formatter<'_>, inline: &Inline) -> fmt::Result {
    for file in &inline.files {
        fact(f, if file.executable { "script" } else { "file" }, word(&file.name))?;
        for line in file.content.split_inclusive('\n') {
            writeln!(f, "      | {}", on_one_line(line))?;
        }
    }
    Ok(())
}

pub(crate) fn write_http(f: &mut fmt::Formatter<'_>, http: &Http) -> fmt::Result {
    fact(f, "url", word(&redact(&http.url)))?;
    fact(f, "file", word(&http.filename))?;
    http.checksum.as_ref().map_or(Ok(()), |checksum| fact(f, "checksum", checksum))
}

pub(crate) fn write_git(f: &mut fmt::Formatter<'_>, git: &Git) -> fmt::Result {
    fact(f, "remote", word(&git.remote))?;
    for (name, value) in [("reference", &git.reference), ("subdir", &git.subdir), ("checksum", &git.checksum)] {
        if let Some(value) = value {
            fact(f, name, word(value))?;
        }
    }
    for (is_set, text) in [
        (git.keep_git_dir, "keep .git"),
        (!git.submodules, "no submodules"),
        (git.mtime == Mtime::Commit, "times of the commit"),
        (git.fetch_by_commit, "fetch by commit"),
    ] {
        if is_set {
            fact(f, "option", text)?;
        }
    }
    git.paths.iter().try_for_each(|path| fact(f, "path", word(path)))
}

/// What an input is called. A graph that is printed because it is malformed may refer to one that is not there.
fn called(inputs: &[impl fmt::Display], slot: usize) -> String {
    inputs.get(slot).map_or_else(|| "%?".to_owned(), ToString::to_string)
}

fn write_copy(f: &mut fmt::Formatter<'_>, copy: &Copy, inputs: &[impl fmt::Display]) -> fmt::Result {
    for source in &copy.sources {
        // Which input it is only has to be said where there are several.
        let input = if inputs.len() > 2 { format!("{} ", called(inputs, source.input)) } else { String::new() };
        fact(f, "source", format_args!("{input}{}", word(&source.path)))?;
    }
    fact(f, "to", word(&copy.destination))?;
    for (name, value) in [("owner", &copy.owner), ("mode", &copy.mode)] {
        if let Some(value) = value {
            fact(f, name, word(value))?;
        }
    }
    for pattern in &copy.exclude {
        fact(f, "exclude", word(pattern))?;
    }
    match copy.unpack {
        Unpack::Never => {}
        Unpack::Local => fact(f, "unpack", "local archives")?,
        Unpack::Always => fact(f, "unpack", "all archives")?,
    }
    for (is_set, text) in [(copy.parents, "parents"), (copy.link, "link")] {
        if is_set {
            fact(f, "option", text)?;
        }
    }
    write_below(f, copy.below)
}

fn write_below(f: &mut fmt::Formatter<'_>, below: Below) -> fmt::Result {
    match below {
        Below::Whole => Ok(()),
        Below::Way => fact(f, "below", "the way alone"),
    }
}

fn write_run(
    f: &mut fmt::Formatter<'_>,
    run: &Run,
    inputs: &[impl fmt::Display],
    last_env: Option<(impl fmt::Display, &Environment)>,
) -> fmt::Result {
    let arguments: Vec<String> = run.arguments.iter().map(|argument| word(argument)).collect();
    fact(f, "command", arguments.join(" "))?;
    match last_env {
        Some((step, env)) if *env == run.env => fact(f, "env", format_args!("as {step}"))?,
        _ => {
            for (name, value) in run.env.iter() {
                fact(f, "env", pair(name, value))?;
            }
        }
    }
    if !run.user.is_empty() {
        fact(f, "user", word(&run.user))?;
    }
    fact(f, "workdir", word(&run.workdir))?;
    for mount in &run.mounts {
        write_mount(f, mount, inputs)?;
    }
    match run.network {
        Network::Default => {}
        Network::None => fact(f, "network", "none")?,
        Network::Host => fact(f, "network", "host")?,
    }
    if run.security == Security::Insecure {
        fact(f, "security", "insecure")?;
    }
    for device in &run.devices {
        let required = if device.required { "  required" } else { "" };
        fact(f, "device", format_args!("{}{required}", word(&device.name)))?;
    }
    Ok(())
}

fn write_mount(f: &mut fmt::Formatter<'_>, mount: &Mount, inputs: &[impl fmt::Display]) -> fmt::Result {
    let mut text = String::new();
    let input = |slot: usize| called(inputs, slot);
    let flag = |is_set: bool, text: &'static str| if is_set { text } else { "" };
    match &mount.kind {
        MountKind::Bind { input: slot, source, writable } => {
            write!(text, "bind {} {}{}", input(*slot), word(source), flag(*writable, "  writable"))?;
        }
        MountKind::Cache { id, sharing, from, uid, gid, mode, read_only } => {
            let sharing = match sharing {
                Sharing::Shared => "shared",
                Sharing::Private => "private",
                Sharing::Locked => "locked",
            };
            write!(text, "cache {}  {sharing}  {uid}:{gid} {mode:04o}", word(id))?;
            if let Some((slot, source)) = from {
                write!(text, "  from {} {}", input(*slot), word(source))?;
            }
            text.push_str(flag(*read_only, "  read-only"));
        }
        MountKind::Tmpfs { size } => {
            text.push_str("tmpfs");
            if let Some(size) = size {
                write!(text, "  {size} bytes")?;
            }
        }
        MountKind::Secret { id, env, required, uid, gid, mode } => {
            write!(text, "secret {}  {uid}:{gid} {mode:04o}", word(id))?;
            if let Some(env) = env {
                write!(text, "  as ${env}")?;
            }
            text.push_str(flag(*required, "  required"));
        }
        MountKind::Ssh { id, required, uid, gid, mode } => {
            write!(text, "ssh {}  {uid}:{gid} {mode:04o}{}", word(id), flag(*required, "  required"))?;
        }
    }
    match &mount.target {
        Some(target) => fact(f, "mount", format_args!("{}  {text}", word(target))),
        None => fact(f, "mount", text),
    }
}

fn write_make_dir(f: &mut fmt::Formatter<'_>, make_dir: &MakeDir) -> fmt::Result {
    fact(f, "path", word(&make_dir.path))?;
    make_dir.owner.as_ref().map_or(Ok(()), |owner| fact(f, "owner", word(owner)))?;
    write_below(f, make_dir.below)
}

pub(crate) fn write_image(
    f: &mut fmt::Formatter<'_>,
    image: &PlannedImage,
    result: StepId,
    called: Called<'_>,
) -> fmt::Result {
    let result = called.step(result);
    match image.base {
        Some(base) => writeln!(f, "image {result} on {}", called.step(base))?,
        None => writeln!(f, "image {result}")?,
    }
    if let Some(author) = &image.author {
        fact(f, "author", word(author))?;
    }
    write_config(f, &image.config)?;
    writeln!(f, "\nhistory")?;
    for planned in &image.history {
        let steps: Vec<String> = planned.steps().map(|step| called.step(step)).collect();
        let steps = if steps.is_empty() { "-".to_owned() } else { steps.join(" + ") };
        // Not in columns: one long name would move all of them.
        writeln!(f, "    {steps}  {}", on_one_line(&planned.entry.created_by))?;
    }
    Ok(())
}

/// An image's configuration, a fact to a line.
pub(super) fn config(config: &ContainerConfig) -> String {
    struct Config<'c>(&'c ContainerConfig);
    impl fmt::Display for Config<'_> {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            write_config(f, self.0)
        }
    }
    Config(config).to_string()
}

pub(crate) fn write_config(f: &mut fmt::Formatter<'_>, config: &ContainerConfig) -> fmt::Result {
    let words = |words: &[String]| words.iter().map(|item| word(item)).collect::<Vec<_>>().join(" ");
    for variable in &config.env {
        let (name, value) = variable.split_once('=').unwrap_or((variable, ""));
        fact(f, "env", pair(name, value))?;
    }
    for (name, list) in [("entry", &config.entrypoint), ("cmd", &config.cmd), ("shell", &config.shell)] {
        if !list.is_empty() {
            fact(f, name, words(list))?;
        }
    }
    for (name, text) in [("user", &config.user), ("workdir", &config.working_dir), ("signal", &config.stop_signal)] {
        if !text.is_empty() {
            fact(f, name, word(text))?;
        }
    }
    for port in config.exposed_ports.keys() {
        fact(f, "port", word(port))?;
    }
    for folder in config.volumes.keys() {
        fact(f, "volume", word(folder))?;
    }
    for (name, value) in &config.labels {
        fact(f, "label", pair(name, value))?;
    }
    if let Some(check) = &config.healthcheck {
        fact(f, "health", words(&check.test))?;
        for (name, time) in [
            ("interval", check.interval),
            ("timeout", check.timeout),
            ("start-period", check.start_period),
            ("start-interval", check.start_interval),
        ] {
            if time != 0 {
                fact(f, "health", format_args!("{name} {}", go::duration(time)))?;
            }
        }
        if check.retries != 0 {
            fact(f, "health", format_args!("retries {}", check.retries))?;
        }
    }
    for trigger in &config.on_build {
        fact(f, "onbuild", word(trigger))?;
    }
    for (name, value) in &config.other {
        fact(f, "other", format_args!("{} {value}", word(name)))?;
    }
    Ok(())
}

/// `NAME=value`, quoted as one word where it has to be.
fn pair(name: &str, value: &str) -> String {
    if is_plain(value) || value.is_empty() {
        format!("{}={value}", word(name))
    } else {
        format!("{}={}", word(name), go::quote(value))
    }
}

/// A text as it is if nobody can misread it, else in quotes.
pub(crate) fn word(text: &str) -> String {
    if is_plain(text) { text.to_owned() } else { go::quote(text) }
}

fn is_plain(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| !c.is_whitespace() && !c.is_control() && !matches!(c, '"' | '\\'))
}

/// A text in which nothing but what can be seen is left as it is.
pub(crate) fn on_one_line(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '\n' => out.push_str("\\n"),
            control if control.is_control() => out.extend(control.escape_default()),
            other => out.push(other),
        }
    }
    out
}

/// A text cut to what fits on a line.
fn shortened(text: &str) -> String {
    const LIMIT: usize = 88;
    match text.char_indices().nth(LIMIT) {
        None => text.to_owned(),
        Some((end, _)) => format!("{}…", &text[..end]),
    }
}
