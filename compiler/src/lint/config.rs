//! What is linted: the `# check=` directive, the comments above instructions, and the build argument that overrides both.

use std::collections::BTreeSet;

use crate::ast::{Ast, DirectiveName, Instruction};
use crate::diagnostic::{Code, Diagnostic};
use crate::go;
use crate::lex::directive;
use crate::lint::Rule;
use crate::parse::Parsed;

/// Which rules run, and whether what they find is an error.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Config {
    skip: Selection,
    experimental: Selection,
    /// Whether any warning makes the build fail.
    pub is_error: bool,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
enum Selection {
    #[default]
    None,
    Some(BTreeSet<String>),
    All,
}

impl Selection {
    fn parse(text: &str) -> Self {
        match text.trim() {
            "all" => Self::All,
            names => Self::Some(names.split(',').map(|name| name.trim().to_owned()).collect()),
        }
    }

    fn contains(&self, name: &str) -> bool {
        match self {
            Self::None => false,
            Self::Some(names) => names.contains(name),
            Self::All => true,
        }
    }
}

/// A `check` option that does not exist, or lacks its value. The text is BuildKit's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("failed to parse check options: {0}")]
pub struct InvalidCheck(String);

impl Config {
    /// Reads `skip=A,B;experimental=all;error=true`.
    ///
    /// # Errors
    /// If an option does not exist or lacks its value.
    pub fn parse(text: &str) -> Result<Self, InvalidCheck> {
        let mut config = Self::default();
        if text.trim().is_empty() {
            return Ok(config);
        }
        for option in text.trim().splitn(3, ';') {
            let invalid = |what: &str| InvalidCheck(format!("invalid check option {}", go::quote(what)));
            let (name, value) = option.split_once('=').ok_or_else(|| invalid(option))?;
            match name.trim() {
                "skip" => config.skip = Selection::parse(value),
                "experimental" => config.experimental = Selection::parse(value),
                "error" => {
                    config.is_error = go::parse_bool(value.trim()).ok_or_else(|| {
                        InvalidCheck(format!("failed to parse check option {}: invalid syntax", go::quote(option)))
                    })?;
                }
                other => return Err(invalid(other)),
            }
        }
        Ok(config)
    }

    /// What a file asks for, or the build argument `BUILDKIT_DOCKERFILE_CHECK` in its place.
    ///
    /// # Errors
    /// A diagnostic that shows the option which does not exist.
    pub fn of(parsed: &Parsed, argument: Option<&str>) -> Result<Self, Box<Diagnostic>> {
        let directive = parsed.ast.directives.iter().find(|directive| directive.name == DirectiveName::Check);
        let parsed = match (argument, parsed.check()) {
            (Some(argument), _) => Self::parse(argument),
            (None, Some(options)) => Self::parse(first_word(&options)),
            (None, None) => return Ok(Self::default()),
        };
        parsed.map_err(|error| {
            let help = "use `skip=RULE,…`, `experimental=RULE,…` and `error=true`, separated by `;`";
            let diagnostic = Diagnostic::about_request(Code::InvalidCheck, error.to_string()).help(help);
            let span = directive.filter(|_| argument.is_none()).map(|directive| directive.span);
            Box::new(Diagnostic { instruction: span, ..diagnostic })
        })
    }

    /// With what the comments above an instruction add; a `check` that cannot be understood adds nothing.
    fn with_comments(&self, instruction: &Instruction) -> Self {
        let found = instruction.comments.iter().filter_map(|comment| directive::directive(&comment.text, "", 0));
        let check =
            found.filter(|directive| directive.name == DirectiveName::Check).map(|directive| directive.value).next();
        let Some(added) = check.and_then(|value| Self::parse(first_word(&value)).ok()) else { return self.clone() };
        let join = |own: &Selection, added: Selection| match (own, added) {
            (Selection::All, _) | (_, Selection::All) => Selection::All,
            (own, Selection::None) => own.clone(),
            (Selection::None, added) => added,
            (Selection::Some(own), Selection::Some(added)) => Selection::Some(own.union(&added).cloned().collect()),
        };
        Self {
            skip: join(&self.skip, added.skip),
            experimental: join(&self.experimental, added.experimental),
            is_error: self.is_error,
        }
    }

    /// Whether a rule or a check runs; errors are always told.
    #[must_use]
    pub fn allows(&self, code: Code) -> bool {
        match code {
            Code::Rule(rule) if rule.is_experimental() => self.experimental.contains(rule.name()),
            Code::Rule(_) | Code::Advice(_) => !self.skip.contains(code.name()),
            _ => true,
        }
    }

    /// Takes out the warnings that are not wanted. Warnings are told apart by the instruction they are about.
    pub(crate) fn filter(&self, ast: &Ast, warnings: &mut Vec<Diagnostic>) {
        warnings.retain(|warning| {
            let owner = warning.instruction.filter(|_| !is_about_whole_file(warning.code));
            let owner = owner.and_then(|span| {
                let at = ast.instructions.partition_point(|instruction| instruction.span.start < span.start);
                ast.instructions.get(at).filter(|instruction| instruction.span.start == span.start)
            });
            match owner.filter(|instruction| !instruction.comments.is_empty()) {
                Some(instruction) => self.with_comments(instruction).allows(warning.code),
                None => self.allows(warning.code),
            }
        });
    }
}

/// The rules that look at the file as a whole: BuildKit asks only the directive at the top about them.
fn is_about_whole_file(code: Code) -> bool {
    let Code::Rule(rule) = code else { return false };
    matches!(
        rule,
        Rule::NoEmptyContinuation
            | Rule::ReservedStageName
            | Rule::DuplicateStageName
            | Rule::ConsistentInstructionCasing
            | Rule::InvalidDefaultArgInFrom
            | Rule::InvalidBaseImagePlatform
    )
}

fn first_word(text: &str) -> &str {
    text.split(' ').next().unwrap_or_default()
}
