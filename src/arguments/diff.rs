//! The arguments of `diff`.

use clap::{Args, ValueEnum};

/// `layercake diff`.
#[derive(Debug, Args)]
pub struct Diff {
    /// Count files that were changed at another time as other files, even if nothing else about them differs.
    #[arg(long)]
    pub times: bool,
    /// End with status 1 if the images differ.
    #[arg(long)]
    pub exit_code: bool,
    /// How to print.
    #[arg(long, value_enum, default_value_t = DiffFormat::Text)]
    pub format: DiffFormat,
    /// The platform of both images [default: this machine's].
    #[arg(long, value_name = "OS/ARCH[/VARIANT]")]
    pub platform: Option<String>,
    /// The first image: a name or an id in the store, `docker-image://NAME` for one in a registry, `oci-layout://FOLDER[:TAG]`,
    /// or the path of an archive or a layout, such as `./image.tar`.
    #[arg(value_name = "A")]
    pub first: String,
    /// The second image, in the same words.
    #[arg(value_name = "B")]
    pub second: String,
}

/// How to print what two images differ in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum DiffFormat {
    /// For people.
    Text,
    /// For programs: one JSON object.
    Json,
}
