//! The ingredients in which two steps differ, by name.

use std::collections::{BTreeMap, BTreeSet};

use layercake_cache::{Error as StoreError, Store};
use layercake_compiler::plan::StepId;

use super::history::{Build, Held, Op, Step};
use super::listing::{self, Entry, Listing};
use super::reason::{Change, Kind, Lock, Reason};
use crate::build::key::Ingredients;

/// A step of a build, and what it was made from.
#[derive(Clone, Copy, Debug)]
pub struct Side<'a> {
    /// The build.
    pub build: &'a Build,
    /// The step.
    pub step: &'a Step,
    /// What it was made from.
    pub ingredients: &'a Ingredients,
}

/// The values of each name, in order. Names may repeat.
type Values<'a> = BTreeMap<&'a str, Vec<&'a str>>;

/// Everything in which a step differs from what it was.
///
/// # Errors
/// If the store cannot be read.
pub fn differences(store: &Store, old: Side<'_>, new: Side<'_>) -> Result<Vec<Reason>, StoreError> {
    let mut found = Vec::new();
    let (before, after) = (values(old.ingredients), values(new.ingredients));
    let names: BTreeSet<&str> = before.keys().chain(after.keys()).copied().collect();
    let differ = |names: &[&str]| names.iter().any(|name| before.get(name) != after.get(name));
    // Another destination has another way, and what is made apart has none.
    let another_folder = new.step.op == Op::MakeDir && differ(&["path"]);
    let another_way = another_folder || differ(&["destination", "link", "tree"]);
    let another_owner = differ(&["owner"]);
    for name in names {
        let none = Vec::new();
        let (before, after) = (before.get(name).unwrap_or(&none), after.get(name).unwrap_or(&none));
        if before == after {
            continue;
        }
        let (was, is) = (joined(before), joined(after));
        match name.split_once(' ').unwrap_or((name, "")) {
            ("operation" | "name" | "path", "") if name != "path" || new.step.op != Op::MakeDir => (),
            // Each source has its own: which there are is said already.
            ("owners", _) if before.len() != after.len() => (),
            // A linked copy does not depend on the tree.
            ("tree", _) if was.is_none() || is.is_none() => (),
            ("tree", _) => found.extend(below(old, new)),
            ("layer", _) => found.extend(input(old, new, 1)),
            ("way", _) if another_way => (),
            ("way", path) => found.push(Reason::of(Kind::Way, path, was, is)),
            ("owner", "below") if another_owner => (),
            ("owner", "below") => found.push(Reason::of(Kind::Way, "--chown", was, is)),
            ("argument", _) => add_once(&mut found, command(old, new)),
            ("variable", variable) => found.push(of_variable(old, new, variable, was, is)),
            ("content", _) if new.step.op == Op::Copy => of_content(store, old, new, name, &mut found)?,
            ("mounted", _) => of_content(store, old, new, name, &mut found)?,
            ("content" | "commit" | "object" | "remote" | "reference", "") if new.step.op != Op::Image => {
                found.push(Reason { lock: lock(old, new), ..Reason::of(Kind::Source, new.step.name.clone(), was, is) });
            }
            ("reference" | "digest", _) => add_once(&mut found, base(old, new)),
            ("platform", _) => found.push(Reason::of(Kind::Platform, "", was, is)),
            ("mount", target) => found.push(Reason::of(Kind::Mount, target, was, is)),
            ("source" | "destination", _) => found.push(Reason::of(Kind::Paths, name, was, is)),
            ("path", _) => found.push(Reason::of(Kind::Setting, "WORKDIR", was, is)),
            ("user", _) => found.push(Reason::of(Kind::Setting, "USER", was, is)),
            ("workdir", _) => found.push(Reason::of(Kind::Setting, "WORKDIR", was, is)),
            _ => found.push(Reason::of(Kind::Flag, flag(name, new.step.op), was, is)),
        }
    }
    of_names(&before, &after, &mut found);
    of_arguments(old, new, &mut found);
    if found.is_empty() && old.ingredients != new.ingredients {
        found.push(Reason::bare(Kind::Order));
    }
    Ok(found)
}

/// That the tree below differs, and the step to which it owes that: one that was not done again is not it.
fn below(old: Side<'_>, new: Side<'_>) -> Option<Reason> {
    let first = *new.step.inputs.first()?;
    let mut id = first;
    while let Some(step) = new.build.steps.get(id.index())
        && matches!(step.op, Op::Copy | Op::MakeDir)
        && step.key.is_some()
        && old.build.steps.iter().any(|known| known.key == step.key)
        && let Some(below) = step.inputs.first()
    {
        id = *below;
    }
    if id == first { input(old, new, 0) } else { Some(Reason::step(id)) }
}

fn values(ingredients: &Ingredients) -> Values<'_> {
    let mut values = Values::new();
    for (name, value) in ingredients.iter() {
        values.entry(name).or_default().push(value);
    }
    values
}

/// Several values of a name as one; of none, none.
fn joined(values: &[&str]) -> Option<String> {
    (!values.is_empty()).then(|| values.join(" "))
}

