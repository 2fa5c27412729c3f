//! `FROM`: which stage, image or context each stage starts from.

use std::collections::{BTreeSet, HashMap};

use super::expand;
use super::globals::Globals;
use super::stage::StageSyntax;
use crate::ast::Word;
use crate::diagnostic::{Code, Diagnostic};
use crate::lint;
use crate::operation::Git;
use crate::platform::{Platform, specifier};
use crate::program::StageId;
use crate::reference::{InvalidReference, Reference};
use crate::request::{NamedContext, Request};
use crate::shell::{Expanded, Lexer};
use crate::source::Span;
use crate::suggest;

/// What a name of a tree means.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Meaning {
    /// The empty tree.
    Scratch,
    /// A stage of this file.
    Stage(StageId),
    /// An image.
    Image(String),
    /// A named context.
    Context(String),
    /// A git repository that a named context is.
    Git(Git),
}

/// A stage's `FROM`, resolved.
#[derive(Clone, Debug)]
pub(super) struct Header {
    /// Its name, or its place where it has none.
    pub(super) label: String,
    /// What it starts from.
    pub(super) base: Meaning,
    /// The base as the file has it, variables expanded.
    pub(super) written: String,
    /// `--platform`
    pub(super) platform: Option<Platform>,
    /// Whether a named context stands in for the whole stage.
    pub(super) is_replaced: bool,
    /// The global arguments that it uses.
    pub(super) uses: BTreeSet<String>,
}

/// All of them, and where names lead.
#[derive(Clone, Debug, Default)]
pub(super) struct Headers {
    list: Vec<Header>,
    by_name: HashMap<String, StageId>,
}

impl Headers {
    pub(super) fn get(&self, id: StageId) -> &Header {
        &self.list[id.0]
    }

    pub(super) fn len(&self) -> usize {
        self.list.len()
    }

    pub(super) fn last(&self) -> StageId {
        StageId(self.list.len() - 1)
    }

    /// The stage of a name, in any case; of equal names the last one.
    pub(super) fn by_name(&self, name: &str) -> Option<StageId> {
        self.by_name.get(&name.to_lowercase()).copied()
    }

    pub(super) fn labels(&self) -> impl Iterator<Item = &str> {
        self.list.iter().map(|header| header.label.as_str())
    }
}

/// Resolves all `FROM`s: first what variables in them are, then what the names mean. One that is wrong stands for the
/// empty tree, so that nothing else looks wrong for it.
pub(super) fn resolve(
    stages: &[StageSyntax<'_>],
    request: &Request,
    globals: &Globals,
    escape: char,
    findings: &mut Vec<Diagnostic>,
) -> Headers {
    let mut expanded = Vec::with_capacity(stages.len());
    for stage in stages {
        expanded
            .push(expand_one(stage, request, globals, escape, findings).map_err(|error| findings.push(*error)).ok());
    }
    let mut headers = Headers::default();
    for (place, (stage, expanded)) in stages.iter().zip(expanded).enumerate() {
        let name = stage.from.name.as_ref().map(|name| name.name.clone());
        let label = name.clone().unwrap_or_else(|| place.to_string());
        let header = expanded.and_then(|expanded| {
            let base =
                named_base(stage, &expanded.base, &headers, request).map_err(|error| findings.push(*error)).ok()?;
            let is_replaced = name.as_ref().is_some_and(|name| named_context(request, name).is_some());
            let Expansion { base: written, platform, uses } = expanded;
            Some(Header { label: label.clone(), base, written, platform, is_replaced, uses })
        });
        headers.list.push(header.unwrap_or_else(|| Header {
            label,
            base: Meaning::Scratch,
            written: String::new(),
            platform: None,
            is_replaced: false,
            uses: BTreeSet::new(),
        }));
        if let Some(name) = name {
            headers.by_name.insert(name, StageId(place));
        }
    }
    headers
}

/// A `FROM` without variables.
struct Expansion {
    base: String,
    platform: Option<Platform>,
    uses: BTreeSet<String>,
}

fn expand_one(
    stage: &StageSyntax<'_>,
    request: &Request,
    globals: &Globals,
    escape: char,
    findings: &mut Vec<Diagnostic>,
) -> Result<Expansion, Box<Diagnostic>> {
    let at = stage.instruction.span;
    let from = stage.from;
    let mut uses = BTreeSet::new();
    let mut expand = |word: &Word, findings: &mut Vec<Diagnostic>| -> Result<Expanded, Box<Diagnostic>> {
        let expanded = Lexer::new(escape)
            .expand(&word.text, &|name| globals.get(name))
            .map_err(|error| Box::new(expand::error(word, &error, at)))?;
        let undeclared = expanded.unmatched.iter().filter(|variable| !globals.declared.contains_key(&variable.name));
        findings
            .extend(undeclared.map(|variable| lint::variables::undeclared(variable, word, globals.candidates(), at)));
        uses.extend(expanded.matched.iter().map(|variable| variable.name.clone()));
        Ok(expanded)
    };
    let base = expand(&from.base, findings)?;
    if base.text.is_empty() {
        let message = format!("base name ({}) should not be blank", from.base.text);
        let error = Diagnostic::error(Code::InvalidReference, at, message).label(from.base.span, "this is empty");
        return Err(Box::new(undeclared_help(error, &base, globals)));
    }
    let platform = match &from.platform {
        None => None,
        Some(flag) => Some(resolve_platform(stage, flag, &expand(flag, findings)?, request, globals, findings)?),
    };
    Ok(Expansion { base: base.text, platform, uses })
}

/// What a stage starts from; a named context of the stage's own name comes before everything.
fn named_base(
    stage: &StageSyntax<'_>,
    base: &str,
    earlier: &Headers,
    request: &Request,
) -> Result<Meaning, Box<Diagnostic>> {
    let at = stage.instruction.span;
    match stage.from.name.as_ref().and_then(|name| named_context(request, &name.name)) {
        Some((name, context)) => replaced(name, context, earlier, at),
        None => meaning(base, earlier.by_name.get(base).copied(), request, earlier, at, &stage.from.base),
    }
}

/// What a name means that is not a stage's: a named context, `scratch`, or an image.
///
/// # Errors
/// If it could only be an image, and is not the name of one.
pub(super) fn meaning(
    name: &str,
    stage: Option<StageId>,
    request: &Request,
    headers: &Headers,
    at: Span,
    word: &Word,
) -> Result<Meaning, Box<Diagnostic>> {
    if let Some(stage) = stage {
        return Ok(Meaning::Stage(stage));
    }
    if name == "scratch" {
        return Ok(Meaning::Scratch);
    }
    let reference =
        Reference::parse(name).map_err(|cause| Box::new(invalid_reference(name, &cause, headers, at, word)))?;
    match named_context(request, &reference.context_name()) {
        Some((name, context)) => replaced(name, context, headers, at),
        None => Ok(Meaning::Image(name.to_owned())),
    }
}

/// The named context that stands for a name.
fn named_context<'a>(request: &'a Request, name: &str) -> Option<(&'a str, &'a NamedContext)> {
    if matches!(name.to_lowercase().as_str(), "scratch" | "context") {
        return None;
    }
    if let Some((name, context)) = request.named_contexts.get_key_value(name) {
        return Some((name, context));
    }
    let is_meant = |known: &str| Reference::parse(known).is_ok_and(|reference| reference.context_name() == name);
    request.named_contexts.iter().find(|(known, _)| is_meant(known)).map(|(known, context)| (known.as_str(), context))
}

