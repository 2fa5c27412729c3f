//! What the drawings of a plan have in common: a step's name on a line, and what its inputs are to it.

use super::{Step, StepId, text};
use crate::address::redact;
use crate::operation::Operation;

/// What a step is called where there is room for a line: what it does, and to what.
pub(super) fn label(step: &Step) -> String {
    let name = &step.origin.name;
    match &step.operation {
        Operation::Scratch => "scratch".to_owned(),
        Operation::Image(image) => image.reference.clone(),
        Operation::Context(context) => context.name.clone().unwrap_or_else(|| "build context".to_owned()),
        Operation::Http(http) => redact(&http.url).into_owned(),
        Operation::Git(git) => git.remote.clone(),
        Operation::Stack => "stack".to_owned(),
        // What is run says more than the word that ends it.
        Operation::Run(run) if without_flags(name).starts_with("RUN <<") => {
            format!("RUN {}", run.arguments.last().map_or("", |script| script.trim_start()))
        }
        Operation::Inline(_) | Operation::Copy(_) | Operation::Run(_) | Operation::MakeDir(_) => without_flags(name),
    }
}

/// An instruction without its flags, which would leave no room for the rest.
fn without_flags(name: &str) -> String {
    let Some((keyword, mut rest)) = name.split_once(' ') else { return name.to_owned() };
    while let Some((flag, more)) = rest.split_once(' ') {
        if !flag.starts_with("--") && !flag.is_empty() {
            break;
        }
        rest = more;
    }
    format!("{keyword} {rest}")
}

/// A text on so many lines of so many characters, broken at spaces where that leaves no line half empty.
pub(super) fn wrapped(text: &str, width: usize, lines: usize) -> Vec<String> {
    let mut rest: Vec<char> = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let mut wrapped = Vec::new();
    while rest.len() > width && wrapped.len() + 1 < lines {
        let space = rest[..=width].iter().rposition(|c| *c == ' ').filter(|space| *space >= width / 2);
        let after = rest.split_off(space.unwrap_or(width));
        wrapped.push(rest.into_iter().collect());
        rest = after.into_iter().skip_while(|c| *c == ' ').collect();
    }
    wrapped.push(cut(&rest.into_iter().collect::<String>(), width));
    wrapped
}

/// What a step does, in a word; a class of the drawings.
pub(super) fn kind(step: &Step) -> &'static str {
    text::operation_name(&step.operation)
}

/// What an input is to a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// The tree that it changes.
    Below,
    /// Something that it reads.
    Read,
}

/// The inputs of a step, each once, with what they are to it.
pub(super) fn inputs(step: &Step) -> Vec<(StepId, Role)> {
    let mut inputs: Vec<(StepId, Role)> = Vec::with_capacity(step.inputs.len());
    for (slot, input) in step.inputs.iter().enumerate() {
        if inputs.iter().all(|(known, _)| known != input) {
            inputs.push((*input, if slot == 0 { Role::Below } else { Role::Read }));
        }
    }
    inputs
}

/// A text cut to so many characters, with nothing in it that cannot be seen.
pub(super) fn cut(text: &str, limit: usize) -> String {
    let mut visible = text.chars().map(|c| if c.is_control() { ' ' } else { c });
    let mut cut: String = visible.by_ref().take(limit).collect();
    if visible.next().is_some() {
        cut.pop();
        cut.push('…');
    }
    cut
}

/// A text as XML and HTML have it. Characters that XML cannot hold become U+FFFD.
pub(super) fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\n' | '\t' => out.push(character),
            control if control.is_control() || matches!(control, '\u{fffe}' | '\u{ffff}') => out.push('\u{fffd}'),
            other => out.push(other),
        }
    }
    out
}
