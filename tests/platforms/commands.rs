//! `compile`, `check` and `explain` for several platforms: each has a plan of its own.

use std::fs;

use serde_json::Value;

use crate::support::Home;
use crate::support::platforms::{BOTH, FOREIGN, NATIVE};

fn home() -> Option<Home> {
    let home = Home::with_platforms()?;
    home.write("ctx/Dockerfile", "FROM base\nARG TARGETARCH\nCOPY a.txt /\nRUN echo $TARGETARCH\n")
        .write("ctx/a.txt", "1");
    Some(home)
}

#[test]
fn each_platform_has_a_plan() {
    let Some(home) = home() else { return };
    let alone = |architecture: &str| {
        home.layercake(["compile", "--platform", &format!("linux/{architecture}"), "ctx"]).ok().stdout
    };
    let together = home.layercake(["compile", "--platform", BOTH, "ctx"]).ok().stdout;
    assert_eq!(together, format!("{}\n{}", alone(NATIVE.0), alone(FOREIGN.0)));
    let json = home.layercake(["compile", "--platform", BOTH, "--format=json", "ctx"]).ok().stdout;
    let plans: Vec<Value> = serde_json::from_str(&json).unwrap();
    let platforms: Vec<_> = plans.iter().map(|plan| plan["platform"].as_str().unwrap()).collect();
    assert_eq!(platforms, [format!("linux/{}", NATIVE.0), format!("linux/{}", FOREIGN.0)]);
    let toml = home.layercake(["compile", "--platform", BOTH, "--format=toml", "ctx"]).ok().stdout;
    assert_eq!(toml.matches("[[plans]]").count(), 2, "{toml}");
    let ran = home.layercake(["compile", "--platform", BOTH, "--format=svg", "ctx"]).exits(2);
    assert!(ran.stderr.contains("a picture as svg shows the plan for one platform"), "{}", ran.stderr);
}

#[test]
fn plans_are_kept_and_compared_together() {
    let Some(home) = home() else { return };
    home.layercake(["compile", "--platform", BOTH, "--verify", "plan", "--bless", "ctx"]).ok();
    home.layercake(["compile", "--platform", BOTH, "--verify", "plan", "ctx"]).ok();
    home.layercake(["compile", "--verify", "plan", "ctx"]).exits(2);
    home.write("ctx/Dockerfile", "FROM base\nRUN echo other\n");
    let ran = home.layercake(["compile", "--platform", BOTH, "--verify", "plan", "ctx"]).exits(2);
    assert_eq!(ran.stdout.matches("\n+    for       RUN echo other").count(), 2, "{}", ran.stdout);
}

#[test]
fn a_lock_file_has_the_images_for_all_platforms() {
    let Some(home) = home() else { return };
    home.layercake(["compile", "--platform", BOTH, "--lock", "ctx"]).ok();
    let lock = fs::read_to_string(home.path("work/ctx/layercake.lock")).unwrap();
    for (architecture, _) in [NATIVE, FOREIGN] {
        assert!(lock.contains(&format!("platform = \"linux/{architecture}\"")), "{lock}");
    }
    home.build(["--locked", "--platform", BOTH, "-t", "x", "ctx"]);
    let ran = home.layercake(["build", "--locked", "--platform", "linux/s390x", "ctx"]).exits(2);
    assert!(ran.stderr.contains("for linux/s390x"), "{}", ran.stderr);
}

#[test]
fn each_platform_is_predicted_and_explained() {
    let Some(home) = home() else { return };
    let forecast = |line: &str| {
        let text = home.layercake(["compile", "--platform", BOTH, "--predict", "ctx"]).ok().stdout;
        assert_eq!(text.matches(line).count(), 2, "{text}");
    };
    forecast("the next build: 0 hits, 1 miss, 1 unknown");
    home.build(["--platform", BOTH, "-t", "x", "ctx"]);
    forecast("the next build: 2 hits, 0 misses, 0 unknown");
    home.write("ctx/a.txt", "2");
    home.build(["--platform", BOTH, "-t", "x", "ctx"]);
    let told = home.layercake(["explain", "--platform", BOTH, "ctx"]).ok().stdout;
    for (architecture, _) in [NATIVE, FOREIGN] {
        assert!(told.contains(&format!("for linux/{architecture}: ")), "{told}");
    }
    // The copy has the same key for both, and so was made for one and found by the other.
    assert!(told.contains("`a.txt` has changed") && told.matches("RUN echo $TARGETARCH").count() == 2, "{told}");
    let json = home.layercake(["explain", "--platform", BOTH, "--format=json", "ctx"]).ok().stdout;
    let values: Vec<Value> = serde_json::from_str(&json).unwrap();
    assert_eq!(values[1]["platform"], format!("linux/{}", FOREIGN.0));
    // A build for one platform alone has a story of its own.
    let ran = home.layercake(["explain", "ctx"]).exits(2);
    assert!(ran.stderr.contains("name all platforms of the build: `--platform linux/"), "{}", ran.stderr);
}

#[test]
fn what_is_found_for_several_platforms_is_said_once() {
    let Some(home) = home() else { return };
    home.write("ctx/Dockerfile", "FROM base\nRUN echo a\nfrom base\nRUN true\n");
    let ran = home.layercake(["check", "--platform", BOTH, "--format=json", "ctx"]);
    let value: Value = serde_json::from_str(&ran.stdout).unwrap();
    let rules: Vec<_> = value["warnings"].as_array().unwrap().iter().map(|warning| &warning["rule"]).collect();
    assert_eq!(rules, ["ConsistentInstructionCasing"], "{value}");
    let built = home.layercake(["build", "--platform", BOTH, "ctx"]).ok();
    assert_eq!(built.stderr.matches("ConsistentInstructionCasing").count(), 1, "{}", built.stderr);
}
