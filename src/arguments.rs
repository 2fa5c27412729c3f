//! The command line as it is typed: what clap knows, and nothing of what it means.

pub mod build;
pub mod diff;
pub mod explain;
pub mod images;
pub mod inputs;
pub mod resources;
pub mod store;

use std::fmt::Write;

use clap::{Parser, Subcommand, ValueEnum};
use layercake_compiler::passes::{Level, PIPELINE};

/// A compiler for container images: any Dockerfile, no daemon, no root.
#[derive(Debug, Parser)]
#[command(name = "layercake", version, max_term_width = 100, infer_long_args = false)]
pub struct Arguments {
    /// When to use colour.
    #[arg(long, global = true, value_enum, default_value_t = Color::Auto, value_name = "WHEN")]
    pub color: Color,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// When to use colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Color {
    /// On a terminal, unless `NO_COLOR` or `TERM=dumb` says otherwise.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Build an image from a Dockerfile.
    Build(Box<build::Build>),
    /// Show the plan of a build; run and fetch nothing but the configurations of base images.
    #[command(after_long_help = passes())]
    Compile(Box<build::Compile>),
    /// Say what is doubtful in a Dockerfile.
    Check(Box<build::Check>),
    /// Say of each step of the last build whether it was a hit, and if not, what has changed.
    Explain(Box<explain::Explain>),
    /// List the images of the store.
    Images(images::Images),
    /// Show how an image was made.
    History(images::History),
    /// Show the documents of images.
    Inspect(images::Inspect),
    /// Give an image another name.
    Tag(images::Tag),
    /// Remove names of images.
    Rmi(images::Rmi),
    /// Show what two images differ in: settings, layers and files.
    Diff(diff::Diff),
    /// Fetch an image from its registry.
    Pull(images::Pull),
    /// Send an image to its registry.
    Push(images::Push),
    /// Remember a name and password for a registry.
    Login(images::Login),
    /// Forget the name and password for a registry.
    Logout(images::Logout),
    /// Write images to an archive.
    Save(images::Save),
    /// Take in the images of an archive, OCI's or Docker's.
    Load(images::Load),
    /// Make an image of a root file system in a tar.
    Import(images::Import),
    /// Run a command in a new container of an image.
    Run(Box<images::Run>),
    /// Show what takes the room, and what images need of it.
    Du(store::Du),
    /// Make room: take away what no image with a name needs.
    Prune(store::Prune),
    /// Look for damage: hold everything in the store to its hashes.
    Verify(store::Verify),
    /// Say what this machine allows, and what is lost without the rest.
    Doctor,
    /// Print a completion script.
    Completion(images::Completion),
    /// Print the manual page.
    Man,
    /// Print the version.
    Version(images::Version),
}

/// The passes of the optimizer, as a part of the help.
fn passes() -> String {
    let mut text = "Passes of the optimizer, in the order in which they run:\n".to_owned();
    for pass in PIPELINE {
        let level = match pass.level {
            Level::Needed => "always",
            Level::Unseen => "from -O1 on",
            Level::Seen => "with -O2",
        };
        let _ = writeln!(text, "  {:8} {} ({level})", pass.name, pass.summary);
    }
    text
}
