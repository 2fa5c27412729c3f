//! `RUN`: how a command is started, what is set for it, what it leaves behind, and how what it writes is shown.

use std::io::{BufRead, BufReader, Read};
use std::process::Stdio;
use std::time::Duration;

use crate::support::Home;
use crate::support::home::run;

#[test]
fn heredocs_run_by_their_first_line() {
    let Some(home) = Home::with_base() else { return };
    let built = home.build_text(
        "FROM base\nWORKDIR /tmp\n\
         RUN <<ONE\n#!/bin/sh\necho \"<$0>\"\necho one > /one\nONE\n\
         RUN <<TWO\n#!/bin/cat\n<not a shell's>\nTWO\n\
         RUN <<-THREE\n\tfalse\n\techo three > /three\nTHREE\n\
         RUN cat <<A > /a && cat <<B > /b\na\nA\nb\nB\n",
    );
    assert!(built.output.contains("</dev/pipes/ONE>") && built.output.contains("<not a shell's>"), "{}", built.output);
    let layers = home.layers("x");
    let added: Vec<_> = layers.iter().skip(1).map(|files| files.paths().join(" ")).collect();
    assert_eq!(added, ["", "one", "", "three", "a b"]);
    assert_eq!(layers[5].text("b"), "b\n");
}

#[test]
fn a_user_has_its_groups_and_no_others() {
    let Some(home) = Home::with_base() else { return };
    let built = home.build_text("FROM base\nRUN echo \"<$(id -G)>\"\nUSER ann\nRUN echo \"<$(id -G)> <$HOME>\"\n");
    assert!(built.output.contains("<0>") && built.output.contains("<1000 50> </home/ann>"), "{}", built.output);
}

#[test]
fn networks_are_the_hosts_or_none() {
    let Some(home) = Home::with_base() else { return };
    let own = std::fs::read_link("/proc/self/ns/net").unwrap().display().to_string();
    let script = "busybox readlink /proc/self/ns/net";
    let seen = |flag: &str, arguments: &[&str]| {
        home.write("ctx/Dockerfile", format!("FROM base\nRUN {flag} {script}\n"));
        let mut command = home.command(["build", "--no-cache", "--progress=plain", "ctx"]);
        run(command.args(arguments)).ok().stderr.contains(&own)
    };
    assert!(seen("", &[]) && seen("--network=default", &[]) && seen("--network=host", &[]));
    assert!(!seen("--network=none", &[]));
    assert!(!seen("", &["--network=none"]) && seen("", &["--network=host"]));
    assert!(seen("--network=host", &["--network=none", "--allow=network.host"]));
    home.write("ctx/Dockerfile", format!("FROM base\nRUN --network=host {script}\n"));
    let refused = home.layercake(["build", "--network=none", "ctx"]).exits(2);
    assert!(refused.stderr.contains("allow it with `--allow network.host`"), "{}", refused.stderr);
}

#[test]
fn security_is_lifted_only_where_that_is_allowed() {
    let Some(home) = Home::with_base() else { return };
    home.write(
        "ctx/Dockerfile",
        "FROM base\nRUN --security=insecure busybox mount -t tmpfs none /tmp && echo '<mounted>'\n",
    );
    let refused = home.layercake(["build", "ctx"]).exits(2);
    assert!(refused.stderr.contains("allow it with `--allow security.insecure`"), "{}", refused.stderr);
    let built = home.build(["--allow", "security.insecure", "ctx"]);
    assert!(built.output.contains("<mounted>"), "{}", built.output);
    let unknown = home.layercake(["build", "--allow", "everything", "ctx"]).exits(2);
    assert!(unknown.stderr.contains("security.insecure"), "{}", unknown.stderr);
}

