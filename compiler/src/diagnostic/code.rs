//! The stable names of all findings: what scripts match on and documentation is filed under.

use std::fmt;

use serde::{Serialize, Serializer};

use crate::lint::Rule;

/// What kind of finding a diagnostic is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Code {
    /// A lint rule found something.
    Rule(Rule),
    /// A `# check=` directive cannot be understood.
    InvalidCheck,
    /// Warnings were asked to be errors.
    WarningsAsErrors,
    /// A parser directive stands twice.
    DuplicateDirective,
    /// The escape directive names another character than `\` and a backtick.
    InvalidEscape,
    /// The file has no instruction, or no stage.
    NoStage,
    /// An instruction that is not `ARG` stands before the first `FROM`.
    OutsideStage,
    /// No instruction has this name.
    UnknownInstruction,
    /// The instruction has too few or too many arguments.
    ArgumentCount,
    /// The instruction does not know this flag.
    UnknownFlag,
    /// A flag lacks its value, has a wrong one, or stands twice.
    InvalidFlag,
    /// A JSON array with something else than strings in it, or none where one is demanded.
    InvalidArray,
    /// `NAME=value` is demanded.
    InvalidPair,
    /// A heredoc does not end, or stands where none may.
    InvalidHeredoc,
    /// The name of a stage is not allowed.
    InvalidStageName,
    /// The instruction cannot be a trigger.
    InvalidTrigger,
    /// `HEALTHCHECK` is wrong.
    InvalidHealthcheck,
    /// `--mount` is wrong.
    InvalidMount,
    /// `--device` is wrong.
    InvalidDevice,
    /// `${…}` is wrong, or a variable that must be set is not.
    InvalidExpansion,
    /// A name that should mean an image does not.
    InvalidReference,
    /// A text that should mean a platform does not.
    InvalidPlatform,
    /// The stage to build does not exist.
    UnknownTarget,
    /// A stage is used that does not exist, or not yet.
    UnknownStage,
    /// Stages need each other.
    CircularDependency,
    /// `EXPOSE` is wrong.
    InvalidPort,
    /// `STOPSIGNAL` is wrong.
    InvalidSignal,
    /// `--chmod` is wrong.
    InvalidMode,
    /// `--checksum` is wrong.
    InvalidChecksum,
    /// A source or destination cannot be used there.
    InvalidPath,
    /// `VOLUME` is wrong.
    InvalidVolume,
    /// `SOURCE_DATE_EPOCH` is no time.
    InvalidEpoch,
    /// A command that no shell would run as it is meant.
    ShellTypo,
    /// Something is beyond a limit that keeps compilation bounded.
    TooLarge,
}

impl Code {
    /// Its stable name: BuildKit's for its lint rules, else words joined by hyphens.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Rule(rule) => rule.name(),
            Self::InvalidCheck => "invalid-check",
            Self::WarningsAsErrors => "warnings-as-errors",
            Self::DuplicateDirective => "duplicate-directive",
            Self::InvalidEscape => "invalid-escape",
            Self::NoStage => "no-stage",
            Self::OutsideStage => "outside-stage",
            Self::UnknownInstruction => "unknown-instruction",
            Self::ArgumentCount => "argument-count",
            Self::UnknownFlag => "unknown-flag",
            Self::InvalidFlag => "invalid-flag",
            Self::InvalidArray => "invalid-array",
            Self::InvalidPair => "invalid-pair",
            Self::InvalidHeredoc => "invalid-heredoc",
            Self::InvalidStageName => "invalid-stage-name",
            Self::InvalidTrigger => "invalid-trigger",
            Self::InvalidHealthcheck => "invalid-healthcheck",
            Self::InvalidMount => "invalid-mount",
            Self::InvalidDevice => "invalid-device",
            Self::InvalidExpansion => "invalid-expansion",
            Self::InvalidReference => "invalid-reference",
            Self::InvalidPlatform => "invalid-platform",
            Self::UnknownTarget => "unknown-target",
            Self::UnknownStage => "unknown-stage",
            Self::CircularDependency => "circular-dependency",
            Self::InvalidPort => "invalid-port",
            Self::InvalidSignal => "invalid-signal",
            Self::InvalidMode => "invalid-mode",
            Self::InvalidChecksum => "invalid-checksum",
            Self::InvalidPath => "invalid-path",
            Self::InvalidVolume => "invalid-volume",
            Self::InvalidEpoch => "invalid-epoch",
            Self::ShellTypo => "shell-typo",
            Self::TooLarge => "too-large",
        }
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl Serialize for Code {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}
