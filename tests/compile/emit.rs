//! What can be printed of a Dockerfile besides its plan.

use serde_json::Value;

use crate::support::Home;
use crate::support::transcript::assert_transcript;

const DOCKERFILE: &str = "ARG NAME=tool\nFROM scratch AS a\nARG NAME\nWORKDIR /x\nCOPY $NAME /x/\nFROM scratch AS b\nWORKDIR /x\nCOPY other /x/\n\
    FROM scratch\nCOPY --from=a /x /a\nCOPY --from=b /x /b\n";

fn home() -> Home {
    let home = Home::empty();
    home.write("ctx/Dockerfile", DOCKERFILE);
    home
}

#[test]
fn each_stage_of_the_way_is_printed() {
    let home = home();
    let print = |arguments: &[&str]| {
        let ran = crate::support::home::run(&mut home.command(["compile", "ctx"].iter().chain(arguments).copied()));
        ran.ok().stdout
    };
    assert!(print(&["--emit", "ast"]).contains("\nCOPY 5:1-5:15\n    word      5:6     $NAME\n"));
    assert!(print(&["--emit", "program"]).contains("%0.1 = copy <- context\n"));
    let graph = print(&["--emit", "graph"]);
    assert!(graph.starts_with("graph: `2` for linux/"), "{graph}");
    assert_eq!(graph.matches("= make-dir").count(), 2, "no pass has run: {graph}");
    assert_eq!(print(&["--emit", "plan"]), print(&[]));
    assert_eq!(print(&[]).matches("= make-dir").count(), 1);
    for (emit, pointer) in [
        ("ast", "/instructions/4/command/copy/sources/paths/0/text"),
        ("program", "/stages/0/statements/1/op"),
        ("graph", "/nodes/1/op"),
        ("plan", "/steps/1/op"),
    ] {
        let json: Value = serde_json::from_str(&print(&["--emit", emit, "--format", "json"])).unwrap();
        assert!(json.pointer(pointer).is_some_and(Value::is_string), "{emit}: {json}");
    }
}

#[test]
fn the_syntax_of_a_wrong_file_is_printed_with_what_is_wrong() {
    let home = home();
    home.write("ctx/Dockerfile", "FROM scratch\nCPOY a b\n");
    let ran = home.layercake(["compile", "--emit=ast", "ctx"]).ok();
    assert!(ran.stdout.contains("CPOY 2:1-2:9  (means nothing)"), "{}", ran.stdout);
    assert!(ran.stderr.contains("COPY"), "{}", ran.stderr);
    home.layercake(["compile", "--emit=program", "ctx"]).exits(2);
}

#[test]
fn a_pass_is_shown_at_work() {
    let home = home();
    // The platform is part of what is printed.
    let ran = home.layercake(["compile", "--platform=linux/amd64", "--before-after=dedup", "ctx"]);
    assert_transcript("compile", "before-after-dedup", &home, &ran);
    let ran = home.layercake(["compile", "--platform=linux/amd64", "--before-after=prune", "ctx"]);
    assert_transcript("compile", "before-after-nothing", &home, &ran);
    assert_transcript(
        "compile",
        "before-after-typo",
        &home,
        &home.layercake(["compile", "--before-after=dedpu", "ctx"]),
    );
}

#[test]
fn what_does_not_go_together_is_refused() {
    let home = home();
    let refused = |name: &str, arguments: &[&str]| {
        let ran = crate::support::home::run(&mut home.command(["compile"].iter().chain(arguments).copied()));
        assert_eq!(ran.status, Some(2), "{name}");
        assert_eq!(ran.stdout, "", "{name}");
        assert_transcript("compile", name, &home, &ran);
    };
    refused("refused-emit-as-picture", &["--emit=graph", "--format=svg", "ctx"]);
    refused("refused-verify-as-json", &["--verify=x", "--format=json", "ctx"]);
    for arguments in [
        ["--bless", "ctx"].as_slice(),
        &["--emit=ast", "--verify=x", "ctx"],
        &["--before-after=prune", "--verify=x", "ctx"],
        &["--lock", "--locked", "ctx"],
        &["--locked", "--pull", "ctx"],
    ] {
        let ran = crate::support::home::run(&mut home.command(["compile"].iter().chain(arguments).copied()));
        assert_eq!(ran.status, Some(2), "{arguments:?}");
    }
}
