//! The arguments of `build`, `compile` and `check`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::inputs::Inputs;

/// `layercake build`.
#[derive(Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of the command line")]
pub struct Build {
    #[command(flatten)]
    pub inputs: Inputs,
    /// Name the image; may be given again.
    #[arg(short, long, value_name = "NAME[:TAG]")]
    pub tag: Vec<String>,
    /// Where the result goes: `type=image|oci|docker|tar|local|none` (`docker` holds one platform; the files for several lie in
    /// folders such as `linux_arm64`), and behind commas what else is to be said: `dest=PATH`,
    /// `name=NAME`, `push=true`, `compression=gzip|zstd|none`, `compression-level=N`, `force-compression=true` (the base's layers
    /// too), `rewrite-timestamp=false`, `oci-mediatypes=false`, `annotation.KEY=VALUE`. A bare path is `type=local`, `-` is
    /// `type=tar` on standard output; `dest=-` is standard output too. `type=docker` without `dest` is `--load`. May be given again.
    #[arg(short, long, value_name = "OUTPUT")]
    pub output: Vec<String>,
    /// Send the image to its registry: `--output type=image,push=true`.
    #[arg(long)]
    pub push: bool,
    /// Hand the image over to docker, podman or containerd as well; `build.load` of the settings says to which.
    #[arg(long)]
    pub load: bool,
    /// Print nothing but the image's digest.
    #[arg(short, long)]
    pub quiet: bool,
    /// Write the image's digest to a file.
    #[arg(long, value_name = "FILE")]
    pub iidfile: Option<PathBuf>,
    /// Write what was made to a file, as JSON.
    #[arg(long, value_name = "FILE")]
    pub metadata_file: Option<PathBuf>,
    #[command(flatten)]
    pub locking: Locking,
    /// How to show what happens.
    #[arg(long, value_enum, default_value_t = Progress::Auto, value_name = "KIND")]
    pub progress: Progress,
    /// Answer a question instead of building: `check`, `targets` or `outline`, with `,format=json` if wanted.
    #[arg(long, value_name = "QUESTION")]
    pub call: Option<String>,
    /// The same as `--call check`.
    #[arg(long)]
    pub check: bool,
    /// Add a bill of materials (not built yet).
    #[arg(long, value_name = "ATTESTATION", num_args = 0..=1, default_missing_value = "true", require_equals = true)]
    pub sbom: Option<String>,
    /// Add a statement of provenance (not built yet).
    #[arg(long, value_name = "ATTESTATION", num_args = 0..=1, default_missing_value = "true", require_equals = true)]
    pub provenance: Option<String>,
    /// Show where the time went (not built yet).
    #[arg(long, value_name = "FILE.html", num_args = 0..=1, default_missing_value = "-", require_equals = true)]
    pub timings: Option<String>,
    /// What to do when a RUN fails (not built yet).
    #[arg(long, value_name = "ACTION")]
    pub on_error: Option<String>,
    /// Run what the cache has all the same, and compare (not built yet).
    #[arg(long)]
    pub audit: bool,
    /// Make the same bytes on every machine (not built yet).
    #[arg(long)]
    pub reproducible: bool,
    /// Learn what each RUN reads (not built yet).
    #[arg(long, value_name = "MODE")]
    pub read_sets: Option<String>,
}

/// What becomes of the lock file.
#[derive(Debug, Args)]
pub struct Locking {
    /// Write to `layercake.lock`, beside the Dockerfile, what every image, git reference and URL is now.
    #[arg(long)]
    pub lock: bool,
    /// Refuse what is not in `layercake.lock`.
    #[arg(long, conflicts_with_all = ["lock", "pull"])]
    pub locked: bool,
}

/// How to show what happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Progress {
    /// `tty` on a terminal, `plain` elsewhere.
    Auto,
    /// What is under way, redrawn in place.
    Tty,
    /// A line for everything that happens.
    Plain,
    /// A JSON object a line.
    Json,
}

/// `layercake compile`.
#[derive(Debug, Args)]
pub struct Compile {
    #[command(flatten)]
    pub inputs: Inputs,
    /// How to print. What is no plan has `text` and `json`.
    #[arg(long, value_enum, default_value_t = PlanFormat::Text)]
    pub format: PlanFormat,
    /// What to print.
    #[arg(long, value_enum, default_value_t = Emit::Plan)]
    pub emit: Emit,
    /// Print what a pass of the optimizer changes.
    #[arg(long, value_name = "PASS", conflicts_with_all = ["emit", "verify"])]
    pub before_after: Option<String>,
    /// Say for each step whether the next build will find it in the cache, and how long what it does will take. Nothing is run
    /// or fetched: a step that follows one that will be done, or whose server would have to be asked, is unknown.
    #[arg(long, conflicts_with_all = ["emit", "before_after", "verify"])]
    pub predict: bool,
    /// Print nothing, but compare with a plan that was stored as text: exit status 2 if it differs.
    #[arg(long, value_name = "FILE", conflicts_with = "emit")]
    pub verify: Option<PathBuf>,
    /// Write the plan to the file that would be compared with.
    #[arg(long, requires = "verify")]
    pub bless: bool,
    #[command(flatten)]
    pub locking: Locking,
}

/// How to print a plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum PlanFormat {
    /// For people and for reviews.
    Text,
    /// For programs.
    Json,
    /// For programs, and to be kept.
    Toml,
    /// For Graphviz.
    Dot,
    /// For Markdown, as hosts of repositories draw it.
    Mermaid,
    /// A picture.
    Svg,
    /// A page with the picture, every step and the image.
    Html,
}

/// What to print.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Emit {
    /// The frozen plan.
    Plan,
    /// The graph of operations as it is before any pass.
    Graph,
    /// The stages, with every variable and every name resolved.
    Program,
    /// The syntax of the Dockerfile.
    Ast,
}

/// `layercake check`.
#[derive(Debug, Args)]
pub struct Check {
    #[command(flatten)]
    pub inputs: Inputs,
    /// How to print.
    #[arg(long, value_enum, default_value_t = CheckFormat::Text)]
    pub format: CheckFormat,
    /// Rewrite what can be mended without changing the image, and say what is left.
    #[arg(long)]
    pub fix: bool,
}

/// How to print warnings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum CheckFormat {
    /// For people.
    Text,
    /// For programs.
    Json,
    /// For code-scanning services: SARIF 2.1.0.
    Sarif,
    /// For GitHub's workflows: annotations.
    Github,
}
