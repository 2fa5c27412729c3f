//! The whole way: from a parsed Dockerfile and a request to a frozen plan.

use serde::Serialize;

use crate::diagnostic::{Code, Diagnostic, Severity};
use crate::freeze::freeze;
use crate::graph::Graph;
use crate::lint::{self, Config};
use crate::parse::Parsed;
use crate::passes::{is_default, optimize};
use crate::plan::Plan;
use crate::program::Program;
use crate::request::{BaseRequest, Bases, Request};
use crate::resolve::{Extent, Resolution, resolve};

/// What an attempt to compile came to.
#[derive(Debug)]
pub enum Outcome {
    /// The caller has to find out about these images, and ask again with what it found.
    NeedsBases(Vec<BaseRequest>),
    /// It is done.
    Compiled(Box<Compilation>),
}

/// A compiled Dockerfile, with what it went through on the way.
#[derive(Clone, Debug, Serialize)]
pub struct Compilation {
    /// What is to be done.
    pub plan: Plan,
    /// What the linter found, in the order of the file.
    pub warnings: Vec<Diagnostic>,
    /// The stages, with every variable resolved.
    pub program: Program,
}

impl Compilation {
    /// The graph after the passes of which `wants` says so by name, and those that every plan needs.
    ///
    /// # Panics
    /// If a graph does not verify, which is a bug.
    #[must_use]
    pub fn graph(&self, wants: &dyn Fn(&str) -> bool) -> Graph {
        optimized(&self.program, wants)
    }
}

/// Compiles a Dockerfile with the optimizer's passes that run where nobody says anything.
///
/// # Errors
/// Everything that is wrong with it, in the order of the file. Warnings are among them.
pub fn compile(parsed: &Parsed, request: &Request, bases: &Bases) -> Result<Outcome, Vec<Diagnostic>> {
    compile_with(parsed, request, bases, &is_default)
}

/// Compiles a Dockerfile with those optional passes of which `wants` says so by name.
///
/// # Errors
/// As [`compile`].
///
/// # Panics
/// If a graph does not verify, which is a bug.
pub fn compile_with(
    parsed: &Parsed,
    request: &Request,
    bases: &Bases,
    wants: &dyn Fn(&str) -> bool,
) -> Result<Outcome, Vec<Diagnostic>> {
    let (resolution, warnings) = analyze(parsed, request, bases, Extent::Target)?;
    let program = match resolution {
        Resolution::NeedsBases(requests) => return Ok(Outcome::NeedsBases(requests)),
        Resolution::Resolved { program, .. } => *program,
    };
    let plan = freeze(optimized(&program, wants));
    Ok(Outcome::Compiled(Box::new(Compilation { plan, warnings, program })))
}

/// The optimized graph. There is nothing a caller could do about one that is malformed.
fn optimized(program: &Program, wants: &dyn Fn(&str) -> bool) -> Graph {
    optimize(program, wants).unwrap_or_else(|broken| panic!("{broken}"))
}

/// What the linter says about a file.
#[derive(Debug)]
pub enum Checked {
    /// The caller has to find out about these images, and ask again with what it found.
    NeedsBases(Vec<BaseRequest>),
    /// It is done. Among the findings are errors if the file does not compile.
    Findings(Vec<Diagnostic>),
}

/// Lints a Dockerfile: all its stages, or those that the target needs if the request names one.
#[must_use]
pub fn check(parsed: &Parsed, request: &Request, bases: &Bases) -> Checked {
    let extent = if request.target.is_some() { Extent::Target } else { Extent::AllStages };
    let config = match Config::of(parsed, request.build_arg(CHECK)) {
        Ok(config) => config,
        Err(error) => return Checked::Findings(vec![*error]),
    };
    match analyze_with(&config, parsed, request, bases, extent) {
        Ok((Resolution::NeedsBases(requests), _)) => Checked::NeedsBases(requests),
        Ok((Resolution::Resolved { program, .. }, warnings)) => {
            Checked::Findings(with_advice(&config, parsed, request, &program, warnings))
        }
        Err(findings) => {
            // That warnings are errors is for those who build; who lints sees the warnings anyway.
            let is_own = |finding: &Diagnostic| finding.code != Code::WarningsAsErrors;
            Checked::Findings(findings.into_iter().filter(is_own).collect())
        }
    }
}

/// The warnings and our own advice, as far as the file wants to see it.
fn with_advice(
    config: &Config,
    parsed: &Parsed,
    request: &Request,
    program: &Program,
    mut findings: Vec<Diagnostic>,
) -> Vec<Diagnostic> {
    let mut advice = lint::advise(parsed, program, request);
    config.filter(&parsed.ast, &mut advice);
    findings.extend(advice);
    findings.sort_by_key(|finding| finding.span().map_or(0, |span| span.start));
    findings
}

/// The build argument that overrides what the file says about linting.
const CHECK: &str = "BUILDKIT_DOCKERFILE_CHECK";

/// Resolves a file; the warnings are those that it wants to see.
pub(crate) fn analyze(
    parsed: &Parsed,
    request: &Request,
    bases: &Bases,
    extent: Extent,
) -> Result<(Resolution, Vec<Diagnostic>), Vec<Diagnostic>> {
    let config = Config::of(parsed, request.build_arg(CHECK)).map_err(|error| vec![*error])?;
    analyze_with(&config, parsed, request, bases, extent)
}

fn analyze_with(
    config: &Config,
    parsed: &Parsed,
    request: &Request,
    bases: &Bases,
    extent: Extent,
) -> Result<(Resolution, Vec<Diagnostic>), Vec<Diagnostic>> {
    let mut findings = Vec::new();
    let resolution = resolve(parsed, request, bases, extent, &mut findings);
    config.filter(&parsed.ast, &mut findings);
    // What is found behind an error may only be there because of it.
    let mut has_error = false;
    findings.retain(|finding| {
        has_error |= finding.severity == Severity::Error;
        finding.severity == Severity::Error || !has_error
    });
    findings.sort_by_key(|finding| finding.span().map_or(0, |span| span.start));
    let Some(resolution) = resolution else { return Err(findings) };
    let is_done = matches!(resolution, Resolution::Resolved { .. });
    let rules: std::collections::BTreeSet<&str> = findings
        .iter()
        .filter(|finding| finding.severity == Severity::Warning)
        .filter_map(|finding| if let Code::Rule(rule) = finding.code { Some(rule.name()) } else { None })
        .collect();
    if config.is_error && is_done && !rules.is_empty() {
        let rules: Vec<&str> = rules.into_iter().collect();
        let message = format!("lint violation found for rules: {}", rules.join(", "));
        let error = Diagnostic::about_request(Code::WarningsAsErrors, message);
        findings.push(error.help("mend what the warnings say, or remove `error=true` from the check directive"));
        return Err(findings);
    }
    Ok((resolution, findings))
}
