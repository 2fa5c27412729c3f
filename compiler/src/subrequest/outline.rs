//! What a target takes from its caller: arguments, secrets and SSH agents.

use serde::Serialize;

use super::{Location, is_false};
use crate::compile::analyze;
use crate::diagnostic::Diagnostic;
use crate::parse::Parsed;
use crate::request::{BaseRequest, Bases, Request};
use crate::resolve::{ArgumentUse, CredentialUse, Extent, Resolution};

/// What asking for an outline came to.
#[derive(Debug)]
pub enum OutlineOutcome {
    /// The caller has to find out about these images, and ask again with what it found.
    NeedsBases(Vec<BaseRequest>),
    /// The answer.
    Outline(Outline),
}

/// What a target takes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Outline {
    /// The target's name; empty if it has none.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// What the comment above it says about it.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// The arguments it uses, in the order of the file.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub args: Vec<Argument>,
    /// The secrets it uses.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub secrets: Vec<Credential>,
    /// The SSH agents it uses.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub ssh: Vec<Credential>,
}

/// An argument.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Argument {
    /// Its name.
    pub name: String,
    /// What the comment above it says about it.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// Its value under this request.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub value: String,
    /// Where it is declared.
    pub location: Location,
}

/// A secret or an SSH agent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Credential {
    /// Its id.
    pub name: String,
    /// Whether the build fails without it.
    #[serde(skip_serializing_if = "is_false")]
    pub required: bool,
    /// Where it is used first.
    pub location: Location,
}

/// Tells what a target takes.
///
/// # Errors
/// Everything that is wrong with the file, as for compiling it.
pub fn outline(parsed: &Parsed, request: &Request, bases: &Bases) -> Result<OutlineOutcome, Vec<Diagnostic>> {
    let usage = match analyze(parsed, request, bases, Extent::Target)? {
        (Resolution::NeedsBases(requests), _) => return Ok(OutlineOutcome::NeedsBases(requests)),
        (Resolution::Resolved { usage, .. }, _) => usage,
    };
    let argument = |argument: ArgumentUse| Argument {
        name: argument.name,
        description: argument.description,
        value: argument.value,
        location: Location::of(argument.at, &parsed.source),
    };
    let credential = |used: CredentialUse| Credential {
        name: used.id,
        required: used.required,
        location: Location::of(used.at, &parsed.source),
    };
    Ok(OutlineOutcome::Outline(Outline {
        name: usage.name,
        description: usage.description,
        args: usage.arguments.into_iter().map(argument).collect(),
        secrets: usage.secrets.into_iter().map(credential).collect(),
        ssh: usage.agents.into_iter().map(credential).collect(),
    }))
}
