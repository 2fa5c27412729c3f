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
    let platforms = inputs::platforms(&inputs.platform)?;
    // One alone is no part of what a build is remembered as: that it changes is worth an explanation.
    let platforms = if platforms.len() > 1 { platforms.iter().map(Some).collect() } else { vec![None] };
    let (mut texts, mut values) = (Vec::new(), Vec::new());
    for platform in platforms {
        let subject = inputs::subject(&inputs, platform);
        let steps = explain(&store, &subject)?;
        let chosen = choice.of(&steps)?;
        let heading = platform.map_or_else(String::new, |platform| format!("for {platform}: "));
        let text = if choice.is_all() { text::whole(&chosen, paint) } else { text::chosen(&chosen, paint) };
        texts.push(heading + &text);
        values.push(document(&subject, &chosen));
    }
    match arguments.format {
        ExplainFormat::Text => output::result(&texts.join("\n")),
        ExplainFormat::Json => {
            let value = if values.len() == 1 { values.remove(0) } else { Value::Array(values) };
            output::json(&value)
        }
    }
}

fn document(subject: &Subject, chosen: &[&Explained]) -> Value {
    let steps: Vec<Value> = chosen.iter().map(|explained| in_json(explained)).collect();
    let mut value = json!({"context": subject.context, "file": subject.file, "target": subject.target, "steps": steps});
    if !subject.platform.is_empty() {
        value["platform"] = json!(subject.platform);
    }
    value
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
            let several = several(wanted, known);
            Failure::input(&error).help(match near {
                _ if !several.is_empty() => format!("name all platforms of the build: `--platform {several}`"),
                None => "build it first, or name the same context, `--file` and `--target` as the build did".to_owned(),
                Some(near) => format!("name what was built: {}", options(near)),
            })
        }
        Error::Gone(_) => Failure::environment(error).help("build again: the next explanation knows of that build"),
    })
}

/// The platforms for which the same was built at once.
fn several(wanted: &Subject, known: &[Subject]) -> String {
    let of = |known: &&Subject| Subject { platform: String::new(), ..(*known).clone() };
    let alike = known.iter().filter(|known| of(known) == of(&wanted) && !known.platform.is_empty());
    alike.map(|known| known.platform.as_str()).collect::<Vec<_>>().join(",")
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
