//! [`Choice`]: which steps are to be explained: all, one by its number, those of a stage or of a line.

use std::path::Path;

use layercake_executor::explain::explanation::Explained;

use crate::arguments::explain::Explain;
use crate::arguments::inputs::Inputs;
use crate::failure::Failure;

/// Which steps are to be explained.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Choice {
    /// All of them.
    All,
    /// That of this number.
    Number(u32),
    /// Those of a stage, of a line, or of a line of a stage.
    Place { text: String, stage: Option<String>, line: Option<u32> },
}

impl Choice {
    /// What the arguments choose, and the inputs they name. Both may stand alone: what is no folder is a step.
    ///
    /// # Errors
    /// If two contexts are named.
    pub(super) fn read(arguments: &Explain) -> Result<(Self, Inputs), Failure> {
        let mut inputs = arguments.inputs.clone();
        let Some(first) = arguments.step.as_deref() else { return Ok((Self::All, inputs)) };
        let has_second = inputs.context != ".";
        match (is_context(first), has_second) {
            (true, false) => {
                first.clone_into(&mut inputs.context);
                Ok((Self::All, inputs))
            }
            (true, true) if !is_context(&inputs.context) => {
                let step = std::mem::replace(&mut inputs.context, first.to_owned());
                Ok((Self::parse(&step), inputs))
            }
            (true, true) => Err(Failure::input(format!("`{first}` and `{}` are both contexts", inputs.context))
                .help("name a step and a context: `layercake explain %3 .`")),
            (false, _) => Ok((Self::parse(first), inputs)),
        }
    }

    fn parse(text: &str) -> Self {
        if let Ok(number) = text.strip_prefix('%').unwrap_or(text).parse() {
            return Self::Number(number);
        }
        let (stage, line) = match text.rsplit_once([':', '/']) {
            Some((stage, line)) if line.parse::<u32>().is_ok() => (stage, line.parse().ok()),
            _ => (text, None),
        };
        let stage = (!stage.is_empty()).then(|| stage.to_ascii_lowercase());
        Self::Place { text: text.to_owned(), stage, line }
    }

    /// Whether all steps are meant.
    pub(super) fn is_all(&self) -> bool {
        *self == Self::All
    }

    /// Those steps that are meant.
    ///
    /// # Errors
    /// If there are none.
    pub(super) fn of<'a>(&self, steps: &'a [Explained]) -> Result<Vec<&'a Explained>, Failure> {
        let is_meant = |explained: &&Explained| {
            let step = &explained.step;
            match self {
                Self::All => true,
                Self::Number(number) => step.id.0 == *number,
                Self::Place { stage, line, .. } => {
                    stage.as_ref().is_none_or(|stage| step.stage.eq_ignore_ascii_case(stage))
                        && line.is_none_or(|line| step.line == line)
                }
            }
        };
        let found: Vec<&Explained> = steps.iter().filter(is_meant).collect();
        if !found.is_empty() || self.is_all() {
            return Ok(found);
        }
        let wanted = match self {
            Self::Number(number) => format!("%{number}"),
            Self::Place { text, .. } => text.clone(),
            Self::All => String::new(),
        };
        let known: Vec<String> = steps.iter().map(|explained| explained.step.id.to_string()).collect();
        Err(Failure::input(format!("the last build had no step `{wanted}`"))
            .help(format!("choose one of {}, a stage by its name, or a line as `:LINE`", known.join(", "))))
    }
}

/// Whether an argument names a context and no step.
fn is_context(text: &str) -> bool {
    let is_number = text.strip_prefix('%').unwrap_or(text).parse::<u32>().is_ok();
    let is_path = text == "-" || text.starts_with(['.', '/']) || text.contains("://") || text.starts_with("git@");
    !is_number && (is_path || Path::new(text).is_dir())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_numbers_stages_and_lines() {
        let place = |stage: Option<&str>, line| (stage.map(str::to_owned), line);
        for (text, expected) in [
            ("app", place(Some("app"), None)),
            (":7", place(None, Some(7))),
            ("App:7", place(Some("app"), Some(7))),
            ("app/7", place(Some("app"), Some(7))),
        ] {
            let Choice::Place { stage, line, .. } = Choice::parse(text) else { panic!("{text}") };
            assert_eq!((stage, line), expected, "{text}");
        }
        assert_eq!((Choice::parse("%3"), Choice::parse("12")), (Choice::Number(3), Choice::Number(12)));
        assert!(is_context(".") && is_context("https://host/x.git") && !is_context("%3") && !is_context("app"));
    }
}
