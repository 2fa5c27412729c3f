//! Files that change: their content, their attributes, and which of them there are.

use std::fs;
use std::os::unix::fs::symlink;

use crate::case::{Case, DOCKERFILE};
use crate::support::Home;

/// BLAKE3 of nothing, from the test vectors of its authors.
const OF_NOTHING: &str = "blake3:af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262";

#[test]
fn contents_are_named_with_their_digests() {
    let Some(home) = Home::with_base() else { return };
    let case = Case::new(&home, "content", DOCKERFILE);
    case.build(&[]).write("a.txt", "").explains(&[], &["5 file a.txt content: # -> #", "6 step 5"]);
    let json = case.json();
    let reason = json["steps"].as_array().unwrap().iter().find(|step| step["line"] == 5).unwrap()["reasons"][0].clone();
    assert_eq!(reason["new"], OF_NOTHING);
    assert!(reason["old"] != reason["new"]);
    // The nearest earlier build is that with the empty file.
    case.write("d/n", "changed").explains(&[], &["5 file d/n content: # -> #", "6 step 5"]);
    // What was built before is a hit, wherever it was last.
    case.write("d/n", "n").explains(&[], &[]);
}

#[test]
fn attributes_and_kinds_are_named() {
    let Some(home) = Home::with_base() else { return };
    let after = |name, change: &dyn Fn(&Case<'_>), expected: &str| {
        let case = Case::new(&home, name, DOCKERFILE);
        case.build(&[]);
        change(&case);
        case.explains(&[], &[expected, "6 step 5"]);
    };
    after("mode", &|case| _ = case.mode("a.txt", 0o600), "5 file a.txt mode: 0644 -> 0600");
    after("new", &|case| _ = case.write("d/new", "x"), "5 file d/new added: none -> #");
    after("gone", &|case| fs::remove_file(case.path("d/n")).unwrap(), "5 file d/n removed: # -> none");
    after(
        "kind",
        &|case| {
            fs::remove_file(case.path("d/n")).unwrap();
            symlink("m", case.path("d/n")).unwrap();
        },
        "5 file d/n type: file -> symbolic link",
    );
    after(
        "hard",
        &|case| {
            fs::remove_file(case.path("d/n")).unwrap();
            fs::hard_link(case.path("d/m"), case.path("d/n")).unwrap();
        },
        "5 file d/n type: file -> hard link",
    );
}

#[test]
fn a_step_with_the_same_result_is_the_last_to_be_named() {
    let Some(home) = Home::with_base() else { return };
    let case = Case::new(&home, "folder", DOCKERFILE);
    // Only what is in the folder is copied.
    case.build(&[]).mode("d", 0o700).explains(&[], &["5 file d mode: 0755 -> 0700"]);
}

#[test]
fn where_a_link_leads_is_named() {
    let Some(home) = Home::with_base() else { return };
    let case = Case::new(&home, "link", DOCKERFILE);
    symlink("m", case.path("d/l")).unwrap();
    case.build(&[]);
    fs::remove_file(case.path("d/l")).unwrap();
    symlink("n", case.path("d/l")).unwrap();
    case.explains(&[], &["5 file d/l content: m -> n", "6 step 5"]);
}

#[test]
fn wildcards_name_what_they_now_select() {
    let Some(home) = Home::with_base() else { return };
    let case = Case::new(&home, "wild", "FROM base\nCOPY *.txt /t/\n");
    case.build(&[]).write("c.txt", "c").explains(&[], &["2 file c.txt added: none -> #"]);
}

#[test]
fn the_ignore_file_is_named_where_it_is_why_files_are_gone() {
    let Some(home) = Home::with_base() else { return };
    let case = Case::new(&home, "ignored", DOCKERFILE);
    case.build(&[]);
    case.write(".dockerignore", "d/n\n");
    let gone = ["5 file d/n removed: # -> none", "5 ignore .dockerignore: none -> d/n", "6 step 5"];
    case.explains(&[], &gone);
    // What it hides and nobody copies makes no difference.
    case.write(".dockerignore", "d/n\nb.txt\n").explains(&[], &[]);
}

#[test]
fn files_of_other_contexts_are_named() {
    let Some(home) = Home::with_base() else { return };
    home.write("extra/f", "f");
    let case = Case::new(&home, "named", "FROM base\nCOPY --from=extra f /f\n");
    let arguments = ["--build-context=extra=extra"];
    case.build(&arguments);
    home.write("extra/f", "g");
    case.explains(&arguments, &["2 file f content: # -> #"]);
}

#[test]
fn files_of_other_stages_are_named_with_the_step() {
    let Some(home) = Home::with_base() else { return };
    let case = Case::new(&home, "stages", DOCKERFILE);
    case.build(&[]).edit("> /x", "> /x; echo end >> /x");
    let follow = ["8 file x content: # -> #", "8 step 6", "9 step 6"];
    let command = "6 command: echo $A $B > /x -> echo $A $B > /x; echo end >> /x";
    case.explains(&[], &[&[command][..], &follow].concat());
}

#[test]
fn mounted_files_are_named() {
    let Some(home) = Home::with_base() else { return };
    let case = Case::new(&home, "mounted", "FROM base\nRUN --mount=source=d,target=/m cat /m/n\n");
    case.build(&[]).write("d/n", "changed").explains(&[], &["2 file d/n content: # -> #"]);
    case.write("a.txt", "changed").explains(&[], &[]);
}
