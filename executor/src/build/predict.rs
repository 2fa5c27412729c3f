//! Prediction: what a build of a plan would find in the store, found out the way the build does, without doing anything.
//!
//! A key is made of what the inputs of a step became, so nothing is known of what lies below a step that is not in the
//! store: what it makes may be what it made before.

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};

use layercake_cache::ContentKey;
use layercake_compiler::operation::Operation;
use layercake_compiler::plan::{Outlook, Plan, Step, StepId};

use super::cancel::Cancel;
use super::error::{Error, StepError};
use super::folders::lacking;
use super::key::Ingredients;
use super::product::Product;
use super::site::{Reuse, Site};
use super::step::{Action, below, describe_given, given, needed, remembered};
use super::tree::Tree;
use crate::http::source::Stored;
use crate::op::copy::sees_only_sources;
use crate::op::http;

/// What a build would find of a step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prediction {
    /// What it is made from, where that can be known.
    pub ingredients: Option<Ingredients>,
    /// Whether it will be done.
    pub outlook: Outlook,
    /// Whether its result may come from the cache.
    pub reuse: Reuse,
    /// What else there is to say. Why a step is a miss, the builds before tell.
    pub remark: Option<Remark>,
}

/// What else there is to say of a step that is not simply a hit or a miss.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Remark {
    /// The build makes it, as this step.
    SameAs(StepId),
    /// It depends on what comes of this step.
    Below(StepId),
    /// Its server would have to be asked.
    Unasked,
    /// It takes files of a base image that would have to be fetched.
    NotFetched,
}

impl fmt::Display for Remark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SameAs(step) => write!(f, "the same as {step}"),
            Self::Below(step) => write!(f, "it depends on {step}"),
            Self::Unasked => f.write_str("its server is not asked"),
            Self::NotFetched => f.write_str("its source is not here"),
        }
    }
}

impl Prediction {
    /// The step's key, where that can be known.
    #[must_use]
    pub fn key(&self) -> Option<ContentKey> {
        self.ingredients.as_ref().map(Ingredients::key)
    }

    fn hit(ingredients: Option<Ingredients>) -> Self {
        Self { ingredients, outlook: Outlook::Hit, reuse: Reuse::Allowed, remark: None }
    }

    fn unknown(remark: Remark) -> Self {
        Self { ingredients: None, outlook: Outlook::Unknown, reuse: Reuse::Allowed, remark: Some(remark) }
    }

    /// Of a step that only names what is there, or puts together what was made.
    fn given(ingredients: Option<Ingredients>) -> Self {
        Self { ingredients, outlook: Outlook::Given, reuse: Reuse::Allowed, remark: None }
    }
}

/// Says for each step of a plan what a build at this site would find. Nothing is run, and nobody is asked.
///
/// # Errors
/// What the build would fail with as soon as it comes to a step whose inputs are known: a file to copy that is not there.
pub fn predict(plan: &Plan, site: &Site<'_>) -> Result<Vec<Prediction>, StepError> {
    let wanted = AtomicBool::new(false);
    let fetch = |_: &_| {
        wanted.store(true, Ordering::Relaxed);
        Ok(())
    };
    loop {
        let known = site.caches.given_up();
        let site = Site { fetch: &fetch, listener: &|_| (), ..*site };
        let mut walk = Walk { plan, site, wanted: &wanted, products: Vec::new(), made: HashMap::new() };
        let predict = |step: &Step| {
            let found = walk.step(step).map_err(|cause| StepError { step: step.id, cause: Box::new(cause) });
            let (prediction, product) = found?;
            walk.products.push(product);
            Ok(prediction)
        };
        let predictions: Result<Vec<Prediction>, StepError> = plan.steps.iter().map(predict).collect();
        let is_gone = predictions.as_ref().is_err_and(|error| error.cause.is_gone());
        // As a build begins again when a layer is needed that nobody has.
        if walk.site.caches.given_up() == known || !(is_gone || predictions.is_ok()) {
            return predictions;
        }
    }
}

/// The steps so far.
struct Walk<'a> {
    plan: &'a Plan,
    site: Site<'a>,
    /// Whether a layer was wanted that is not here.
    wanted: &'a AtomicBool,
    products: Vec<Outcome>,
    /// What will be made, and by which step.
    made: HashMap<ContentKey, StepId>,
}

/// What a step has become; or the step that has to be done for that to be known.
type Outcome = Result<Product, StepId>;

