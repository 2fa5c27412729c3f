//! `diff`: what two images differ in.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::judges::comparable;
use super::varied::{self, IMAGES};
use crate::support::Home;

const BEFORE: &str = "FROM base\nENV A=1 B=2\nRUN mkdir /d /gone && echo one > /d/file && echo x > /gone/x && echo 1 > /mode \
                      && ln -s d /link && echo 1 > /owner && echo 1 > /kind && echo same > /same\nCMD [\"sh\"]\n";
const AFTER: &str = "FROM base\nENV A=1 B=3\nRUN mkdir /d && echo three > /d/file && echo 1 > /mode && chmod 600 /mode && ln -s e /link \
                     && echo 1 > /owner && chown 7:8 /owner && mkdir /kind && echo same > /same && echo n > /new\nLABEL l=1\nCMD [\"sh\"]\n";

fn difference(home: &Home, arguments: &[&str]) -> Value {
    let ran = crate::support::home::run(home.command(["diff", "--format=json"]).args(arguments)).ok();
    serde_json::from_str(&ran.stdout).unwrap()
}

fn two_images() -> Option<Home> {
    let home = Home::with_base()?;
    for (name, text) in [("before", BEFORE), ("after", AFTER)] {
        home.write(&format!("{name}/Dockerfile"), text);
        home.dated(["-t", name, name]);
    }
    Some(home)
}

#[test]
fn every_difference_is_named() {
    let Some(home) = two_images() else { return };
    let found = difference(&home, &["before", "after"]);
    let config = json!([
        {"name": "Env B", "old": "2", "new": "3"},
        {"name": "Label l", "old": null, "new": "1"},
    ]);
    assert_eq!(found["config"], config);
    let changed = |path: &str, aspect: &str, old: Value, new: Value| json!({"path": path, "change": "changed", "differs": {aspect: {"old": old, "new": new}}});
    let files = json!([
        changed("/d/file", "content", json!({"size": 4}), json!({"size": 6})),
        {"path": "/gone", "change": "removed", "kind": "folder", "size": null},
        {"path": "/gone/x", "change": "removed", "kind": "file", "size": 2},
        changed("/kind", "kind", json!("file"), json!("folder")),
        changed("/link", "target", json!("d"), json!("e")),
        changed("/mode", "mode", json!("0644"), json!("0600")),
        {"path": "/new", "change": "added", "kind": "file", "size": 2},
        changed("/owner", "owner", json!("0:0"), json!("7:8")),
    ]);
    assert_eq!(found["files"], files);
    assert_eq!(found["layers"]["shared"], 1);
    assert_eq!(found["layers"]["old"][0]["created_by"].as_str().unwrap().split(' ').next(), Some("RUN"));
}

#[test]
fn people_are_told_in_dockers_letters() {
    let Some(home) = two_images() else { return };
    let text = home.layercake(["diff", "before", "after"]).ok().stdout;
    for line in ["C Env B 2 -> 3", "A Label l 1", "D /gone folder", "A /new 2B", "C /mode mode 0644 -> 0600"] {
        assert!(text.lines().any(|found| found == line), "{line}:\n{text}");
    }
    assert!(text.contains("C /d/file content, 4B -> 6B"), "{text}");
    home.layercake(["diff", "--exit-code", "before", "after"]).exits(1);
    let same = home.layercake(["diff", "--exit-code", "before", "before"]).exits(0).stdout;
    assert_eq!(same, "`before` and `before` are the same image\n");
}

/// What a name says may not move the cursor of whoever reads it.
#[test]
fn odd_names_are_shown_so_that_they_do_no_harm() {
    let Some(home) = Home::with_base() else { return };
    home.write("ctx/Dockerfile", "FROM base\nRUN touch \"$(printf '/a\\033[2Jb\\nc')\"\n");
    home.build(["-t", "odd", "ctx"]);
    let text = home.layercake(["diff", "base", "odd"]).ok().stdout;
    assert!(text.contains("A /a\\u{1b}[2Jb\\nc 0B\n"), "{text:?}");
}

