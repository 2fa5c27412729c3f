//! What `explain` says to people, what it costs, and what it says where there is nothing to explain.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::Duration;

use crate::case::{Case, DOCKERFILE};
use crate::support::Home;

#[test]
fn steps_are_chosen_by_number_stage_and_line() {
    let Some(home) = Home::with_base() else { return };
    let case = Case::new(&home, "chosen", DOCKERFILE);
    case.build(&[]).write("a.txt", "changed").build(&[]);
    let lines = |step: &str| home.layercake(["explain", step, "chosen"]).ok().stdout.lines().count();
    let copy = home.layercake(["explain", "%3", "chosen"]).ok().stdout;
    assert!(
        copy.starts_with("miss %3   line 5    [one] COPY a.txt d /files/\n     `a.txt` has changed: blake3:"),
        "{copy}"
    );
    for step in ["3", ":5", "one:5", "One/5"] {
        assert_eq!(home.layercake(["explain", step, "chosen"]).ok().stdout, copy, "{step}");
    }
    assert_eq!(home.layercake(["explain", "chosen", "%3"]).ok().stdout, copy);
    assert_eq!((lines("one"), lines("%0")), (5, 1));
    let ran = home.layercake(["explain", "%17", "chosen"]).exits(2);
    assert!(ran.stderr.contains("no step `%17`") && ran.stderr.contains("%0, %1, %3"), "{}", ran.stderr);
    home.layercake(["explain", "nowhere", "chosen"]).exits(2);
    home.layercake(["explain", "./chosen", "./chosen"]).exits(2);
}

#[test]
fn where_there_is_nothing_to_explain_one_message_says_so() {
    let Some(home) = Home::with_base() else { return };
    let case = Case::new(&home, "none", DOCKERFILE);
    let ran = home.layercake(["explain", "none"]).exits(2);
    assert!(ran.stderr.contains("nothing is remembered of a build of"), "{}", ran.stderr);
    assert_eq!(ran.stderr.lines().count(), 2, "{}", ran.stderr);
    case.build(&[]);
    fs::remove_dir_all(home.path("store/records")).unwrap();
    let ran = home.layercake(["explain", "none"]).exits(3);
    assert!(ran.stderr.contains("no longer in the store") && ran.stderr.contains("build again"), "{}", ran.stderr);
    // Nothing could be predicted of this one.
    home.layercake(["build", "none"]).ok();
    case.text();
}

/// The files of the store that builds are remembered in, and what they hold.
fn remembered(home: &Home) -> BTreeMap<String, Vec<u8>> {
    fn add(folder: &Path, found: &mut BTreeMap<String, Vec<u8>>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                add(&path, found);
            } else {
                found.insert(path.display().to_string(), fs::read(&path).unwrap());
            }
        }
    }
    let mut found = BTreeMap::new();
    add(&home.path("store/records"), &mut found);
    add(&home.path("store/names/explain"), &mut found);
    found
}

#[test]
fn an_unchanged_build_writes_nothing() {
    let Some(home) = Home::with_base() else { return };
    let case = Case::new(&home, "unchanged", "FROM base\nCOPY many /many\nRUN true\n");
    for file in 0..1000 {
        case.write(&format!("many/{file}"), "x");
    }
    // What was touched a moment ago is not remembered as known: the memo of contents is written later.
    std::thread::sleep(Duration::from_millis(3100));
    let count = |home: &Home| remembered(home).len();
    case.build(&[]);
    let first = count(&home);
    case.build(&[]);
    assert_eq!(count(&home), first, "that all were hits is told in the list");
    let before = remembered(&home);
    case.build(&[]).build(&[]);
    assert_eq!(remembered(&home), before);
    // One file of a thousand: one listing, and small things.
    case.write("many/500", "y").build(&[]);
    let after = remembered(&home);
    let large = after.iter().filter(|(path, bytes)| !before.contains_key(*path) && bytes.len() > 50_000).count();
    assert_eq!(large, 1);
    assert_eq!(case.reasons(), ["2 file many/500 content: # -> #", "3 step 2"]);
}

#[test]
#[expect(clippy::print_stderr, reason = "the time is what one wants to see of this test")]
fn explaining_is_quick() {
    let Some(home) = Home::with_base() else { return };
    let case = Case::new(&home, "quick", "FROM base\nCOPY many /many\nRUN true\n");
    for file in 0..2000 {
        case.write(&format!("many/{file}"), "x");
    }
    case.build(&[]).write("many/7", "y").build(&[]);
    let ran = home.layercake(["explain", "quick"]).ok();
    eprintln!("explaining one of 2,000 files took {:?}", ran.took);
    // Many times what it takes, for machines under load.
    assert!(ran.took < Duration::from_secs(1), "{:?}", ran.took);
}
