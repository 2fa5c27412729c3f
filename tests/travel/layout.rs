//! A cache in a folder, as CI systems keep one.

use serde_json::Value;

use super::{build, machine, size};
use crate::support::Home;
use crate::support::archive::Files;
use crate::support::home::run;
use crate::support::image::{document, json};
use crate::support::ran::Built;

/// Two machines, of which the first has left all that it made in a folder that both have.
pub(crate) fn two_machines(mode: &str) -> Option<(Home, Home, Built)> {
    let (one, two) = (machine()?, machine()?);
    let folder = two.path("work/cache");
    let made = build(&one, &[&format!("--cache-to=type=local,dest={},mode={mode}", folder.display())]);
    Some((one, two, made))
}

pub(crate) const FROM: &str = "--cache-from=type=local,src=cache";

#[test]
fn a_second_machine_runs_nothing() {
    let Some((one, two, made)) = two_machines("max") else { return };
    assert!(!made.started.is_empty());
    let again = build(&two, &[FROM]);
    assert_eq!(again.started, [""; 0]);
    assert_eq!(again.digest, made.digest);
    // What was not fetched for the image is fetched when it is used.
    assert_eq!(two.layercake(["run", "--network=none", "x"]).ok().stdout, "HELLO");
    assert_eq!(two.layers("x").len(), one.layers("x").len());
}

#[test]
fn a_change_reruns_what_depends_on_it() {
    let Some((_one, two, _)) = two_machines("max") else { return };
    two.write("ctx/in", "other");
    let fresh = machine().unwrap();
    fresh.write("ctx/in", "other");
    let expected = build(&fresh, &[]);
    let found = build(&two, &[FROM]);
    assert_eq!(found.digest, expected.digest);
    assert!(
        !found.started.iter().any(|step| step.contains("WORKDIR") || step.contains("runtime")),
        "{:?}",
        found.started
    );
    assert!(found.started.iter().any(|step| step.contains("tr a-z")), "{:?}", found.started);
    // It is in the store now.
    assert_eq!(build(&two, &[]).digest, expected.digest);
}

#[test]
fn the_least_cache_has_what_the_image_has() {
    let Some((one, two, made)) = two_machines("min") else { return };
    let again = build(&two, &[FROM]);
    assert_eq!(again.digest, made.digest);
    assert_eq!(again.started, [""; 0]);
    let all = one.path("work/all");
    build(&one, &["--cache-to=type=local,dest=all,mode=max"]);
    assert!(size(&two.path("work/cache")) < size(&all));
}

#[test]
fn a_cache_that_is_not_there_yet_is_no_error() {
    let Some(home) = machine() else { return };
    let ran = home.layercake(["build", FROM, "ctx"]).ok();
    assert!(ran.stderr.contains("there is no cache `cache` yet"), "{}", ran.stderr);
}

#[test]
fn nothing_is_taken_that_may_not_be() {
    let Some((_one, two, made)) = two_machines("max") else { return };
    assert_eq!(build(&two, &[FROM, "--no-cache"]).started.len(), made.started.len());
}

#[test]
fn a_cache_that_is_read_and_written_stays_what_it_is() {
    let Some((_one, two, _)) = two_machines("max") else { return };
    let list = |home: &Home| home.read("cache/index.json");
    let before = list(&two);
    let made = build(&two, &[FROM, "--cache-to=type=local,dest=cache,mode=max"]);
    assert_eq!(made.started, [""; 0]);
    assert_eq!(list(&two), before);
}

#[test]
fn a_cache_changes_how_an_image_is_packed_and_nothing_else() {
    let Some(home) = machine() else { return };
    let manifest = |name: &str, arguments: &[&str]| {
        let mut command = home.command(["build", "-t", name, "ctx"]);
        run(command.args(arguments)).ok();
        run(&mut home.command(["save", "-o", "saved.tar", name])).ok();
        let saved = Files::read(&std::fs::read(home.path("work/saved.tar")).unwrap());
        document(&saved, &json(&saved, "index.json")["manifests"][0]["digest"])
    };
    let plain = manifest("plain", &[]);
    let cached = manifest("cached", &["--cache-to=type=local,dest=cache"]);
    assert_eq!(cached["config"], plain["config"]);
    let types = |manifest: &Value| manifest["layers"][1]["mediaType"].as_str().unwrap().to_owned();
    assert!(types(&plain).ends_with("tar") && types(&cached).ends_with("tar+gzip"), "{plain} {cached}");
}
