//! The stable names of all findings: what scripts match on and documentation is filed under.

use std::fmt;

use serde::{Serialize, Serializer};

use crate::lint::{Advice, Rule};

/// The codes that are not the linter's, each with its name, in one table: a code cannot lack its name or its page.
macro_rules! codes {
    ($($(#[$doc:meta])* $code:ident => $name:literal,)*) => {
        /// What kind of finding a diagnostic is.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Code {
            /// A lint rule of BuildKit's found something.
            Rule(Rule),
            /// A check of our own found something.
            Advice(Advice),
            $($(#[$doc])* $code,)*
        }

        impl Code {
            /// Those that are no lint rule's and no check's: all of them are errors.
            const ERRORS: &[Self] = &[$(Self::$code),*];

            /// Its stable name: BuildKit's for its lint rules, else words joined by hyphens.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self {
                    Self::Rule(rule) => rule.name(),
                    Self::Advice(advice) => advice.name(),
                    $(Self::$code => $name,)*
                }
            }
        }
    };
}

codes! {
    /// A `# check=` directive cannot be understood.
    InvalidCheck => "invalid-check",
    /// Warnings were asked to be errors.
    WarningsAsErrors => "warnings-as-errors",
    /// A parser directive stands twice.
    DuplicateDirective => "duplicate-directive",
    /// The escape directive names another character than `\` and a backtick.
    InvalidEscape => "invalid-escape",
    /// The file has no instruction, or no stage.
    NoStage => "no-stage",
    /// An instruction that is not `ARG` stands before the first `FROM`.
    OutsideStage => "outside-stage",
    /// No instruction has this name.
    UnknownInstruction => "unknown-instruction",
    /// The instruction has too few or too many arguments.
    ArgumentCount => "argument-count",
    /// The instruction does not know this flag.
    UnknownFlag => "unknown-flag",
    /// A flag lacks its value, has a wrong one, or stands twice.
    InvalidFlag => "invalid-flag",
    /// A JSON array with something else than strings in it, or none where one is demanded.
    InvalidArray => "invalid-array",
    /// `NAME=value` is demanded.
    InvalidPair => "invalid-pair",
    /// A heredoc does not end, or stands where none may.
    InvalidHeredoc => "invalid-heredoc",
    /// The name of a stage is not allowed.
    InvalidStageName => "invalid-stage-name",
    /// The instruction cannot be a trigger.
    InvalidTrigger => "invalid-trigger",
    /// `HEALTHCHECK` is wrong.
    InvalidHealthcheck => "invalid-healthcheck",
    /// `--mount` is wrong.
    InvalidMount => "invalid-mount",
    /// `--device` is wrong.
    InvalidDevice => "invalid-device",
    /// `${…}` is wrong, or a variable that must be set is not.
    InvalidExpansion => "invalid-expansion",
    /// A name that should mean an image does not.
    InvalidReference => "invalid-reference",
    /// A text that should mean a platform does not.
    InvalidPlatform => "invalid-platform",
    /// The stage to build does not exist.
    UnknownTarget => "unknown-target",
    /// A stage is used that does not exist, or not yet.
    UnknownStage => "unknown-stage",
    /// Stages need each other.
    CircularDependency => "circular-dependency",
    /// `EXPOSE` is wrong.
    InvalidPort => "invalid-port",
    /// `STOPSIGNAL` is wrong.
    InvalidSignal => "invalid-signal",
    /// `--chmod` is wrong.
    InvalidMode => "invalid-mode",
    /// `--checksum` is wrong.
    InvalidChecksum => "invalid-checksum",
    /// A source or destination cannot be used there.
    InvalidPath => "invalid-path",
    /// `VOLUME` is wrong.
    InvalidVolume => "invalid-volume",
    /// `SOURCE_DATE_EPOCH` is no time.
    InvalidEpoch => "invalid-epoch",
    /// Something is beyond a limit that keeps compilation bounded.
    TooLarge => "too-large",
}

impl Code {
    /// All of them: errors, BuildKit's rules, and our own checks.
    pub fn all() -> impl Iterator<Item = Self> {
        let rules = Rule::ALL.into_iter().map(Self::Rule);
        Self::ERRORS.iter().copied().chain(rules).chain(Advice::ALL.into_iter().map(Self::Advice))
    }

    /// Whether it stands for errors only, which nothing silences.
    #[must_use]
    pub fn is_error(self) -> bool {
        !matches!(self, Self::Rule(_) | Self::Advice(_))
    }

    /// Where it is explained: BuildKit's page for its rules, which one of them lacks, and else a place in our own, as a
    /// path from the root of the project.
    #[must_use]
    pub fn url(self) -> Option<String> {
        match self {
            Self::Rule(rule) => rule.url(),
            // The anchor of a heading is its text in lower case.
            own => Some(format!("docs/diagnostics.md#{}", own.name())),
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
