//! One step: list what it is made from, look that up, and do it if nobody has.

use std::time::Instant;

use layercake_cache::ContentKey;
use layercake_compiler::operation::{Git, MakeDir, Operation, Run};
use layercake_compiler::plan::{Plan, Step, StepId};

use super::cancel::Cancel;
use super::error::{Error, StepError};
use super::event::{Event, Finish};
use super::folders::{lacking, refuse};
use super::key::Ingredients;
use super::product::{Made, Product};
use super::site::{Reuse, Site, Word};
use super::tree::{Change, Tree};
use super::workspace::Workspace;
use super::{past, record};
use crate::op::copy::Copied;
use crate::op::way::Way;
use crate::op::{copy, git, http, make_dir, run};

/// Carries out one step of `plan`, given the products of its inputs.
///
/// # Errors
/// If it cannot be done.
pub fn perform(
    plan: &Plan,
    site: &Site<'_>,
    cancel: &Cancel,
    id: StepId,
    inputs: &[Product],
) -> Result<Product, StepError> {
    let step = &plan.steps[id.index()];
    product(plan, step, site, cancel, inputs).map_err(|cause| StepError { step: id, cause: Box::new(cause) })
}

/// An operation that changes a tree, with what was found out for its key.
pub(super) enum Action<'a> {
    Copy(copy::Sources<'a>),
    /// With the plan, in which others may come after it.
    Run(&'a Run, &'a Plan),
    MakeDir(&'a MakeDir, Option<Way>),
    Git(&'a Git),
}

fn product(plan: &Plan, step: &Step, site: &Site<'_>, cancel: &Cancel, inputs: &[Product]) -> Result<Product, Error> {
    let reuse = (site.reuse)(step);
    let describe = |ingredients: &Ingredients| (site.listener)(Event::Described { step: step.id, ingredients, reuse });
    if let Some(product) = given(plan, step, site, inputs)? {
        describe_given(step, inputs).iter().for_each(describe);
        return Ok(product);
    }
    if let Operation::Http(operation) = &step.operation {
        let made = http::bring(operation, step, site, cancel)?;
        return Ok(Product::Tree(Tree::scratch().with(&made.change), Some(made)));
    }
    let (mut action, mut ingredients) = Action::find(plan, step, inputs, site, cancel)?;
    if !site.caches.is_empty() && remembered(site, &ingredients.key(), reuse)?.is_none() {
        // What is done now is kept under its key. So that has to be made of what is known here.
        (action, ingredients) = Action::find(plan, step, inputs, &Site { word: Word::Ours, ..*site }, cancel)?;
    }
    describe(&ingredients);
    let made = made(step, &action, site, cancel, inputs, &ingredients.key(), reuse)?;
    Ok(Product::Tree(below(inputs).with(&made.change), Some(made)))
}

/// The product of a step that only names what is there, or puts together what was made.
pub(super) fn given(plan: &Plan, step: &Step, site: &Site<'_>, inputs: &[Product]) -> Result<Option<Product>, Error> {
    Ok(Some(match &step.operation {
        Operation::Scratch => Product::Tree(Tree::scratch(), None),
        Operation::Image(image) => {
            let tree = site.base(image)?;
            Product::Tree(if plan.reads_files_of(step.id) { tree } else { tree.only_added_to() }, None)
        }
        Operation::Context(context) => Product::Context(context.name.clone()),
        Operation::Inline(inline) => Product::Inline(inline.clone()),
        Operation::Stack => {
            let made = stacked(inputs);
            Product::Tree(below(inputs).with(&made.change), Some(made))
        }
        Operation::Http(_) | Operation::Git(_) | Operation::Copy(_) | Operation::Run(_) | Operation::MakeDir(_) => {
            return Ok(None);
        }
    }))
}

/// What is known of a step that makes nothing: it has no key, but others may differ because of it.
pub(super) fn describe_given(step: &Step, inputs: &[Product]) -> Option<Ingredients> {
    let mut ingredients = Ingredients::default();
    match &step.operation {
        Operation::Image(image) => {
            ingredients.add("operation", "image").add("reference", &image.reference);
            ingredients.add("digest", image.digest.as_deref().unwrap_or_default()).add("platform", &image.platform);
        }
        Operation::Stack => {
            ingredients.add("operation", "stack").add("tree", below(inputs).id());
            ingredients.add("layer", stacked(inputs).change.id);
        }
        _ => return None,
    }
    Some(ingredients)
}

/// What a [`Operation::Stack`] puts on the tree below.
fn stacked(inputs: &[Product]) -> Made {
    *inputs[1].made().expect("what is stacked is a step that changes trees")
}

/// The tree that a step changes. What has no inputs begins from nothing.
pub(super) fn below(inputs: &[Product]) -> Tree {
    let tree = |product: &Product| product.tree().expect("input 0 of these operations is a tree").clone();
    inputs.first().map_or_else(Tree::scratch, tree)
}

impl<'a> Action<'a> {
    /// Lists what a step is made from. Nothing is done yet.
    ///
    /// # Panics
    /// If the step is one that is [given], or brings a file: those have no action.
    pub(super) fn find(
        plan: &'a Plan,
        step: &'a Step,
        inputs: &'a [Product],
        site: &Site<'a>,
        cancel: &Cancel,
    ) -> Result<(Self, Ingredients), Error> {
        let mut ingredients = Ingredients::default();
        let action = match &step.operation {
            Operation::Git(operation) => {
                git::describe(operation, site, cancel, &mut ingredients)?;
                Self::Git(operation)
            }
            Operation::Copy(operation) => {
                let sources = copy::Sources::new(operation, inputs)?;
                sources.describe(&below(inputs), site, &mut ingredients)?;
                Self::Copy(sources)
            }
            Operation::Run(operation) => {
                run::describe(operation, inputs, site, &mut ingredients)?;
                Self::Run(operation, plan)
            }
            Operation::MakeDir(operation) => {
                Self::MakeDir(operation, make_dir::describe(operation, &below(inputs), site, &mut ingredients)?)
            }
            Operation::Scratch
            | Operation::Image(_)
            | Operation::Context(_)
            | Operation::Inline(_)
            | Operation::Stack
            | Operation::Http(_) => unreachable!("these steps have no action"),
        };
        Ok((action, ingredients))
    }

    /// All that it depends on of the tree below, where that is known and is not the whole tree.
    fn way(&self) -> Option<&Way> {
        match self {
            Self::Copy(sources) => sources.way(),
            Self::MakeDir(_, way) => way.as_ref(),
            Self::Run(..) | Self::Git(_) => None,
        }
    }
}

/// What a step changed: the remembered change set, or a new one.
fn made<'a>(
    step: &Step,
    action: &Action<'a>,
    site: &Site<'a>,
    cancel: &Cancel,
    inputs: &[Product],
    key: &ContentKey,
    reuse: Reuse,
) -> Result<Made, Error> {
    if let Some(made) = remembered(site, key, reuse)? {
        return Ok(finished(site, step.id, Finish::Cached, made));
    }
    // Another build may be at the same step; what it makes is as good as what we would.
    let _claim = site.store.claim(key)?;
    if let Some(made) = remembered(site, key, reuse)? {
        return Ok(finished(site, step.id, Finish::Cached, made));
    }
    cancel.check()?;
    require(needed(action, inputs), site)?;
    (site.listener)(Event::Started { step: step.id });
    let start = Instant::now();
    match apply(step, action, site, cancel, inputs) {
        Ok(change) => {
            let made = Made { change, at: jiff::Timestamp::now().as_second() };
            record::keep(site.store, key, made, start.elapsed())?;
            past::keep(site.store, step, start.elapsed())?;
            Ok(finished(site, step.id, Finish::Done(start.elapsed()), made))
        }
        // It will be begun again.
        Err(error) if error.is_gone() => Err(error),
        Err(error) => {
            (site.listener)(Event::Finished { step: step.id, how: Finish::Failed(start.elapsed()) });
            Err(error)
        }
    }
}

/// The trees that a step works on when it is done.
pub(super) fn needed<'p>(action: &Action<'_>, inputs: &'p [Product]) -> impl Iterator<Item = &'p Tree> + use<'p> {
    let is_apart = match action {
        Action::Copy(sources) => sources.way().is_some() || sources.sees_only_sources(),
        action => action.way().is_some(),
    };
    inputs.iter().skip(usize::from(is_apart)).filter_map(Product::tree)
}