fn replaced(name: &str, context: &NamedContext, headers: &Headers, at: Span) -> Result<Meaning, Box<Diagnostic>> {
    match context {
        NamedContext::Folder => Ok(Meaning::Context(name.to_owned())),
        NamedContext::Git(git) => Ok(Meaning::Git(git.clone())),
        NamedContext::Image(reference) if reference == "scratch" => Ok(Meaning::Scratch),
        NamedContext::Image(reference) => Ok(Meaning::Image(reference.clone())),
        NamedContext::Stage(stage) => headers.by_name(stage).map(Meaning::Stage).ok_or_else(|| {
            let message =
                format!("the build context `{name}` names the stage `{stage}`, which does not come before it");
            Box::new(Diagnostic::error(Code::UnknownStage, at, message).help("name a stage further up"))
        }),
    }
}

fn invalid_reference(name: &str, cause: &InvalidReference, headers: &Headers, at: Span, word: &Word) -> Diagnostic {
    let message = format!("failed to parse stage name {}: {cause}", crate::go::quote(name));
    let error = Diagnostic::error(Code::InvalidReference, at, message).label(word.span, "");
    let lower = name.to_lowercase();
    if headers.by_name(&lower).is_some() {
        return error.help(format!("write `{lower}`: names of stages are in lower case"));
    }
    match suggest::nearest(&lower, headers.labels()) {
        Some(near) => error.help(format!("write `{near}` if you mean that stage")),
        None => error.help("write `[registry/]repository[:tag][@digest]`, in lower case"),
    }
}

fn resolve_platform(
    stage: &StageSyntax<'_>,
    flag: &Word,
    expanded: &Expanded,
    request: &Request,
    globals: &Globals,
    findings: &mut Vec<Diagnostic>,
) -> Result<Platform, Box<Diagnostic>> {
    let at = stage.instruction.span;
    findings.extend(lint::platform::redundant(flag, expanded, globals.get("TARGETPLATFORM"), at));
    if expanded.text.is_empty() {
        let message = format!("empty platform value from expression {}", flag.text);
        let error = Diagnostic::error(Code::InvalidPlatform, at, message).label(flag.span, "");
        return Err(Box::new(undeclared_help(error, expanded, globals)));
    }
    match specifier::parse(&expanded.text, &request.build_platform) {
        Ok(platform) => {
            findings.extend(lint::platform::constant(stage.from, flag, expanded, &platform, at));
            Ok(platform)
        }
        Err(cause) => {
            let message = format!("failed to parse platform {}: {cause}", flag.text);
            let error = Diagnostic::error(Code::InvalidPlatform, at, message).label(flag.span, "");
            let error = undeclared_help(error, expanded, globals);
            Err(Box::new(error.help("write `os/architecture[/variant]`, such as `linux/amd64`")))
        }
    }
}

/// Help with a value that came out wrong because a variable is not set.
fn undeclared_help(error: Diagnostic, expanded: &Expanded, globals: &Globals) -> Diagnostic {
    let Some(variable) = expanded.unmatched.first() else { return error };
    let name = &variable.name;
    if let Some(near) = suggest::nearest(name, globals.candidates()) {
        let message = format!("{} (did you mean {near}?)", error.message);
        return Diagnostic { message, ..error }.help(format!("write `${near}`"));
    }
    if globals.declared.contains_key(name) {
        return error.help(format!("pass `--build-arg {name}=value`, or give `ARG {name}` a default"));
    }
    error.help(format!("declare it above the first `FROM`: `ARG {name}=value`"))
}
