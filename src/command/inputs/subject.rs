//! What builds are remembered as, so that the next one can be compared with them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use layercake_compiler::address::redact;
use layercake_compiler::ast::Command;
use layercake_compiler::lint::is_secret;
use layercake_compiler::plan::{Plan, StepId};
use layercake_compiler::platform::Platform;
use layercake_executor::build::key::hidden;
use layercake_executor::explain::document::Surroundings;
use layercake_executor::explain::history::Subject;

use super::context::folder::default_dockerfile;
use super::{Inputs, arguments};
use crate::command::lock::LockFile;

/// Which builds a build is compared with: those of the same target of the same Dockerfile with the same context, and where
/// several are built at once, for the same `platform`.
#[must_use]
pub fn subject(arguments: &arguments::Inputs, platform: Option<&Platform>) -> Subject {
    let context = Path::new(&arguments.context);
    let folder = Some(context).filter(|context| context.is_dir());
    let file = match (&arguments.file, folder) {
        (None, Some(folder)) => place(&default_dockerfile(folder)),
        // As for a build: what is not there may be meant from the context's folder.
        (Some(file), Some(folder)) if !file.exists() && folder.join(file).exists() => place(&folder.join(file)),
        (Some(file), _) => place(file),
        (None, None) => String::new(),
    };
    let target = arguments.target.as_deref().unwrap_or_default().to_ascii_lowercase();
    let platform = platform.map(ToString::to_string).unwrap_or_default();
    Subject { context: place(context), file, target, platform }
}

/// A path without links, or an address without its credentials.
fn place(path: &Path) -> String {
    let text = path.to_string_lossy();
    // A query may hold a token as well.
    let address = || redact(text.split(['?']).next().unwrap_or_default()).into_owned();
    if text.contains("://") {
        return address();
    }
    path.canonicalize().map_or_else(|_| address(), |path| path.to_string_lossy().into_owned())
}

/// What the Dockerfile, the arguments and the ignore files say besides the plan.
#[must_use]
pub fn surroundings(inputs: &Inputs, plan: &Plan) -> Surroundings {
    let mut arguments = BTreeMap::new();
    let mut uses: BTreeMap<u32, BTreeSet<String>> = BTreeMap::new();
    for instruction in &inputs.parsed.ast.instructions {
        if let Some(Command::Arg(declared)) = &instruction.command {
            for declared in declared {
                let name = &declared.name.text;
                let default = || declared.default.as_ref().map(|word| word.text.clone()).unwrap_or_default();
                let value = inputs.request.build_arg(name).map_or_else(default, str::to_owned);
                // Declared once more, in a stage, it has the value that it was given first.
                let known = arguments.entry(name.clone()).or_insert_with(String::new);
                if known.is_empty() {
                    *known = shown(name, &value);
                }
            }
        } else {
            let line = inputs.parsed.source.line(instruction.span.start);
            let named = named(instruction.line.text()).map(str::to_owned);
            uses.entry(u32::try_from(line).unwrap_or(u32::MAX)).or_default().extend(named);
        }
    }
    let lines = |name: &Option<String>, context: &layercake_executor::build::site::ContextFolder| {
        (name.clone().unwrap_or_default(), context.ignore.lines().collect())
    };
    let ignored = inputs.contexts.iter().map(|(name, context)| lines(name, context)).collect();
    let held = |lock: &LockFile| -> BTreeSet<StepId> {
        plan.steps.iter().filter(|step| lock.holds(&step.operation)).map(|step| step.id).collect()
    };
    Surroundings { arguments, ignored, uses, locked: inputs.lock.as_ref().map(held).unwrap_or_default() }
}

/// The value of an argument as it may be kept.
fn shown(name: &str, value: &str) -> String {
    let redacted = redact(value);
    if value.is_empty() {
        String::new()
    } else if is_secret(name) {
        hidden(value)
    } else if redacted == value {
        value.to_owned()
    } else {
        format!("{redacted} {}", hidden(value))
    }
}

/// The variables that a text names: `$NAME` and `${NAME…}`.
fn named(text: &str) -> impl Iterator<Item = &str> {
    text.match_indices('$').filter_map(|(place, _)| {
        let rest = text[place + 1..].trim_start_matches('{');
        let end = rest.find(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_').unwrap_or(rest.len());
        (end > 0).then(|| &rest[..end])
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_are_found_in_texts() {
        let found = |text| named(text).collect::<Vec<_>>();
        assert_eq!(found("COPY $A ${B:-x}/$C.txt ${} $$D \\$E"), ["A", "B", "C", "D", "E"]);
        assert_eq!(found("RUN echo"), [""; 0]);
    }
}
