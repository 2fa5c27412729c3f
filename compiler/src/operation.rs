//! The typed operations of a graph: what each makes, from which inputs, with every variable already resolved.
//!
//! `ENV`, `USER`, `LABEL` and their kin are not here: they dissolve into the operations that observe them and into the
//! image's configuration. An operation is a pure value; how it is carried out is the executor's business.

use std::sync::Arc;

use serde::{Deserialize, Serialize, Serializer};

use crate::address::{Credentials, redact};
use crate::platform::Platform;

/// What a step does. The step's `inputs` say on what; each operation documents its input slots.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "op", rename_all = "kebab-case")]
pub enum Operation {
    /// The tree of an image. No inputs.
    Image(Image),
    /// The empty tree. No inputs.
    Scratch,
    /// Files from outside: the build context or a named one. No inputs.
    Context(Context),
    /// Files whose text stands in the Dockerfile. No inputs.
    Inline(Inline),
    /// One file that is fetched. No inputs.
    Http(Http),
    /// The files of a git repository. No inputs.
    Git(Git),
    /// Puts files on a tree. Input 0: the tree below; inputs 1…: where the sources come from.
    Copy(Copy),
    /// Runs a command in a tree. Input 0: the tree below; inputs 1…: the trees and contexts that its mounts name.
    Run(Run),
    /// Makes a folder, with its parents, where it does not exist (what `WORKDIR` does). Input 0: the tree below.
    MakeDir(MakeDir),
    /// Puts what a step changed in the empty tree on another tree. Input 0: the tree below; input 1: the step.
    Stack,
}

impl Operation {
    /// What it depends on of the tree that it adds to; `None` for one that does not only add to a tree.
    #[must_use]
    pub fn below(&self) -> Option<Below> {
        match self {
            Self::Copy(copy) => Some(copy.below),
            Self::MakeDir(folder) => Some(folder.below),
            _ => None,
        }
    }
}

/// The tree of an image.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Image {
    /// The reference as the Dockerfile has it, variables expanded.
    pub reference: String,
    /// The manifest's digest (`sha256:…`) as the caller resolved it; `None` if the caller did not.
    pub digest: Option<String>,
    /// The platform whose manifest is meant.
    pub platform: Platform,
}

/// Files from outside.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Context {
    /// The name of a named context; `None` is the build context.
    pub name: Option<String>,
}

/// Files whose text stands in the Dockerfile (heredocs).
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Inline {
    /// In the order of the text; names are unique.
    pub files: Vec<InlineFile>,
}

/// One file of an [`Inline`].
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct InlineFile {
    /// Its name: a single path component.
    pub name: String,
    /// Its whole content.
    pub content: String,
    /// Whether it is a script to be run, with mode 0755; any other file has mode 0644.
    #[serde(default, skip_serializing_if = "is_false")]
    pub executable: bool,
}

/// One file that is fetched: a tree with nothing but it at its root.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Http {
    /// Where it is: `http://…` or `https://…`. Its credentials are never serialized.
    #[serde(serialize_with = "without_credentials")]
    pub url: String,
    /// The file's name: a single path component.
    pub filename: String,
    /// The digest that its content must have, `algorithm:hex`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checksum: Option<String>,
}

/// The files of a git repository, as a tree.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Git {
    /// What `git fetch` is given: an address without credentials, or `user@host:path`.
    pub remote: String,
    /// What the address says of user and password. They are no part of a plan that is written down, nor of any key.
    #[serde(skip)]
    pub credentials: Option<Credentials>,
    /// The branch, tag, reference or commit; `None` is the remote's default branch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
    /// The folder in it that becomes the root; `None` is all of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subdir: Option<String>,
    /// The commit that the reference must be at; it may be abbreviated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checksum: Option<String>,
    /// Whether `.git` is part of the tree.
    pub keep_git_dir: bool,
    /// Whether submodules are fetched too.
    pub submodules: bool,
    /// When the files say that they were changed.
    #[serde(default, skip_serializing_if = "Mtime::is_checkout")]
    pub mtime: Mtime,
    /// Whether `checksum` is fetched as it is, without asking where the reference is.
    #[serde(default, skip_serializing_if = "is_false")]
    pub fetch_by_commit: bool,
    /// What is read of the tree: paths below its root without slashes at their ends, sorted, of which none lies in another.
    /// What links among it lead to belongs to it. Empty: everything.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub paths: Vec<String>,
}

/// When the files of a [`Git`] say that they were changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mtime {
    /// When they were written.
    #[default]
    Checkout,
    /// When the commit was made.
    Commit,
}

impl Mtime {
    fn is_checkout(&self) -> bool {
        *self == Self::Checkout
    }
}

fn without_credentials<S: Serializer>(url: &str, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&redact(url))
}

fn is_false(value: &bool) -> bool {
    !value
}

/// Puts files on a tree: `COPY` and `ADD`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Copy {
    /// What is copied, in order.
    pub sources: Vec<CopySource>,
    /// Where to: absolute (`WORKDIR` applied); ends in `/` where a folder is demanded.
    pub destination: String,
    /// What becomes of archives among the sources.
    pub unpack: Unpack,
    /// `user[:group]`, names or numbers, as `--chown` has it; `None`: 0:0.
    pub owner: Option<String>,
    /// Mode as `--chmod` has it (octal, or symbolic as in `u+x,go-w`).
    pub mode: Option<String>,
    /// `--parents`: keep the sources' folders below the destination.
    pub parents: bool,
    /// `--link`: the result does not depend on the tree below.
    pub link: bool,
    /// `--exclude` patterns, in order.
    pub exclude: Vec<String>,
    /// What of the tree below decides whether it is done again.
    #[serde(default, skip_serializing_if = "Below::is_whole")]
    pub below: Below,
}

