//! `doctor`: what this machine allows, and what is lost without the rest.

use std::fmt::Write;

use layercake_executor::probe::{Fact, State, facts};
use layercake_executor::{emulation, namespace};

use super::images::open_store;
use crate::failure::Failure;
use crate::settings;
use crate::terminal::output;
use crate::terminal::paint::Paint;

/// `layercake doctor`.
///
/// # Errors
/// If the store cannot be opened; silently if something is missing that every `RUN` needs.
pub fn run(paint: Paint) -> Result<(), Failure> {
    let entered = namespace::enter();
    let store = open_store()?;
    let facts = facts(&entered, store.root(), &emulation::installed(&settings::program_folders()));
    let width = facts.iter().map(|fact| fact.subject.to_string().chars().count()).max().unwrap_or_default();
    output::result(&facts.iter().map(|fact| describe(fact, width, paint)).collect::<String>())?;
    if entered.is_ok() { Ok(()) } else { Err(Failure::silent(3)) }
}

/// A line for the fact, and below it what is lost and what to do.
fn describe(fact: &Fact, width: usize, paint: Paint) -> String {
    let state = match fact.state {
        State::Ok => paint.green("ok     "),
        State::Limited => paint.yellow("limited"),
        State::Missing => paint.red("missing"),
    };
    let subject = fact.subject.to_string();
    let mut text = format!("{state}  {subject:width$}  {}\n", fact.detail);
    for (name, line) in [("lost", fact.consequence), ("help", fact.help.as_deref())] {
        if let Some(line) = line {
            let _ = writeln!(text, "         {:width$}  {}", "", paint.dim(format!("{name}: {line}")));
        }
    }
    text
}
