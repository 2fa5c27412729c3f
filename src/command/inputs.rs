//! What is built from: arguments become a source, contexts, a request to the compiler, and base images.

mod bases;
mod context;
mod passes;
mod platforms;
mod subject;
mod values;

use std::collections::{BTreeMap, HashSet};
use std::path::{Path, PathBuf};

use layercake_cache::Store;
use layercake_compiler::oci::ContainerConfig;
use layercake_compiler::plan::Step;
use layercake_compiler::platform::Platform;
use layercake_compiler::{
    BaseRequest, Bases, Compilation, Diagnostic, Outcome, Parsed, Request, Severity, compile, compile_with, parse,
};
use layercake_executor::build::site::{self, ContextFolder, Reuse};
use layercake_executor::git::Client;
use layercake_executor::usage::doubt;

pub use bases::Resolver;
use passes::Passes;
pub use passes::named as pass;
pub use platforms::read as platforms;
pub use subject::{subject, surroundings};
pub use values::{bytes, host_line, key_value, limit, limits, secret, ssh};

use super::lock::LockFile;
use crate::arguments::build::{Locking, Progress};
use crate::arguments::inputs as arguments;
use crate::failure::Failure;
use crate::settings::{self, SOURCE_DATE_EPOCH};
use crate::terminal::paint::Paint;
use crate::terminal::{diagnostic, output};

/// What is built from.
pub struct Inputs {
    /// What people know the Dockerfile as.
    pub file: String,
    /// Where the Dockerfile lies; `None` if it came on standard input.
    pub path: Option<PathBuf>,
    /// The Dockerfile, parsed.
    pub parsed: Parsed,
    /// What the compiler is asked for; of several platforms, for the first.
    pub request: Request,
    /// The platforms to build for: at least one.
    pub platforms: Vec<Platform>,
    /// The optimizer's passes that are wanted.
    pub passes: Passes,
    /// The folders that files are copied from.
    pub contexts: BTreeMap<Option<String>, ContextFolder>,
    /// What its images, git references and URLs are held to.
    pub lock: Option<LockFile>,
    /// Those of them that are there for this build only.
    _unpacked: Vec<context::Unpacked>,
}

impl Inputs {
    /// Reads what the arguments name.
    ///
    /// # Errors
    /// If something is not there, or an argument means nothing.
    pub fn read(arguments: &arguments::Inputs, fetching: &Fetching<'_>) -> Result<Self, Failure> {
        let passes = Passes::read(arguments)?;
        let place = context::locate(arguments, fetching)?;
        let (mut contexts, mut unpacked) = (BTreeMap::new(), Vec::new());
        let mut add = |name: Option<String>, opened: context::Opened| {
            unpacked.extend(opened.unpacked);
            contexts.insert(name, opened.folder);
        };
        let mut named_contexts = BTreeMap::new();
        for text in &arguments.build_context {
            let (name, value) = key_value(text, "--build-context")?;
            let (meaning, opened) = context::named(value, arguments, fetching)?;
            // Names of stages and contexts know no case.
            let name = name.to_ascii_lowercase();
            opened.into_iter().for_each(|opened| add(Some(name.clone()), opened));
            named_contexts.insert(name, meaning);
        }
        let platforms = platforms::read(&arguments.platform)?;
        let labels = arguments.label.iter().map(|text| match text.split_once('=') {
            Some((name, value)) => (name.to_owned(), value.to_owned()),
            None => (text.clone(), String::new()),
        });
        let request = Request {
            target: arguments.target.clone().filter(|target| !target.is_empty()),
            build_args: build_args(&arguments.build_arg),
            labels: labels.collect(),
            build_platform: host_platform(),
            named_contexts,
            ignore: place.context.as_ref().map(|context| context.folder.ignore.clone()).unwrap_or_default(),
            ..Request::new(platforms[0].clone())
        };
        place.context.into_iter().for_each(|context| add(None, context));
        let parsed = parse(&place.text);
        let syntax = request.build_arg("BUILDKIT_SYNTAX").map(str::to_owned).or_else(|| parsed.syntax());
        check_syntax(syntax.as_deref())?;
        let lock = LockFile::existing(place.path.as_deref(), arguments)?;
        let (file, path) = (place.file, place.path);
        Ok(Self { file, path, parsed, request, platforms, passes, contexts, lock, _unpacked: unpacked })
    }

    /// Does with the lock file as the arguments say: sets it aside if it is to be written anew, and demands it if it has to
    /// have everything.
    ///
    /// # Errors
    /// If it is demanded, and there is none.
    pub fn locking(&mut self, locking: &Locking, arguments: &arguments::Inputs) -> Result<(), Failure> {
        let existing = self.lock.take().filter(|_| !locking.lock);
        self.lock = if locking.locked {
            Some(LockFile::demanded(existing, self.path.as_deref(), arguments)?)
        } else {
            existing
        };
        Ok(())
    }

