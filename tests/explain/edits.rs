//! Edits of the Dockerfile, arguments, and base images.

use crate::case::{Case, DOCKERFILE};
use crate::support::Home;

/// What follows where the content of `/x` changes.
const FOLLOW: [&str; 3] = ["8 file x content: # -> #", "8 step 6", "9 step 6"];

/// A case that is built, edited, and built again.
#[track_caller]
fn edited(home: &Home, name: &'static str, dockerfile: &str, edit: (&str, &str), expected: &[&str]) {
    Case::new(home, name, dockerfile).build(&[]).edit(edit.0, edit.1).explains(&[], expected);
}

#[test]
fn arguments_and_variables_are_told_apart() {
    let Some(home) = Home::with_base() else { return };
    let with = |first: &'static str| [&[first][..], &FOLLOW].concat();
    let case = Case::new(&home, "argument", DOCKERFILE);
    case.build(&[]).explains(&["--build-arg=A=9"], &with("6 argument A: 1 -> 9"));
    edited(&home, "default", DOCKERFILE, ("A=1", "A=5"), &with("6 argument A: 1 -> 5"));
    edited(&home, "variable", DOCKERFILE, ("B=2", "B=3"), &with("6 variable B: 2 -> 3"));
    edited(&home, "declared", "FROM base\nRUN true\n", ("RUN", "ARG N=1\nRUN"), &["3 argument N: none -> 1"]);
    edited(&home, "order", "FROM base\nENV C=1 D=2\nRUN true\n", ("C=1 D=2", "D=2 C=1"), &["3 order"]);
}

#[test]
fn arguments_are_named_where_they_are_expanded() {
    let Some(home) = Home::with_base() else { return };
    let case = Case::new(&home, "expanded", "FROM base\nARG F=a.txt\nCOPY $F /f\n");
    let expected = ["3 paths source: a.txt -> b.txt", "3 argument F: a.txt -> b.txt"];
    case.build(&[]).explains(&["--build-arg=F=b.txt"], &expected);
}

#[test]
fn commands_are_shown_before_and_after() {
    let Some(home) = Home::with_base() else { return };
    edited(&home, "command", DOCKERFILE, ("cat /x", "cat /x /x"), &["9 command: cat /x -> cat /x /x"]);
    edited(&home, "exec", "FROM base\nRUN true\n", ("true", "[\"true\"]"), &["2 command: /bin/sh -c true -> true"]);
    let shell = ["3 command: /bin/sh -c true -> /bin/ash -c true"];
    edited(&home, "shell", "FROM base\n# x\nRUN true\n", ("# x", "SHELL [\"/bin/ash\", \"-c\"]"), &shell);
    let text = "FROM base\nRUN <<end\necho one\nend\n";
    edited(&home, "heredoc-run", text, ("one", "two"), &["2 command: echo one\n -> echo two\n"]);
    let script = "FROM base\nRUN <<end\n#!/bin/sh\necho one\nend\n";
    edited(&home, "heredoc-script", script, ("one", "two"), &["2 heredoc end content: # -> #"]);
    let copied = "FROM base\nCOPY <<conf /conf\none\nconf\n";
    edited(&home, "heredoc-copy", copied, ("one", "two"), &["2 heredoc conf content: # -> #"]);
}

#[test]
fn flags_and_paths_of_copies_are_named() {
    let Some(home) = Home::with_base() else { return };
    let copy = |name, edit, expected: &[&str]| edited(&home, name, DOCKERFILE, edit, expected);
    copy("chown", ("COPY a", "COPY --chown=ann a"), &["5 flag --chown:  -> ann", "6 step 5"]);
    copy("chmod", ("COPY a", "COPY --chmod=700 a"), &["5 flag --chmod:  -> 700", "6 step 5"]);
    copy("linked", ("COPY a", "COPY --link a"), &["5 flag --link: false -> true"]);
    let expected = ["5 flag --exclude: none -> n", "5 file d/n removed: # -> none", "6 step 5"];
    copy("exclude", ("COPY a", "COPY --exclude=n a"), &expected);
    copy("to", ("/files/", "/other/"), &["5 paths destination: /files/ -> /other/", "6 step 5"]);
    copy("from", ("a.txt d", "a.txt b.txt d"), &["5 paths source: a.txt d -> a.txt b.txt d", "6 step 5"]);
}

