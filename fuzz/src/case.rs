//! An input of the `compile` target: a Dockerfile, and behind `\u{1e}` what it is compiled with.

use layercake_compiler::oci::ContainerConfig;
use layercake_compiler::platform::Platform;
use layercake_compiler::subrequest::{OutlineOutcome, outline, targets};
use layercake_compiler::{
    BaseImage, BaseRequest, Bases, Checked, Compilation, Diagnostic, NamedContext, Outcome, Parsed, Request, check,
    compile, parse,
};

/// More rounds than there are base images in any input mean that the compiler asks without end.
const MAX_ROUNDS: usize = 1_000;

/// A Dockerfile with its surroundings.
pub struct Case {
    /// The Dockerfile.
    pub parsed: Parsed,
    request: Request,
    /// What every base image has.
    base: ContainerConfig,
}

impl Case {
    /// Reads an input. The lines behind the separator are what [`Self::surround`] makes of them.
    pub fn of(text: &str) -> Self {
        let (dockerfile, surroundings) = text.split_once('\u{1e}').unwrap_or((text, ""));
        let request = Request::new(Platform::new("linux", "amd64", ""));
        let base = ContainerConfig { env: vec!["PATH=/bin".to_owned()], ..ContainerConfig::default() };
        let mut case = Self { parsed: parse(dockerfile), request, base };
        surroundings.lines().for_each(|line| case.surround(line));
        case
    }

    /// Takes a line: its first character says what it is, the rest is the value.
    fn surround(&mut self, line: &str) {
        let Some(kind) = line.chars().next() else { return };
        let value = &line[kind.len_utf8()..];
        let pair = || {
            let (name, value) = value.split_once('=').unwrap_or((value, ""));
            (name.to_owned(), value.to_owned())
        };
        match kind {
            'a' => self.request.build_args.push(pair()),
            'l' => self.request.labels.push(pair()),
            't' => self.request.target = Some(value.to_owned()),
            'f' => drop(self.request.named_contexts.insert(value.to_owned(), NamedContext::Folder)),
            'i' => drop(self.request.named_contexts.insert(pair().0, NamedContext::Image(pair().1))),
            's' => drop(self.request.named_contexts.insert(pair().0, NamedContext::Stage(pair().1))),
            'p' => self.request.platform = value.parse().unwrap_or_else(|_| self.request.platform.clone()),
            'e' => self.base.env.push(value.to_owned()),
            'o' => self.base.on_build.push(value.to_owned()),
            'w' => value.clone_into(&mut self.base.working_dir),
            'u' => value.clone_into(&mut self.base.user),
            'c' => self.base.cmd.push(value.to_owned()),
            'h' => self.base.shell.push(value.to_owned()),
            _ => {}
        }
    }

    /// Answers the compiler until it is done.
    fn ask<T>(&self, mut attempt: impl FnMut(&Bases) -> Result<T, Vec<BaseRequest>>) -> T {
        let mut bases = Bases::new();
        for _ in 0..MAX_ROUNDS {
            match attempt(&bases) {
                Ok(done) => return done,
                Err(requests) => {
                    assert!(!requests.is_empty(), "asks for nothing");
                    for request in &requests {
                        assert!(bases.get(&request.reference, &request.platform).is_none(), "asks twice");
                        let (platform, config) = (request.platform.clone(), self.base.clone());
                        bases.insert(request, BaseImage { digest: None, platform, config, author: None });
                    }
                }
            }
        }
        panic!("asks for base images without end");
    }

    /// Compiles it.
    pub fn compile(&self) -> Result<Box<Compilation>, Vec<Diagnostic>> {
        self.ask(|bases| match compile(&self.parsed, &self.request, bases) {
            Ok(Outcome::NeedsBases(requests)) => Err(requests),
            Ok(Outcome::Compiled(compilation)) => Ok(Ok(compilation)),
            Err(findings) => Ok(Err(findings)),
        })
    }

    /// Lints it.
    pub fn check(&self) -> Vec<Diagnostic> {
        self.ask(|bases| match check(&self.parsed, &self.request, bases) {
            Checked::NeedsBases(requests) => Err(requests),
            Checked::Findings(findings) => Ok(findings),
        })
    }

    /// Asks what can be asked about it; the answers are serializable.
    pub fn subrequests(&self) {
        if let Ok(targets) = targets(&self.parsed) {
            serde_json::to_string(&targets).expect("an answer serializes");
        }
        let outlined = self.ask(|bases| match outline(&self.parsed, &self.request, bases) {
            Ok(OutlineOutcome::NeedsBases(requests)) => Err(requests),
            Ok(OutlineOutcome::Outline(outline)) => Ok(Some(outline)),
            Err(findings) => {
                assert!(!findings.is_empty(), "refused without a reason");
                Ok(None)
            }
        });
        serde_json::to_string(&outlined).expect("an answer serializes");
    }
}
