//! The arguments that say what is built from: the same for `build`, `compile`, `check` and `explain`.

use std::path::PathBuf;

use clap::Args;

use super::resources::{Allow, Resources};

/// What is built from.
#[derive(Clone, Debug, Args)]
pub struct Inputs {
    /// The build context: a folder, `-` (a tar or a Dockerfile on standard input), a git URL, or the http(s) URL of a tar
    /// or a Dockerfile.
    #[arg(default_value = ".", value_name = "CONTEXT")]
    pub context: String,
    /// The Dockerfile; `-` is standard input, and an http(s) URL is fetched. In a tar or behind a URL, a path in the context
    /// [default: CONTEXT/Dockerfile].
    #[arg(short, long, value_name = "FILE")]
    pub file: Option<PathBuf>,
    /// The stage to build, by name or index [default: the last].
    #[arg(long, value_name = "STAGE")]
    pub target: Option<String>,
    /// Give a build argument its value; without one, the environment's.
    #[arg(long, value_name = "NAME[=VALUE]")]
    pub build_arg: Vec<String>,
    /// Name a further context: a folder, `docker-image://REF`, `oci-layout://DIR[:TAG]`, a URL, or another target.
    #[arg(long, value_name = "NAME=CONTEXT")]
    pub build_context: Vec<String>,
    /// The platforms to build for [default: this machine's]. Of several, `build` makes an image each and an index of them; what is
    /// the same for them is done once. Programs of other processors run under qemu: `layercake doctor` says which can.
    #[arg(long, value_name = "OS/ARCH[/VARIANT]", value_delimiter = ',')]
    pub platform: Vec<String>,
    /// Add a label to the image.
    #[arg(long, value_name = "NAME=VALUE")]
    pub label: Vec<String>,
    /// Add an annotation to the image's manifest, to what refers to it, or to the index of several: before the colon stand
    /// `manifest`, `manifest-descriptor`, `index` or `index-descriptor`, the first two perhaps with a platform, `manifest[linux/arm64]`.
    #[arg(long, value_name = "[TYPE:]NAME=VALUE")]
    pub annotation: Vec<String>,
    /// Give the build a secret: `id=ID[,src=FILE|,env=NAME]`.
    #[arg(long, value_name = "SECRET")]
    pub secret: Vec<String>,
    /// Give the build an SSH agent or keys: `default|ID[=SOCKET|KEY[,KEY]]`.
    #[arg(long, value_name = "SSH")]
    pub ssh: Vec<String>,
    /// Add a line to /etc/hosts of every RUN.
    #[arg(long, value_name = "HOST:IP")]
    pub add_host: Vec<String>,
    /// The network of every RUN that does not choose its own [default: the host's].
    #[arg(long, value_name = "MODE", value_parser = ["default", "none", "host"])]
    pub network: Option<String>,
    /// Size of /dev/shm of every RUN, such as 64m.
    #[arg(long, value_name = "BYTES")]
    pub shm_size: Option<String>,
    /// A resource limit of every RUN, such as nofile=1024:2048.
    #[arg(long, value_name = "TYPE=SOFT[:HARD]")]
    pub ulimit: Vec<String>,
    #[command(flatten)]
    pub resources: Resources,
    /// Allow what is forbidden by default: `network.host`, `security.insecure`, `device[=NAME]`.
    #[arg(long, value_name = "WHAT")]
    pub allow: Vec<Allow>,
    /// Show a file or folder of this machine to every RUN, read-only: what apt or pip need to reach their mirrors.
    /// Nothing of it stays in the image, and it is no part of any key.
    #[arg(long, value_name = "PATH[:TARGET]")]
    pub host_file: Vec<String>,
    /// Give every RUN a variable of this machine's environment. It does not stay in the image and is no part of any key.
    #[arg(long, value_name = "NAME[=VALUE]")]
    pub host_env: Vec<String>,
    /// Use nothing from the cache.
    #[arg(long)]
    pub no_cache: bool,
    /// Use nothing from the cache for this stage.
    #[arg(long, value_name = "STAGE")]
    pub no_cache_filter: Vec<String>,
    /// Ask the registries for base images, although the store has them.
    #[arg(long)]
    pub pull: bool,
    /// Take what steps have become from elsewhere: `type=registry,ref=NAME`, `type=local,src=FOLDER`, or the name of an image;
    /// with `,mounts=true` also what lies in cache mounts that this machine does not have.
    #[arg(long, value_name = "SOURCE")]
    pub cache_from: Vec<String>,
    /// Leave there what the build's steps have become: `type=registry,ref=NAME`, `type=local,dest=FOLDER`, or `type=inline` for
    /// the image itself, and behind commas `mode=max` (the layers of all steps, not only those of the image), `mounts=true` (what
    /// lies in cache mounts too), `skip=auto|off` (whether layers stay that are made faster than fetched),
    /// `compression=gzip|zstd|none`, `ignore-error=true`.
    #[arg(long, value_name = "DESTINATION")]
    pub cache_to: Vec<String>,
    /// How much to optimize: `-O0` is what every plan needs, `-O1` all that does not show in the image, `-O2` all passes
    /// [default: 1].
    #[arg(short = 'O', value_name = "LEVEL", value_parser = ["0", "1", "2"])]
    pub optimize: Option<String>,
    /// Turn a pass on or off, whatever the level is; `layercake compile --help` lists them. May be given again.
    #[arg(long, value_name = "NAME=on|off")]
    pub pass: Vec<String>,
    /// Steps under way at the same time [default: 16].
    #[arg(short, long, value_name = "NUMBER")]
    pub jobs: Option<usize>,
    /// Ask no server: take images and fetched files from the store only.
    #[arg(long)]
    pub offline: bool,
}
