//! The arguments of the commands on images and containers.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

/// What `--format` of a list may be.
pub(super) const FORMATS: &str =
    "`table`, `json`, `table TEMPLATE`, or a Go template such as docker takes: `{{.ID}}\\t{{.Size}}`";

/// `layercake images`.
#[derive(Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of the command line")]
pub struct Images {
    /// Only images of this name, which may have `*`, `?` and `[…]`.
    #[arg(value_name = "REPOSITORY[:TAG]")]
    pub name: Option<String>,
    /// All images: layercake keeps none that docker would hide.
    #[arg(short, long)]
    pub all: bool,
    /// Print ids only.
    #[arg(short, long)]
    pub quiet: bool,
    /// Do not shorten.
    #[arg(long)]
    pub no_trunc: bool,
    /// Show digests.
    #[arg(long)]
    pub digests: bool,
    /// Only images that fit: `reference=PATTERN`, `label=NAME[=VALUE]`, `label!=NAME[=VALUE]`, `dangling=true|false`,
    /// `before=IMAGE`, `since=IMAGE`, `until=24h|TIME`.
    #[arg(short, long, value_name = "NAME=VALUE")]
    pub filter: Vec<String>,
    #[arg(long, default_value = "table", hide_default_value = true, help = FORMATS)]
    pub format: String,
}

/// `layercake history`.
#[derive(Debug, Args)]
pub struct History {
    /// The image.
    pub image: String,
    /// Do not shorten.
    #[arg(long)]
    pub no_trunc: bool,
    /// Print ids only.
    #[arg(short, long)]
    pub quiet: bool,
    /// Print sizes and times for people.
    #[arg(short = 'H', long, value_name = "true|false", default_value_t = true, num_args = 0..=1, require_equals = true,
          default_missing_value = "true", action = clap::ArgAction::Set)]
    pub human: bool,
    #[arg(long, default_value = "table", hide_default_value = true, help = FORMATS)]
    pub format: String,
}

/// `layercake inspect`.
#[derive(Debug, Args)]
pub struct Inspect {
    /// The images: names or ids.
    #[arg(required = true)]
    pub image: Vec<String>,
    /// `json`, or a Go template such as docker takes: `{{json .Config}}`.
    #[arg(short, long)]
    pub format: Option<String>,
    /// What is meant by the names: images. There is nothing else here that docker would take them for.
    #[arg(long = "type", value_name = "TYPE", default_value = "image", hide_default_value = true, value_parser = ["image"])]
    pub kind: String,
}

/// `layercake tag`.
#[derive(Debug, Args)]
pub struct Tag {
    /// The image.
    pub source: String,
    /// Its further name.
    pub target: String,
}

/// `layercake rmi`.
#[derive(Debug, Args)]
pub struct Rmi {
    /// The names to remove.
    #[arg(required = true)]
    pub image: Vec<String>,
    /// Do not mind names that do not exist.
    #[arg(short, long)]
    pub force: bool,
}

/// `layercake pull`.
#[derive(Debug, Args)]
pub struct Pull {
    /// The image.
    pub image: String,
    /// The platform [default: this machine's].
    #[arg(long, value_name = "OS/ARCH[/VARIANT]")]
    pub platform: Option<String>,
    /// Print the digest only.
    #[arg(short, long)]
    pub quiet: bool,
}

/// `layercake push`.
#[derive(Debug, Args)]
pub struct Push {
    /// The image.
    pub image: String,
    /// Print the digest only.
    #[arg(short, long)]
    pub quiet: bool,
}

/// `layercake login`.
#[derive(Debug, Args)]
pub struct Login {
    /// The registry [default: Docker Hub].
    pub registry: Option<String>,
    /// The user's name.
    #[arg(short, long)]
    pub username: Option<String>,
    /// The password: everybody on this machine can see it here; `--password-stdin` is better.
    #[arg(short, long)]
    pub password: Option<String>,
    /// Read the password from standard input.
    #[arg(long)]
    pub password_stdin: bool,
}

/// `layercake logout`.
#[derive(Debug, Args)]
pub struct Logout {
    /// The registry [default: Docker Hub].
    pub registry: Option<String>,
}

