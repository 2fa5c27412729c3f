//! BuildKit's lint rules, by its names: what each is about and where it is explained.

use std::fmt;

/// A lint rule. Names, descriptions and addresses are those of BuildKit's linter (`frontend/dockerfile/linter`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Rule {
    /// Stage names should be lowercase.
    StageNameCasing,
    /// The 'as' keyword should match the case of the 'from' keyword.
    FromAsCasing,
    /// Empty continuation lines will become errors in a future release.
    NoEmptyContinuation,
    /// All commands within the Dockerfile should use the same casing (either upper or lower).
    ConsistentInstructionCasing,
    /// Stage names should be unique.
    DuplicateStageName,
    /// Reserved words should not be used as stage names.
    ReservedStageName,
    /// JSON arguments recommended for `ENTRYPOINT` and `CMD` to prevent unintended behavior related to OS signals.
    JSONArgsRecommended,
    /// The MAINTAINER instruction is deprecated, use a label instead to define an image author.
    MaintainerDeprecated,
    /// FROM command must use declared ARGs.
    UndefinedArgInFrom,
    /// Relative workdir without an absolute workdir declared within the build can have unexpected results if the base image changes.
    WorkdirRelativePath,
    /// Variables should be defined before their use.
    UndefinedVar,
    /// Multiple instructions of the same type should not be used in the same stage.
    MultipleInstructionsDisallowed,
    /// Legacy key/value format with whitespace separator should not be used.
    LegacyKeyValueFormat,
    /// Base image platform does not match expected target platform.
    InvalidBaseImagePlatform,
    /// Setting platform to predefined `$TARGETPLATFORM` in FROM is redundant as this is the default behavior.
    RedundantTargetPlatform,
    /// Sensitive data should not be used in the ARG or ENV commands.
    SecretsUsedInArgOrEnv,
    /// Default value for global ARG results in an empty or invalid base image name.
    InvalidDefaultArgInFrom,
    /// FROM --platform flag should not use a constant value.
    FromPlatformFlagConstDisallowed,
    /// Attempting to Copy file that is excluded by .dockerignore.
    CopyIgnoredFile,
    /// Comment for build stage or argument should follow the format: `# <arg/stage name> <description>`.
    InvalidDefinitionDescription,
    /// Protocol in EXPOSE instruction should be lowercase.
    ExposeProtoCasing,
    /// IP address and host-port mapping should not be used in EXPOSE instruction.
    ExposeInvalidFormat,
}

impl Rule {
    /// All of them, in BuildKit's order.
    pub const ALL: [Self; 22] = [
        Self::StageNameCasing,
        Self::FromAsCasing,
        Self::NoEmptyContinuation,
        Self::ConsistentInstructionCasing,
        Self::DuplicateStageName,
        Self::ReservedStageName,
        Self::JSONArgsRecommended,
        Self::MaintainerDeprecated,
        Self::UndefinedArgInFrom,
        Self::WorkdirRelativePath,
        Self::UndefinedVar,
        Self::MultipleInstructionsDisallowed,
        Self::LegacyKeyValueFormat,
        Self::InvalidBaseImagePlatform,
        Self::RedundantTargetPlatform,
        Self::SecretsUsedInArgOrEnv,
        Self::InvalidDefaultArgInFrom,
        Self::FromPlatformFlagConstDisallowed,
        Self::CopyIgnoredFile,
        Self::InvalidDefinitionDescription,
        Self::ExposeProtoCasing,
        Self::ExposeInvalidFormat,
    ];

