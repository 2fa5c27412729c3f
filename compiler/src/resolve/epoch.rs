//! `SOURCE_DATE_EPOCH`: the time that everything in the image is said to be of.

use super::globals::Globals;
use super::header::Headers;
use crate::diagnostic::{Code, Diagnostic};
use crate::request::Request;

const NAME: &str = "SOURCE_DATE_EPOCH";

/// The time that the caller or the file asks for, in seconds since 1970.
///
/// BuildKit also lets it name a context or a stage whose commit has a time. Those that are mere folders have none, and
/// then nothing is asked for.
pub(super) fn resolve(
    request: &Request,
    globals: &Globals,
    headers: &Headers,
    findings: &mut Vec<Diagnostic>,
) -> Option<i64> {
    let text = request.build_arg(NAME).or_else(|| globals.get(NAME)).filter(|text| !text.is_empty())?;
    if let Ok(seconds) = text.parse() {
        return Some(seconds);
    }
    let is_named = text == "context" || request.named_contexts.contains_key(text) || headers.by_name(text).is_some();
    if !is_named {
        let error = Diagnostic::about_request(Code::InvalidEpoch, format!("invalid {NAME}: {text}"));
        let declared = globals.declared.get(NAME).filter(|_| request.build_arg(NAME).is_none());
        let error = Diagnostic { instruction: declared.map(|declared| declared.at), ..error };
        findings.push(error.help("write a number of seconds since 1970, such as the time of the last commit"));
    }
    None
}
