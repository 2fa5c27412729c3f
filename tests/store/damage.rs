//! What is damaged is found, and is made again once it is gone.

use std::fs;
use std::path::{Path, PathBuf};

use crate::support::machine::as_root;
use crate::{PACKED, home};

#[test]
fn damage_is_named_and_repaired() {
    let Some(home) = home() else { return };
    let digest = home.inspect("x")["Id"].as_str().unwrap().to_owned();
    home.layercake(["verify"]).ok();
    let layer = home.inspect("x")["Manifest"]["layers"][2]["digest"].as_str().unwrap().to_owned();
    let blob = home.path("store/blobs/sha256").join(layer.trim_start_matches("sha256:"));
    fs::write(&blob, "something else").unwrap();
    let record = step_record(&home.path("store/records"));
    fs::write(&record, "too short").unwrap();
    // A folder that a layer was made of, whose files are not ours to write to.
    let mut find = as_root("find");
    let found = find.arg(home.path("store/folders")).args(["-name", "sums"]).output().unwrap();
    let file = PathBuf::from(String::from_utf8(found.stdout).unwrap().trim());
    let script = format!("echo damaged >> '{}'", file.display());
    assert!(as_root("sh").args(["-c", &script]).status().unwrap().success());

    let ran = home.layercake(["verify"]).exits(3);
    for (path, what) in [
        (&blob, "its content has the digest"),
        (&record, "checksum"),
        (&file.parent().unwrap().to_owned(), "its files are others"),
    ] {
        let line = ran.stdout.lines().find(|line| line.starts_with(&path.display().to_string())).unwrap_or_default();
        assert!(line.contains(what), "{what}: {}", ran.stdout);
    }
    assert_eq!(ran.stdout.lines().count(), 4, "{}", ran.stdout);
    home.layercake(["verify", "--repair"]).ok();
    home.layercake(["verify"]).ok();
    assert_eq!(home.dated(PACKED).digest, digest);
    assert_eq!(home.layers("x")[2].text("sums").lines().count(), 1);
}

/// What is remembered of some step.
fn step_record(folder: &Path) -> PathBuf {
    let mut files = fs::read_dir(folder).unwrap().flat_map(|shard| fs::read_dir(shard.unwrap().path()).unwrap());
    let is_of_step = |path: &PathBuf| String::from_utf8_lossy(&fs::read(path).unwrap()).contains("\"took\"");
    files.find_map(|file| Some(file.unwrap().path()).filter(is_of_step)).unwrap()
}
