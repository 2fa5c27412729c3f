//! Walks the instructions of each stage in order, and carries what they change from one to the next.

use std::sync::Arc;

use super::globals::Globals;
use super::header::{Headers, Meaning};
use super::image::ImageState;
use super::link::{Provenance, Task};
use super::outline::StageUsage;
use super::reach::Reach;
use super::stage::StageSyntax;
use super::{expand, signal};
use crate::ast::{ArgDeclaration, Command, CommandLine, HealthTest, Healthcheck, Instruction, Pair, Word};
use crate::diagnostic::{Code, Diagnostic};
use crate::oci::{self, History};
use crate::operation::{Context, Copy, CopySource, Image, MakeDir, Operation, Unpack};
use crate::plan::Origin;
use crate::platform::Platform;
use crate::program::{Entry, Program, Stage, StageId, Statement, Tree};
use crate::request::{Bases, Request};
use crate::shell::Lexer;
use crate::source::{Source, Span};
use crate::{go, lint, path};

/// What is settled before the first instruction is looked at.
#[derive(Debug)]
pub(super) struct Facts<'a> {
    pub(super) source: &'a Source,
    pub(super) escape: char,
    pub(super) stages: &'a [StageSyntax<'a>],
    pub(super) headers: &'a Headers,
    pub(super) reach: &'a Reach<'a>,
    pub(super) request: &'a Request,
    pub(super) bases: &'a Bases,
    pub(super) globals: &'a Globals,
}

/// The stages that were walked; `None` for those that are not needed.
#[derive(Debug)]
pub(super) struct Walked {
    stages: Vec<Option<WalkedStage>>,
}

#[derive(Debug)]
struct WalkedStage {
    stage: Stage,
    image: Arc<ImageState>,
    usage: StageUsage,
}

impl Walked {
    pub(super) fn usage(&self, id: StageId) -> Option<&StageUsage> {
        self.stages.get(id.0)?.as_ref().map(|walked| &walked.usage)
    }

    /// The program that makes the image of a stage.
    pub(super) fn into_program(self, target: StageId, request: &Request) -> Option<Program> {
        let image = self.stages.get(target.0)?.as_ref()?.image.clone();
        Some(Program {
            stages: self.stages.into_iter().flatten().map(|walked| walked.stage).collect(),
            target,
            platform: request.platform.clone(),
            config: image.config(&request.labels),
            author: image.author.clone(),
            source_date_epoch: None,
        })
    }
}

/// Walks all stages that are needed.
pub(super) fn stages(facts: &Facts<'_>, findings: &mut Vec<Diagnostic>) -> Walked {
    let mut walked = Walked { stages: Vec::with_capacity(facts.stages.len()) };
    for id in (0..facts.stages.len()).map(StageId) {
        let stage = facts.reach.is_needed[id.0].then(|| {
            let (image, base) = begin(facts, id, &walked, findings);
            StageWalk::new(facts, id, image, findings).walk(base)
        });
        walked.stages.push(stage);
    }
    walked
}

/// What a stage begins with: the image it inherits, and its tree.
fn begin(facts: &Facts<'_>, id: StageId, walked: &Walked, findings: &mut Vec<Diagnostic>) -> (ImageState, Tree) {
    let header = facts.headers.get(id);
    let target = &facts.request.platform;
    let wanted = header.platform.as_ref().unwrap_or(target);
    match &header.base {
        Meaning::Scratch => (ImageState::empty(target), Tree::Scratch),
        Meaning::Context(name) => (ImageState::empty(wanted), Tree::Context(Context { name: Some(name.clone()) })),
        Meaning::Stage(base) => {
            let inherited = walked.stages.get(base.0).and_then(Option::as_ref).map(|base| base.image.inherited());
            (inherited.unwrap_or_else(|| ImageState::empty(target)), Tree::Stage(*base))
        }
        Meaning::Image(reference) => {
            let tree = image_tree(facts, reference, wanted);
            let Some(image) = facts.bases.get(reference, wanted) else {
                return (ImageState::empty(wanted), tree);
            };
            let at = facts.stages[id.0].instruction.span;
            findings.extend(lint::platform::of_base(&header.written, wanted, &image.platform, at));
            (ImageState::from_config(image.config.clone(), image.author.clone(), wanted), tree)
        }
    }
}

/// The tree of an image, as far as the caller has found out about it.
fn image_tree(facts: &Facts<'_>, reference: &str, platform: &Platform) -> Tree {
    let digest = facts.bases.get(reference, platform).and_then(|image| image.digest.clone());
    Tree::Image(Image { reference: reference.to_owned(), digest, platform: platform.clone() })
}

