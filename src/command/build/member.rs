//! [`Member`]: what a build has come to for one of its platforms; and [`Image`], what is made of all of them.

use std::collections::BTreeMap;

use layercake_cache::ContentKey;
use layercake_compiler::plan::{Joint, Plan, StepId};
use layercake_executor::assemble::Assembled;
use layercake_executor::build::product::Product;
use layercake_executor::build::tree::Tree;
use layercake_executor::image::descriptor::Descriptor;

/// What a build has come to for one platform.
pub(super) struct Member<'a> {
    /// What was to be done.
    pub(super) plan: &'a Plan,
    /// Which of the joint steps its steps are.
    places: &'a [StepId],
    /// What its steps have become.
    pub(super) products: Vec<Product>,
}

impl<'a> Member<'a> {
    /// Of a build of these plans, whose joint steps have become `products`, each one's part.
    pub(super) fn all(plans: &'a [Plan], joint: &'a Joint, products: &[Product]) -> Vec<Self> {
        let of = |(plan, places): (&'a Plan, &'a Vec<_>)| {
            let product = |place: &StepId| products[place.index()].clone();
            Self { plan, places, products: places.iter().map(product).collect() }
        };
        plans.iter().zip(&joint.places).map(of).collect()
    }

    /// The keys of its steps, of those of the joint ones.
    pub(super) fn keys(&self, joint: &BTreeMap<StepId, ContentKey>) -> BTreeMap<StepId, ContentKey> {
        let steps = self.plan.steps.iter().map(|step| step.id).zip(self.places);
        steps.filter_map(|(step, place)| Some((step, *joint.get(place)?))).collect()
    }

    /// The tree of its image.
    pub(super) fn tree(&self) -> &Tree {
        self.products[self.plan.result.index()].tree().expect("the result of a plan is a tree")
    }

    /// The folder for its files where those for other platforms lie beside it, as BuildKit calls it: `linux_arm_v7`.
    pub(super) fn folder(&self) -> String {
        self.plan.platform.to_string().replace('/', "_")
    }
}

/// What a build makes, as an output wants it.
pub(super) struct Image {
    /// The manifest's, or of several platforms the index's.
    pub(super) descriptor: Descriptor,
    /// The image for each platform.
    pub(super) images: Vec<Assembled>,
}