fn add_once(found: &mut Vec<Reason>, reason: Reason) {
    if !found.contains(&reason) {
        found.push(reason);
    }
}

/// The flag that an ingredient comes from, where it is one.
fn flag(name: &str, op: Op) -> String {
    match (name.split_once(' ').unwrap_or((name, "")), op) {
        (("owner", _), Op::Copy) => "--chown".to_owned(),
        (("mode", _), Op::Copy) => "--chmod".to_owned(),
        (("host", host), _) => format!("--add-host {host}"),
        (("shm", _), _) => "--shm-size".to_owned(),
        (("limit", _), _) => "--ulimit".to_owned(),
        (("keep", _), _) => "--keep-git-dir".to_owned(),
        (("link" | "parents" | "exclude" | "unpack" | "network" | "security" | "device", _), _) => format!("--{name}"),
        _ => name.to_owned(),
    }
}

/// The whole command, without the shell if that is the same one.
fn command(old: Side<'_>, new: Side<'_>) -> Reason {
    let words = |side: Side<'_>| -> Vec<String> {
        let arguments = side.ingredients.iter().filter(|(name, _)| name.starts_with("argument "));
        arguments.map(|(_, value)| value.to_owned()).collect()
    };
    let (before, after) = (words(old), words(new));
    let is_shell = |words: &[String]| words.len() > 1 && words.len() == before.len() && words.len() == after.len();
    let same = before.iter().zip(&after).take_while(|(a, b)| a == b).count();
    let start = if is_shell(&before) && same + 1 == before.len() { same } else { 0 };
    Reason::of(Kind::Command, "", Some(before[start..].join(" ")), Some(after[start..].join(" ")))
}

/// A variable is a build argument if it was declared, and its value is not one that the Dockerfile gives it.
fn of_variable(old: Side<'_>, new: Side<'_>, name: &str, was: Option<String>, is: Option<String>) -> Reason {
    let declared = |side: Side<'_>| side.build.arguments.get(name).cloned();
    let (before, after) = (declared(old), declared(new));
    let is_argument = before != after || after.as_deref() == Some("");
    Reason::of(if is_argument { Kind::Argument } else { Kind::Variable }, name, was, is)
}

/// The image's name and digest, before and now.
fn base(old: Side<'_>, new: Side<'_>) -> Reason {
    let value = |side: Side<'_>, wanted: &str| {
        let mut found = side.ingredients.iter().filter(|(name, _)| *name == wanted);
        found.next().map_or_else(String::new, |(_, value)| value.to_owned())
    };
    let [was, is] = [old, new].map(|side| value(side, "reference"));
    let [before, after] = [old, new].map(|side| value(side, "digest"));
    if was == is {
        return Reason { lock: lock(old, new), ..Reason::of(Kind::Base, is, Some(before), Some(after)) };
    }
    Reason::of(Kind::Base, is.clone(), Some(format!("{was}@{before}")), Some(format!("{is}@{after}")))
}

/// That an input differs; if it is another instruction than before, which two they are.
fn input(old: Side<'_>, new: Side<'_>, slot: usize) -> Option<Reason> {
    let name = |side: Side<'_>| {
        let id = side.step.inputs.get(slot)?;
        side.build.steps.get(id.index()).map(|step| step.name.clone())
    };
    let (was, is) = (name(old), name(new));
    let reason = Reason::step(*new.step.inputs.get(slot)?);
    Some(if was == is { reason } else { Reason { old: was, new: is, ..reason } })
}

/// What the lock file has to do with the name of something leading elsewhere.
fn lock(old: Side<'_>, new: Side<'_>) -> Option<Lock> {
    match (old.step.held, new.step.held) {
        (Held::Free, Held::Free) => None,
        (Held::Locked, Held::Locked) => Some(Lock::Renewed),
        (Held::Free, Held::Locked) => Some(Lock::Added),
        (Held::Locked, Held::Free) => Some(Lock::Dropped),
    }
}

/// What a wildcard or a link selects, where the files that are selected do not say it.
fn of_names(before: &Values<'_>, after: &Values<'_>, found: &mut Vec<Reason>) {
    let names = |values: &Values<'_>| joined(values.get("name").map_or(&[], Vec::as_slice));
    let (was, is) = (names(before), names(after));
    let is_said =
        found.iter().any(|reason| matches!(reason.kind, Kind::File | Kind::Paths | Kind::Heredoc | Kind::Content));
    if was != is && !is_said {
        found.push(Reason::of(Kind::Paths, "source", was, is));
    }
}

/// The build arguments that the instruction names: what is different may come from them.
fn of_arguments(old: Side<'_>, new: Side<'_>, found: &mut Vec<Reason>) {
    // What a command sees of them are variables.
    if new.step.op == Op::Run || found.iter().all(|reason| reason.kind == Kind::Step) {
        return;
    }
    for name in &new.step.uses {
        let (was, is) = (old.build.arguments.get(name).cloned(), new.build.arguments.get(name).cloned());
        let is_said = found.iter().any(|reason| reason.kind == Kind::Argument && reason.name == *name);
        if was != is && !is_said {
            found.push(Reason::of(Kind::Argument, name.clone(), was, is));
        }
    }
}