#[test]
fn limits_and_sizes_are_set() {
    let Some(home) = Home::with_base() else { return };
    let script = "echo \"<$(ulimit -Sn) $(ulimit -Hn)>\"; grep ' /dev/shm ' /proc/mounts";
    home.write("ctx/Dockerfile", format!("FROM base\nRUN {script}\n"));
    let built = home.build(["--shm-size", "8m", "--ulimit", "nofile=100:200", "ctx"]);
    assert!(built.output.contains("<100 200>") && built.output.contains("size=8192k"), "{}", built.output);
}

#[test]
fn what_is_left_running_neither_delays_nor_stays() {
    let Some(home) = Home::with_base() else { return };
    // One in the background, one that has lost its parent, and one that does not care.
    let name = home.path("").file_name().unwrap().to_string_lossy().replace("layercake-test-", "left-");
    let sleep = format!("sh -c 'sleep 600; : {name}'");
    let script = format!("{sleep} & ({sleep} &) ; (trap '' TERM INT HUP; exec {sleep}) & echo done > /out");
    let built = home.build_text(&format!("FROM base\nRUN {script}\n"));
    assert!(built.took < Duration::from_secs(60), "{:?}", built.took);
    home.assert_no_processes(&name);
    assert_eq!(home.layers("x")[1].paths(), ["out"]);
}

#[test]
fn output_is_shown_while_the_command_runs() {
    let Some(home) = Home::with_base() else { return };
    home.write("ctx/Dockerfile", "FROM base\nRUN echo first >&2; while ! test -e /tmp/never; do sleep 0.1; done\n");
    let mut command = home.command(["build", "--progress=plain", "ctx"]);
    let mut build = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(build.stderr.take().unwrap()).lines();
    // It never ends by itself, so this line comes while it runs, or the test does not end.
    while lines.next().unwrap().unwrap() != "#1 | first" {}
    assert!(build.try_wait().unwrap().is_none());
    build.kill().unwrap();
    build.wait().unwrap();
    home.assert_no_processes("");
}

/// What a build with this `RUN` shows, in bytes.
fn shown(home: &Home, progress: &str, script: &str) -> Vec<u8> {
    home.write("ctx/Dockerfile", format!("FROM base\nRUN {script}\n"));
    let mut command = home.command(["build", progress, "ctx"]);
    let mut build = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let mut shown = Vec::new();
    build.stderr.take().unwrap().read_to_end(&mut shown).unwrap();
    build.wait().unwrap();
    shown
}

fn has(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|window| window == part)
}

#[test]
fn output_need_not_be_text() {
    let Some(home) = Home::with_base() else { return };
    let plain = shown(&home, "--progress=plain", "printf '\\377\\376caf\\303\\251\\000\\n'");
    assert!(has(&plain, b"#1 | \xff\xfecaf\xc3\xa9\0\n"), "{}", String::from_utf8_lossy(&plain));
    let failed = shown(&home, "--progress=plain", "printf '\\377\\376\\n'; exit 3");
    assert!(has(&failed, b"exit code: 3"), "{}", String::from_utf8_lossy(&failed));
}

#[test]
fn lines_may_be_long_and_be_written_over() {
    let Some(home) = Home::with_base() else { return };
    let long = shown(&home, "--progress=plain", "head -c 3000000 /dev/zero | tr '\\000' Q");
    // One is in the instruction itself.
    assert_eq!(long.iter().filter(|byte| **byte == b'Q').count(), 3_000_001);
    let over = shown(&home, "--progress=plain", "printf '10%%\\r50%%\\r100%%\\n'");
    assert!(has(&over, b"#1 | 100%\n") && !has(&over, b"| 50%"), "{}", String::from_utf8_lossy(&over));
}

#[test]
fn characters_are_not_torn_in_json() {
    let Some(home) = Home::with_base() else { return };
    // An odd byte first, so that the pieces in which it is read end within characters.
    let built = home.build_text("FROM base\nRUN printf x; seq 1 20000 | sed 's/.*/é/' | tr -d '\\n'\n");
    assert_eq!(built.output, format!("x{}", "é".repeat(20_000)));
}