#[test]
fn what_other_instructions_set_is_named() {
    let Some(home) = Home::with_base() else { return };
    let expected = ["4 setting WORKDIR: /w -> /v", "6 setting WORKDIR: /w -> /v", "6 step 4"];
    edited(&home, "workdir", DOCKERFILE, ("/w", "/v"), &expected);
    edited(&home, "user", DOCKERFILE, ("RUN cat", "USER ann\nRUN cat"), &["10 setting USER:  -> ann"]);
}

#[test]
fn steps_that_are_new_or_gone_are_told() {
    let Some(home) = Home::with_base() else { return };
    // What is copied in between goes where it went.
    let expected = ["5 new-step", "7 step 5"];
    edited(&home, "inserted", DOCKERFILE, ("COPY a", "RUN echo > /n\nCOPY a"), &expected);
    let text = "FROM base\nRUN echo > /1\nRUN echo > /2\nRUN echo > /3\n";
    edited(&home, "removed", text, ("RUN echo > /2\n", ""), &["3 step 2"]);
    let case = Case::new(&home, "comment", DOCKERFILE);
    case.build(&[]).edit("COPY a", "# why\nLABEL a=b\nCOPY a").explains(&[], &[]);
    assert_eq!(case.text(), "hit all 6 steps\n");
}

#[test]
fn base_images_are_named_with_their_digests() {
    let Some(home) = Home::with_base() else { return };
    let image = |tag: &str, content: &str| {
        home.write("image/Dockerfile", format!("FROM base\nRUN echo {content} > /v\n"));
        home.build(["-t", tag, "image"]);
    };
    image("tag:one", "1");
    image("tag:two", "2");
    image("moving", "1");
    let text = "FROM moving\nRUN echo > /1\nRUN echo > /2\n";
    let case = Case::new(&home, "moved", text);
    case.build(&[]);
    image("moving", "2");
    let expected = ["1 base moving: # -> #", "2 base moving: # -> #", "3 base moving: # -> #"];
    case.explains(&[], &expected);
    assert!(case.text().contains("the tag `moving` has moved from sha256:"), "{}", case.text());
    let edit = ("tag:one", "tag:two");
    let expected = ["1 base tag:two: tag:one@# -> tag:two@#", "2 base tag:two: tag:one@# -> tag:two@#"];
    edited(&home, "other", "FROM tag:one\nRUN echo > /other\n", edit, &expected);
    let case = Case::new(&home, "by-argument", "ARG V=one\nFROM tag:$V\nRUN echo > /third\n");
    let expected = [
        "2 base tag:two: tag:one@# -> tag:two@#",
        "2 argument V: one -> two",
        "3 base tag:two: tag:one@# -> tag:two@#",
        "3 argument V: one -> two",
    ];
    case.build(&[]).explains(&["--build-arg=V=two"], &expected);
}

#[test]
fn the_platform_is_named() {
    let Some(home) = Home::with_base() else { return };
    let import = |platform: &str| {
        home.layercake(["import", "--platform", platform, "../base.tar", "both"]).ok();
    };
    let case = Case::new(&home, "platform", "FROM both\nCOPY a.txt /a\n");
    import("linux/amd64");
    case.build(&["--platform=linux/amd64"]);
    import("linux/arm64");
    // The trees are the same, so the copy is one too.
    let expected = ["1 base both: # -> #", "1 platform: linux/amd64 -> linux/arm64"];
    case.explains(&["--platform=linux/arm64"], &expected);
}
