//! What steps are called while a build goes on.

use layercake_compiler::operation::Operation;
use layercake_compiler::plan::{Joint, Plan, Step, StepId};
use layercake_compiler::platform::Platform;

use super::is_shown;

/// The titles of all steps of a build. Of one for several platforms they say which they are for, as BuildKit's do:
/// `[linux/arm64 build 2/5]`, and `[linux/amd64->arm64 build 2/5]` of a step that runs on one platform for the sake of another.
pub(super) fn titles(joint: &Joint, plans: &[Plan]) -> Vec<String> {
    if let [plan] = plans {
        return plan.steps.iter().map(plain).collect();
    }
    let title = |step: &Step| {
        let members: Vec<(usize, StepId)> = joint.members(step.id).collect();
        let Some((first, place)) = members.first().copied() else { return plain(step) };
        let plan = &plans[first];
        let on = platform(plan, place);
        let only = Some(&plan.platform).filter(|_| members.len() == 1);
        let stage = Some(step.origin.stage.as_str()).filter(|stage| !is_number(stage));
        let words = [Some(platforms(on, only)), stage.map(str::to_owned), Some(count(plan, place))];
        let words: Vec<String> = words.into_iter().flatten().filter(|word| !word.is_empty()).collect();
        if words.is_empty() { plain(step) } else { format!("[{}] {}", words.join(" "), step.origin.name) }
    };
    joint.plan.steps.iter().map(title).collect()
}

/// The instruction, and the stage where it has a name.
fn plain(step: &Step) -> String {
    let stage = step.origin.stage.as_str();
    if is_number(stage) { step.origin.name.clone() } else { format!("[{stage}] {}", step.origin.name) }
}

fn is_number(stage: &str) -> bool {
    stage.bytes().all(|byte| byte.is_ascii_digit())
}

/// The platform of the image that a step's tree starts from; `None` if there is no such image.
fn platform(plan: &Plan, mut step: StepId) -> Option<&Platform> {
    loop {
        let at = &plan.steps[step.index()];
        if let Operation::Image(image) = &at.operation {
            return Some(&image.platform);
        }
        step = *at.inputs.first().filter(|_| is_shown(at) || at.operation == Operation::Stack)?;
    }
}

/// What a step runs on, and the one platform that it is for, if that is another one.
fn platforms(on: Option<&Platform>, only: Option<&Platform>) -> String {
    match (on, only) {
        (None, None) => String::new(),
        (Some(one), None) | (None, Some(one)) => one.to_string(),
        (Some(on), Some(only)) if on == only => on.to_string(),
        (Some(on), Some(only)) if on.os == only.os => {
            let only = only.to_string();
            format!("{on}->{}", only.split_once('/').map_or(only.as_str(), |(_, rest)| rest))
        }
        (Some(on), Some(only)) => format!("{on}->{only}"),
    }
}

/// Which of its stage's steps it is, of those that do something. The image that they start from is the first, as BuildKit
/// counts.
fn count(plan: &Plan, step: StepId) -> String {
    let stage = &plan.steps[step.index()].origin.stage;
    let all: Vec<&Step> = plan.steps.iter().filter(|step| step.origin.stage == *stage && is_shown(step)).collect();
    let is_image = |input: &StepId| matches!(plan.steps[input.index()].operation, Operation::Image(_));
    let images = usize::from(all.first().and_then(|first| first.inputs.first()).is_some_and(is_image));
    let place = all.iter().position(|other| other.id == step);
    place.map_or_else(String::new, |place| format!("{}/{}", place + 1 + images, all.len() + images))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_for_another_platform_says_so() {
        let (amd64, arm) = (Platform::new("linux", "amd64", ""), Platform::new("linux", "arm", "v7"));
        assert_eq!(platforms(Some(&amd64), Some(&amd64)), "linux/amd64");
        assert_eq!(platforms(Some(&amd64), Some(&arm)), "linux/amd64->arm/v7");
        assert_eq!(platforms(Some(&amd64), None), "linux/amd64");
        assert_eq!(platforms(None, Some(&arm)), "linux/arm/v7");
        assert_eq!(platforms(Some(&amd64), Some(&Platform::new("windows", "amd64", ""))), "linux/amd64->windows/amd64");
    }
}
