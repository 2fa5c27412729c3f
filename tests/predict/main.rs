//! `compile --predict`, from the outside: what it says is what the next build does, and it does nothing itself.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

#[path = "../support/support.rs"]
mod support;

mod agreement;
mod elsewhere;
mod estimates;
mod formats;

use std::collections::BTreeSet;

use serde_json::Value;

use support::Home;
use support::home::run;

/// What is said of the steps of a build that are not given: `h`it, `m`iss or `u`nknown, in the plan's order.
#[track_caller]
fn outlook(plan: &Value) -> String {
    let states = plan["steps"].as_array().unwrap().iter().map(|step| step["state"].as_str().unwrap());
    states.filter(|state| *state != "given").map(|state| &state[..1]).collect()
}

/// The plan with what is expected of its build.
#[track_caller]
fn predicted(home: &Home, arguments: &[&str]) -> Value {
    let command = ["compile", "--predict", "--format=json"];
    let ran = run(home.command(command).args(arguments)).ok();
    serde_json::from_str(&ran.stdout).unwrap()
}

/// Predicts a build and builds: what was predicted has to happen.
#[track_caller]
fn agrees(home: &Home, what: &str, arguments: &[&str], expected: &str) {
    let plan = predicted(home, arguments);
    assert_eq!(outlook(&plan), expected, "{what}");
    assert_eq!(outlook(&predicted(home, arguments)), expected, "{what}: a prediction changes nothing");
    let ran = run(home.command(["build", "--progress=json"]).args(arguments)).ok();
    let events = ran.stderr.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let started: BTreeSet<u64> =
        events.filter(|event| event["event"] == "started").map(|event| event["step"].as_u64().unwrap()).collect();
    for step in plan["steps"].as_array().unwrap() {
        let is_started = started.contains(&step["id"].as_u64().unwrap());
        match step["state"].as_str().unwrap() {
            "hit" | "given" => assert!(!is_started, "{what}: {step} was done"),
            "miss" => assert!(is_started, "{what}: {step} was not done"),
            _ => assert_eq!((&step["state"], &step["key"]), (&"unknown".into(), &Value::Null), "{what}"),
        }
    }
}

/// Why a step is what it is, by the line of its instruction.
#[track_caller]
fn reason(plan: &Value, line: u64) -> &str {
    let steps = plan["steps"].as_array().unwrap().iter();
    let mut steps = steps.filter(|step| step["origin"]["line"] == line && step["state"] != "given");
    steps.next().unwrap()["reason"].as_str().unwrap_or_default()
}
