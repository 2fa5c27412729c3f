//! Recorded answers of BuildKit, held against this compiler in process.
//!
//! The data lie in the folder that `LAYERCAKE_CONFORMANCE` names, or beside the workspace; without them there is nothing
//! to do. Cases of the tier `quirk` are counted and never fail.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
#![allow(clippy::disallowed_methods, reason = "a test may read files and the environment")]
#![allow(clippy::print_stdout, reason = "the report is what the test is run for")]

mod cases;
mod compile;
mod dockerignore;
mod drawings;
mod fixes;
mod integration;
mod lint;
mod parser;
#[path = "../support/picture.rs"]
mod picture;
mod shell;
mod subrequests;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use cases::Case;

/// What is wrong with our answer to a case; nothing if it is right.
type Problems = Vec<String>;

/// How the answer to one case compares.
#[derive(Default)]
struct Verdict {
    problems: Problems,
    /// Comparisons that are only counted: what it is about, and whether it is the same.
    grades: Vec<(&'static str, bool)>,
}

impl From<Problems> for Verdict {
    fn from(problems: Problems) -> Self {
        Self { problems, grades: Vec::new() }
    }
}

/// The name of a category, the folder it lies in, and how a case of it is judged; `None` if it has nothing to judge.
type Category = (&'static str, &'static str, fn(&Case) -> Option<Verdict>);

const CATEGORIES: [Category; 14] = [
    ("parser", "parser", |case| Some(parser::judge(case).into())),
    ("shell", "shell", |case| Some(shell::judge(case).into())),
    ("dockerignore", "dockerignore", |case| Some(dockerignore::judge(case).into())),
    ("instructions", "instructions", |case| Some(compile::judge(case, &case.value))),
    ("realworld, parsed", "realworld", |case| Some(parser::judge_file(case, case.value.get("parse")?).into())),
    ("realworld, compiled", "realworld", |case| Some(compile::judge(case, case.value.get("compile")?))),
    ("realworld, drawn", "realworld", |case| Some(drawings::judge(case).into())),
    ("realworld, linted", "realworld", |case| Some(lint::judge_file(case, case.value.get("lint")?).into())),
    ("lint", "lint", |case| Some(lint::judge(case))),
    ("realworld, mended", "realworld", |case| Some(fixes::judge(case).into())),
    ("lint, mended", "lint", |case| Some(fixes::judge(case).into())),
    ("instructions, mended", "instructions", |case| Some(fixes::judge(case).into())),
    ("integration, compiled", "integration", integration::judge),
    ("subrequests", "subrequests", |case| Some(subrequests::judge(case).into())),
];

#[test]
fn answers_are_those_that_were_recorded() {
    let Some(data) = folder() else {
        println!("no conformance data: nothing to compare with");
        return;
    };
    let mut failed = 0;
    for (name, folder, judge) in CATEGORIES {
        failed += report(name, &data.join(folder), judge);
    }
    assert_eq!(failed, 0, "cases differ");
}

fn folder() -> Option<PathBuf> {
    let beside = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/conformance/data");
    let folder = std::env::var_os("LAYERCAKE_CONFORMANCE").map_or_else(beside, PathBuf::from);
    folder.is_dir().then_some(folder)
}

/// Judges all cases of a category and prints what came out; returns how many fail that count.
fn report(name: &str, folder: &Path, judge: fn(&Case) -> Option<Verdict>) -> usize {
    let (mut passed, mut quirks) = (0, (0, 0));
    let mut failures = Vec::new();
    let mut grades: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
    for case in cases::read(folder) {
        let Some(verdict) = judge(&case) else { continue };
        for (grade, same) in verdict.grades {
            let (good, all) = grades.entry(grade).or_default();
            *good += usize::from(same);
            *all += 1;
        }
        match (case.is_quirk, verdict.problems.is_empty()) {
            (false, true) => passed += 1,
            (false, false) => failures.push((case.id, verdict.problems)),
            (true, true) => quirks.0 += 1,
            (true, false) => quirks.1 += 1,
        }
    }
    println!("{name}: {passed} passed, {} failed", failures.len());
    if quirks != (0, 0) {
        println!("  quirks, which do not count: {} passed, {} failed", quirks.0, quirks.1);
    }
    for (grade, (good, all)) in grades {
        println!("  {grade}: {good} of {all} the same");
    }
    for (id, problems) in &failures {
        println!("  FAIL {id}: {}", problems.join("\n       "));
    }
    failures.len()
}