/// The files that differ in what is taken from an input.
fn of_content(
    store: &Store,
    old: Side<'_>,
    new: Side<'_>,
    name: &str,
    found: &mut Vec<Reason>,
) -> Result<(), StoreError> {
    let (before, after) = (contents(old, name), contents(new, name));
    for place in 0..before.len().max(after.len()) {
        let (was, is) = (before.get(place), after.get(place));
        if was.map(|was| was.0) == is.map(|is| is.0) {
            continue;
        }
        let source = is.and_then(|(_, step)| new.build.steps.get(step.index()));
        let op = source.map(|step| step.op);
        let is_tree = !matches!(op, None | Some(Op::Context | Op::Inline));
        if is_tree && name.starts_with("mounted ") {
            found.extend(source.map(|step| Reason::step(step.id)));
            continue;
        }
        let (Some((was, _)), Some((is, _))) = (was, is) else { continue };
        let files = listing::differing(store, was, is)?.map_or_else(Vec::new, |(was, is)| files(&was, &is));
        let kind = if op == Some(Op::Inline) { Kind::Heredoc } else { Kind::File };
        if files.is_empty() {
            let name = name.split_once(' ').map_or(name, |(_, name)| name);
            found.push(Reason::of(Kind::Content, name, Some((*was).to_owned()), Some((*is).to_owned())));
        }
        let is_listed = files.iter().any(|file| matches!(file.change, Some(Change::Added | Change::Removed)));
        let from = source.filter(|_| is_tree).map(|step| step.id);
        found.extend(files.into_iter().map(|file| Reason { kind, step: from, ..file }));
        if let Some(step) = from {
            add_once(found, Reason::step(step));
        }
        if op == Some(Op::Context) && is_listed {
            of_ignored(old, new, source.map_or("", |step| step.name.as_str()), found);
        }
    }
    Ok(())
}

/// The ids of contents with this name, and the steps that they come from.
fn contents<'a>(side: Side<'a>, wanted: &str) -> Vec<(&'a str, StepId)> {
    let contents =
        side.ingredients.iter().filter(|(name, _)| name.starts_with("content ") || name.starts_with("mounted "));
    let sources = contents.zip(&side.step.sources).filter(|((name, _), _)| *name == wanted);
    sources.map(|((_, value), step)| (value, *step)).collect()
}

/// Lines of an ignore file that are new or gone. `context` is what the step is called.
fn of_ignored(old: Side<'_>, new: Side<'_>, context: &str, found: &mut Vec<Reason>) {
    let name = context.strip_prefix("context ").unwrap_or_default();
    let lines = |side: Side<'_>| side.build.ignored.get(name).cloned().unwrap_or_default();
    let (was, is) = (lines(old), lines(new));
    if was != is {
        let only = |these: &[String], those: &[String]| {
            let lines: Vec<&str> = these.iter().filter(|line| !those.contains(line)).map(String::as_str).collect();
            joined(&lines)
        };
        let name = if name.is_empty() { ".dockerignore".to_owned() } else { format!(".dockerignore of {name}") };
        add_once(found, Reason::of(Kind::Ignore, name, only(&was, &is), only(&is, &was)));
    }
}

/// What there is to say of the entries in which two selections differ.
fn files(old: &Listing, new: &Listing) -> Vec<Reason> {
    let mut found = Vec::new();
    let paths: BTreeSet<&String> = old.0.keys().chain(new.0.keys()).collect();
    for path in paths {
        let name = if path.is_empty() { "." } else { path };
        let mut add = |change, was: Option<String>, is: Option<String>| {
            found.push(Reason { change: Some(change), ..Reason::of(Kind::File, name, was, is) });
        };
        match (old.0.get(path), new.0.get(path)) {
            (None, Some(entry)) => add(Change::Added, None, Some(shown(entry))),
            (Some(entry), None) => add(Change::Removed, Some(shown(entry)), None),
            (Some(was), Some(is)) if was.kind != is.kind => {
                add(Change::Type, Some(was.kind.name().to_owned()), Some(is.kind.name().to_owned()));
            }
            (Some(was), Some(is)) => {
                if was.content != is.content {
                    add(Change::Content, Some(was.content.clone()), Some(is.content.clone()));
                }
                if was.mode != is.mode {
                    add(Change::Mode, Some(format!("{:04o}", was.mode)), Some(format!("{:04o}", is.mode)));
                }
                if was.owner != is.owner {
                    let owner = |entry: &Entry| Some(format!("{}:{}", entry.owner.0, entry.owner.1));
                    add(Change::Owner, owner(was), owner(is));
                }
                if was.attributes != is.attributes {
                    add(Change::Attributes, None, None);
                }
            }
            (None, None) => (),
        }
    }
    found
}

/// What a new or removed entry is known by.
fn shown(entry: &Entry) -> String {
    if entry.content.is_empty() { entry.kind.name().to_owned() } else { entry.content.clone() }
}
