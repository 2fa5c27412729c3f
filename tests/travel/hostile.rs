//! Caches that are damaged, that lie, or that want to do harm.

use std::fs;
use std::path::{Path, PathBuf};

use layercake_cache::Store;
use layercake_executor::remote::chunk::{self, Known};
use serde_json::{Value, json};

use super::build;
use super::layout::{FROM, two_machines};
use crate::support::Home;

/// A cache in a folder, to be changed.
pub(crate) struct Cache {
    folder: PathBuf,
    list: Value,
    manifest: Value,
    config: Value,
}

impl Cache {
    pub(crate) fn open(folder: &Path) -> Self {
        let read = |path: &Path| serde_json::from_slice::<Value>(&fs::read(path).unwrap()).unwrap();
        let list = read(&folder.join("index.json"));
        let manifest = read(&blob(folder, &list["manifests"][0]["digest"]));
        let config = read(&blob(folder, &manifest["config"]["digest"]));
        Self { folder: folder.to_owned(), list, manifest, config }
    }

    pub(crate) fn index(&mut self) -> &mut Value {
        &mut self.config["layercake.cache"]
    }

    /// Writes it so that all digests are right.
    pub(crate) fn put(mut self) {
        let put = |value: &Value| {
            let bytes = serde_json::to_vec(value).unwrap();
            let digest = Value::from(layercake_cache::Digest::of(&bytes).to_string());
            fs::write(blob(&self.folder, &digest), &bytes).unwrap();
            (digest, Value::from(bytes.len()))
        };
        let (digest, size) = put(&self.config);
        (self.manifest["config"]["digest"], self.manifest["config"]["size"]) = (digest, size);
        let (digest, size) = put(&self.manifest);
        (self.list["manifests"][0]["digest"], self.list["manifests"][0]["size"]) = (digest, size);
        fs::write(self.folder.join("index.json"), serde_json::to_vec(&self.list).unwrap()).unwrap();
    }
}

pub(crate) fn blob(folder: &Path, digest: &Value) -> PathBuf {
    folder.join("blobs/sha256").join(digest.as_str().unwrap().trim_start_matches("sha256:"))
}

/// Everything is held to its digest; what the index says is not.
#[test]
fn a_lie_is_found_out_before_anything_is_made_of_it() {
    let Some((one, two, _)) = two_machines("max") else { return };
    // The layers of the steps are exchanged, so that each is said to have made what another did.
    let mut cache = Cache::open(&two.path("work/cache"));
    let layers = cache.index()["layers"].as_array_mut().unwrap();
    let blobs: Vec<Value> = layers.iter().map(|layer| layer[1].clone()).collect();
    for (place, layer) in layers.iter_mut().enumerate() {
        layer[1] = blobs[(place + 1) % blobs.len()].clone();
    }
    cache.put();
    two.write("ctx/in", "other");
    let ran = two.layercake(["build", FROM, "ctx"]).exits(2);
    assert!(ran.stderr.contains("the cache `cache` lies"), "{}", ran.stderr);
    // Nothing of it has come into the store.
    one.write("ctx/in", "other");
    assert_eq!(build(&two, &[]).digest, build(&one, &[]).digest);
}

/// What it says of trees and steps spoils no build that does not ask it.
#[test]
fn a_lie_does_not_outlive_the_build_that_asked_for_it() {
    let Some((one, two, made)) = two_machines("max") else { return };
    let mut cache = Cache::open(&two.path("work/cache"));
    // Every step is said to have made what the last one did, and whatever was found in a tree to be something else.
    let index = cache.index();
    let steps = index["steps"].as_object_mut().unwrap();
    let last = steps.values().next_back().unwrap().clone();
    steps.values_mut().for_each(|made| *made = last.clone());
    let nothing = json!({"selected": [], "id": "0".repeat(64)});
    for fact in index["facts"].as_object_mut().unwrap().values_mut() {
        if fact["id"].is_string() {
            *fact = nothing.clone();
        }
    }
    cache.put();
    for _ in 0..2 {
        // Whatever becomes of this one.
        two.layercake(["build", FROM, "ctx"]);
    }
    assert_eq!(build(&two, &[]).digest, made.digest);
    drop(one);
}

/// A build is right without a cache, and so it is with one of which parts are gone or damaged.
#[test]
fn what_is_damaged_is_done_again() {
    for damage in
        [|path: &Path| fs::write(path, "no layer at all").unwrap(), |path: &Path| fs::remove_file(path).unwrap()]
    {
        let Some((one, two, made)) = two_machines("max") else { return };
        let mut cache = Cache::open(&two.path("work/cache"));
        for layer in cache.index()["layers"].as_array().unwrap() {
            damage(&blob(&two.path("work/cache"), &layer[1]["blob"]["digest"]));
        }
        let mut command = two.command(["build", FROM, "--progress=plain", "-t", "x", "ctx"]);
        let ran = crate::support::home::run(command.env("SOURCE_DATE_EPOCH", super::EPOCH)).ok();
        assert!(ran.stderr.contains("a layer of the cache `cache` cannot be had"), "{}", ran.stderr);
        assert_eq!(ran.stdout.trim(), made.digest);
        drop(one);
    }
}