/// The walk through one stage.
#[derive(Debug)]
pub(super) struct StageWalk<'w> {
    pub(super) facts: &'w Facts<'w>,
    pub(super) id: StageId,
    pub(super) image: ImageState,
    pub(super) usage: StageUsage,
    statements: Vec<Statement>,
    history: Vec<Entry>,
    last: LastOfKind,
    findings: &'w mut Vec<Diagnostic>,
}

/// Where the last instruction stands of those of which only the last counts.
#[derive(Debug, Default)]
struct LastOfKind {
    cmd: Option<Span>,
    entrypoint: Option<Span>,
    healthcheck: Option<Span>,
}

pub(super) type Step<T = ()> = Result<T, Box<Diagnostic>>;

impl<'w> StageWalk<'w> {
    fn new(facts: &'w Facts<'w>, id: StageId, image: ImageState, findings: &'w mut Vec<Diagnostic>) -> Self {
        Self {
            facts,
            id,
            image,
            usage: StageUsage::default(),
            statements: Vec::new(),
            history: Vec::new(),
            last: LastOfKind::default(),
            findings,
        }
    }

    fn walk(mut self, base: Tree) -> WalkedStage {
        let facts = self.facts;
        let instruction = facts.stages[self.id.0].instruction;
        let base = self.enter(base, instruction);
        for task in &facts.reach.tasks[self.id.0] {
            if let Err(error) = self.run(task) {
                self.findings.push(task.locate(*error));
            }
        }
        let stage = Stage {
            id: self.id,
            name: facts.headers.get(self.id).label.clone(),
            platform: self.image.platform.clone(),
            line: self.line(instruction),
            from: one_line(instruction),
            base,
            statements: self.statements,
            history: self.history,
        };
        WalkedStage { stage, image: Arc::new(self.image), usage: self.usage }
    }

    /// The tree that a stage starts from. Files from outside become a layer of their own, so that the image has them.
    fn enter(&mut self, base: Tree, instruction: &Instruction) -> Tree {
        let Tree::Context(context) = base else { return base };
        let name = format!("FROM {}", context.name.as_deref().unwrap_or("context"));
        let operation = Operation::Copy(Copy {
            sources: vec![CopySource { input: 1, path: ".".to_owned() }],
            destination: "/".to_owned(),
            unpack: Unpack::Never,
            owner: None,
            mode: None,
            parents: false,
            link: false,
            exclude: Vec::new(),
        });
        let origin = Origin { stage: self.label().to_owned(), line: self.line(instruction), name: name.clone() };
        self.statements.push(Statement { operation, inputs: vec![Tree::Context(context)], origin });
        self.commit(name, Layer::OfLastStatement);
        Tree::Scratch
    }

    fn run(&mut self, task: &Task<'_>) -> Step {
        let Some(command) = &task.instruction.command else { return Ok(()) };
        match command {
            // The parser does not allow it as a trigger, and elsewhere it begins a stage.
            Command::From(_) => Ok(()),
            Command::Arg(arguments) => self.arg(task, arguments),
            Command::Env(pairs) => self.env(task, pairs),
            Command::Label(pairs) => self.label_instruction(task, pairs),
            Command::Copy(copy) => self.copy(task, copy),
            Command::Add(add) => self.add(task, add),
            Command::Run(run) => self.run_command(task, run),
            Command::Cmd(command) => self.cmd(task, command),
            Command::Entrypoint(command) => self.entrypoint(task, command),
            Command::Healthcheck(check) => self.healthcheck(task, check),
            Command::Expose(ports) => self.expose(task, ports),
            Command::User(user) => {
                self.image.user = self.expand(task, user)?;
                self.note(format!("USER {}", self.image.user))
            }
            Command::Volume(folders) => self.volume(task, folders),
            Command::Workdir(folder) => self.workdir(task, folder),
            Command::StopSignal(signal) => self.stop_signal(task, signal),
            Command::Shell(words) => {
                self.image.shell = words.iter().map(|word| word.text.clone()).collect();
                self.note(format!("SHELL {}", go::list(&self.image.shell)))
            }
            Command::Maintainer(author) => {
                self.image.author = Some(author.text.clone());
                self.note(format!("MAINTAINER {}", author.text))
            }
            Command::Onbuild(onbuild) => {
                self.image.on_build.push(onbuild.expression.clone());
                Ok(())
            }
        }
    }

