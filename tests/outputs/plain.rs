//! Images that stay on this machine: nothing of them is compressed, and they can do all that others can.

use std::fs;

use serde_json::Value;

use crate::support::Home;
use crate::support::archive::Files;
use crate::support::home::EPOCH;
use crate::support::image::{document, json};
use crate::support::registry::{PROGRAM, Registry};
use crate::support::tools;

/// More than documents have.
const LONG: usize = 200_000;

/// A home with a context `ctx` that has a long file.
fn home() -> Option<Home> {
    let home = Home::with_base()?;
    home.write("ctx/Dockerfile", "FROM base\nCOPY long /long\nRUN echo one > /one\n")
        .write("ctx/long", "x".repeat(LONG));
    Some(home)
}

/// The names of the blobs in the store that are layers.
fn layers(home: &Home) -> Vec<String> {
    let entries = fs::read_dir(home.path("store/blobs/sha256")).unwrap().map(Result::unwrap);
    let is_layer = |content: Vec<u8>| content.trim_ascii_start().first() != Some(&b'{');
    let layers = entries.filter(|entry| is_layer(fs::read(entry.path()).unwrap()));
    layers.map(|entry| entry.file_name().into_string().unwrap()).collect()
}

fn manifest(home: &Home, archive: &str) -> Value {
    let archive = Files::read(&fs::read(home.path("work").join(archive)).unwrap());
    document(&archive, &json(&archive, "index.json")["manifests"][0]["digest"])
}

#[test]
fn no_layer_is_written() {
    let Some(home) = home() else { return };
    let before = layers(&home);
    let built = home.build(["-t", "x", "ctx"]);
    assert_eq!(layers(&home), before);
    assert_eq!(home.build(["-t", "x", "ctx"]).digest, built.digest);
    // What is saved is what is there: plain, under the same digest.
    home.layercake(["save", "-o", "saved.tar", "x"]).ok();
    let saved = manifest(&home, "saved.tar");
    assert_eq!(saved["layers"][1]["mediaType"], "application/vnd.oci.image.layer.v1.tar");
    assert_eq!(saved["layers"][1]["digest"], home.diff_ids("x")[1]);
    assert_eq!(home.layers("x")[1].text("long").len(), LONG);
    assert_eq!(layers(&home), before, "saving needs no copy");
    // Who asks for a compression gets it at once.
    home.build(["-o", "type=image,name=y,compression=zstd", "ctx"]);
    assert_eq!(layers(&home).len(), before.len() + 2);
    assert_eq!(home.diff_ids("y"), home.diff_ids("x"));
}

#[test]
fn what_was_built_is_saved_loaded_and_built_upon_elsewhere() {
    let Some(home) = home() else { return };
    let built = home.build(["-t", "x", "ctx"]);
    for format in ["oci", "docker"] {
        home.layercake(["save", "--format", format, "-o", "saved.tar", "x"]).ok();
        let other = Home::with_base().unwrap();
        let saved = home.path("work/saved.tar");
        other.layercake(["load", "-i", saved.to_str().unwrap()]).ok();
        assert_eq!(other.layers("x")[2].text("one"), "one\n");
        other.write("ctx/Dockerfile", "FROM x\nRUN test -f /long && cat /one > /two\n");
        other.build(["-t", "y", "ctx"]);
        assert_eq!(other.layers("y")[3].text("two"), "one\n");
        if format == "oci" {
            assert_eq!(other.inspect("x")["Id"], built.digest);
        }
    }
}

#[test]
fn a_base_that_was_built_here_serves_with_and_without_a_time() {
    let Some(home) = home() else { return };
    home.build(["-t", "x", "ctx"]);
    home.dated(["-t", "dated", "ctx"]);
    for base in ["x", "dated"] {
        let dockerfile = format!("FROM {base}\nRUN test -f /long && cat /one > /two\n");
        home.write("upon/Dockerfile", dockerfile);
        home.build(["-t", "y", "upon"]);
        assert_eq!(home.layers("y")[3].text("two"), "one\n");
        // An archive has layers that are compressed, those of the base too.
        home.build(["-o", "type=oci,dest=out.tar", "upon"]);
        let out = manifest(&home, "out.tar");
        for layer in out["layers"].as_array().unwrap() {
            assert_eq!(layer["mediaType"], "application/vnd.oci.image.layer.v1.tar+gzip", "{base}: {out}");
        }
    }
}

#[test]
fn making_room_leaves_what_an_image_is_made_of() {
    let Some(home) = home() else { return };
    home.build(["-t", "x", "ctx"]);
    home.dated(["-t", "dated", "ctx"]);
    home.layercake(["prune"]).ok();
    home.layercake(["verify"]).ok();
    for name in ["x", "dated"] {
        assert_eq!(home.layers(name)[1].text("long").len(), LONG, "{name}");
    }
    home.layercake(["rmi", "x", "dated"]).ok();
    home.layercake(["prune", "--all"]).ok();
    let folders = fs::read_dir(home.path("store/folders")).map_or(0, Iterator::count);
    assert_eq!(folders, 0, "nothing needs them any more");
}

#[test]
fn a_push_compresses_and_both_ways_lead_to_one_digest() {
    if !tools::available(&[PROGRAM]) {
        return;
    }
    let Some(home) = home() else { return };
    let registry = Registry::open();
    let name = |tag: &str| format!("{}/team/app:{tag}", registry.host());
    let (later, at_once) = (name("later"), name("at-once"));
    let built = home.dated(["-t", &later, "ctx"]);
    let pushed = home.layercake(["push", &later]).ok().stdout.trim().to_owned();
    assert_ne!(pushed, built.digest);
    assert_eq!(home.inspect(&later)["Id"], pushed, "the name leads to what the registry has");
    let other = Home::with_base().unwrap();
    for file in ["ctx/Dockerfile", "ctx/long"] {
        other.write(file, home.read(file));
    }
    assert_eq!(other.dated(["-t", &at_once, "--push", "ctx"]).digest, pushed, "{EPOCH}");
    // What was loaded is compressed on its way too, and what was pulled goes on as it came.
    home.dated(["-t", "x", "ctx"]);
    home.layercake(["save", "-o", "saved.tar", "x"]).ok();
    let third = Home::empty();
    third.layercake(["load", "-i", home.path("work/saved.tar").to_str().unwrap()]).ok();
    third.layercake(["tag", "x", &name("loaded")]).ok();
    assert_eq!(third.layercake(["push", &name("loaded")]).ok().stdout.trim(), pushed);
    let plain = home.build(["-o", &format!("type=registry,name={},compression=none", name("plain")), "ctx"]).digest;
    third.layercake(["pull", &name("plain")]).ok();
    assert_eq!(third.layercake(["push", &name("plain")]).ok().stdout.trim(), plain);
}

#[test]
fn images_outlive_a_machine_that_went_down_before_anything_was_synced() {
    let Some(home) = home() else { return };
    home.build(["-t", "x", "ctx"]);
    home.start_anew();
    home.layercake(["save", "-o", "saved.tar", "x"]).ok();
    assert_eq!(home.layers("x")[2].text("one"), "one\n");
    // Damaged by it, what the image was made of is made again.
    for folder in fs::read_dir(home.path("store/folders")).unwrap().map(|entry| entry.unwrap().path()) {
        if folder.join("one").exists() {
            fs::write(folder.join("one"), "").unwrap();
        }
    }
    home.start_anew();
    // It has other times now than the image of before.
    std::thread::sleep(std::time::Duration::from_millis(1100));
    home.build(["-t", "x", "ctx"]);
    assert_eq!(home.layers("x")[2].text("one"), "one\n");
}
