//! Platforms: in `FROM --platform`, and of the base images that came.

use crate::ast::{From, Word};
use crate::diagnostic::Diagnostic;
use crate::go;
use crate::lint::Rule;
use crate::platform::Platform;
use crate::shell::Expanded;
use crate::source::Span;

/// `--platform=$TARGETPLATFORM`, which is the default.
pub(crate) fn redundant(flag: &Word, expanded: &Expanded, target: Option<&str>, at: Span) -> Option<Diagnostic> {
    let is_only_target = expanded.unmatched.is_empty()
        && matches!(expanded.matched.as_slice(), [only] if only.name == "TARGETPLATFORM")
        && target == Some(expanded.text.as_str());
    let message =
        format!("Setting platform to predefined {} in FROM is redundant as this is the default behavior", flag.text);
    let warning = || Diagnostic::warning(Rule::RedundantTargetPlatform, at, message).label(flag.span, "");
    is_only_target.then(|| warning().help("remove `--platform`"))
}

/// `--platform=linux/amd64`, in a stage whose name does not say so.
pub(crate) fn constant(
    from: &From,
    flag: &Word,
    expanded: &Expanded,
    platform: &Platform,
    at: Span,
) -> Option<Diagnostic> {
    if !expanded.matched.is_empty() || !expanded.unmatched.is_empty() {
        return None;
    }
    let name = from.name.as_ref().map_or("", |name| name.name.as_str());
    if name.contains(&platform.os) || name.contains(&platform.architecture) {
        return None;
    }
    let message = format!("FROM --platform flag should not use constant value {}", go::quote(&expanded.text));
    let warning = Diagnostic::warning(Rule::FromPlatformFlagConstDisallowed, at, message).label(flag.span, "");
    Some(warning.help("use `$BUILDPLATFORM`, or name the stage after its platform"))
}

/// A base image that is for another platform than the one asked for.
pub(crate) fn of_base(reference: &str, expected: &Platform, actual: &Platform, at: Span) -> Option<Diagnostic> {
    if (&expected.os, &expected.architecture) == (&actual.os, &actual.architecture) {
        return None;
    }
    let message = format!(
        "Base image {reference} was pulled with platform {}, expected {} for current build",
        go::quote(&actual.to_string()),
        go::quote(&expected.to_string())
    );
    let warning = Diagnostic::warning(Rule::InvalidBaseImagePlatform, at, message);
    Some(warning.help(format!("choose an image that exists for {expected}")))
}