    /// Expands a word with the variables of the stage.
    pub(super) fn expand(&mut self, task: &Task<'_>, word: &Word) -> Step<String> {
        self.expand_with(task, word, &Lexer::new(self.facts.escape))
    }

    /// Expands a word in a way of its own.
    pub(super) fn expand_with(&mut self, task: &Task<'_>, word: &Word, lexer: &Lexer) -> Step<String> {
        let scope = &self.image.scope;
        let expanded = lexer
            .expand(&word.text, &|name| scope.get(name))
            .map_err(|error| Box::new(expand::error(word, &error, task.at)))?;
        for variable in expanded.unmatched {
            if scope.is_declared(&variable.name) || is_never_set(&variable.name) {
                continue;
            }
            let known = scope.candidates();
            self.findings.push(task.locate(lint::variables::undefined(&variable, word, known, task.at)));
        }
        Ok(expanded.text)
    }

    pub(super) fn warn(&mut self, task: &Task<'_>, warning: impl IntoIterator<Item = Diagnostic>) {
        self.findings.extend(warning.into_iter().map(|warning| task.locate(warning)));
    }

    pub(super) fn label(&self) -> &'w str {
        &self.facts.headers.get(self.id).label
    }

    fn line(&self, instruction: &Instruction) -> u32 {
        u32::try_from(self.facts.source.line(instruction.span.start)).unwrap_or(u32::MAX)
    }

    /// Where a name of a tree leads, from this stage.
    pub(super) fn tree(&self, meaning: &Meaning) -> Result<Tree, TooEarly> {
        Ok(match meaning {
            Meaning::Scratch => Tree::Scratch,
            Meaning::Stage(stage) if *stage < self.id || self.facts.headers.get(*stage).is_replaced => {
                Tree::Stage(*stage)
            }
            Meaning::Stage(_) => return Err(TooEarly),
            Meaning::Image(reference) => image_tree(self.facts, reference, &self.facts.request.platform),
            Meaning::Context(name) => Tree::Context(Context { name: Some(name.clone()) }),
        })
    }

    /// Adds a statement, and the history entry of its layer.
    pub(super) fn state(&mut self, task: &Task<'_>, operation: Operation, inputs: Vec<Tree>, created_by: String) {
        let (line, prefix) = match task.provenance {
            Provenance::File => (self.line(&task.instruction), ""),
            Provenance::Trigger => (0, "ONBUILD "),
        };
        let name = format!("{prefix}{}", one_line(&task.instruction));
        let origin = Origin { stage: self.label().to_owned(), line, name };
        self.statements.push(Statement { operation, inputs, origin });
        self.commit(created_by, Layer::OfLastStatement);
    }

    /// Adds a history entry without a layer.
    fn note(&mut self, created_by: String) -> Step {
        self.commit(created_by, Layer::None);
        Ok(())
    }

    fn commit(&mut self, created_by: String, layer: Layer) {
        let statement = match layer {
            Layer::None => None,
            Layer::OfLastStatement => self.statements.len().checked_sub(1),
        };
        let entry = History {
            created_by,
            comment: HISTORY_COMMENT.to_owned(),
            empty_layer: statement.is_none(),
            ..History::default()
        };
        self.history.push(Entry { entry, statement });
    }

    fn arg(&mut self, task: &Task<'_>, arguments: &[ArgDeclaration]) -> Step {
        let mut texts = Vec::with_capacity(arguments.len());
        for argument in arguments {
            let name = &argument.name.text;
            self.warn(task, lint::secrets::check("ARG", name, &argument.name, task.at));
            let (value, is_inherited) = match (self.facts.request.build_arg(name), &argument.default) {
                (Some(value), _) => (Some(value.to_owned()), false),
                (None, Some(default)) => (Some(self.expand(task, default)?), false),
                (None, None) => {
                    let inherited = self.facts.globals.get(name).map(str::to_owned);
                    let is_inherited = inherited.is_some();
                    (inherited, is_inherited)
                }
            };
            if let Some(value) = value.as_deref().filter(|_| !is_never_set(name)) {
                self.image.scope.set_argument(name, value);
            }
            self.usage.uses(argument, value.as_deref().filter(|_| !is_inherited), is_inherited, task.at);
            self.image.scope.declare(name, value.as_deref());
            texts.push(value.map_or_else(|| name.clone(), |value| format!("{name}={value}")));
        }
        self.note(format!("ARG {}", texts.join(" ")))
    }

    /// The pairs of `ENV` and `LABEL`, expanded: all of them before any takes effect.
    fn pairs(&mut self, task: &Task<'_>, pairs: &[Pair]) -> Step<Vec<(String, String)>> {
        pairs.iter().map(|pair| Ok((self.expand(task, &pair.name)?, self.expand(task, &pair.value)?))).collect()
    }

    fn env(&mut self, task: &Task<'_>, pairs: &[Pair]) -> Step {
        let mut created_by = "ENV".to_owned();
        for ((name, value), pair) in self.pairs(task, pairs)?.into_iter().zip(pairs) {
            self.warn(task, lint::command::old_pair(&task.instruction, pair.form, &pair.name, task.at));
            self.warn(task, lint::secrets::check("ENV", &name, &pair.name, task.at));
            self.image.scope.set(&name, &value);
            created_by = format!("{created_by} {name}={value}");
        }
        self.note(created_by)
    }

    fn label_instruction(&mut self, task: &Task<'_>, pairs: &[Pair]) -> Step {
        let mut created_by = "LABEL".to_owned();
        for ((name, value), pair) in self.pairs(task, pairs)?.into_iter().zip(pairs) {
            self.warn(task, lint::command::old_pair(&task.instruction, pair.form, &pair.name, task.at));
            created_by = format!("{created_by} {name}={value}");
            self.image.labels.insert(&name, value);
        }
        self.note(created_by)
    }

    /// The argument vector of `CMD` and `ENTRYPOINT`.
    fn with_shell(&mut self, task: &Task<'_>, command: &CommandLine) -> Vec<String> {
        match command {
            CommandLine::Exec(_) => command.arguments(),
            CommandLine::Shell(text) => {
                if self.image.shell.is_empty() {
                    self.warn(task, [lint::command::shell_form(&task.instruction, task.at)]);
                }
                let mut arguments = self.image.shell();
                arguments.push(text.text.clone());
                arguments
            }
        }
    }

    fn cmd(&mut self, task: &Task<'_>, command: &CommandLine) -> Step {
        let earlier = self.last.cmd.replace(task.at);
        self.overridden(task, earlier);
        self.image.cmd = self.with_shell(task, command);
        self.image.args_escaped = true;
        self.note(format!("CMD {}", go::quoted_list(&self.image.cmd)))
    }

    fn entrypoint(&mut self, task: &Task<'_>, command: &CommandLine) -> Step {
        let earlier = self.last.entrypoint.replace(task.at);
        self.overridden(task, earlier);
        self.image.entrypoint = self.with_shell(task, command);
        // The base's command was meant for the base's entry point.
        if self.last.cmd.is_none() {
            self.image.cmd.clear();
        }
        self.note(format!("ENTRYPOINT {}", go::quoted_list(&self.image.entrypoint)))
    }

    fn overridden(&mut self, task: &Task<'_>, earlier: Option<Span>) {
        let name = &task.instruction.keyword.text;
        self.warn(task, earlier.map(|earlier| lint::command::overridden(name, earlier, task.at)));
    }

    fn healthcheck(&mut self, task: &Task<'_>, check: &Healthcheck) -> Step {
        let earlier = self.last.healthcheck.replace(task.at);
        self.overridden(task, earlier);
        let (kind, arguments) = match &check.test {
            HealthTest::None => ("NONE", Vec::new()),
            HealthTest::Command(command @ CommandLine::Exec(_)) => ("CMD", command.arguments()),
            HealthTest::Command(command @ CommandLine::Shell(_)) => ("CMD-SHELL", command.arguments()),
        };
        let test: Vec<String> = std::iter::once(kind.to_owned()).chain(arguments).collect();
        let created_by = format!(
            "HEALTHCHECK {{Test:{} Interval:{} Timeout:{} StartPeriod:{} StartInterval:{} Retries:{}}}",
            go::list(&test),
            go::duration(check.interval),
            go::duration(check.timeout),
            go::duration(check.start_period),
            go::duration(check.start_interval),
            check.retries
        );
        self.image.healthcheck = Some(oci::Healthcheck {
            test,
            interval: check.interval,
            timeout: check.timeout,
            start_period: check.start_period,
            start_interval: check.start_interval,
            retries: check.retries,
        });
        self.note(created_by)
    }

    fn expose(&mut self, task: &Task<'_>, words: &[Word]) -> Step {
        let mut words: Vec<&Word> = words.iter().collect();
        words.sort_by(|a, b| a.text.cmp(&b.text));
        let mut ports = Vec::new();
        for word in words {
            let scope = &self.image.scope;
            let expanded = Lexer::new(self.facts.escape)
                .expand(&word.text, &|name| scope.get(name))
                .map_err(|error| Box::new(expand::error(word, &error, task.at)))?;
            for text in expanded.words {
                let mut warnings = Vec::new();
                let parsed = super::port::parse(&text, task.at, &mut warnings).map_err(|message| {
                    let error = Diagnostic::error(Code::InvalidPort, task.at, message).label(word.span, "");
                    Box::new(error.help("write `port`, `first-last`, and maybe `/tcp`, `/udp` or `/sctp` behind it"))
                });
                let warnings = warnings.into_iter().map(|warning| warning.label(word.span, ""));
                self.warn(task, warnings);
                ports.extend(parsed?);
            }
        }
        for port in &ports {
            self.image.ports.insert(port, ());
        }
        self.note(format!("EXPOSE {}", go::list(&ports)))
    }

    fn volume(&mut self, task: &Task<'_>, folders: &[Word]) -> Step {
        let expanded: Step<Vec<String>> = folders.iter().map(|folder| self.expand(task, folder)).collect();
        let expanded = expanded?;
        if let Some(empty) = expanded.iter().position(String::is_empty) {
            let message = "VOLUME specified can not be an empty string";
            let error = Diagnostic::error(Code::InvalidVolume, task.at, message);
            return Err(Box::new(error.label(folders[empty].span, "this is empty")));
        }
        for folder in &expanded {
            self.image.volumes.insert(folder, ());
        }
        self.note(format!("VOLUME {}", go::list(&expanded)))
    }

    fn stop_signal(&mut self, task: &Task<'_>, word: &Word) -> Step {
        let signal = self.expand(task, word)?;
        if !signal::is_signal(&signal) {
            let error = Diagnostic::error(Code::InvalidSignal, task.at, format!("invalid signal: {signal}"));
            return Err(Box::new(error.label(word.span, "").help("write a name such as `SIGTERM`, or a number")));
        }
        self.image.stop_signal.clone_from(&signal);
        self.note(format!("STOPSIGNAL {signal}"))
    }

    fn workdir(&mut self, task: &Task<'_>, word: &Word) -> Step {
        let folder = self.expand(task, word)?;
        if !self.image.workdir_is_set && !folder.starts_with('/') {
            self.warn(task, [lint::command::relative_folder(&folder, task.at).label(word.span, "")]);
        }
        self.image.workdir_is_set = true;
        if folder.starts_with('/') {
            self.image.workdir = folder;
        } else if folder.is_empty() {
            self.image.workdir = self.workdir_or_root().to_owned();
        } else {
            self.image.workdir = path::join(&format!("/{}", self.image.workdir), &folder);
        }
        let created_by = format!("WORKDIR {}", self.image.workdir);
        if self.image.workdir == "/" {
            return self.note(created_by);
        }
        let owner = Some(self.image.user.clone()).filter(|user| !user.is_empty());
        let operation = Operation::MakeDir(MakeDir { path: path::clean(&self.image.workdir), owner });
        self.state(task, operation, Vec::new(), created_by);
        Ok(())
    }

    /// The folder that relative paths start from.
    pub(super) fn workdir_or_root(&self) -> &str {
        if self.image.workdir.is_empty() { "/" } else { &self.image.workdir }
    }
}

/// A stage that is used before it exists.
#[derive(Clone, Copy, Debug)]
pub(super) struct TooEarly;

/// What BuildKit writes into every history entry it makes.
const HISTORY_COMMENT: &str = "buildkit.dockerfile.v0";

/// Whether a history entry has a layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Layer {
    None,
    OfLastStatement,
}

/// Arguments that steer the builder and are seen by no command.
fn is_never_set(name: &str) -> bool {
    matches!(name, "BUILDKIT_SBOM_SCAN_CONTEXT" | "BUILDKIT_SBOM_SCAN_STAGE")
}

/// An instruction as people know it: its name in capitals, and single spaces.
fn one_line(instruction: &Instruction) -> String {
    let keyword = instruction.keyword.text.to_uppercase();
    let text = instruction.line.text().trim_start();
    let rest = text.get(instruction.keyword.text.len()..).unwrap_or_default();
    std::iter::once(keyword.as_str()).chain(rest.split_whitespace()).collect::<Vec<_>>().join(" ")
}
