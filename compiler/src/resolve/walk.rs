//! Walks the instructions of each stage in order, and carries what they change from one to the next.

use std::sync::Arc;

use super::Certainty;
use super::budget::Budget;
use super::expand;
use super::globals::Globals;
use super::header::{Headers, Meaning};
use super::image::ImageState;
use super::link::{Provenance, Task};
use super::outline::StageUsage;
use super::reach::Reach;
use super::stage::StageSyntax;
use crate::address::redact;
use crate::ast::{Command, Instruction, Word};
use crate::diagnostic::Diagnostic;
use crate::oci::{ContainerConfig, History};
use crate::operation::{Below, Context, Copy, CopySource, Image, Operation, Unpack};
use crate::plan::Origin;
use crate::platform::Platform;
use crate::program::{Entry, Program, Stage, StageId, Statement, Tree};
use crate::request::{Bases, Request};
use crate::shell::{Expanded, ExpansionError, Lexer};
use crate::source::{Source, Span};
use crate::{go, lint};

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
    pub(super) certainty: Certainty,
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
pub(super) fn stages(facts: &Facts<'_>, budget: &mut Budget, findings: &mut Vec<Diagnostic>) -> Walked {
    let mut walked = Walked { stages: Vec::with_capacity(facts.stages.len()) };
    for id in (0..facts.stages.len()).map(StageId) {
        let stage = (facts.reach.is_needed[id.0] && !budget.is_spent()).then(|| {
            let (image, base) = begin(facts, id, &walked, findings);
            StageWalk::new(facts, id, image, budget, findings).walk(base)
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
        Meaning::Context(_) | Meaning::Git(_) => {
            // A folder that stands in for a stage says nothing; one that is a base is like an empty image.
            let image = if header.is_replaced {
                ImageState::from_config(ContainerConfig::default(), None, wanted)
            } else {
                ImageState::empty(wanted)
            };
            let tree = match &header.base {
                Meaning::Git(git) => Tree::Git(git.clone()),
                Meaning::Context(name) => Tree::Context(Context { name: Some(name.clone()) }),
                Meaning::Scratch | Meaning::Stage(_) | Meaning::Image(_) => unreachable!("matched above"),
            };
            (image, tree)
        }
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
    pub(super) last: LastOfKind,
    /// Whether the present instruction uses a variable that may be set without our knowing.
    is_doubtful: bool,
    pub(super) budget: &'w mut Budget,
    findings: &'w mut Vec<Diagnostic>,
}

/// Where the last instruction stands of those of which only the last counts.
#[derive(Debug, Default)]
pub(super) struct LastOfKind {
    pub(super) cmd: Option<Span>,
    pub(super) entrypoint: Option<Span>,
    pub(super) healthcheck: Option<Span>,
}

pub(super) type Step<T = ()> = Result<T, Box<Diagnostic>>;

impl<'w> StageWalk<'w> {
    fn new(
        facts: &'w Facts<'w>,
        id: StageId,
        image: ImageState,
        budget: &'w mut Budget,
        findings: &'w mut Vec<Diagnostic>,
    ) -> Self {
        Self {
            facts,
            id,
            image,
            usage: StageUsage::default(),
            statements: Vec::new(),
            history: Vec::new(),
            last: LastOfKind::default(),
            is_doubtful: false,
            budget,
            findings,
        }
    }

    fn walk(mut self, base: Tree) -> WalkedStage {
        let facts = self.facts;
        let instruction = facts.stages[self.id.0].instruction;
        let base = self.enter(base, instruction);
        if let Err(error) = self.budget.spend(self.image.weight(), instruction.span) {
            self.findings.push(*error);
        }
        for task in &facts.reach.tasks[self.id.0] {
            if self.budget.is_spent() {
                break;
            }
            self.is_doubtful = false;
            if let Err(error) = self.run(task)
                && !self.is_doubtful
            {
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
        let name = match &base {
            Tree::Context(context) => format!("FROM {}", context.name.as_deref().unwrap_or("context")),
            Tree::Git(git) => format!("FROM {}", git.remote),
            Tree::Scratch | Tree::Stage(_) | Tree::Image(_) | Tree::Inline(_) | Tree::Http(_) => return base,
        };
        let operation = Operation::Copy(Copy {
            sources: vec![CopySource { input: 1, path: ".".to_owned() }],
            destination: "/".to_owned(),
            unpack: Unpack::Never,
            owner: None,
            mode: None,
            parents: false,
            link: false,
            exclude: Vec::new(),
            below: Below::default(),
        });
        let origin = Origin { stage: self.label().to_owned(), line: self.line(instruction), name: name.clone() };
        self.statements.push(Statement { operation, inputs: vec![base], origin });
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
                self.note(task, format!("USER {}", self.image.user))
            }
            Command::Volume(folders) => self.volume(task, folders),
            Command::Workdir(folder) => self.workdir(task, folder),
            Command::StopSignal(signal) => self.stop_signal(task, signal),
            Command::Shell(words) => {
                self.image.shell = words.iter().map(|word| word.text.clone()).collect();
                self.note(task, format!("SHELL {}", go::list(&self.image.shell)))
            }
            Command::Maintainer(author) => {
                self.image.author = Some(author.text.clone());
                self.note(task, format!("MAINTAINER {}", author.text))
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
        // Most words mean what they say.
        if !word.text.contains(['$', '\'', '"', '<', lexer.escape]) {
            return Ok(word.text.clone());
        }
        let expanded = self.expansion(task, word, lexer)?;
        let scope = &self.image.scope;
        for variable in expanded.unmatched {
            if scope.is_declared(&variable.name) || is_never_set(&variable.name) {
                continue;
            }
            let known = scope.candidates();
            self.findings.push(task.locate(lint::variables::undefined(&variable, word, known, task.at)));
        }
        Ok(expanded.text)
    }

    /// What a word is, with the variables in it that are not set.
    pub(super) fn expansion(&mut self, task: &Task<'_>, word: &Word, lexer: &Lexer) -> Step<Expanded> {
        let scope = &self.image.scope;
        let expanded = lexer.expand(&word.text, &|name| scope.get(name));
        if self.facts.certainty == Certainty::Guess {
            self.is_doubtful |= match &expanded {
                Ok(expanded) => expanded.unmatched.iter().any(|variable| !scope.is_declared(&variable.name)),
                Err(error) => matches!(error, ExpansionError::Demanded { .. }),
            };
        }
        expanded.map_err(|error| Box::new(expand::error(word, &error, task.at)))
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
            Meaning::Git(git) => Tree::Git(git.clone()),
        })
    }

    /// Adds a statement, and the history entry of its layer.
    pub(super) fn state(
        &mut self,
        task: &Task<'_>,
        operation: Operation,
        inputs: Vec<Tree>,
        created_by: String,
    ) -> Step {
        self.budget.spend(weight(&operation) + created_by.len(), task.at)?;
        let (line, prefix) = match task.provenance {
            Provenance::File => (self.line(&task.instruction), ""),
            Provenance::Trigger => (0, "ONBUILD "),
        };
        let name = format!("{prefix}{}", one_line(&task.instruction));
        let origin = Origin { stage: self.label().to_owned(), line, name };
        self.statements.push(Statement { operation, inputs, origin });
        self.commit(created_by, Layer::OfLastStatement);
        Ok(())
    }

    /// Adds a history entry without a layer.
    pub(super) fn note(&mut self, task: &Task<'_>, created_by: String) -> Step {
        self.budget.spend(created_by.len(), task.at)?;
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

/// How many bytes an operation has that may stand elsewhere in the file, once. Variables are shared, but for their list.
fn weight(operation: &Operation) -> usize {
    match operation {
        Operation::Run(run) => run.env.len() * size_of::<Arc<str>>() + run.user.len() + run.workdir.len(),
        Operation::Copy(copy) => copy.destination.len(),
        Operation::MakeDir(folder) => folder.path.len() + folder.owner.as_ref().map_or(0, String::len),
        _ => 0,
    }
}

/// Whether a history entry has a layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Layer {
    None,
    OfLastStatement,
}

/// Arguments that steer the builder and are seen by no command.
pub(super) fn is_never_set(name: &str) -> bool {
    matches!(name, "BUILDKIT_SBOM_SCAN_CONTEXT" | "BUILDKIT_SBOM_SCAN_STAGE")
}

/// An instruction as people know it: its name in capitals, single spaces, and no credentials.
fn one_line(instruction: &Instruction) -> String {
    let text = instruction.line.text().trim_start();
    let mut line = String::with_capacity(text.len());
    line.push_str(&instruction.keyword.text.to_uppercase());
    for word in text.get(instruction.keyword.text.len()..).unwrap_or_default().split_whitespace() {
        line.push(' ');
        line.push_str(word);
    }
    redact(&line).into_owned()
}