#[test]
fn an_index_that_is_none_is_passed_over() {
    let too_long = "x".repeat(9 << 20);
    for (index, message) in [
        (json!({"version": 1, "steps": {"x": too_long}, "layers": [], "facts": {}}), "cannot be used"),
        (json!({"version": 1, "steps": {"x": 7}, "layers": [], "facts": {}}), "carries no cache"),
        (json!({"version": 99, "steps": {}, "layers": [], "facts": {}}), "carries no cache"),
        (json!([[[]]]), "carries no cache"),
    ] {
        let Some((_one, two, made)) = two_machines("max") else { return };
        let mut cache = Cache::open(&two.path("work/cache"));
        *cache.index() = index;
        cache.put();
        assert_eq!(build(&two, &[FROM]).digest, made.digest);
        let ran = two.layercake(["build", FROM, "ctx"]).ok();
        assert!(ran.stderr.contains(message), "{message}: {}", ran.stderr);
    }
}

#[test]
fn a_cache_of_buildkits_is_passed_over() {
    let Some((_one, two, made)) = two_machines("max") else { return };
    let mut cache = Cache::open(&two.path("work/cache"));
    let config = cache.config.as_object_mut().unwrap();
    config.remove("layercake.cache");
    config.insert("moby.buildkit.cache.v0".to_owned(), json!("bm90aGluZw=="));
    cache.put();
    let ran = two.layercake(["build", FROM, "ctx"]).ok();
    assert!(ran.stderr.contains("carries a cache of BuildKit"), "{}", ran.stderr);
    assert_eq!(build(&two, &[]).digest, made.digest);
}

/// An archive with one entry, whose name is whatever it is.
fn evil_tar(name: &str) -> Vec<u8> {
    let mut header = tar::Header::new_ustar();
    header.as_mut_bytes()[..name.len()].copy_from_slice(name.as_bytes());
    header.set_size(4);
    header.set_mode(0o644);
    header.set_cksum();
    let mut bytes = header.as_bytes().to_vec();
    bytes.extend(b"evil");
    bytes.resize(2048, 0);
    bytes
}

#[test]
fn a_mount_stays_in_its_folder() {
    for name in ["../../../../escaped", "/escaped"] {
        let Some(home) = super::machine() else { return };
        let dockerfile = "FROM base\nRUN --mount=type=cache,id=m,target=/m ls /m\n";
        home.write("ctx/Dockerfile", format!("{dockerfile}RUN touch /x\n"));
        build(&home, &["--cache-to=type=local,dest=cache,mounts=true"]);
        let other = Store::open(&home.path("other")).unwrap();
        let evil = chunk::put(&other, Known::default(), |out| out.write_all(&evil_tar(name))).unwrap();
        let mut cache = Cache::open(&home.path("work/cache"));
        for mount in cache.index()["mounts"].as_object_mut().unwrap().values_mut() {
            *mount = serde_json::to_value(&evil).unwrap();
        }
        for part in evil.packs.iter().chain([&evil.list]) {
            let to = blob(&home.path("work/cache"), &Value::from(part.digest.to_string()));
            fs::copy(other.blob_path(&part.digest), to).unwrap();
        }
        cache.put();
        let two = super::machine().unwrap();
        two.write("ctx/Dockerfile", dockerfile.replace("ls", "ls -a"));
        let from = format!("--cache-from=type=local,src={},mounts=true", home.path("work/cache").display());
        let built = build(&two, &[&from]);
        // It is refused, or lands in the mount, as every archive's entries land where they are unpacked.
        assert!(built.output.lines().all(|line| [".", "..", "escaped"].contains(&line)), "{}", built.output);
        let everything = fs::read_dir(two.path("store")).unwrap().chain(fs::read_dir(two.path("work")).unwrap());
        assert!(everything.map(Result::unwrap).all(|entry| entry.file_name() != "escaped"));
        assert!(!two.path("escaped").exists() && !Path::new("/escaped").exists());
    }
}

#[test]
fn a_registry_that_is_not_there_is_passed_over() {
    let Some(home) = super::machine() else { return };
    let ran = home.layercake(["build", "--cache-from=127.0.0.1:1/team/app:cache", "ctx"]).ok();
    assert!(ran.stderr.contains("cannot be used"), "{}", ran.stderr);
    let put = |home: &Home, argument: &str| home.layercake(["build", argument, "ctx"]);
    let ran = put(&home, "--cache-to=type=registry,ref=127.0.0.1:1/team/app:cache").exits(3);
    assert!(ran.stderr.contains("could not be put there"), "{}", ran.stderr);
    put(&home, "--cache-to=type=registry,ref=127.0.0.1:1/team/app:cache,ignore-error=true").ok();
}
