//! One step: list what it is made from, look that up, and do it if nobody has.

use std::time::Instant;

use layercake_cache::ContentKey;
use layercake_compiler::operation::Operation;
use layercake_compiler::plan::{Plan, Step, StepId};
use serde::{Deserialize, Serialize};

use super::cancel::Cancel;
use super::error::{Error, StepError};
use super::event::{Event, Finish};
use super::key::Ingredients;
use super::product::{Made, Product};
use super::site::{Reuse, Site};
use super::tree::{Change, Tree};
use super::workspace::Workspace;
use crate::op::{copy, git, make_dir, run};

/// What the store remembers of a step.
#[derive(Debug, Serialize, Deserialize)]
struct Record {
    made: Made,
    /// How long it took, in milliseconds.
    took: u64,
}

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

fn product(step: &Step, site: &Site<'_>, cancel: &Cancel, inputs: &[Product]) -> Result<Product, Error> {
    let mut ingredients = Ingredients::default();
    match &step.operation {
        Operation::Scratch => return Ok(Product::Tree(Tree::scratch(), None)),
        Operation::Image(image) => return Ok(Product::Tree(site.base(image)?, None)),
        Operation::Context(context) => return Ok(Product::Context(context.name.clone())),
        Operation::Inline(inline) => return Ok(Product::Inline(inline.clone())),
        Operation::Http(_) => return Err(Error::NotBuilt("`ADD` of a URL")),
        Operation::Git(operation) => git::describe(operation, site, cancel, &mut ingredients)?,
        Operation::Copy(operation) => copy::describe(operation, inputs, site, &mut ingredients)?,
        Operation::Run(operation) => run::describe(operation, inputs, site, &mut ingredients)?,
        Operation::MakeDir(operation) => make_dir::describe(operation, inputs, &mut ingredients),
    }
    // What has no inputs begins from nothing.
    let below = match inputs.first() {
        Some(input) => input.tree().expect("input 0 of these operations is a tree").clone(),
        None => Tree::scratch(),
    };
    let made = made(step, site, cancel, &below, inputs, &ingredients.key())?;
    Ok(Product::Tree(below.with(&made.change), Some(made)))
}

/// What a step changed: the remembered change set, or a new one.
fn made(
    step: &Step,
    site: &Site<'_>,
    cancel: &Cancel,
    below: &Tree,
    inputs: &[Product],
    key: &ContentKey,
) -> Result<Made, Error> {
    let reuse = (site.reuse)(step);
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
    match apply(step, site, cancel, below, inputs) {
        Ok(change) => {
            let made = Made { change, at: jiff::Timestamp::now().as_second() };
            let took = u64::try_from(start.elapsed().as_millis()).unwrap_or(u64::MAX);
            let record = serde_json::to_vec(&Record { made, took }).expect("ids and numbers are always JSON");
            site.store.put_record(key, &record)?;
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

/// What was made before from the same, if its folder is still there. A record that cannot be read is none.
fn remembered(site: &Site<'_>, key: &ContentKey, reuse: Reuse) -> Result<Option<Made>, Error> {
    if reuse == Reuse::Refused {
        return Ok(None);
    }
    let record = site.store.record(key)?;
    let made = record.and_then(|record| serde_json::from_slice::<Record>(&record).ok()).map(|record| record.made);
    Ok(made.filter(|made| site.store.has_folder(&made.change.folder)))
}

/// Does the operation in a workspace of its own and stores what changed.
fn apply(step: &Step, site: &Site<'_>, cancel: &Cancel, below: &Tree, inputs: &[Product]) -> Result<Change, Error> {
    // A linked copy is made apart from the tree below.
    let is_apart = matches!(&step.operation, Operation::Copy(copy) if copy.link);
    let workspace = Workspace::new(site.store, if is_apart { Vec::new() } else { site.folders(below)? })?;
    match &step.operation {
        Operation::Copy(operation) => copy::apply(operation, &workspace, inputs, site)?,
        Operation::MakeDir(operation) => make_dir::apply(operation, &workspace)?,
        Operation::Git(operation) => git::apply(operation, &workspace, site, cancel)?,
        Operation::Run(operation) => run::apply(operation, step.id, &workspace, inputs, site, cancel)?,
        Operation::Image(_)
        | Operation::Scratch
        | Operation::Context(_)
        | Operation::Inline(_)
        | Operation::Http(_) => unreachable!("these change no tree"),
    }
    workspace.finish(site.store)
}
