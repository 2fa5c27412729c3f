//! `explain`: of each step of the last build of these inputs, whether it was a hit, and if not, what has changed.

mod advice;
mod choice;
pub(super) mod text;
pub(super) mod words;

use std::path::Path;

use layercake_cache::Store;
use layercake_executor::explain::explanation::{self, Error, Explained, State};
use layercake_executor::explain::history::Subject;
use serde_json::{Value, json};

use super::inputs;
use crate::arguments::explain::{Explain, ExplainFormat};
use crate::failure::Failure;
use crate::settings::Settings;
use crate::terminal::output;
use crate::terminal::paint::Paint;
use choice::Choice;

/// `layercake explain`.
///
/// # Errors
/// If nothing is remembered of such a build, or it has no such step.
pub fn run(arguments: &Explain, paint: Paint) -> Result<(), Failure> {
    let (choice, inputs) = Choice::read(arguments)?;
    let settings = Settings::read(inputs::project(&inputs))?;
    let store = inputs::open_store(&settings)?;
    let subject = inputs::subject(&inputs);
    let steps = explain(&store, &subject)?;
    let chosen = choice.of(&steps)?;
    match arguments.format {
        ExplainFormat::Text if choice.is_all() => output::result(&text::whole(&chosen, paint)),
        ExplainFormat::Text => output::result(&text::chosen(&chosen, paint)),
        ExplainFormat::Json => {
            let steps: Vec<Value> = chosen.iter().map(|explained| in_json(explained)).collect();
            let value = json!({
                "context": subject.context, "file": subject.file, "target": subject.target, "steps": steps,
            });
            output::line(&serde_json::to_string_pretty(&value).expect("a value is always JSON"))
        }
    }
}

fn explain(store: &Store, subject: &Subject) -> Result<Vec<Explained>, Failure> {
    explanation::explain(store, subject).map_err(|error| match error {
        Error::Store(error) => error.into(),
        Error::NoBuild(ref wanted, _) if !is_address(&wanted.context) && !Path::new(&wanted.context).is_dir() => {
            Failure::input(format!("there is no folder `{}`", wanted.context)).help("name the folder that was built")
        }
        Error::NoBuild(ref wanted, _) if !is_address(&wanted.file) && !Path::new(&wanted.file).exists() => {
            Failure::input(format!("there is no Dockerfile `{}`", wanted.file))
                .help("name the folder that was built, and with `--file` its Dockerfile if that is elsewhere")
        }
        Error::NoBuild(ref wanted, ref known) => {
            let near = known.iter().find(|known| known.context == wanted.context);
            Failure::input(&error).help(match near {
                None => "build it first, or name the same context, `--file` and `--target` as the build did".to_owned(),
                Some(near) => format!("name what was built: {}", options(near)),
            })
        }
        Error::Gone(_) => Failure::environment(error).help("build again: the next explanation knows of that build"),
    })
}

/// Whether it is not to be looked for on this machine: it is a URL, or came on standard input.
fn is_address(place: &str) -> bool {
    place.is_empty() || place.contains("://") || place.starts_with("git@") || place == "-"
}

/// How builds that are remembered are named.
fn options(subject: &Subject) -> String {
    let target = if subject.target.is_empty() { String::new() } else { format!(" --target {}", subject.target) };
    format!("`layercake explain --file {}{target} {}`", subject.file, subject.context)
}

fn in_json(explained: &Explained) -> Value {
    let step = &explained.step;
    json!({
        "id": step.id,
        "op": step.op,
        "name": step.name,
        "stage": step.stage,
        "line": step.line,
        "inputs": step.inputs,
        "key": step.key,
        // A step that failed was a miss all the same.
        "state": if explained.state == State::Failed { State::Miss } else { explained.state },
        "failed": explained.state == State::Failed,
        "reasons": explained.reasons,
    })
}
