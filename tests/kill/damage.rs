//! Parts of a store that are gone, by a disk's failure or somebody's hand: they are made again.

use std::fs;

use crate::home;
use crate::support::machine::as_root;

#[test]
fn what_is_missing_from_the_store_is_made_again() {
    let Some(home) = home() else { return };
    let digest = home.dated(["-t", "x", "ctx"]).digest;
    for part in ["folders", "records", "claims", "tmp", "shared", "names/blob-sources"] {
        let mut remove = as_root("rm");
        assert!(remove.arg("-rf").arg(home.path("store").join(part)).status().unwrap().success());
        let built = home.dated(["-t", "x", "ctx"]);
        assert_eq!(built.digest, digest, "without {part}");
        assert_eq!(home.layers("x").len(), 6, "without {part}");
    }
}

#[test]
fn layers_that_are_missing_are_packed_again() {
    let Some(home) = home() else { return };
    let digest = home.dated(["-o", "type=image,name=x,compression=gzip", "ctx"]).digest;
    let layers = home.inspect("x")["Manifest"]["layers"].take();
    let base = home.inspect("base")["Manifest"]["layers"][0]["digest"].clone();
    for layer in layers.as_array().unwrap().iter().filter(|layer| layer["digest"] != base) {
        let hex = layer["digest"].as_str().unwrap().trim_start_matches("sha256:").to_owned();
        let mut files = as_root("find");
        let found = files.arg(home.path("store/blobs")).args(["-name", &hex, "-delete", "-print"]).output().unwrap();
        assert!(!found.stdout.is_empty(), "{hex}");
    }
    assert_eq!(home.dated(["-o", "type=image,name=x,compression=gzip", "ctx"]).digest, digest);
    assert_eq!(home.layers("x").len(), 6);
}

#[test]
fn damaged_records_are_no_records() {
    let Some(home) = home() else { return };
    let digest = home.dated(["-t", "x", "ctx"]).digest;
    let mut damaged = 0;
    for shard in fs::read_dir(home.path("store/records")).unwrap() {
        for record in fs::read_dir(shard.unwrap().path()).unwrap() {
            let path = record.unwrap().path();
            let content = fs::read(&path).unwrap();
            fs::remove_file(&path).unwrap();
            fs::write(&path, &content[..content.len() / 2]).unwrap();
            damaged += 1;
        }
    }
    assert!(damaged > 5, "{damaged}");
    assert_eq!(home.dated(["-t", "x", "ctx"]).digest, digest);
}
