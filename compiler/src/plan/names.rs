//! What steps are called in a plan that people review: by the stage and by what they do, so that a step that comes or goes
//! does not rename the others.

use std::collections::{HashMap, HashSet};

use super::{Step, StepId};
use crate::operation::{Copy, Operation, Run};

/// The longest word that a name is made of.
const LONGEST: usize = 24;

/// Commands that say nothing about what comes of a line of shell.
const PREPARATIONS: [&str; 7] = ["set", "cd", "export", "echo", "if", ":", "."];

/// The names of all steps of a plan, each with a `%` in front: `%build.npm`, `%release.app`, `%golang`.
///
/// A name is the stage, where that has one, and a word of the instruction: the program that is run, the file that is copied,
/// the folder, the image. Those that are alike are numbered.
#[derive(Clone, Debug)]
pub struct Names(Vec<String>);

impl Names {
    /// What the steps are called.
    #[must_use]
    pub fn of(steps: &[Step]) -> Self {
        let mut words: Vec<String> = Vec::with_capacity(steps.len());
        let mut names: Vec<String> = Vec::with_capacity(steps.len());
        let mut taken: HashSet<String> = HashSet::with_capacity(steps.len());
        let mut counts: HashMap<String, usize> = HashMap::new();
        for step in steps {
            let word = word(step, &words);
            let stage = stage(step);
            let name = if stage.is_empty() { format!("%{word}") } else { format!("%{stage}.{word}") };
            let count = counts.entry(name.clone()).or_default();
            let numbered = loop {
                *count += 1;
                let numbered = if *count == 1 { name.clone() } else { format!("{name}-{count}") };
                // Something else may be called so as it is.
                if taken.insert(numbered.clone()) {
                    break numbered;
                }
            };
            names.push(numbered);
            words.push(word);
        }
        Self(names)
    }

    /// What a step is called.
    #[must_use]
    pub fn name(&self, step: StepId) -> &str {
        &self.0[step.index()]
    }
}

/// The stage as part of a name. One without a name has only its place in the file, which would change with any stage before
/// it. What is brought in from outside belongs to no stage in particular.
fn stage(step: &Step) -> &str {
    let stage = step.origin.stage.as_str();
    let is_number = stage.bytes().all(|byte| byte.is_ascii_digit());
    if is_number || matches!(step.operation, Operation::Http(_) | Operation::Git(_)) { "" } else { stage }
}

/// A word for what a step does.
fn word(step: &Step, earlier: &[String]) -> String {
    match &step.operation {
        Operation::Scratch => "scratch".to_owned(),
        Operation::Image(image) => {
            let repository = last_part(image.reference.split('@').next().unwrap_or_default());
            readable(repository.split(':').next().unwrap_or_default(), "image")
        }
        Operation::Context(context) => context
            .name
            .as_ref()
            .map_or_else(|| "context".to_owned(), |name| format!("context-{}", readable(name, "named"))),
        Operation::Http(http) => format!("http-{}", readable(&http.filename, "file")),
        Operation::Git(git) => {
            let name = last_part(&git.remote);
            format!("git-{}", readable(name.strip_suffix(".git").unwrap_or(name), "repository"))
        }
        Operation::Inline(inline) => {
            format!("inline-{}", readable(inline.files.first().map_or("", |file| &file.name), "file"))
        }
        Operation::Copy(copy) => copied(copy),
        Operation::Run(run) => readable(program(run), "run"),
        Operation::MakeDir(make_dir) => readable(last_part(&make_dir.path), "root"),
        // Called after what it stacks.
        Operation::Stack => {
            let stacked = step.inputs.get(1).and_then(|input| earlier.get(input.index()));
            stacked.map_or_else(|| "stack".to_owned(), |word| format!("stack-{word}"))
        }
    }
}

/// The first thing that is copied, or where it goes.
fn copied(copy: &Copy) -> String {
    let paths = copy.sources.iter().map(|source| source.path.as_str()).chain([copy.destination.as_str()]);
    let words = paths.map(|path| readable(last_part(path), ""));
    words.into_iter().find(|word| !word.is_empty()).unwrap_or_else(|| "copy".to_owned())
}

/// The first program that a command runs, if it can be told at a glance.
fn program(run: &Run) -> &str {
    let line = match run.arguments.as_slice() {
        [_, flag, line] if flag.starts_with(['-', '/']) => line,
        [program, ..] => return last_part(program),
        [] => return "",
    };
    let commands = line.split(['\n', ';', '&', '|', '(', ')', '{', '}']);
    let programs = commands.filter_map(|command| {
        let mut words = command.split_whitespace().map(|word| word.trim_matches(['"', '\'', '\\']));
        words.find(|word| !word.is_empty() && !word.contains('=') && !word.starts_with('#'))
    });
    programs.map(last_part).find(|program| !PREPARATIONS.contains(program)).unwrap_or_default()
}

/// What follows the last slash, but for one at the end.
fn last_part(path: &str) -> &str {
    path.trim_end_matches('/').rsplit('/').next().unwrap_or_default()
}

/// A text as a word of letters, digits and a few marks; another one if nothing of it can be read.
fn readable(text: &str, otherwise: &str) -> String {
    let mut word = String::new();
    for character in text.chars() {
        match character {
            letter if letter.is_alphanumeric() || matches!(letter, '.' | '_') => word.push(letter),
            _ if word.ends_with('-') => {}
            _ => word.push('-'),
        }
        if word.chars().count() == LONGEST {
            break;
        }
    }
    let word = word.trim_matches(['-', '.']);
    if word.is_empty() { otherwise.to_owned() } else { word.to_owned() }
}
