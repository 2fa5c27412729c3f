//! Our own checks, beyond BuildKit's rules: their names, and the run of all of them over a resolved Dockerfile.
//!
//! `check` gives advice and `build` does not: a build has the warnings that BuildKit's has. Advice is skipped by name, as
//! rules are.

use std::fmt;

use super::typo;
use crate::ast::Instruction;
use crate::diagnostic::{Diagnostic, Severity};
use crate::parse::Parsed;
use crate::program::{Program, Stage, Statement};

/// A check of our own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Advice {
    /// A command that no shell would run as it is meant.
    ShellTypo,
}

impl Advice {
    /// All of them.
    pub const ALL: [Self; 1] = [Self::ShellTypo];

    /// Its name, as `# check=skip=` has it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::ShellTypo => "shell-typo",
        }
    }

    /// What it is about, in one sentence.
    #[must_use]
    pub fn description(self) -> &'static str {
        match self {
            Self::ShellTypo => "Shell commands should be what they look like",
        }
    }

    /// How bad it is: a command that fails is a mistake, the rest could be better.
    #[must_use]
    pub(crate) fn severity(self) -> Severity {
        match self {
            Self::ShellTypo => Severity::Warning,
        }
    }
}

impl fmt::Display for Advice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A resolved Dockerfile, and the text that it came from.
#[derive(Debug)]
pub(super) struct Seen<'a> {
    pub(super) parsed: &'a Parsed,
    pub(super) program: &'a Program,
}

impl<'a> Seen<'a> {
    /// The statements of all stages, with their instructions. Triggers of bases are left out: they stand in another file.
    pub(super) fn statements(&self) -> impl Iterator<Item = (&'a Instruction, &'a Statement)> {
        self.program.stages.iter().flat_map(|stage| self.of_stage(stage))
    }

    /// The statements of a stage, with their instructions.
    pub(super) fn of_stage(&self, stage: &'a Stage) -> impl Iterator<Item = (&'a Instruction, &'a Statement)> {
        let (instructions, source) = (&self.parsed.ast.instructions, &self.parsed.source);
        stage.statements.iter().filter_map(move |statement| {
            let line = statement.origin.line as usize;
            let at = instructions.partition_point(|instruction| source.line(instruction.span.start) < line);
            let instruction = instructions.get(at)?;
            (source.line(instruction.span.start) == line).then_some((instruction, statement))
        })
    }
}

/// Runs all checks.
pub(crate) fn advise(parsed: &Parsed, program: &Program) -> Vec<Diagnostic> {
    let seen = Seen { parsed, program };
    let mut found = Vec::new();
    typo::check(&seen, &mut found);
    found
}
