//! The instructions that change the image's config, and what commands see of it.

use super::link::Task;
use super::walk::{StageWalk, Step, is_never_set};
use super::{port, signal};
use crate::ast::{ArgDeclaration, CommandLine, HealthTest, Healthcheck, Pair, Word};
use crate::diagnostic::{Code, Diagnostic};
use crate::operation::{Below, MakeDir, Operation};
use crate::shell::Lexer;
use crate::source::Span;
use crate::{go, lint, oci, path};

impl StageWalk<'_> {
    pub(super) fn arg(&mut self, task: &Task<'_>, arguments: &[ArgDeclaration]) -> Step {
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
        self.note(task, format!("ARG {}", texts.join(" ")))
    }

    /// The pairs of `ENV` and `LABEL`, expanded: all of them before any takes effect.
    fn pairs(&mut self, task: &Task<'_>, pairs: &[Pair]) -> Step<Vec<(String, String)>> {
        pairs.iter().map(|pair| Ok((self.expand(task, &pair.name)?, self.expand(task, &pair.value)?))).collect()
    }

    pub(super) fn env(&mut self, task: &Task<'_>, pairs: &[Pair]) -> Step {
        let mut created_by = "ENV".to_owned();
        for ((name, value), pair) in self.pairs(task, pairs)?.into_iter().zip(pairs) {
            self.warn(task, lint::command::old_pair(&task.instruction, pair.form, &pair.name, task.at));
            self.warn(task, lint::secrets::check("ENV", &name, &pair.name, task.at));
            self.image.scope.set(&name, &value);
            created_by.extend([" ", &name, "=", &value]);
        }
        self.note(task, created_by)
    }

    pub(super) fn label_instruction(&mut self, task: &Task<'_>, pairs: &[Pair]) -> Step {
        let mut created_by = "LABEL".to_owned();
        for ((name, value), pair) in self.pairs(task, pairs)?.into_iter().zip(pairs) {
            self.warn(task, lint::command::old_pair(&task.instruction, pair.form, &pair.name, task.at));
            created_by.extend([" ", &name, "=", &value]);
            self.image.labels.insert(&name, value);
        }
        self.note(task, created_by)
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

    pub(super) fn cmd(&mut self, task: &Task<'_>, command: &CommandLine) -> Step {
        let earlier = self.last.cmd.replace(task.at);
        self.overridden(task, earlier);
        self.image.cmd = self.with_shell(task, command);
        self.image.args_escaped = true;
        self.note(task, format!("CMD {}", go::quoted_list(&self.image.cmd)))
    }

    pub(super) fn entrypoint(&mut self, task: &Task<'_>, command: &CommandLine) -> Step {
        let earlier = self.last.entrypoint.replace(task.at);
        self.overridden(task, earlier);
        self.image.entrypoint = self.with_shell(task, command);
        // The base's command was meant for the base's entry point.
        if self.last.cmd.is_none() {
            self.image.cmd.clear();
        }
        self.note(task, format!("ENTRYPOINT {}", go::quoted_list(&self.image.entrypoint)))
    }

    fn overridden(&mut self, task: &Task<'_>, earlier: Option<Span>) {
        let name = &task.instruction.keyword.text;
        self.warn(task, earlier.map(|earlier| lint::command::overridden(name, earlier, task.at)));
    }

    pub(super) fn healthcheck(&mut self, task: &Task<'_>, check: &Healthcheck) -> Step {
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
        self.note(task, created_by)
    }

    pub(super) fn expose(&mut self, task: &Task<'_>, words: &[Word]) -> Step {
        let mut words: Vec<&Word> = words.iter().collect();
        words.sort_by(|a, b| a.text.cmp(&b.text));
        let mut ports = Vec::new();
        for word in words {
            let expanded = self.expansion(task, word, &Lexer::new(self.facts.escape))?;
            for text in expanded.words {
                let mut warnings = Vec::new();
                let parsed = port::parse(&text, task.at, &mut warnings).map_err(|message| {
                    let error = Diagnostic::error(Code::InvalidPort, task.at, message).label(word.span, "");
                    Box::new(error.help("write `port`, `first-last`, and maybe `/tcp`, `/udp` or `/sctp` behind it"))
                });
                let warnings = warnings.into_iter().map(|warning| warning.label(word.span, ""));
                self.warn(task, warnings);
                ports.extend(parsed?);
                if ports.len() > port::ALL {
                    let error = Diagnostic::error(Code::TooLarge, task.at, "these are more ports than there are");
                    return Err(Box::new(error.label(word.span, "").help("name each port once")));
                }
            }
        }
        self.budget.spend(ports.len() * port::WEIGHT, task.at)?;
        for port in &ports {
            self.image.ports.insert(port, ());
        }
        self.note(task, format!("EXPOSE {}", go::list(&ports)))
    }

    pub(super) fn volume(&mut self, task: &Task<'_>, folders: &[Word]) -> Step {
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
        self.note(task, format!("VOLUME {}", go::list(&expanded)))
    }

    pub(super) fn stop_signal(&mut self, task: &Task<'_>, word: &Word) -> Step {
        let signal = self.expand(task, word)?;
        if !signal::is_signal(&signal) {
            let error = Diagnostic::error(Code::InvalidSignal, task.at, format!("invalid signal: {signal}"));
            return Err(Box::new(error.label(word.span, "").help("write a name such as `SIGTERM`, or a number")));
        }
        self.image.stop_signal.clone_from(&signal);
        self.note(task, format!("STOPSIGNAL {signal}"))
    }

    pub(super) fn workdir(&mut self, task: &Task<'_>, word: &Word) -> Step {
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
            return self.note(task, created_by);
        }
        let owner = Some(self.image.user.clone()).filter(|user| !user.is_empty());
        let operation =
            Operation::MakeDir(MakeDir { path: path::clean(&self.image.workdir), owner, below: Below::default() });
        self.state(task, operation, Vec::new(), created_by)
    }
}
