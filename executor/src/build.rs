//! Carrying out a plan: from steps to trees, and from trees to an image.

pub mod cancel;
pub mod error;
pub mod event;
pub mod folders;
pub mod key;
pub mod outline;
pub mod past;
pub mod predict;
pub mod product;
pub mod record;
pub mod schedule;
pub mod site;
pub mod step;
pub mod tree;
pub mod workspace;

use std::collections::HashSet;

use layercake_cache::ContentId;
use layercake_compiler::plan::{Plan, PlannedHistory};

use crate::layer::pack;
use cancel::Cancel;
use error::{Error, StepError};
use product::Product;
use site::Site;
use tree::{Layer, Tree};

/// Carries out a plan and gives what each step has become, in the plan's order. What the result is made of is in the store then,
/// or a cache has it.
///
/// Of a step it may be known what it became and nobody may have that: its layer did not travel. Where it is needed all the same,
/// the plan is carried out again from the start, and that step is no longer known. What has been done is found in the store, so
/// that no more is done than this step; and if it becomes something else now, all that follows is looked up by that. So what was
/// made from the one never meets what was made from the other.
///
/// # Errors
/// The first step that cannot be done. The others are stopped; what was finished before is in the store.
pub fn materialize(plan: &Plan, site: &Site<'_>) -> Result<Vec<Product>, StepError> {
    // The store belongs to no step more than to another.
    let of_all = |cause: Error| StepError { step: plan.result, cause: Box::new(cause) };
    let costs = past::costs(site.store, plan).map_err(|error| of_all(error.into()))?;
    let remaining = costs.remaining(plan);
    loop {
        let known = site.caches.given_up();
        let is_gone = |error: &StepError| error.cause.is_gone() && site.caches.given_up() > known;
        let cancel = Cancel::default();
        let perform = |id, inputs: Vec<Product>| step::perform(plan, site, &cancel, id, &inputs);
        let products = schedule::schedule(plan, site.jobs, &remaining, perform, |error| {
            // Commands that are under way are not in vain if something is only to be done again.
            if !error.is_some_and(is_gone) {
                cancel.cancel();
            }
        });
        match products {
            Err(error) if is_gone(&error) => (),
            Err(error) => return Err(error),
            Ok(products) => {
                if is_complete(plan, &products, site).map_err(of_all)? || site.caches.given_up() == known {
                    return Ok(products);
                }
            }
        }
    }
}

/// Whether what the result is made of can be had; else it is noted what cannot.
fn is_complete(plan: &Plan, products: &[Product], site: &Site<'_>) -> Result<bool, Error> {
    let of_tree = products[plan.result.index()].tree().into_iter().flat_map(Tree::layers);
    let of_tree =
        of_tree.filter_map(|layer| if let Layer::Change(change) = layer { Some(change.folder) } else { None });
    let of_image = plan.image.history.iter().flat_map(PlannedHistory::steps);
    let of_image = of_image.filter_map(|step| products[step.index()].made()).map(|made| made.change.folder);
    let folders: HashSet<ContentId> = of_tree.chain(of_image).collect();
    let mut lacking = Vec::new();
    for folder in folders.into_iter().filter(|folder| !pack::is_here(site.store, folder)) {
        if !site.caches.secure(site.store, &folder, site.listener)? {
            lacking.push(folder);
        }
    }
    let is_complete = lacking.is_empty();
    site.caches.give_up(&lacking);
    Ok(is_complete)
}