/// `layercake save`.
#[derive(Debug, Args)]
pub struct Save {
    /// The images.
    #[arg(required = true)]
    pub image: Vec<String>,
    /// The archive [default: standard output].
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// The archive's form; OCI's can be read by docker too.
    #[arg(long, value_enum, default_value_t = ArchiveFormat::Oci)]
    pub format: ArchiveFormat,
}

/// The form of an archive.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ArchiveFormat {
    /// An OCI image layout in a tar.
    Oci,
    /// Docker's.
    Docker,
}

/// `layercake load`.
#[derive(Debug, Args)]
pub struct Load {
    /// The archive, or a folder with an OCI image layout [default: standard input].
    #[arg(short, long, value_name = "FILE")]
    pub input: Option<PathBuf>,
    /// Print what was loaded and nothing else, as is always done.
    #[arg(short, long)]
    pub quiet: bool,
}

/// `layercake import`.
#[derive(Debug, Args)]
pub struct Import {
    /// The tar, compressed or not; `-` is standard input.
    pub file: PathBuf,
    /// The name of the image.
    pub reference: Option<String>,
    /// Apply an instruction to the image's configuration: `CMD`, `ENTRYPOINT`, `ENV`, `EXPOSE`, `LABEL`, `ONBUILD`,
    /// `STOPSIGNAL`, `USER`, `VOLUME`, `WORKDIR`.
    #[arg(short, long, value_name = "INSTRUCTION")]
    pub change: Vec<String>,
    /// A comment for the image's history.
    #[arg(short, long, value_name = "TEXT")]
    pub message: Option<String>,
    /// The image's platform [default: this machine's].
    #[arg(long, value_name = "OS/ARCH[/VARIANT]")]
    pub platform: Option<String>,
}

/// `layercake run`.
#[derive(Debug, Args)]
pub struct Run {
    /// Remove the container when it ends. Containers always are: layercake keeps none.
    #[arg(long)]
    pub rm: bool,
    /// Keep standard input open.
    #[arg(short, long)]
    pub interactive: bool,
    /// Give the container a terminal.
    #[arg(short, long)]
    pub tty: bool,
    /// Publish a port.
    #[arg(short, long, value_name = "[[IP:]HOST:]CONTAINER")]
    pub publish: Vec<String>,
    /// Set a variable; without a value, the environment's.
    #[arg(short, long, value_name = "NAME[=VALUE]")]
    pub env: Vec<String>,
    /// Show a file or folder of this machine to the container.
    #[arg(short, long, value_name = "SOURCE:TARGET[:ro]")]
    pub volume: Vec<String>,
    /// The folder to start in.
    #[arg(short, long, value_name = "FOLDER")]
    pub workdir: Option<String>,
    /// The user to run as.
    #[arg(short, long, value_name = "USER[:GROUP]")]
    pub user: Option<String>,
    /// What to run instead of the image's entry point.
    #[arg(long, value_name = "PROGRAM")]
    pub entrypoint: Option<String>,
    /// The container's network: one of its own, the host's, or none.
    #[arg(long, value_name = "MODE", default_value = "private", value_parser = ["private", "host", "none"])]
    pub network: String,
    /// The container's host name.
    #[arg(long, value_name = "NAME")]
    pub hostname: Option<String>,
    /// The platform [default: this machine's].
    #[arg(long, value_name = "OS/ARCH[/VARIANT]")]
    pub platform: Option<String>,
    /// The image.
    pub image: String,
    /// The command, in place of the image's.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    pub command: Vec<String>,
}

/// `layercake completion`.
#[derive(Debug, Args)]
pub struct Completion {
    /// The shell.
    #[arg(value_enum)]
    pub shell: clap_complete::Shell,
}

/// `layercake version`.
#[derive(Debug, Args)]
pub struct Version {
    /// How to print.
    #[arg(long, value_enum, default_value_t = VersionFormat::Text)]
    pub format: VersionFormat,
}

/// How to print the version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum VersionFormat {
    /// For people.
    Text,
    /// For programs.
    Json,
}
