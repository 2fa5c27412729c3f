//! `cache-mount`: a `RUN` that fetches packages and keeps none of them for its next run.
//!
//! **Why**: with a cache mount the next run fetches what is new, and nothing of it lands in the layer.
//! **Silent** where any cache mount or a clean-up in the same `RUN` shows that the author has thought of it; where the cache
//! is turned off; where only fetching is done, so that the layer is the cache; and for users other than root, whose folders
//! are not known.

use std::collections::HashMap;

use super::Advice;
use super::advice::Seen;
use super::installer::{self, Fetch, Installer};
use super::script::{self, Simple};
use crate::ast::Instruction;
use crate::diagnostic::Diagnostic;
use crate::operation::{MountKind, Network, Operation, Run};
use crate::program::{StageId, Tree};

pub(super) fn check(seen: &Seen<'_>, found: &mut Vec<Diagnostic>) {
    // Packages that an earlier layer holds: a mount would hide them.
    let mut fetched_by: HashMap<StageId, Vec<Installer>> = HashMap::new();
    for stage in &seen.program.stages {
        let mut fetched = match stage.base {
            Tree::Stage(base) => fetched_by.get(&base).cloned().unwrap_or_default(),
            _ => Vec::new(),
        };
        for (instruction, statement) in seen.of_stage(stage) {
            let Operation::Run(run) = &statement.operation else { continue };
            let commands: Vec<Simple> = script::of_run(instruction, run).into_iter().flatten().collect();
            found.extend(of_run(instruction, run, &commands, &fetched));
            for fetch in commands.iter().filter_map(installer::fetch).filter(|fetch| fetch.only_fetches) {
                if !fetched.contains(&fetch.installer) {
                    fetched.push(fetch.installer);
                }
            }
        }
        fetched_by.insert(stage.id, fetched);
    }
}

fn of_run(instruction: &Instruction, run: &Run, commands: &[Simple], fetched: &[Installer]) -> Option<Diagnostic> {
    let has_cache = run.mounts.iter().any(|mount| matches!(mount.kind, MountKind::Cache { .. }));
    let is_root = matches!(run.user.split(':').next(), Some("" | "0" | "root"));
    if has_cache || !is_root || run.network == Network::None || commands.iter().any(cleans_up) {
        return None;
    }
    let mut first: Option<Fetch> = None;
    let mut flags: Vec<String> = Vec::new();
    for command in commands {
        let Some(fetch) = installer::fetch(command).filter(|fetch| !fetch.only_fetches) else { continue };
        if is_turned_off(command, &fetch, run) {
            continue;
        }
        for target in targets(&fetch, run, fetched.contains(&fetch.installer)) {
            let flag = format!("--mount=type=cache,target={target}");
            if !flags.contains(&flag) {
                flags.push(flag);
            }
            first.get_or_insert_with(|| fetch.clone());
        }
    }
    let fetch = first?;
    let message = format!("`{}` keeps nothing of what it fetches for the next time", fetch.command);
    let advice = Diagnostic::advice(Advice::CacheMount, instruction.span, message);
    let place = instruction.place_of(&fetch.command);
    let advice = advice.label(place, "").help(format!("write `{} {} …`", instruction.keyword.text, flags.join(" ")));
    Some(match fetch.installer {
        Installer::Apt => advice.help("remove `/etc/apt/apt.conf.d/docker-clean` first, which empties that cache"),
        Installer::Dnf | Installer::Yum => {
            advice.help("add `--setopt=keepcache=1`, without which packages are not kept")
        }
        _ => advice,
    })
}

/// Whether a command removes what was fetched.
fn cleans_up(command: &Simple) -> bool {
    let removes =
        command.program() == "rm" && command.operands().any(|path| path.contains("cache") || path.contains("/lists"));
    removes || command.operands().any(|word| matches!(word, "clean" | "autoclean" | "prune"))
}

fn is_turned_off(command: &Simple, fetch: &Fetch, run: &Run) -> bool {
    let is_set = |name: &str| run.env.iter().any(|(found, value)| &**found == name && !value.is_empty());
    match fetch.installer {
        Installer::Apk => command.has_option("--no-cache"),
        Installer::Pip => command.has_option("--no-cache-dir") || is_set("PIP_NO_CACHE_DIR"),
        Installer::Poetry => command.has_option("--no-cache"),
        _ => false,
    }
}

/// The folders that the program keeps packages in.
fn targets(fetch: &Fetch, run: &Run, is_fetched: bool) -> Vec<String> {
    let variable = |name: &str| run.env.iter().rev().find(|(found, _)| &**found == name).map(|(_, value)| &**value);
    let home = variable("HOME").filter(|home| !home.is_empty()).unwrap_or("/root");
    let below = |folder: &str| vec![format!("{home}/{folder}")];
    let fixed = |folders: &[&str]| folders.iter().map(|folder| (*folder).to_owned()).collect();
    match fetch.installer {
        Installer::Apt => fixed(&["/var/cache/apt,sharing=locked", "/var/lib/apt/lists,sharing=locked"]),
        Installer::Apk => fixed(&["/etc/apk/cache"]),
        Installer::Dnf => fixed(&["/var/cache/dnf,sharing=locked"]),
        Installer::Yum => fixed(&["/var/cache/yum,sharing=locked"]),
        Installer::Pip => below(".cache/pip"),
        Installer::Npm => below(".npm"),
        Installer::YarnPackages => fixed(&["/usr/local/share/.cache/yarn"]),
        Installer::Pnpm => below(".local/share/pnpm/store"),
        Installer::Composer => below(".cache/composer"),
        Installer::Poetry => below(".cache/pypoetry"),
        // Gems are used from where they are installed, which must be in the layer.
        Installer::Bundler => Vec::new(),
        Installer::Go => {
            let modules =
                variable("GOPATH").map_or_else(|| format!("{home}/go/pkg/mod"), |path| format!("{path}/pkg/mod"));
            let modules = (!is_fetched).then_some(modules);
            modules.into_iter().chain(below(".cache/go-build")).collect()
        }
        _ if is_fetched => Vec::new(),
        Installer::Cargo => {
            vec![
                variable("CARGO_HOME")
                    .map_or_else(|| format!("{home}/.cargo/registry"), |path| format!("{path}/registry")),
            ]
        }
        Installer::Maven => below(".m2"),
        Installer::Gradle => below(".gradle"),
    }
}
