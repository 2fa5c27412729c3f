//! One step: list what it is made from, look that up, and do it if nobody has.

use std::time::Instant;

use layercake_cache::ContentKey;
use layercake_compiler::operation::{Git, MakeDir, Operation, Run};
use layercake_compiler::plan::{Plan, Step, StepId};

use super::cancel::Cancel;
use super::error::{Error, StepError};
use super::event::{Event, Finish};
use super::key::Ingredients;
use super::product::{Made, Product};
use super::record;
use super::site::{Reuse, Site};
use super::tree::{Change, Tree};
use super::workspace::Workspace;
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
    product(step, site, cancel, inputs).map_err(|cause| StepError { step: id, cause: Box::new(cause) })
}

/// An operation that changes a tree, with what was found out for its key.
enum Action<'a> {
    Copy(copy::Sources<'a>),
    Run(&'a Run),
    MakeDir(&'a MakeDir),
    Git(&'a Git),
}

fn product(step: &Step, site: &Site<'_>, cancel: &Cancel, inputs: &[Product]) -> Result<Product, Error> {
    let mut ingredients = Ingredients::default();
    let below = || inputs.first().and_then(Product::tree).expect("input 0 of these operations is a tree");
    let action = match &step.operation {
        Operation::Scratch => return Ok(Product::Tree(Tree::scratch(), None)),
        Operation::Image(image) => {
            let tree = site.base(image)?;
            ingredients.add("operation", "image").add("reference", &image.reference);
            ingredients.add("digest", image.digest.as_deref().unwrap_or_default()).add("platform", &image.platform);
            let reuse = (site.reuse)(step);
            (site.listener)(Event::Described { step: step.id, ingredients: &ingredients, reuse });
            return Ok(Product::Tree(tree, None));
        }
        Operation::Context(context) => return Ok(Product::Context(context.name.clone())),
        Operation::Inline(inline) => return Ok(Product::Inline(inline.clone())),
        Operation::Http(operation) => {
            let made = http::bring(operation, step.id, (site.reuse)(step), site, cancel)?;
            return Ok(Product::Tree(Tree::scratch().with(&made.change), Some(made)));
        }
        Operation::Git(operation) => {
            git::describe(operation, site, cancel, &mut ingredients)?;
            Action::Git(operation)
        }
        Operation::Copy(operation) => {
            let sources = copy::Sources::find(operation, inputs, site)?;
            sources.describe(below(), site, &mut ingredients)?;
            Action::Copy(sources)
        }
        Operation::Run(operation) => {
            run::describe(operation, inputs, site, &mut ingredients)?;
            Action::Run(operation)
        }
        Operation::MakeDir(operation) => {
            make_dir::describe(operation, inputs, &mut ingredients);
            Action::MakeDir(operation)
        }
    };
    let reuse = (site.reuse)(step);
    (site.listener)(Event::Described { step: step.id, ingredients: &ingredients, reuse });
    let made = made(step, &action, site, cancel, inputs, &ingredients.key(), reuse)?;
    // What has no inputs begins from nothing.
    let below = inputs.first().map_or_else(Tree::scratch, |_| below().clone());
    Ok(Product::Tree(below.with(&made.change), Some(made)))
}

/// What a step changed: the remembered change set, or a new one.
fn made(
    step: &Step,
    action: &Action<'_>,
    site: &Site<'_>,
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
    (site.listener)(Event::Started { step: step.id });
    let start = Instant::now();
    match apply(step, action, site, cancel, inputs) {
        Ok(change) => {
            let made = Made { change, at: jiff::Timestamp::now().as_second() };
            record::keep(site.store, key, made, start.elapsed())?;
            Ok(finished(site, step.id, Finish::Done(start.elapsed()), made))
        }
        Err(error) => {
            (site.listener)(Event::Finished { step: step.id, how: Finish::Failed(start.elapsed()) });
            Err(error)
        }
    }
}

fn finished(site: &Site<'_>, step: StepId, how: Finish, made: Made) -> Made {
    (site.listener)(Event::Finished { step, how });
    made
}

/// What was made before from the same, if it may be used.
fn remembered(site: &Site<'_>, key: &ContentKey, reuse: Reuse) -> Result<Option<Made>, Error> {
    match reuse {
        Reuse::Allowed => Ok(record::find(site.store, key)?),
        Reuse::Refused => Ok(None),
    }
}

/// Does the operation in a workspace of its own and stores what changed.
fn apply(
    step: &Step,
    action: &Action<'_>,
    site: &Site<'_>,
    cancel: &Cancel,
    inputs: &[Product],
) -> Result<Change, Error> {
    let lowers = match (action, inputs.first()) {
        // A linked copy is made apart from the tree below.
        (Action::Copy(sources), _) if sources.is_apart() => Vec::new(),
        (_, None) => Vec::new(),
        (_, Some(below)) => site.folders(below.tree().expect("input 0 of these operations is a tree"))?,
    };
    let workspace = Workspace::new(site.store, lowers)?;
    match action {
        Action::Copy(sources) => sources.apply(&workspace, &inputs[0], site)?,
        Action::MakeDir(operation) => make_dir::apply(operation, &workspace)?,
        Action::Git(operation) => git::apply(operation, &workspace, site, cancel)?,
        Action::Run(operation) => run::apply(operation, step.id, &workspace, inputs, site, cancel)?,
    }
    workspace.finish(site.store)
}