    /// Compiles for each platform, finding out about base images as the compiler asks for them. Warnings are told.
    ///
    /// # Errors
    /// What is wrong with the Dockerfile, a base image that cannot be had, or what a lock file has to have and has not.
    pub fn compile(&self, resolver: &Resolver, paint: Paint) -> Result<(Vec<Compilation>, site::Bases), Failure> {
        let mut known = bases::Known::default();
        let compiled = self.ask(resolver, paint, &mut known, |bases| {
            let (mut compilations, mut wanted) = (Vec::new(), Vec::new());
            for request in self.requests() {
                match compile_with(&self.parsed, &request, bases, &|name| self.passes.wants(name)) {
                    Ok(Outcome::Compiled(compilation)) => compilations.push(*compilation),
                    Ok(Outcome::NeedsBases(requests)) => wanted.extend(requests),
                    Err(diagnostics) => return Ok(Err(diagnostics)),
                }
            }
            // What several platforms start from is asked for once.
            let mut seen = HashSet::new();
            wanted.retain(|request| seen.insert((request.reference.clone(), request.platform.clone())));
            if wanted.is_empty() { Ok(Ok(compilations)) } else { Err(wanted) }
        })?;
        match compiled {
            Ok(mut compilations) => {
                self.tell(&without_repetitions(compilations.iter().flat_map(|one| &one.warnings)), paint);
                if let Some(lock) = &self.lock {
                    lock.pin(compilations.iter_mut().map(|one| &mut one.plan), paint)?;
                }
                Ok((compilations, known.for_executor))
            }
            Err(diagnostics) => Err(self.refused(&diagnostics, paint)),
        }
    }

    /// What the compiler is asked for, for each platform.
    pub fn requests(&self) -> impl Iterator<Item = Request> {
        self.platforms.iter().map(|platform| Request { platform: platform.clone(), ..self.request.clone() })
    }

    /// The platform where there are several.
    pub fn among<'a>(&self, platform: &'a Platform) -> Option<&'a Platform> {
        Some(platform).filter(|_| self.platforms.len() > 1)
    }

    /// Asks the compiler until it needs to know no more base images.
    ///
    /// # Errors
    /// If a base image cannot be had.
    pub fn until_done<T>(
        &self,
        resolver: &Resolver,
        paint: Paint,
        attempt: impl Fn(&Bases) -> Result<T, Vec<BaseRequest>>,
    ) -> Result<T, Failure> {
        self.ask(resolver, paint, &mut bases::Known::default(), attempt)
    }

    fn ask<T>(
        &self,
        resolver: &Resolver,
        paint: Paint,
        known: &mut bases::Known,
        attempt: impl Fn(&Bases) -> Result<T, Vec<BaseRequest>>,
    ) -> Result<T, Failure> {
        loop {
            match attempt(&known.for_compiler) {
                Ok(answer) => return Ok(answer),
                Err(requests) => resolver.resolve(&requests, self, known, paint)?,
            }
        }
    }

    /// Tells diagnostics on standard error.
    pub fn tell(&self, diagnostics: &[Diagnostic], paint: Paint) {
        output::tell(&diagnostic::render(diagnostics, &self.parsed.source, &self.file, paint));
    }

    /// Tells what is wrong, and says that it is.
    pub fn refused(&self, diagnostics: &[Diagnostic], paint: Paint) -> Failure {
        self.tell(diagnostics, paint);
        let errors: Vec<&Diagnostic> =
            diagnostics.iter().filter(|diagnostic| diagnostic.severity == Severity::Error).collect();
        let first = errors.first().filter(|first| self.parsed.diagnostics.contains(first));
        Failure::input(match (errors.len(), first.and_then(|first| Some((first, first.line(&self.parsed.source)?)))) {
            // What logs end with, and where people and scripts look for BuildKit's words.
            (1, Some((error, line))) => format!("dockerfile parse error on line {line}: {}", error.message),
            (1, None) => format!("`{}` has an error", self.file),
            (count, _) => format!("`{}` has {count} errors", self.file),
        })
    }
}

/// What is said of one platform and of another is said once.
#[must_use]
pub fn without_repetitions<'a>(diagnostics: impl Iterator<Item = &'a Diagnostic>) -> Vec<Diagnostic> {
    let mut unique: Vec<Diagnostic> = Vec::new();
    for diagnostic in diagnostics {
        if !unique.contains(diagnostic) {
            unique.push(diagnostic.clone());
        }
    }
    unique
}

/// How a context from elsewhere is fetched.
pub struct Fetching<'a> {
    /// Where the store is.
    pub settings: &'a settings::Settings,
    /// How to show what happens; `None` is not at all.
    pub show: Option<Progress>,
    /// In which colours.
    pub paint: Paint,
}