/// What a [`struct@Copy`] or [`MakeDir`] depends on of the tree that it goes on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Below {
    /// The whole tree.
    #[default]
    Whole,
    /// What it looks at: the way to its destination, what it meets there, and the numbers of the users that it names.
    Way,
}

impl Below {
    fn is_whole(&self) -> bool {
        *self == Self::Whole
    }
}

/// One source of a [`struct@Copy`].
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct CopySource {
    /// The slot in the step's `inputs` that it is taken from; never 0.
    pub input: usize,
    /// The path or wildcard pattern below that input's root, clean. Relative to a context (`.` is its root); a stage's
    /// begins with `/`. With [`Copy::parents`], `/./` in it separates the folders that are left out from those that are kept.
    pub path: String,
}

/// What becomes of archives among the sources of a [`struct@Copy`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Unpack {
    /// They are files like any other (`COPY`, and `ADD --unpack=false`).
    Never,
    /// Local archives, told by their content, are unpacked (`ADD`).
    Local,
    /// Fetched archives are unpacked too (`ADD --unpack`).
    Always,
}

/// Runs a command in a tree.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Run {
    /// The argument vector, the shell included where there is one. Never empty.
    pub arguments: Vec<String>,
    /// What it sees of variables.
    pub env: Environment,
    /// `user[:group]` as `USER` has it; empty is root.
    pub user: String,
    /// The folder it starts in: absolute.
    pub workdir: String,
    /// What is mounted into its tree meanwhile.
    pub mounts: Vec<Mount>,
    /// What it sees of the network.
    pub network: Network,
    /// How much it may do.
    pub security: Security,
    /// CDI devices it asks for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub devices: Vec<Device>,
}

/// The variables of a command, complete, in order: names and values.
///
/// Commands that follow one another see nearly the same variables, so they share them: as a whole where nothing was set in
/// between, and else each name and value.
pub type Environment = Arc<[(Arc<str>, Arc<str>)]>;

/// A CDI device that a `RUN` asks for (`--device`).
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Device {
    /// `vendor.example/class=name`.
    pub name: String,
    /// Whether the build fails without it.
    pub required: bool,
}

/// What a `RUN` sees of the network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Network {
    /// What the caller gives by default.
    Default,
    /// A namespace with nothing but loopback.
    None,
    /// The host's.
    Host,
}

/// How much a `RUN` may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Security {
    /// Docker's default capabilities and system calls.
    Sandbox,
    /// All that the builder itself may do.
    Insecure,
}

/// Something mounted into the tree of a [`Run`] while it runs; it leaves nothing behind.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Mount {
    /// Where: absolute. `None` for a secret that is only a variable.
    pub target: Option<String>,
    /// What.
    pub kind: MountKind,
}

/// What a [`Mount`] shows.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
pub enum MountKind {
    /// Files of another input.
    Bind {
        /// The slot in the step's `inputs`.
        input: usize,
        /// The path below that input's root.
        source: String,
        /// Whether writes are allowed; they are thrown away.
        writable: bool,
    },
    /// A folder that outlives the build.
    Cache {
        /// Names the folder.
        id: String,
        /// Who else may use it meanwhile.
        sharing: Sharing,
        /// The slot that it is first filled from, and the path below that input's root.
        from: Option<(usize, String)>,
        /// Owner's numeric user id.
        uid: u32,
        /// Owner's numeric group id.
        gid: u32,
        /// Mode of the folder.
        mode: u32,
        /// Whether writes are refused.
        read_only: bool,
    },
    /// A file system in memory.
    Tmpfs {
        /// Its limit in bytes; `None`: the kernel's.
        size: Option<u64>,
    },
    /// A secret of the caller's, as a file, a variable, or both.
    Secret {
        /// Names the secret.
        id: String,
        /// The variable that holds it.
        env: Option<String>,
        /// Whether the build fails without it.
        required: bool,
        /// Owner's numeric user id.
        uid: u32,
        /// Owner's numeric group id.
        gid: u32,
        /// Mode of the file.
        mode: u32,
    },
    /// The caller's SSH agent, as a socket.
    Ssh {
        /// Names the agent.
        id: String,
        /// Whether the build fails without it.
        required: bool,
        /// Owner's numeric user id.
        uid: u32,
        /// Owner's numeric group id.
        gid: u32,
        /// Mode of the socket.
        mode: u32,
    },
}

impl MountKind {
    /// The slot in the step's `inputs` that it takes files of, and the path below that input's root; `None` if it takes none.
    #[must_use]
    pub fn reads(&self) -> Option<(usize, &str)> {
        match self {
            Self::Bind { input, source, .. } | Self::Cache { from: Some((input, source)), .. } => {
                Some((*input, source))
            }
            Self::Cache { from: None, .. } | Self::Tmpfs { .. } | Self::Secret { .. } | Self::Ssh { .. } => None,
        }
    }
}

/// Who may use a cache mount at the same time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Sharing {
    /// Anyone.
    Shared,
    /// A second user gets a folder of its own.
    Private,
    /// A second user waits.
    Locked,
}

/// Makes a folder, with its parents, where it does not exist.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct MakeDir {
    /// Absolute, and clean: without `.`, `..` and empty parts.
    pub path: String,
    /// `user[:group]` that the folders it makes belong to, as `USER` has it; `None`: 0:0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// What of the tree below decides whether it is done again.
    #[serde(default, skip_serializing_if = "Below::is_whole")]
    pub below: Below,
}
