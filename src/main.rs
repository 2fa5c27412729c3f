//! The command line: arguments, settings, and what a person sees.

#![allow(
    unreachable_pub,
    reason = "nothing of a program is reachable from outside; `pub` says what a module offers its siblings"
)]

mod arguments;
mod command;
mod failure;
mod settings;
mod terminal;

use std::process::ExitCode;

use clap::Parser;

use arguments::Arguments;
use terminal::paint::Paint;

/// Compiling makes many small values, and the threads of a build make them all at once; `docs/performance.md` has figures.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    // The child of a sandbox is this program, started again; it never returns from here.
    layercake_executor::sandbox::hook();
    // So is who syncs the store when a build is done.
    layercake_cache::settle_hook();
    let arguments = Arguments::parse();
    let paint = Paint::new(arguments.color, &std::io::stderr());
    let results = Paint::new(arguments.color, &std::io::stdout());
    match command::run(arguments.command, paint, results) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            if !failure.message().is_empty() {
                terminal::output::tell(&format!("{} {}\n", paint.red("error:"), failure.message()));
            }
            if let Some(advice) = failure.advice() {
                terminal::output::tell(&format!("{} {advice}\n", paint.cyan("help:")));
            }
            failure.status()
        }
    }
}
