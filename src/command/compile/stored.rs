//! `compile --verify`: a plan against one that was stored before, as text; and `--bless`, which stores it.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use layercake_compiler::plan::PLAN_VERSION;
use layercake_executor::fault::reason;

use crate::command::publish;
use crate::failure::Failure;
use crate::terminal::difference::unified;
use crate::terminal::output;
use crate::terminal::paint::Paint;

/// What lies where a plan is stored.
#[derive(Debug, PartialEq, Eq)]
enum Stored {
    /// Nothing, or an empty file.
    Nothing,
    /// A plan of this version.
    Plan(String),
    /// A plan of another version.
    Version(u32),
    /// Something else, and what.
    Other(&'static str),
}

/// Compares a plan as text, or several one after the other, with what is stored at `path`.
///
/// # Errors
/// If it differs, or there is none to compare with.
pub(super) fn verify(plan: &str, path: &Path, paint: Paint) -> Result<(), Failure> {
    let shown = path.display();
    let failure = match read(path)? {
        Stored::Plan(known) => {
            let difference =
                unified((&shown.to_string(), &known), ("the plan as it is now", plan), paint.on_standard_output());
            if difference.is_empty() {
                return Ok(());
            }
            output::result(&difference)?;
            Failure::input(format!("the plan is not that of `{shown}`"))
        }
        Stored::Nothing => Failure::input(format!("there is no plan in `{shown}`")),
        Stored::Version(version) => Failure::input(format!(
            "`{shown}` has a plan of version {version}, and this layercake makes plans of version {PLAN_VERSION}"
        )),
        Stored::Other(what) => return Err(no_plan(path, what)),
    };
    Err(failure.help("add `--bless` to write the plan as it is now"))
}

/// Writes a plan to `path`, whole or not at all. What is no plan is not overwritten.
///
/// # Errors
/// If it cannot be written.
pub(super) fn bless(plan: &str, path: &Path, paint: Paint) -> Result<(), Failure> {
    match read(path)? {
        Stored::Plan(known) if known == plan => return Ok(()),
        Stored::Nothing | Stored::Plan(_) | Stored::Version(_) => (),
        Stored::Other(what) => return Err(no_plan(path, what)),
    }
    let shown = path.display();
    publish::write(path, plan)
        .map_err(|error| Failure::environment(format!("cannot write the plan `{shown}`: {}", reason(&error))))?;
    output::tell(&format!("{} `{shown}`\n", paint.green("blessed")));
    Ok(())
}

fn no_plan(path: &Path, what: &str) -> Failure {
    Failure::input(format!("`{}` is no plan as text: {what}", path.display()))
        .help("name a file that `layercake compile` wrote without `--format`, or a new one with `--bless`")
}

fn read(path: &Path) -> Result<Stored, Failure> {
    match fs::read(path) {
        Ok(bytes) => Ok(String::from_utf8(bytes).map_or(Stored::Other("it is no text"), |text| recognize(&text))),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(Stored::Nothing),
        Err(error) if matches!(error.kind(), ErrorKind::IsADirectory) => Ok(Stored::Other("it is a folder")),
        Err(error) => {
            Err(Failure::environment(format!("cannot read the plan `{}`: {}", path.display(), reason(&error))))
        }
    }
}

/// Tells by its first line what a text is. A repository may be checked out with the line ends of another system.
fn recognize(text: &str) -> Stored {
    let text = text.replace("\r\n", "\n");
    let first = text.lines().next().unwrap_or_default();
    let version = first.strip_prefix("plan ").and_then(|rest| rest.split_once(": `")?.0.parse().ok());
    match version {
        _ if text.trim().is_empty() => Stored::Nothing,
        Some(PLAN_VERSION) => Stored::Plan(text),
        Some(other) => Stored::Version(other),
        None if first.starts_with('{') => Stored::Other("it may be one as JSON"),
        None => Stored::Other("its first line is not `plan VERSION: …`"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plans_are_told_by_their_first_line() {
        let plan = format!("plan {PLAN_VERSION}: `0` for linux/amd64\n");
        assert_eq!(recognize(&plan), Stored::Plan(plan.clone()));
        assert_eq!(recognize(&plan.replace('\n', "\r\n")), Stored::Plan(plan));
        assert_eq!(recognize("plan 99: `0` for linux/amd64\n"), Stored::Version(99));
        assert_eq!(recognize(" \n"), Stored::Nothing);
        for other in ["plan: `0`\n", "FROM scratch\n", "plan to rule\n", "{\"version\": 1}\n"] {
            assert!(matches!(recognize(other), Stored::Other(_)), "{other}");
        }
    }
}
