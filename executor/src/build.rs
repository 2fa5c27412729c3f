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

use layercake_compiler::plan::Plan;

use cancel::Cancel;
use error::StepError;
use product::Product;
use site::Site;

/// Carries out a plan and gives what each step has become, in the plan's order.
///
/// # Errors
/// The first step that cannot be done. The others are stopped; what was finished before is in the store.
pub fn materialize(plan: &Plan, site: &Site<'_>) -> Result<Vec<Product>, StepError> {
    let costs = past::costs(site.store, plan).map_err(|error| {
        // The store belongs to no step more than to another.
        StepError { step: plan.result, cause: Box::new(error.into()) }
    })?;
    let cancel = Cancel::default();
    let perform = |id, inputs: Vec<Product>| step::perform(plan, site, &cancel, id, &inputs);
    schedule::schedule(plan, site.jobs, &costs.remaining(plan), perform, || cancel.cancel())
}
