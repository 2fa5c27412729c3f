//! Images that share what they have in common: it exists once in the store, and is sent once.

use std::collections::BTreeSet;
use std::fs;

use crate::support::Home;
use crate::support::registry::{PROGRAM, Registry};
use crate::support::tools::available;

/// Two applications with the same dependencies.
fn two_applications() -> Option<Home> {
    let home = Home::with_base()?;
    for name in ["one", "two"] {
        home.write(&format!("{name}/Dockerfile"), "FROM base\nRUN seq 1 100000 > /dependencies\nCOPY app /app\n");
        home.write(&format!("{name}/app"), name);
    }
    Some(home)
}

/// The digests of the blobs of the image's layers.
fn blobs(home: &Home, image: &str) -> Vec<String> {
    let layers = home.inspect(image)["Manifest"]["layers"].take();
    layers.as_array().unwrap().iter().map(|layer| layer["digest"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn equal_layers_exist_once_in_the_store() {
    let Some(home) = two_applications() else { return };
    assert_eq!(home.build(["-t", "one", "one"]).started.len(), 2);
    let folders = || fs::read_dir(home.path("store/folders")).unwrap().count();
    let before = folders();
    assert_eq!(home.build(["-t", "two", "two"]).started, ["COPY app /app"]);
    let (one, two) = (blobs(&home, "one"), blobs(&home, "two"));
    let is_blob = |digest: &String| home.path("store/blobs/sha256").join(digest.trim_start_matches("sha256:")).exists();
    assert_eq!((folders(), is_blob(&two[2])), (before, true), "only the layer that differs is new");
    assert_eq!((&one[..2], one.len()), (&two[..2], 3));
    assert_ne!(one[2], two[2]);
}

#[test]
fn equal_layers_are_sent_once() {
    if !available(&[PROGRAM]) {
        return;
    }
    let Some(home) = two_applications() else { return };
    let registry = Registry::open();
    let names = ["one", "two"].map(|name| format!("{}/team/app:{name}", registry.host()));
    let mut sent = Vec::new();
    for (context, name) in ["one", "two"].into_iter().zip(&names) {
        let before = registry.requests().len();
        home.build(["-t", name, "--push", context]);
        let requests = registry.requests().split_off(before);
        sent.push(
            requests.iter().filter(|request| request.starts_with("PUT") && request.contains("/blobs/uploads/")).count(),
        );
    }
    // Three layers and the configuration; then one layer and the configuration.
    assert_eq!(sent, [4, 2]);
    let all: BTreeSet<String> = names.iter().flat_map(|name| blobs(&home, name)).collect();
    assert_eq!(all.len(), 4);
}
