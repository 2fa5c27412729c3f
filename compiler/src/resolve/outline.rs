//! What a target uses of its caller: arguments, secrets and SSH agents.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::header::Meaning;
use super::link::stage_links;
use super::walk::{Facts, Walked};
use crate::ast::ArgDeclaration;
use crate::program::StageId;
use crate::source::Span;

/// What a target uses, in the order of the file.
#[derive(Clone, Debug, Default)]
pub(crate) struct Usage {
    /// The target's name; empty if it has none.
    pub(crate) name: String,
    /// What the comment above it says about it.
    pub(crate) description: String,
    pub(crate) arguments: Vec<ArgumentUse>,
    pub(crate) secrets: Vec<CredentialUse>,
    pub(crate) agents: Vec<CredentialUse>,
}

/// An argument that is used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ArgumentUse {
    pub(crate) name: String,
    pub(crate) value: String,
    pub(crate) description: String,
    pub(crate) at: Span,
}

/// A secret or agent that is used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CredentialUse {
    pub(crate) id: String,
    pub(crate) required: bool,
    pub(crate) at: Span,
}

/// What one stage uses.
#[derive(Clone, Debug, Default)]
pub(super) struct StageUsage {
    /// The arguments it declares; without a value of their own if they are global ones.
    arguments: BTreeMap<String, Option<ArgumentUse>>,
    secrets: BTreeMap<String, (bool, Span)>,
    agents: BTreeMap<String, (bool, Span)>,
}

impl StageUsage {
    /// Notes an argument.
    pub(super) fn uses(&mut self, argument: &ArgDeclaration, value: Option<&str>, is_global: bool, at: Span) {
        let name = argument.name.text.clone();
        let own = (!is_global).then(|| ArgumentUse {
            name: name.clone(),
            value: value.unwrap_or_default().to_owned(),
            description: argument.description.clone(),
            at,
        });
        if own.is_some() || !self.arguments.contains_key(&name) {
            self.arguments.insert(name, own);
        }
    }

    pub(super) fn secret(&mut self, id: &str, required: bool, at: Span) {
        self.secrets.entry(id.to_owned()).or_insert((required, at));
    }

    pub(super) fn agent(&mut self, id: &str, required: bool, at: Span) {
        self.agents.entry(id.to_owned()).or_insert((required, at));
    }
}

/// Collects what a target and everything it needs use.
pub(super) fn usage(facts: &Facts<'_>, walked: &Walked, target: StageId) -> Usage {
    let stage = &facts.stages[target.0];
    let name = stage.from.name.as_ref().map(|name| name.name.clone()).unwrap_or_default();
    let comments = stage.instruction.comments.iter().map(|comment| comment.text.as_str());
    let description = crate::lex::comment::description(comments, &name).to_owned();
    let mut usage = Usage { name, description, ..Usage::default() };
    let mut arguments: HashMap<String, ArgumentUse> = HashMap::new();
    let (mut secrets, mut agents) = (BTreeMap::new(), BTreeMap::new());
    let mut seen = HashSet::new();
    let mut pending = vec![target];
    while let Some(id) = pending.pop() {
        if !seen.insert(id) {
            continue;
        }
        let header = facts.headers.get(id);
        pending.extend(stage_links(&facts.reach.tasks[id.0]).map(|(stage, _)| stage));
        if let Meaning::Stage(base) = header.base {
            pending.push(base);
        }
        let Some(own) = walked.usage(id) else { continue };
        let mut global: Vec<&str> = header.uses.iter().map(String::as_str).collect();
        for (name, argument) in &own.arguments {
            match argument {
                Some(argument) => {
                    arguments.entry(name.clone()).or_insert_with(|| argument.clone());
                }
                None => global.push(name),
            }
        }
        while let Some(name) = global.pop() {
            let Some(declared) = facts.globals.declared.get(name) else { continue };
            if !arguments.contains_key(name) {
                let (value, description) = (declared.value.clone(), declared.description.clone());
                let used = ArgumentUse { name: name.to_owned(), value, description, at: declared.at };
                arguments.insert(name.to_owned(), used);
                global.extend(declared.uses.iter().map(String::as_str));
            }
        }
        for (all, own) in [(&mut secrets, &own.secrets), (&mut agents, &own.agents)] {
            for (id, (required, at)) in own {
                all.entry(id.clone()).or_insert(CredentialUse { id: id.clone(), required: *required, at: *at });
            }
        }
    }
    usage.arguments = arguments.into_values().collect();
    usage.arguments.sort_by(|a, b| (a.at, &a.name).cmp(&(b.at, &b.name)));
    let sorted = |all: BTreeMap<String, CredentialUse>| {
        let mut all: Vec<CredentialUse> = all.into_values().collect();
        all.sort_by_key(|used| used.at);
        all
    };
    usage.secrets = sorted(secrets);
    usage.agents = sorted(agents);
    usage
}
