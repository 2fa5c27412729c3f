//! `check`: what it says of a Dockerfile in each of its formats, and what `--fix` makes of the file.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

#[path = "../support/support.rs"]
mod support;

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};

use serde_json::Value;
use support::Home;
use support::home::run;
use support::transcript::assert_transcript;

/// A rule of BuildKit's that can be mended, one that cannot, and advice of our own.
const DOUBTFUL: &str = "FROM scratch as base\nENV A 1\nMAINTAINER me\nFROM scratch\nCOPY id_rsa /\n";

fn home(dockerfile: &str) -> Home {
    let home = Home::empty();
    home.write("Dockerfile", dockerfile);
    home
}

#[test]
fn people_see_every_finding_with_its_place_and_what_to_do() {
    let home = home(DOUBTFUL);
    let ran = home.layercake(["check", "."]).exits(2);
    assert_transcript("check", "text", &home, &ran);
    home.write("Dockerfile", "FROM scratch\n");
    assert_eq!(home.layercake(["check", "."]).ok().stderr, "nothing to say\n");
}

#[test]
fn programs_see_the_same_findings_in_each_format() {
    let home = home(DOUBTFUL);
    let format = |format: &str| run(&mut home.command(["check", "--format", format, "."])).exits(2).stdout;
    let json: Value = serde_json::from_str(&format("json")).unwrap();
    let names = |list: &str| -> Vec<(String, u64)> {
        let found = json[list].as_array().unwrap().iter();
        found.map(|found| (found["rule"].as_str().unwrap().to_owned(), found["line"].as_u64().unwrap())).collect()
    };
    let named =
        |names: &[(&str, u64)]| names.iter().map(|(name, line)| ((*name).to_owned(), *line)).collect::<Vec<_>>();
    assert_eq!(
        names("warnings"),
        named(&[("FromAsCasing", 1), ("LegacyKeyValueFormat", 2), ("MaintainerDeprecated", 3)])
    );
    assert_eq!(names("findings"), named(&[("unused-stage", 1), ("secret-in-layer", 5)]));

    let sarif: Value = serde_json::from_str(&format("sarif")).unwrap();
    assert_eq!(sarif["version"], "2.1.0");
    let results = sarif["runs"][0]["results"].as_array().unwrap();
    let place = |result: &Value| {
        let physical = &result["locations"][0]["physicalLocation"];
        let line = physical["region"]["startLine"].as_u64().unwrap();
        assert_eq!(physical["artifactLocation"]["uri"], "Dockerfile");
        (result["ruleId"].as_str().unwrap().to_owned(), line)
    };
    let mut all = [names("warnings"), names("findings")].concat();
    let mut found: Vec<_> = results.iter().map(place).collect();
    all.sort_unstable();
    found.sort_unstable();
    assert_eq!(found, all);
    let rules = sarif["runs"][0]["tool"]["driver"]["rules"].as_array().unwrap();
    assert!(results.iter().all(|result| rules.iter().any(|rule| rule["id"] == result["ruleId"])));

    let github = format("github");
    assert_eq!(github.lines().count(), all.len(), "{github}");
    assert!(github.lines().all(|line| line.starts_with("::") && line.contains("file=Dockerfile,line=")), "{github}");
}

#[test]
fn what_can_be_mended_is_and_the_rest_is_told() {
    let home = home(DOUBTFUL);
    fs::set_permissions(home.path("work/Dockerfile"), fs::Permissions::from_mode(0o640)).unwrap();
    fs::rename(home.path("work/Dockerfile"), home.path("work/real")).unwrap();
    symlink("real", home.path("work/Dockerfile")).unwrap();

    let ran = home.layercake(["check", "--fix", "."]).exits(2);
    assert_transcript("check", "fix", &home, &ran);
    assert_eq!(home.read("real"), DOUBTFUL.replace(" as ", " AS ").replace("ENV A 1", "ENV A=1"));
    assert!(fs::symlink_metadata(home.path("work/Dockerfile")).unwrap().is_symlink(), "the link is still one");
    assert_eq!(fs::metadata(home.path("work/real")).unwrap().permissions().mode() & 0o777, 0o640);
    assert_eq!(fs::read_dir(home.path("work")).unwrap().count(), 2, "nothing else is left there");

    let mended = home.read("real");
    home.layercake(["check", "--fix", "."]).exits(2);
    assert_eq!(home.read("real"), mended, "there is nothing more to mend");
}

#[test]
fn what_cannot_be_mended_safely_is_left_as_it_is() {
    let wrong = "FROM scratch as base\nCOPPY a /\n";
    let broken = home(wrong);
    broken.layercake(["check", "--fix", "."]).exits(2);
    assert_eq!(broken.read("Dockerfile"), wrong, "a file with errors means who knows what");

    let bytes = b"FROM scratch as base\nLABEL a=\xff\n";
    broken.write("Dockerfile", bytes);
    let ran = broken.layercake(["check", "--fix", "."]).exits(2);
    assert!(ran.stderr.contains("is not UTF-8"), "{}", ran.stderr);
    assert_eq!(fs::read(broken.path("work/Dockerfile")).unwrap(), bytes);

    let ran = broken.layercake(["check", "--fix", "-f", "-", "."]).exits(2);
    assert!(ran.stderr.contains("standard input"), "{}", ran.stderr);
}
