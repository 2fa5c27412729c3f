//! Arguments that mean nothing, or nothing yet.

use crate::support::Home;
use crate::{assert_fails, support::home::run};

fn home() -> Home {
    let home = Home::empty();
    home.write("ctx/Dockerfile", "FROM scratch\nCOPY file /\n").write("ctx/file", "");
    home
}

#[test]
fn outputs_that_are_none() {
    let home = home();
    for (output, name) in [
        ("type=oic,dest=x", "output-of-no-type"),
        ("dest=x", "output-without-type"),
        ("type=local", "local-output-without-folder"),
        ("type=oci,dest=x,compression=lzma", "output-of-no-compression"),
        ("type=oci,dset=x", "output-with-an-unknown-key"),
        ("type=image,push=maybe", "output-with-a-doubtful-push"),
        ("type=image,name=UPPER", "output-of-no-name"),
    ] {
        assert_fails(&home, ["build", "-o", output, "ctx"], 2, name);
    }
}

#[test]
fn values_that_are_none() {
    let home = home();
    home.write("file", "");
    for (option, value, name) in [
        ("--build-context", "lib", "context-without-value"),
        ("--build-context", "lib=missing", "context-that-is-not-there"),
        ("--build-context", "lib=file", "context-that-is-a-file"),
        ("--tag", "UPPER", "tag-in-capitals"),
        ("--tag", "a:b:c", "tag-with-two-colons"),
        ("--platform", "linux/amd65/x/y", "no-platform"),
        ("--secret", "id=a,src=missing", "secret-that-is-not-there"),
        ("--secret", "id=a,evn=A", "secret-with-an-unknown-key"),
        ("--secret", "id=a,env=UNSET", "secret-of-an-unset-variable"),
        ("--host-file", "relative", "relative-host-file"),
        ("--host-file", "/missing/file", "host-file-that-is-not-there"),
        ("--add-host", "db", "host-without-address"),
        ("--shm-size", "many", "no-size"),
        ("--ulimit", "files=1", "no-limit"),
        ("-O", "3", "no-level"),
        ("--pass", "dedup", "pass-without-on-or-off"),
        ("--pass", "dedupe=off", "pass-nearly"),
        ("--pass", "inline=on", "no-pass"),
        ("--pass", "prune=off", "pass-that-cannot-be-off"),
    ] {
        assert_fails(&home, ["build", option, value, "ctx"], 2, name);
    }
    assert_fails(&home, ["build", "--frobnicate", "ctx"], 2, "unknown-option");
    assert_fails(&home, ["biuld", "ctx"], 2, "unknown-command");
    assert_fails(&home, ["build", "ctx", "other"], 2, "two-contexts");
}

#[test]
fn what_is_not_built_says_so() {
    let home = home();
    let wanted = [
        "build --sbom ctx",
        "build --provenance=true ctx",
        "build --timings ctx",
        "build --on-error=shell ctx",
        "build --audit ctx",
        "build --reproducible ctx",
        "build --read-sets=on ctx",
    ];
    for arguments in wanted {
        let ran = run(&mut home.command(arguments.split(' '))).exits(2);
        assert!(ran.stderr.contains("not built yet"), "{arguments}: {}", ran.stderr);
        assert_eq!(ran.stderr.lines().count(), 1, "{arguments}: {}", ran.stderr);
    }
}

#[test]
fn images_that_are_not_there() {
    let home = home();
    for (command, name) in [
        ("inspect", "inspect-nothing"),
        ("history", "history-of-nothing"),
        ("rmi", "remove-nothing"),
        ("save", "save-nothing"),
    ] {
        assert_fails(&home, [command, "nothing"], 2, name);
    }
    assert_fails(&home, ["push", "127.0.0.1:1/nothing"], 2, "push-nothing");
    assert_fails(&home, ["tag", "nothing", "x"], 2, "tag-nothing");
    assert_fails(&home, ["load", "-i", "missing.tar"], 2, "load-nothing");
    home.write("odd.tar", "this is no archive, but a text of some length");
    assert_fails(&home, ["load", "-i", "odd.tar"], 2, "load-a-text");
    assert_fails(&home, ["import", "odd.tar", "x"], 2, "import-a-text");
    assert_fails(&home, ["import", "--change=RUN true", "odd.tar", "x"], 2, "import-with-a-run");
}
