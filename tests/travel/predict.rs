//! `compile --predict` with a cache from elsewhere.

use super::build;
use super::layout::{FROM, two_machines};
use crate::support::Home;

/// How many hits and misses are predicted, and how many steps are open.
fn predicted(home: &Home) -> (u64, u64, u64) {
    let mut command = home.command(["compile", "--predict", "--format=json", FROM, "ctx"]);
    let ran = crate::support::home::run(command.env("SOURCE_DATE_EPOCH", super::EPOCH)).ok();
    let plan: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    let count = |name: &str| plan["forecast"][name].as_u64().unwrap();
    (count("hits"), count("misses"), count("unknown"))
}

#[test]
fn hits_are_foreseen() {
    for mode in ["min", "max"] {
        let Some((_one, two, made)) = two_machines(mode) else { return };
        assert_eq!(predicted(&two), (made.started.len() as u64, 0, 0));
        // Nothing has come here for it.
        assert!(!two.path("store/folders").exists());
    }
}

#[test]
fn a_step_whose_layer_is_needed_and_nowhere_is_foreseen() {
    let Some((_one, two, _)) = two_machines("min") else { return };
    let dockerfile = two.read("ctx/Dockerfile").replace("--from=build /out", "--from=build /link");
    two.write("ctx/Dockerfile", dockerfile);
    let (hits, misses, unknown) = predicted(&two);
    let built = build(&two, &[FROM]);
    assert!(
        misses > 0 && (misses..=misses + unknown).contains(&(built.started.len() as u64)),
        "{hits} {misses} {unknown}"
    );
}

#[test]
fn what_came_from_a_cache_is_explained_as_found() {
    let Some((_one, two, _)) = two_machines("max") else { return };
    build(&two, &[FROM]);
    let ran = two.layercake(["explain", "--format=json", "ctx"]).ok();
    let told: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    let steps = told["steps"].as_array().unwrap();
    assert!(!steps.is_empty() && steps.iter().all(|step| step["state"] == "hit"), "{steps:#?}");
}