    /// Its name, as `# check=skip=` has it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::StageNameCasing => "StageNameCasing",
            Self::FromAsCasing => "FromAsCasing",
            Self::NoEmptyContinuation => "NoEmptyContinuation",
            Self::ConsistentInstructionCasing => "ConsistentInstructionCasing",
            Self::DuplicateStageName => "DuplicateStageName",
            Self::ReservedStageName => "ReservedStageName",
            Self::JSONArgsRecommended => "JSONArgsRecommended",
            Self::MaintainerDeprecated => "MaintainerDeprecated",
            Self::UndefinedArgInFrom => "UndefinedArgInFrom",
            Self::WorkdirRelativePath => "WorkdirRelativePath",
            Self::UndefinedVar => "UndefinedVar",
            Self::MultipleInstructionsDisallowed => "MultipleInstructionsDisallowed",
            Self::LegacyKeyValueFormat => "LegacyKeyValueFormat",
            Self::InvalidBaseImagePlatform => "InvalidBaseImagePlatform",
            Self::RedundantTargetPlatform => "RedundantTargetPlatform",
            Self::SecretsUsedInArgOrEnv => "SecretsUsedInArgOrEnv",
            Self::InvalidDefaultArgInFrom => "InvalidDefaultArgInFrom",
            Self::FromPlatformFlagConstDisallowed => "FromPlatformFlagConstDisallowed",
            Self::CopyIgnoredFile => "CopyIgnoredFile",
            Self::InvalidDefinitionDescription => "InvalidDefinitionDescription",
            Self::ExposeProtoCasing => "ExposeProtoCasing",
            Self::ExposeInvalidFormat => "ExposeInvalidFormat",
        }
    }

    /// What it is about, in one sentence.
    #[must_use]
    pub fn description(self) -> &'static str {
        match self {
            Self::StageNameCasing => "Stage names should be lowercase",
            Self::FromAsCasing => "The 'as' keyword should match the case of the 'from' keyword",
            Self::NoEmptyContinuation => "Empty continuation lines will become errors in a future release",
            Self::ConsistentInstructionCasing => {
                "All commands within the Dockerfile should use the same casing (either upper or lower)"
            }
            Self::DuplicateStageName => "Stage names should be unique",
            Self::ReservedStageName => "Reserved words should not be used as stage names",
            Self::JSONArgsRecommended => {
                "JSON arguments recommended for ENTRYPOINT/CMD to prevent unintended behavior related to OS signals"
            }
            Self::MaintainerDeprecated => {
                "The MAINTAINER instruction is deprecated, use a label instead to define an image author"
            }
            Self::UndefinedArgInFrom => "FROM command must use declared ARGs",
            Self::WorkdirRelativePath => {
                "Relative workdir without an absolute workdir declared within the build can have unexpected results if the base image changes"
            }
            Self::UndefinedVar => "Variables should be defined before their use",
            Self::MultipleInstructionsDisallowed => {
                "Multiple instructions of the same type should not be used in the same stage"
            }
            Self::LegacyKeyValueFormat => "Legacy key/value format with whitespace separator should not be used",
            Self::InvalidBaseImagePlatform => "Base image platform does not match expected target platform",
            Self::RedundantTargetPlatform => {
                "Setting platform to predefined $TARGETPLATFORM in FROM is redundant as this is the default behavior"
            }
            Self::SecretsUsedInArgOrEnv => "Sensitive data should not be used in the ARG or ENV commands",
            Self::InvalidDefaultArgInFrom => {
                "Default value for global ARG results in an empty or invalid base image name"
            }
            Self::FromPlatformFlagConstDisallowed => "FROM --platform flag should not use a constant value",
            Self::CopyIgnoredFile => "Attempting to Copy file that is excluded by .dockerignore",
            Self::InvalidDefinitionDescription => {
                "Comment for build stage or argument should follow the format: `# <arg/stage name> <description>`. If this is not intended to be a description comment, add an empty line or comment between the instruction and the comment."
            }
            Self::ExposeProtoCasing => "Protocol in EXPOSE instruction should be lowercase",
            Self::ExposeInvalidFormat => {
                "IP address and host-port mapping should not be used in EXPOSE instruction. This will become an error in a future release"
            }
        }
    }

    /// The page that explains it; one rule has none.
    #[must_use]
    pub fn url(self) -> Option<String> {
        let page = match self {
            Self::StageNameCasing => "stage-name-casing",
            Self::FromAsCasing => "from-as-casing",
            Self::NoEmptyContinuation => "no-empty-continuation",
            Self::ConsistentInstructionCasing => "consistent-instruction-casing",
            Self::DuplicateStageName => "duplicate-stage-name",
            Self::ReservedStageName => "reserved-stage-name",
            Self::JSONArgsRecommended => "json-args-recommended",
            Self::MaintainerDeprecated => "maintainer-deprecated",
            Self::UndefinedArgInFrom => "undefined-arg-in-from",
            Self::WorkdirRelativePath => "workdir-relative-path",
            Self::UndefinedVar => "undefined-var",
            Self::MultipleInstructionsDisallowed => "multiple-instructions-disallowed",
            Self::LegacyKeyValueFormat => "legacy-key-value-format",
            Self::InvalidBaseImagePlatform => return None,
            Self::RedundantTargetPlatform => "redundant-target-platform",
            Self::SecretsUsedInArgOrEnv => "secrets-used-in-arg-or-env",
            Self::InvalidDefaultArgInFrom => "invalid-default-arg-in-from",
            Self::FromPlatformFlagConstDisallowed => "from-platform-flag-const-disallowed",
            Self::CopyIgnoredFile => "copy-ignored-file",
            Self::InvalidDefinitionDescription => "invalid-definition-description",
            Self::ExposeProtoCasing => "expose-proto-casing",
            Self::ExposeInvalidFormat => "expose-invalid-format",
        };
        Some(format!("https://docs.docker.com/go/dockerfile/rule/{page}/"))
    }

    /// Whether it only runs where it is asked for.
    #[must_use]
    pub fn is_experimental(self) -> bool {
        self == Self::InvalidDefinitionDescription
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
