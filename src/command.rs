//! The commands, one file for each family.

mod build;
mod call;
mod check;
mod compile;
mod container;
mod diff;
mod doctor;
mod explain;
mod images;
mod inputs;
mod lock;
mod publish;
mod registry;
mod store;
mod transport;

use clap::CommandFactory;
use layercake_compiler::plan::PLAN_VERSION;
use serde_json::json;

use crate::arguments::images::{Version, VersionFormat};
use crate::arguments::{Arguments, Command};
use crate::failure::Failure;
use crate::terminal::output;
use crate::terminal::paint::Paint;

/// Does what was asked for. `results` paints what goes to standard output.
///
/// # Errors
/// What ends the command.
pub fn run(command: Command, paint: Paint, results: Paint) -> Result<(), Failure> {
    match command {
        Command::Build(arguments) => build::run(&arguments, paint),
        Command::Compile(arguments) => compile::run(&arguments, paint),
        Command::Check(arguments) => check::run(&arguments, paint),
        Command::Explain(arguments) => explain::run(&arguments, results),
        Command::Images(arguments) => images::list::run(&arguments),
        Command::History(arguments) => images::history::run(&arguments),
        Command::Inspect(arguments) => images::inspect::run(&arguments),
        Command::Diff(arguments) => diff::run(&arguments, results),
        Command::Tag(arguments) => images::tag(&arguments),
        Command::Rmi(arguments) => images::remove::run(&arguments),
        Command::Pull(arguments) => registry::pull(&arguments, paint),
        Command::Push(arguments) => registry::push(&arguments, paint),
        Command::Login(arguments) => registry::login(&arguments),
        Command::Logout(arguments) => registry::logout(&arguments),
        Command::Save(arguments) => transport::save(&arguments, paint),
        Command::Load(arguments) => transport::load(&arguments),
        Command::Import(arguments) => transport::import(&arguments),
        Command::Run(arguments) => container::run(&arguments, paint),
        Command::Doctor => doctor::run(results),
        Command::Completion(arguments) => {
            let mut script = Vec::new();
            clap_complete::generate(arguments.shell, &mut Arguments::command(), "layercake", &mut script);
            output::result(&String::from_utf8_lossy(&script))
        }
        Command::Man => {
            let mut page = Vec::new();
            clap_mangen::Man::new(Arguments::command())
                .render(&mut page)
                .map_err(|error| Failure::environment(format!("cannot make the manual page: {error}")))?;
            output::result(&String::from_utf8_lossy(&page))
        }
        Command::Version(arguments) => version(&arguments),
        Command::Du(arguments) => store::du::run(&arguments),
        Command::Prune(arguments) => store::prune::run(&arguments),
        Command::Verify(arguments) => store::verify::run(&arguments),
    }
}

fn version(arguments: &Version) -> Result<(), Failure> {
    let version = env!("CARGO_PKG_VERSION");
    match arguments.format {
        VersionFormat::Text => output::line(&format!("layercake {version}")),
        VersionFormat::Json => output::line(&json!({"version": version, "plan": PLAN_VERSION}).to_string()),
    }
}