impl Walk<'_> {
    fn step(&mut self, step: &Step) -> Result<(Prediction, Outcome), Error> {
        match &step.operation {
            Operation::Http(operation) => {
                let (ingredients, stored) = http::stored(operation, step, &self.site)?;
                Ok(match stored {
                    Stored::Here(made) => {
                        let tree = Tree::scratch().with(&made.change);
                        (Prediction::hit(ingredients), Ok(Product::Tree(tree, Some(made))))
                    }
                    Stored::Absent => (self.miss(step, ingredients), Err(step.id)),
                    Stored::Unasked => (Prediction::unknown(Remark::Unasked), Err(step.id)),
                })
            }
            Operation::Git(operation) if !self.site.git.needs_nobody(operation)? => {
                Ok((self.unless_refused(step, Remark::Unasked), Err(step.id)))
            }
            _ => match self.inputs(step) {
                Ok((inputs, base)) => match given(self.plan, step, &self.site, &inputs)? {
                    Some(product) => Ok((Prediction::given(describe_given(step, &inputs)), Ok(product))),
                    None => self.look_up(step, &inputs, base),
                },
                // It is never looked up, whatever its parts become.
                Err(open) if step.operation == Operation::Stack => Ok((Prediction::given(None), Err(open))),
                Err(open) => {
                    let prediction = self.unless_refused(step, Remark::Below(open));
                    let open = if prediction.outlook == Outlook::Miss { step.id } else { open };
                    Ok((prediction, Err(open)))
                }
            },
        }
    }

    /// The inputs of a step, and what the tree that it goes on waits for, if it does not see that; or else what they wait for.
    fn inputs(&self, step: &Step) -> Result<(Vec<Product>, Result<(), StepId>), StepId> {
        let is_apart = matches!(&step.operation, Operation::Copy(copy) if sees_only_sources(copy));
        let mut base = Ok(());
        let mut inputs = Vec::with_capacity(step.inputs.len());
        for (slot, input) in step.inputs.iter().enumerate() {
            match &self.products[input.index()] {
                Ok(product) => inputs.push(product.clone()),
                Err(open) if slot == 0 && is_apart => {
                    base = Err(*open);
                    inputs.push(Product::Tree(Tree::scratch(), None));
                }
                Err(open) => return Err(*open),
            }
        }
        Ok((inputs, base))
    }

    /// Finds the key of a step, and what the store has of it.
    fn look_up(
        &mut self,
        step: &Step,
        inputs: &[Product],
        base: Result<(), StepId>,
    ) -> Result<(Prediction, Outcome), Error> {
        self.wanted.store(false, Ordering::Relaxed);
        let (action, ingredients) = match Action::find(self.plan, step, inputs, &self.site, &Cancel::default()) {
            Ok(found) => found,
            Err(error) if self.wanted.load(Ordering::Relaxed) || error.is_unasked() => {
                return Ok((self.unless_refused(step, Remark::NotFetched), Err(step.id)));
            }
            Err(error) => return Err(error),
        };
        let (key, reuse) = (ingredients.key(), (self.site.reuse)(step));
        if let Some(made) = remembered(&self.site, &key, reuse)? {
            let tree = below(inputs).with(&made.change);
            return Ok((Prediction::hit(Some(ingredients)), base.map(|()| Product::Tree(tree, Some(made)))));
        }
        if let Some(same) = self.made.get(&key).copied().filter(|_| reuse == Reuse::Allowed) {
            let remark = Some(Remark::SameAs(same));
            return Ok((Prediction { remark, ..Prediction::hit(Some(ingredients)) }, Err(same)));
        }
        let (store, caches) = (self.site.store, self.site.caches);
        // Those that nobody has are made again.
        let lacking: Vec<_> = needed(&action, inputs).flat_map(|tree| lacking(tree, store, caches)).collect();
        caches.give_up(&lacking);
        Ok((self.miss(step, Some(ingredients)), Err(step.id)))
    }

    /// Of a step whose key is not known. One that may not come from the cache is done whatever its key will be.
    fn unless_refused(&mut self, step: &Step, remark: Remark) -> Prediction {
        match (self.site.reuse)(step) {
            Reuse::Allowed => Prediction::unknown(remark),
            Reuse::Refused => self.miss(step, None),
        }
    }

    fn miss(&mut self, step: &Step, ingredients: Option<Ingredients>) -> Prediction {
        if let Some(ingredients) = &ingredients {
            self.made.entry(ingredients.key()).or_insert(step.id);
        }
        Prediction { ingredients, outlook: Outlook::Miss, reuse: (self.site.reuse)(step), remark: None }
    }
}
