//! The flags of an instruction: which it knows, and what their values are.

use crate::ast::{Instruction, Word};
use crate::diagnostic::{Code, Diagnostic};
use crate::suggest;

/// What a flag takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Takes {
    /// `--name`, `--name=true` or `--name=false`.
    Truth,
    /// One value.
    Value,
    /// One value each time it is written.
    Values,
}

/// The flags of one instruction, checked against those it knows.
#[derive(Debug)]
pub(super) struct Flags<'a> {
    found: Vec<(&'a str, Word)>,
}

impl<'a> Flags<'a> {
    /// Checks the flags of an instruction that knows these.
    pub(super) fn read(instruction: &'a Instruction, known: &[(&'a str, Takes)]) -> Result<Self, Box<Diagnostic>> {
        let mut found: Vec<(&str, Word)> = Vec::new();
        for flag in &instruction.flags {
            let (written, value) = flag.text.split_once('=').map_or((flag.text.as_str(), None), |(n, v)| (n, Some(v)));
            let name = written.trim_start_matches("--");
            let error = |code, message: String| Diagnostic::error(code, instruction.span, message).label(flag.span, "");
            let Some((name, takes)) =
                known.iter().find(|(known, _)| *known == name && written.len() == known.len() + 2)
            else {
                return Err(Box::new(unknown(
                    error(Code::UnknownFlag, format!("unknown flag: {written}")),
                    name,
                    known,
                )));
            };
            if *takes != Takes::Values && found.iter().any(|(other, _)| other == name) {
                return Err(Box::new(error(Code::InvalidFlag, format!("duplicate flag specified: {written}"))));
            }
            let text = match (takes, value) {
                (Takes::Truth, None) => "true".to_owned(),
                (Takes::Value | Takes::Values, None) | (Takes::Truth, Some("")) => {
                    let error = error(Code::InvalidFlag, format!("missing a value on flag: {written}"));
                    return Err(Box::new(error.help(format!("write `{written}=value`"))));
                }
                (Takes::Truth, Some(value)) => match value.to_lowercase().as_str() {
                    truth @ ("true" | "false") => truth.to_owned(),
                    _ => {
                        let message = format!("expecting boolean value for flag {written}, not: {value}");
                        return Err(Box::new(error(Code::InvalidFlag, message)));
                    }
                },
                (Takes::Value | Takes::Values, Some(value)) => value.to_owned(),
            };
            let span = flag.part(flag.text.len() - value.map_or(0, str::len), flag.text.len());
            found.push((name, Word { text, span }));
        }
        Ok(Self { found })
    }

    /// The value of a flag.
    pub(super) fn value(&self, name: &str) -> Option<Word> {
        self.found.iter().find(|(found, _)| *found == name).map(|(_, value)| value.clone())
    }

    /// The value of a flag, where an empty one means the same as none.
    pub(super) fn non_empty(&self, name: &str) -> Option<Word> {
        self.value(name).filter(|value| !value.text.is_empty())
    }

    /// The values of a flag that may stand more than once.
    pub(super) fn values(&self, name: &str) -> Vec<Word> {
        self.found.iter().filter(|(found, _)| *found == name).map(|(_, value)| value.clone()).collect()
    }

    /// What a flag says that is true or false, if it stands there.
    pub(super) fn truth(&self, name: &str) -> Option<bool> {
        self.value(name).map(|value| value.text == "true")
    }
}

fn unknown(error: Diagnostic, name: &str, known: &[(&str, Takes)]) -> Diagnostic {
    if let Some(near) = suggest::nearest(name, known.iter().map(|(name, _)| *name)) {
        let message = format!("{} (did you mean {near}?)", error.message);
        return Diagnostic { message, ..error }.help(format!("write `--{near}`"));
    }
    if known.is_empty() {
        return error.help("remove it: the instruction has no flags");
    }
    let names: Vec<String> = known.iter().map(|(name, _)| format!("`--{name}`")).collect();
    error.help(format!("use one of {}", names.join(", ")))
}