impl<'a> Fetching<'a> {
    /// What happens is shown as the terminal allows.
    pub fn new(settings: &'a settings::Settings, paint: Paint) -> Self {
        Self { settings, show: Some(Progress::Auto), paint }
    }
}

/// Asks and fetches from git repositories.
///
/// # Errors
/// If a secret is not there.
pub fn git_client(arguments: &arguments::Inputs, store: &Store) -> Result<Client, Failure> {
    context::git::client(arguments, store)
}

/// The folder whose `layercake.toml` counts: that of the context, if it is one of this machine.
#[must_use]
pub fn project(arguments: &arguments::Inputs) -> &Path {
    let context = Path::new(&arguments.context);
    if context.is_dir() { context } else { Path::new(".") }
}

/// Whether a step may come from the cache.
#[must_use]
pub fn reuse(arguments: &arguments::Inputs, step: &Step) -> Reuse {
    let is_refused = |stage: &String| stage.eq_ignore_ascii_case(&step.origin.stage);
    if arguments.no_cache || arguments.no_cache_filter.iter().any(is_refused) { Reuse::Refused } else { Reuse::Allowed }
}

/// The store that holds base images, for those who resolve them.
///
/// # Errors
/// If it cannot be opened.
pub fn open_store(settings: &settings::Settings) -> Result<Store, Failure> {
    Ok(doubt::open(&settings.home)?)
}

/// The language is built in, so a frontend is accepted if it is one of Docker's own for Dockerfiles, whatever its version.
fn check_syntax(syntax: Option<&str>) -> Result<(), Failure> {
    let Some(syntax) = syntax else { return Ok(()) };
    let image = syntax.split_whitespace().next().unwrap_or_default();
    let image = image.strip_prefix("docker.io/").unwrap_or(image);
    let name = image.split(['@', ':']).next().unwrap_or_default();
    if name.is_empty() || name.starts_with("docker/dockerfile") {
        return Ok(());
    }
    Err(Failure::input(format!(
        "the frontend image `{image}` cannot be used: failed to resolve source metadata for it"
    ))
    .help("remove the line `# syntax=`, or name `docker/dockerfile`: layercake understands Dockerfiles itself"))
}

/// The values of build arguments: what is given, or the environment's. One that has none is not set. As for buildx, the
/// time that a reproducible build has is given without being named.
fn build_args(arguments: &[String]) -> Vec<(String, String)> {
    let epoch = settings::assignment(SOURCE_DATE_EPOCH).filter(|(_, value)| !value.is_empty());
    epoch.into_iter().chain(arguments.iter().filter_map(|text| settings::assignment(text))).collect()
}

/// This machine's platform.
#[must_use]
pub fn host_platform() -> Platform {
    Platform::new("linux", std::env::consts::ARCH, "")
}

/// The platform that an argument names, or this machine's.
///
/// # Errors
/// If it names none.
pub fn platform_or_host(argument: Option<&str>) -> Result<Platform, Failure> {
    argument.map_or_else(|| Ok(host_platform()), platforms::one)
}

/// The time of now, or of `SOURCE_DATE_EPOCH`, as RFC 3339.
#[must_use]
pub fn now(epoch: Option<i64>) -> String {
    let seconds = epoch.unwrap_or_else(|| jiff::Timestamp::now().as_second());
    jiff::Timestamp::from_second(seconds).unwrap_or_default().to_string()
}

/// The instructions that `import --change` takes, as docker's.
const CHANGES: [&str; 10] =
    ["CMD", "ENTRYPOINT", "ENV", "EXPOSE", "LABEL", "ONBUILD", "STOPSIGNAL", "USER", "VOLUME", "WORKDIR"];

/// The configuration of an image from scratch with these instructions.
///
/// # Errors
/// If one of them is none of those that only change the configuration, or is wrong.
pub fn changed_config(changes: &[String]) -> Result<ContainerConfig, Failure> {
    for change in changes {
        let name = change.split_whitespace().next().unwrap_or_default().to_ascii_uppercase();
        if !CHANGES.contains(&name.as_str()) || change.contains('\n') {
            return Err(Failure::input(format!("`{change}` is no change of a configuration"))
                .help(format!("begin it with one of {}", CHANGES.join(", "))));
        }
    }
    let parsed = parse(&format!("FROM scratch\n{}\n", changes.join("\n")));
    match compile(&parsed, &Request::new(host_platform()), &Bases::new()) {
        Ok(Outcome::Compiled(compilation)) => Ok(compilation.plan.image.config),
        Ok(Outcome::NeedsBases(_)) => unreachable!("scratch is no image that one could ask for"),
        Err(diagnostics) => {
            let rendered = diagnostic::render(&diagnostics, &parsed.source, "--change", Paint::Plain);
            Err(Failure::input(format!("the changes are wrong\n{}", rendered.trim_end())))
        }
    }
}
