//! What each instruction means, with words still unexpanded.

use serde::Serialize;

use super::{Body, Heredoc, Instruction, Pair, Word};
use crate::operation::{Network, Security};
use crate::source::Span;

/// A typed instruction.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Command {
    /// `FROM`
    From(From),
    /// `ARG`
    Arg(Vec<ArgDeclaration>),
    /// `ENV`
    Env(Vec<Pair>),
    /// `LABEL`
    Label(Vec<Pair>),
    /// `COPY`
    Copy(Copy),
    /// `ADD`
    Add(Add),
    /// `RUN`
    Run(Run),
    /// `CMD`
    Cmd(CommandLine),
    /// `ENTRYPOINT`
    Entrypoint(CommandLine),
    /// `HEALTHCHECK`
    Healthcheck(Healthcheck),
    /// `EXPOSE`
    Expose(Vec<Word>),
    /// `USER`
    User(Word),
    /// `VOLUME`
    Volume(Vec<Word>),
    /// `WORKDIR`
    Workdir(Word),
    /// `STOPSIGNAL`
    StopSignal(Word),
    /// `SHELL`
    Shell(Vec<Word>),
    /// `MAINTAINER`
    Maintainer(Word),
    /// `ONBUILD`
    Onbuild(Onbuild),
}

/// `FROM [--platform=P] BASE [AS NAME]`
#[derive(Clone, Debug, Serialize)]
pub struct From {
    /// The image or stage to start from.
    pub base: Word,
    /// The name of the stage.
    pub name: Option<StageName>,
    /// `--platform`
    pub platform: Option<Word>,
}

/// The name that a stage is given.
#[derive(Clone, Debug, Serialize)]
pub struct StageName {
    /// The name, in lower case.
    pub name: String,
    /// As it is written.
    pub written: Word,
    /// `AS`, as it is written.
    pub keyword: Word,
}

/// `ARG NAME[=value]`
#[derive(Clone, Debug, Serialize)]
pub struct ArgDeclaration {
    /// The name.
    pub name: Word,
    /// The default value, before expansion.
    pub default: Option<Word>,
    /// What the comment above it says about it.
    pub description: String,
}

/// What `COPY` and `ADD` have in common.
#[derive(Clone, Debug, Serialize)]
pub struct CopySources {
    /// Paths, patterns, and for `ADD` addresses.
    pub paths: Vec<Word>,
    /// Files whose text stands in the Dockerfile.
    pub inline: Vec<InlineSource>,
    /// Where to.
    pub destination: Word,
    /// `--chown`
    pub owner: Option<Word>,
    /// `--chmod`
    pub mode: Option<Word>,
    /// `--exclude`
    pub exclude: Vec<Word>,
    /// `--link`
    pub link: bool,
}

/// A heredoc that is copied as a file.
#[derive(Clone, Debug, Serialize)]
pub struct InlineSource {
    /// The file's name.
    pub name: String,
    /// The word that names it.
    pub opening: Word,
    /// Its content, before expansion.
    pub content: Word,
    /// What becomes of variables in it.
    pub body: Body,
}

/// `COPY`
#[derive(Clone, Debug, Serialize)]
pub struct Copy {
    /// What and where to.
    pub sources: CopySources,
    /// `--from`
    pub from: Option<Word>,
    /// `--parents`
    pub parents: bool,
}

/// `ADD`
#[derive(Clone, Debug, Serialize)]
pub struct Add {
    /// What and where to.
    pub sources: CopySources,
    /// `--checksum`
    pub checksum: Option<Word>,
    /// `--keep-git-dir`
    pub keep_git_dir: Option<KeepGitDir>,
    /// `--unpack`
    pub unpack: Option<RemoteUnpack>,
}

/// Whether a git source comes with its `.git`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum KeepGitDir {
    /// It does.
    Keep,
    /// It does not.
    Drop,
}

/// What `--unpack` says about archives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum RemoteUnpack {
    /// They are unpacked, fetched ones too.
    Always,
    /// They stay as they are.
    Never,
}

/// `RUN`
#[derive(Clone, Debug, Serialize)]
pub struct Run {
    /// The command.
    pub command: CommandLine,
    /// The heredocs that are part of it.
    pub heredocs: Vec<Heredoc>,
    /// `--mount`, in order.
    pub mounts: Vec<MountFlag>,
    /// `--network`
    pub network: Network,
    /// `--security`
    pub security: Security,
    /// `--device`, in order.
    pub devices: Vec<Device>,
}

/// A `--mount` whose values are still to be expanded.
#[derive(Clone, Debug, Serialize)]
pub struct MountFlag {
    /// The flag, for its place.
    pub flag: Word,
    /// The fields between the commas.
    pub fields: Vec<String>,
    /// The stage, image or context that it names. This alone cannot hold a variable.
    pub from: Option<String>,
}

/// A `--device`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Device {
    /// Its name.
    pub name: String,
    /// Whether the build fails without it.
    pub required: bool,
}

/// A command for a shell, or an argument vector.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum CommandLine {
    /// A text that the shell reads. It may be empty.
    Shell(Word),
    /// The exec form.
    Exec(Vec<Word>),
}

impl CommandLine {
    /// Its arguments, without a shell.
    #[must_use]
    pub fn arguments(&self) -> Vec<String> {
        match self {
            Self::Shell(text) => vec![text.text.clone()],
            Self::Exec(words) => words.iter().map(|word| word.text.clone()).collect(),
        }
    }
}

/// `HEALTHCHECK`
#[derive(Clone, Debug, Serialize)]
pub struct Healthcheck {
    /// The test.
    pub test: HealthTest,
    /// `--interval`, nanoseconds; 0 inherits.
    pub interval: i64,
    /// `--timeout`, nanoseconds.
    pub timeout: i64,
    /// `--start-period`, nanoseconds.
    pub start_period: i64,
    /// `--start-interval`, nanoseconds.
    pub start_interval: i64,
    /// `--retries`
    pub retries: i64,
}

/// How health is tested.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum HealthTest {
    /// Not at all, whatever the base image says.
    None,
    /// By a command.
    Command(CommandLine),
}

/// `ONBUILD`
#[derive(Clone, Debug, Serialize)]
pub struct Onbuild {
    /// The trigger as images keep it, with the heredocs it opens.
    pub expression: String,
    /// Its first word, in upper case.
    pub keyword: String,
    /// The instruction that is put off. Written down, it stands in the arguments.
    #[serde(skip)]
    pub trigger: Box<Instruction>,
    /// Where the trigger stands.
    pub span: Span,
}