/// Fails where nobody has a layer of a tree.
fn require<'p>(trees: impl Iterator<Item = &'p Tree>, site: &Site<'_>) -> Result<(), Error> {
    // What was made here is looked for when it is used.
    if site.caches.is_empty() {
        return Ok(());
    }
    let lacking: Vec<_> = trees.flat_map(|tree| lacking(tree, site.store, site.caches)).collect();
    refuse(&lacking, site.caches)
}

fn finished(site: &Site<'_>, step: StepId, how: Finish, made: Made) -> Made {
    (site.listener)(Event::Finished { step, how });
    made
}

/// What was made before from the same, if it may be used.
pub(super) fn remembered(site: &Site<'_>, key: &ContentKey, reuse: Reuse) -> Result<Option<Made>, Error> {
    match reuse {
        Reuse::Allowed => Ok(record::find(site.store, key)?.or_else(|| site.caches.step(key))),
        Reuse::Refused => Ok(None),
    }
}

/// Does the operation in a workspace of its own and stores what changed.
fn apply<'a>(
    step: &Step,
    action: &Action<'a>,
    site: &Site<'a>,
    cancel: &Cancel,
    inputs: &[Product],
) -> Result<Change, Error> {
    let workspace = match (action, inputs.first()) {
        // A linked copy is made apart from the tree below.
        (Action::Copy(sources), _) if sources.is_apart() => Workspace::new(site.store, Vec::new())?,
        (_, None) => Workspace::new(site.store, Vec::new())?,
        (action, Some(_)) if let Some(way) = action.way() => Workspace::along(site.store, way)?,
        (_, Some(below)) => {
            let below = below.tree().expect("input 0 of these operations is a tree");
            Workspace::new(site.store, site.folders(below)?)?
        }
    };
    let known = match action {
        Action::Copy(sources) => match sources.apply(&workspace, &inputs[0], (site.form)(step), site)? {
            Copied::Folder(known) => known,
            Copied::Pack(packed) => return Ok(packed.into()),
        },
        Action::MakeDir(operation, way) => make_dir::apply(operation, way.as_ref(), &workspace, &inputs[0], site)?,
        Action::Git(operation) => git::apply(operation, &workspace, site, cancel).map(|()| None)?,
        Action::Run(operation, plan) => {
            let next = plan.command_on(step.id);
            run::apply(operation, next, step.id, &workspace, inputs, site, cancel).map(|()| None)?
        }
    };
    workspace.finish(known, site.store)
}
