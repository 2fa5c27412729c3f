//! Our own checks, beyond BuildKit's rules: their names, and the run of all of them over a resolved Dockerfile.
//!
//! `check` gives advice and `build` does not: a build has the warnings that BuildKit's has. Advice is skipped by name, as
//! rules are.

use std::fmt;

use super::{cache_mount, copy_before_install, secret_in_layer, typo, unused_stage};
use crate::ast::{Command, Instruction};
use crate::diagnostic::{Diagnostic, Severity};
use crate::parse::Parsed;
use crate::program::{Program, Stage, Statement, Tree};
use crate::request::Request;

/// A check of our own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Advice {
    /// A command that no shell would run as it is meant.
    ShellTypo,
    /// Sources are copied before packages are installed.
    CopyBeforeInstall,
    /// Packages are fetched and not kept for the next time.
    CacheMount,
    /// A stage that nothing uses.
    UnusedStage,
    /// Something that looks like a secret becomes part of the image.
    SecretInLayer,
}

impl Advice {
    /// All of them.
    pub const ALL: [Self; 5] =
        [Self::ShellTypo, Self::CopyBeforeInstall, Self::CacheMount, Self::UnusedStage, Self::SecretInLayer];

    /// Its name, as `# check=skip=` has it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::ShellTypo => "shell-typo",
            Self::CopyBeforeInstall => "copy-before-install",
            Self::CacheMount => "cache-mount",
            Self::UnusedStage => "unused-stage",
            Self::SecretInLayer => "secret-in-layer",
        }
    }

    /// What it is about, in one sentence.
    #[must_use]
    pub fn description(self) -> &'static str {
        match self {
            Self::ShellTypo => "Shell commands should be what they look like",
            Self::CopyBeforeInstall => "Packages should be installed before the sources are copied",
            Self::CacheMount => "Fetched packages should be kept in a cache mount",
            Self::UnusedStage => "Stages should be used",
            Self::SecretInLayer => "Secrets should not become part of the image",
        }
    }

    /// How bad it is: a command that fails is a mistake, the rest could be better.
    #[must_use]
    pub(crate) fn severity(self) -> Severity {
        match self {
            Self::ShellTypo => Severity::Warning,
            Self::CopyBeforeInstall | Self::CacheMount | Self::UnusedStage | Self::SecretInLayer => Severity::Advice,
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
    pub(super) request: &'a Request,
}

impl<'a> Seen<'a> {
    /// The statements of all stages, with their instructions. Triggers of bases are left out: they stand in another file.
    pub(super) fn statements(&self) -> impl Iterator<Item = (&'a Instruction, &'a Statement)> {
        self.program.stages.iter().flat_map(|stage| self.of_stage(stage))
    }

    /// The statements of a stage, with their instructions.
    pub(super) fn of_stage(
        &self,
        stage: &'a Stage,
    ) -> impl DoubleEndedIterator<Item = (&'a Instruction, &'a Statement)> + use<'a> {
        let (parsed, statements) = (self.parsed, &stage.statements);
        statements.iter().filter_map(|statement| Some((at_line(parsed, statement.origin.line)?.1, statement)))
    }

    /// The statements that made the tree that a stage starts from, at most the last [`LOOK_BACK`].
    pub(super) fn inherited(&self, stage: &'a Stage) -> Vec<(&'a Instruction, &'a Statement)> {
        let bases = std::iter::successors(Some(stage), |stage| match stage.base {
            Tree::Stage(base) => self.program.stage(base),
            _ => None,
        });
        let backwards = bases.skip(1).take(LOOK_BACK).flat_map(|stage| self.of_stage(stage).rev());
        let mut statements: Vec<_> = backwards.take(LOOK_BACK).collect();
        statements.reverse();
        statements
    }

    /// The `FROM` of a stage.
    pub(super) fn from(&self, stage: &Stage) -> Option<&'a Instruction> {
        Some(at_line(self.parsed, stage.line)?.1)
    }

    /// The instructions below the `FROM` of a stage.
    pub(super) fn body(&self, stage: &Stage) -> &'a [Instruction] {
        let Some((from, _)) = at_line(self.parsed, stage.line) else { return &[] };
        let below = &self.parsed.ast.instructions[from + 1..];
        let is_from = |instruction: &Instruction| matches!(instruction.command, Some(Command::From(_)));
        &below[..below.iter().position(is_from).unwrap_or(below.len())]
    }
}

/// How many statements above a command are looked at for what it has to do with. Nobody's are further apart, and all of
/// them above each one would be the square of the file.
pub(super) const LOOK_BACK: usize = 200;

/// The instruction that begins on a line.
fn at_line(parsed: &Parsed, line: u32) -> Option<(usize, &Instruction)> {
    let (instructions, place) = (&parsed.ast.instructions, parsed.source.line_span(line as usize)?);
    let at = instructions.partition_point(|instruction| instruction.span.start < place.start);
    instructions.get(at).filter(|instruction| instruction.span.start < place.end).map(|instruction| (at, instruction))
}

/// Runs all checks.
pub(crate) fn advise(parsed: &Parsed, program: &Program, request: &Request) -> Vec<Diagnostic> {
    let seen = Seen { parsed, program, request };
    let mut found = Vec::new();
    typo::check(&seen, &mut found);
    copy_before_install::check(&seen, &mut found);
    cache_mount::check(&seen, &mut found);
    unused_stage::check(&seen, &mut found);
    secret_in_layer::check(&seen, &mut found);
    found
}
