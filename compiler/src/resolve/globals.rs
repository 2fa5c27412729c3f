//! The arguments that `FROM` may use: the predefined ones, and those declared above the first stage.

use std::collections::{BTreeSet, HashMap};

use super::expand;
use super::scope::MAX_CANDIDATES;
use super::stage::{StageSyntax, global};
use crate::ast::{ArgDeclaration, Ast, Command};
use crate::diagnostic::Diagnostic;
use crate::lint::Rule;
use crate::platform::Platform;
use crate::reference::Reference;
use crate::request::Request;
use crate::shell::Lexer;
use crate::source::Span;

/// The global arguments.
#[derive(Clone, Debug, Default)]
pub(super) struct Globals {
    values: HashMap<String, String>,
    /// Those declared in the file.
    pub(super) declared: HashMap<String, Declared>,
}

/// An argument declared above the first stage.
#[derive(Clone, Debug)]
pub(super) struct Declared {
    pub(super) value: String,
    pub(super) description: String,
    pub(super) at: Span,
    /// The arguments that its default value uses.
    pub(super) uses: BTreeSet<String>,
}

impl Globals {
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.values.get(name).map(String::as_str)
    }

    /// The names to suggest for one that is not declared, in a stable order. Nobody means one of very many.
    pub(super) fn candidates(&self) -> impl Iterator<Item = &str> {
        let is_few = self.values.len() + self.declared.len() <= MAX_CANDIDATES;
        let names: BTreeSet<&str> = self.values.keys().chain(self.declared.keys()).map(String::as_str).collect();
        names.into_iter().filter(move |_| is_few)
    }

    /// Adds the arguments that a file declares; `given` are those that the caller overrides them with.
    fn declare(&mut self, ast: &Ast, given: &dyn Fn(&str) -> Option<String>) -> Result<(), Box<Diagnostic>> {
        let lexer = Lexer::new(ast.escape.character());
        for instruction in global(ast) {
            let Some(Command::Arg(arguments)) = &instruction.command else { continue };
            for argument in arguments {
                self.declare_one(argument, &lexer, given, instruction.span)?;
            }
        }
        Ok(())
    }

    fn declare_one(
        &mut self,
        argument: &ArgDeclaration,
        lexer: &Lexer,
        given: &dyn Fn(&str) -> Option<String>,
        at: Span,
    ) -> Result<(), Box<Diagnostic>> {
        let name = &argument.name.text;
        let mut uses = BTreeSet::new();
        let value = match (given(name), &argument.default) {
            (Some(value), _) => Some(value),
            (None, None) => None,
            (None, Some(default)) => {
                let expanded = lexer
                    .expand(&default.text, &|name| self.get(name))
                    .map_err(|error| Box::new(expand::error(default, &error, at)))?;
                uses.extend(expanded.matched.into_iter().map(|variable| variable.name));
                // A default that builds on an earlier one of the same name uses what that one uses.
                if uses.remove(name) {
                    uses.extend(self.declared.get(name).into_iter().flat_map(|earlier| earlier.uses.iter().cloned()));
                }
                Some(expanded.text)
            }
        };
        let description = argument.description.clone();
        let declared = Declared { value: value.clone().unwrap_or_default(), description, at, uses };
        self.declared.insert(name.clone(), declared);
        self.values.extend(value.map(|value| (name.clone(), value)));
        Ok(())
    }
}

/// Resolves them.
pub(super) fn resolve(
    ast: &Ast,
    stages: &[StageSyntax<'_>],
    request: &Request,
    target: Option<&str>,
    findings: &mut Vec<Diagnostic>,
) -> Option<Globals> {
    let given: HashMap<&str, &str> = request.build_args.iter().map(|(name, value)| (&**name, &**value)).collect();
    let predefined = predefined(&request.platform, &request.build_platform, target, &given);
    check_defaults(ast, stages, predefined.clone(), findings);
    let mut globals = predefined;
    if let Err(error) = globals.declare(ast, &|name| given.get(name).map(|value| (*value).to_owned())) {
        findings.push(*error);
        return None;
    }
    Some(globals)
}

/// The arguments that exist without being declared.
fn predefined(target: &Platform, build: &Platform, stage: Option<&str>, given: &HashMap<&str, &str>) -> Globals {
    let names = [
        ("BUILDPLATFORM", build.to_string()),
        ("BUILDOS", build.os.clone()),
        ("BUILDOSVERSION", String::new()),
        ("BUILDARCH", build.architecture.clone()),
        ("BUILDVARIANT", build.variant.clone()),
        ("TARGETPLATFORM", target.to_string()),
        ("TARGETOS", target.os.clone()),
        ("TARGETOSVERSION", String::new()),
        ("TARGETARCH", target.architecture.clone()),
        ("TARGETVARIANT", target.variant.clone()),
        ("TARGETSTAGE", stage.filter(|stage| !stage.is_empty()).unwrap_or("default").to_owned()),
    ];
    let values = names.into_iter().map(|(name, value)| {
        let value = given.get(name).map_or(value, |given| (*given).to_owned());
        (name.to_owned(), value)
    });
    Globals { values: values.collect(), declared: HashMap::new() }
}

/// Checks that the file also works without any `--build-arg`.
fn check_defaults(ast: &Ast, stages: &[StageSyntax<'_>], mut defaults: Globals, findings: &mut Vec<Diagnostic>) {
    // An error in a default is reported where the arguments are resolved for good.
    if defaults.declare(ast, &|_| None).is_err() {
        return;
    }
    let lexer = Lexer::new(ast.escape.character());
    for stage in stages {
        let base = &stage.from.base;
        let Ok(expanded) = lexer.expand(&base.text, &|name| defaults.get(name)) else { return };
        if Reference::parse(&expanded.text).is_err() {
            let message = format!("Default value for ARG {} results in empty or invalid base image name", base.text);
            let warning = Diagnostic::warning(Rule::InvalidDefaultArgInFrom, stage.instruction.span, message);
            let warning = warning.label(base.span, format!("without build arguments, this is `{}`", expanded.text));
            findings.push(warning.help("give the argument a default: `ARG NAME=value` above the first `FROM`"));
        }
    }
}