#[test]
fn times_count_if_they_are_asked_for() {
    let Some(home) = Home::with_base() else { return };
    for (name, time) in [("one", 1000), ("two", 2000)] {
        let mut tar = tar::Builder::new(Vec::new());
        let mut header = tar::Header::new_ustar();
        header.set_mode(0o644);
        header.set_mtime(time);
        header.set_size(1);
        tar.append_data(&mut header, "file", &b"x"[..]).unwrap();
        home.piped(["import", "-", name], tar.into_inner().unwrap()).ok();
        // The roots are of different seconds, which no archive says.
        home.layercake(["diff", "base", name]).ok();
        std::thread::sleep(std::time::Duration::from_millis(1100));
    }
    assert_eq!(difference(&home, &["one", "two"])["files"], json!([]));
    let same = home.layercake(["diff", "--exit-code", "one", "two"]).exits(0).stdout;
    assert_eq!(same, "`one` and `two` have the same files and settings; only their layers, or times, are others\n");
    let time = json!({"path": "/file", "change": "changed", "differs": {"time": {"old": 1000, "new": 2000}}});
    assert_eq!(difference(&home, &["--times", "one", "two"])["files"], json!([time]));
}

/// The whole trees, as `-o type=tar` writes them and others unpack them, say the same.
#[test]
fn the_paths_are_those_in_which_whole_trees_differ() {
    let Some(home) = varied::built() else { return };
    for pair in IMAGES.windows(2) {
        let [name, other] = [pair[0].0, pair[1].0];
        let [one, two] = [name, other].map(|name| {
            home.dated(["-t", name, name]);
            comparable(&home.tree(name))
        });
        let paths: BTreeSet<&String> = one.keys().chain(two.keys()).collect();
        let expected: Vec<String> =
            paths.into_iter().filter(|path| one.get(*path) != two.get(*path)).map(|path| format!("/{path}")).collect();
        let found = difference(&home, &[name, other]);
        let mut found: Vec<&str> =
            found["files"].as_array().unwrap().iter().map(|file| file["path"].as_str().unwrap()).collect();
        found.retain(|path| *path != "/");
        found.sort_unstable();
        assert_eq!(found, expected, "{name} {other}");
    }
}

#[test]
fn an_image_that_is_not_there() {
    let Some(home) = Home::with_base() else { return };
    let ran = home.layercake(["diff", "base", "nothing"]).exits(2);
    assert!(ran.stderr.contains("there is no image `nothing` in the store"), "{}", ran.stderr);
}

#[test]
fn images_are_found_wherever_they_are() {
    let Some(home) = two_images() else { return };
    let expected = difference(&home, &["before", "after"]);
    home.layercake(["save", "-o", "before.tar", "before"]).ok();
    home.layercake(["save", "--format=docker", "-o", "after.tar", "after"]).ok();
    home.dated(["-t", "after", "-o", "type=oci,tar=false,dest=layout", "after"]);
    let same = |found: &Value| {
        ["config", "files"].iter().for_each(|part| assert_eq!(found[part], expected[part]));
    };
    same(&difference(&home, &["./before.tar", "after"]));
    same(&difference(&home, &["before", "oci-layout://layout"]));
    same(&difference(&home, &["./before.tar", "./layout"]));
    // In a store that has none of them, which has no image more afterwards.
    let other = Home::empty();
    let path = |name: &str| home.path("work").join(name).display().to_string();
    same(&difference(&other, &[&path("before.tar"), &path("after.tar")]));
    assert_eq!(other.layercake(["images", "-q"]).ok().stdout, "");
    if crate::support::tools::available(&[crate::support::registry::PROGRAM]) {
        let registry = crate::support::registry::Registry::open();
        let name = format!("{}/after:1", registry.host());
        home.layercake(["tag", "after", &name]).ok();
        home.layercake(["push", &name]).ok();
        same(&difference(&other, &[&path("before.tar"), &format!("docker-image://{name}")]));
    }
    home.layercake(["save", "-o", "both.tar", "before", "after"]).ok();
    let ran = home.layercake(["diff", "./both.tar", "after"]).exits(2);
    assert!(ran.stderr.contains("`./both.tar` holds 2 images: "), "{}", ran.stderr);
    home.layercake(["diff", "./missing.tar", "after"]).exits(2);
    home.layercake(["diff", "oci-layout://missing", "after"]).exits(2);
}
