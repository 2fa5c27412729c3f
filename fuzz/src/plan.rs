//! What is true of every plan.

use layercake_compiler::operation::Operation;
use layercake_compiler::plan::Plan;

/// Panics unless the plan is in order, has nothing in it that is not needed, prints, and survives being stored.
pub fn holds(plan: &Plan) {
    let mut is_needed = vec![false; plan.steps.len()];
    is_needed[plan.result.index()] = true;
    for (place, step) in plan.steps.iter().enumerate().rev() {
        assert_eq!(step.id.index(), place, "steps are numbered in order");
        assert!(is_needed[place], "step {place} is not needed");
        for input in &step.inputs {
            assert!(input.index() < place, "step {place} comes before its input");
            is_needed[input.index()] = true;
        }
        if let Operation::Run(run) = &step.operation {
            assert!(!run.arguments.is_empty(), "step {place} runs nothing");
            assert!(run.workdir.starts_with('/'), "step {place} starts in a relative folder");
        }
    }
    for planned in &plan.image.history {
        assert_eq!(planned.entry.empty_layer, planned.step.is_none(), "a layer without a step, or a step without one");
    }
    let printed = plan.to_string();
    assert!(printed.lines().count() >= plan.steps.len(), "steps are missing in print");
    let stored = serde_json::to_string(plan).expect("a plan serializes");
    assert_eq!(&serde_json::from_str::<Plan>(&stored).expect("a stored plan is read again"), plan);
}
