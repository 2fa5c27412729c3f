//! A cache in a folder, as CI systems keep one.

use std::fs;

use serde_json::Value;

use super::{build, machine, size};
use crate::support::Home;
use crate::support::ran::Built;

/// Two machines, of which the first has left all that it made in a folder that both have.
fn two_machines(mode: &str) -> Option<(Home, Home, Built)> {
    let (one, two) = (machine()?, machine()?);
    let folder = two.path("work/cache");
    let made = build(&one, &[&format!("--cache-to=type=local,dest={},mode={mode}", folder.display())]);
    Some((one, two, made))
}

const FROM: &str = "--cache-from=type=local,src=cache";

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
    assert!(!again.started.iter().any(|step| step.contains("runtime")), "{:?}", again.started);
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

/// A cache is an image of which everything is held to its digest; what its index says is not.
#[test]
fn a_cache_that_lies_is_found_out_before_anything_is_made_of_it() {
    let Some((one, two, _)) = two_machines("max") else { return };
    // The keys of two steps are exchanged, so that each is said to have made what the other did.
    let layout = two.path("work/cache");
    let blob =
        |digest: &Value| layout.join("blobs/sha256").join(digest.as_str().unwrap().trim_start_matches("sha256:"));
    let read = |path: &std::path::Path| serde_json::from_slice::<Value>(&fs::read(path).unwrap()).unwrap();
    let mut list = read(&layout.join("index.json"));
    let mut manifest = read(&blob(&list["manifests"][0]["digest"]));
    let mut config = read(&blob(&manifest["config"]["digest"]));
    let layers = config["layercake.cache"]["layers"].as_array_mut().unwrap();
    let blobs: Vec<Value> = layers.iter().map(|layer| layer[1].clone()).collect();
    for (place, layer) in layers.iter_mut().enumerate() {
        layer[1] = blobs[(place + 1) % blobs.len()].clone();
    }
    let put = |value: &Value| {
        let bytes = serde_json::to_vec(value).unwrap();
        let digest = layercake_cache::Digest::of(&bytes).to_string();
        fs::write(blob(&Value::from(digest.as_str())), &bytes).unwrap();
        (Value::from(digest), Value::from(bytes.len()))
    };
    let (digest, size) = put(&config);
    (manifest["config"]["digest"], manifest["config"]["size"]) = (digest, size);
    let (digest, size) = put(&manifest);
    (list["manifests"][0]["digest"], list["manifests"][0]["size"]) = (digest, size);
    fs::write(layout.join("index.json"), serde_json::to_vec(&list).unwrap()).unwrap();

    two.write("ctx/in", "other");
    let ran = two.layercake(["build", FROM, "ctx"]).exits(2);
    assert!(ran.stderr.contains("the cache `cache` lies"), "{}", ran.stderr);
    // Nothing of it has come into the store.
    one.write("ctx/in", "other");
    assert_eq!(build(&two, &[]).digest, build(&one, &[]).digest);
}
