//! Syntax to program: gives every variable its value, and every name of a stage, an image or a context its meaning.
//!
//! The order and the rules are those of BuildKit's `dockerfile2llb`. It stops for base images that the caller has to find
//! out about, and starts anew with what was found.

mod budget;
mod config;
mod contexts;
mod epoch;
mod expand;
mod globals;
mod header;
mod image;
mod link;
mod mount;
mod outline;
mod port;
mod reach;
mod remote;
mod run;
mod scope;
mod signal;
mod source;
mod stage;
mod walk;

use crate::diagnostic::{Code, Diagnostic, Severity};
use crate::lint;
use crate::parse::Parsed;
use crate::program::{Program, StageId};
use crate::request::{BaseRequest, Bases, Request};

use budget::Budget;

pub(crate) use outline::{ArgumentUse, CredentialUse, Usage};
pub use remote::git_context;

/// Which stages are looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Extent {
    /// Those that the target needs.
    Target,
    /// All, as the linter does.
    AllStages,
}

/// What resolving came to.
#[derive(Debug)]
pub(crate) enum Resolution {
    /// The caller has to find out about these images first.
    NeedsBases(Vec<BaseRequest>),
    /// It is done.
    Resolved {
        /// The program.
        program: Box<Program>,
        /// What the target uses of its arguments, secrets and agents.
        usage: Usage,
    },
}

/// Resolves a Dockerfile. `findings` gets all errors and warnings, those of the parser too.
///
/// `None` if there are errors. One that is found does not keep the rest from being looked at, unless the rest would only
/// look wrong because of it.
pub(crate) fn resolve(
    parsed: &Parsed,
    request: &Request,
    bases: &Bases,
    extent: Extent,
    findings: &mut Vec<Diagnostic>,
) -> Option<Resolution> {
    findings.extend(parsed.diagnostics.iter().cloned());
    if !stage::are_certain(parsed) {
        return None;
    }
    let stages = stage::split(&parsed.ast, findings)?;
    let names = stages.iter().filter_map(|stage| Some((stage.instruction.span, stage.from.name.as_ref()?)));
    lint::stages::check(names, findings);
    lint::casing::check_instructions(&parsed.ast.instructions, findings);

    let target_name = match &request.target {
        Some(name) => Some(name.as_str()),
        None => stages.last().and_then(|stage| Some(stage.from.name.as_ref()?.name.as_str())),
    };
    let escape = parsed.ast.escape.character();
    let globals = globals::resolve(&parsed.ast, &stages, request, target_name, findings)?;
    contexts::check(&stages, request, findings)?;
    let headers = header::resolve(&stages, request, &globals, escape, findings);
    let source_date_epoch = epoch::resolve(request, &globals, &headers, findings);
    let target = target(request, &headers, findings);
    let links = link::resolve(&stages, &headers, request, findings);
    link::check_cycles(&stages, &headers, &links, findings)?;
    let target = target?;

    let mut budget = Budget::new();
    let reach = reach::find(&stages, &headers, links, target, request, bases, extent, &mut budget, findings);
    let certainty = if has_errors(findings) { Certainty::Guess } else { Certainty::Sure };
    if certainty == Certainty::Sure && !reach.missing.is_empty() {
        return Some(Resolution::NeedsBases(reach.missing));
    }
    let facts = walk::Facts {
        source: &parsed.source,
        escape,
        stages: &stages,
        headers: &headers,
        reach: &reach,
        request,
        bases,
        globals: &globals,
        certainty,
    };
    let walked = walk::stages(&facts, &mut budget, findings);
    if has_errors(findings) {
        return None;
    }
    let usage = outline::usage(&facts, &walked, target);
    let program = Box::new(Program { source_date_epoch, ..walked.into_program(target, request)? });
    Some(Resolution::Resolved { program, usage })
}

/// How much can be relied on while the instructions are walked through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Certainty {
    /// Everything before was right, and all bases are known.
    Sure,
    /// There are errors already, and the caller is not asked for bases: a variable that is not set may well be.
    Guess,
}

fn has_errors(findings: &[Diagnostic]) -> bool {
    findings.iter().any(|finding| finding.severity == Severity::Error)
}

/// The stage to build.
fn target(request: &Request, headers: &header::Headers, findings: &mut Vec<Diagnostic>) -> Option<StageId> {
    let Some(name) = &request.target else { return Some(headers.last()) };
    let found = headers.by_name(name);
    if found.is_none() {
        let near = crate::suggest::nearest(name, headers.labels());
        let guess = near.map(|near| format!(" (did you mean {near}?)")).unwrap_or_default();
        let message = format!("target stage {} could not be found{guess}", crate::go::quote(name));
        let error = Diagnostic::about_request(Code::UnknownTarget, message);
        let names: Vec<String> = headers.labels().take(20).map(|name| format!("`{name}`")).collect();
        findings.push(error.help(format!("choose one of {}", names.join(", "))));
    }
    found
}
