//! `-O` and `--pass`: which passes run. That they change no image is a law; that they are really on or off shows in plans.

use serde_json::Value;

use crate::support::Home;
use crate::support::home::run;

/// Two stages begin alike.
const DOCKERFILE: &str = "FROM scratch AS one\nCOPY a /x\nFROM scratch AS two\nCOPY a /x\nFROM scratch\nCOPY --from=one /x /1\nCOPY --from=two /x /2\n";

/// How many steps the plan has with these arguments.
#[track_caller]
fn steps(arguments: &[&str]) -> usize {
    let home = Home::empty();
    home.write("ctx/Dockerfile", DOCKERFILE);
    let ran = run(home.command(["compile"]).args(arguments).arg("ctx")).ok();
    ran.stdout.lines().filter(|line| line.starts_with('%')).count()
}

#[test]
fn levels_and_names_turn_passes_on_and_off() {
    let all = steps(&[]);
    assert_eq!(steps(&["-O2"]), all);
    assert_eq!(steps(&["-O1"]), all, "`dedup` is cheap");
    let none = steps(&["-O0"]);
    assert_eq!(none, all + 1, "the two copies are two steps");
    assert_eq!(steps(&["--pass=dedup=off"]), none);
    assert_eq!(steps(&["-O0", "--pass=dedup=on"]), all, "a pass that is named counts more than the level");
    assert_eq!(steps(&["--pass=dedup=on", "--pass=dedup=off"]), none, "the last of equal names counts");
    assert_eq!(steps(&["-O0", "--pass=prune=on"]), none, "what is on anyway can be turned on");
}

#[test]
fn the_help_lists_the_passes() {
    let help = Home::empty().layercake(["compile", "--help"]).ok().stdout;
    for pass in layercake_compiler::passes::PIPELINE {
        let line = help.lines().find(|line| line.trim_start().starts_with(pass.name));
        assert!(line.is_some_and(|line| line.contains(pass.summary)), "{}: {help}", pass.name);
    }
}

#[test]
fn a_linked_copy_does_not_wait_for_the_tree_below() {
    let Some(home) = Home::with_base() else { return };
    home.write("ctx/a", "").write("ctx/Dockerfile", "FROM base\nRUN sleep 0.5\nCOPY --link a /x/\nRUN echo b > /x/b\n");
    let copy_is_first = |level: &str| {
        let built = run(&mut home.command(["build", "--progress=json", "--no-cache", level, "ctx"])).ok();
        let events: Vec<Value> = built.stderr.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let place = |kind: &str, field: &str, value: &Value| {
            let is_meant = |event: &Value| event["event"] == kind && event[field] == *value;
            events.iter().position(is_meant).unwrap_or_else(|| panic!("{value} is not {kind}: {events:?}"))
        };
        let command = &events[place("started", "name", &"RUN sleep 0.5".into())]["step"];
        place("started", "name", &"COPY --link a /x/".into()) < place("finished", "step", command)
    };
    assert!(copy_is_first("-O2"));
    assert!(!copy_is_first("-O0"), "without the pass it waits");
    // On the tree it is where it always was.
    assert_eq!(home.tree("ctx").paths().iter().filter(|path| path.starts_with('x')).count(), 3);
}
