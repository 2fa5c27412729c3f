//! `--locked`: what is not in the lock file, and what the lock file says wrongly.

use crate::support::Home;
use crate::support::http::{Reply, Server};
use crate::support::registry::{PROGRAM, Registry};
use crate::support::tools::available;
use crate::support::transcript::assert_transcript;

/// A home whose context is locked to `base` and to a file of a server.
fn locked() -> Option<(Home, Server)> {
    let home = Home::with_base()?;
    let server = Server::start(|_| Reply::ok("x"));
    home.write("ctx/Dockerfile", format!("FROM base\nADD http://{}/f /\n", server.host()));
    home.layercake(["compile", "--platform=linux/amd64", "--lock", "ctx"]).ok();
    Some((home, server))
}

#[test]
fn what_is_not_locked_is_refused_and_else_noted() {
    let Some((home, server)) = locked() else { return };
    let compile = |flag: &str| home.layercake(["compile", "--platform=linux/amd64", flag, "ctx"]);
    compile("--locked").ok();
    home.layercake(["tag", "base", "newer"]).ok();
    home.layercake(["tag", "base", "newest"]).ok();
    home.write("ctx/Dockerfile", "FROM base\nCOPY --from=newer /bin /\nCOPY --from=newest /bin /\n");
    assert_transcript("compile", "locked-image-absent", &home, &compile("--locked").exits(2));
    assert!(compile("--emit=plan").ok().stderr.contains("`ctx/layercake.lock` lacks 2 of what this build needs"));
    home.layercake(["build", "--locked", "ctx"]).exits(2);
    home.write(
        "ctx/Dockerfile",
        format!("FROM base\nADD http://{0}/f http://{0}/g /\nADD https://example.org/r.git#v1 /r/\nADD https://example.org/r.git /s/\n", server.host()),
    );
    assert_transcript("compile", "locked-sources-absent", &home, &compile("--locked").exits(2));
    // What the Dockerfile demands goes before what was locked.
    home.write("ctx/Dockerfile", format!("FROM base\nADD --checksum=sha256:{:064} http://{}/f /\n", 1, server.host()));
    compile("--locked").exits(2);
    assert!(compile("--emit=plan").ok().stdout.contains("checksum  sha256:000"));
}

#[test]
fn another_platform_is_another_image() {
    let Some((home, _server)) = locked() else { return };
    let ran = home.layercake(["compile", "--platform=linux/s390x", "--locked", "ctx"]).exits(2);
    assert!(ran.stderr.contains("the image `base` for linux/s390x (line 1)"), "{}", ran.stderr);
}

#[test]
fn without_a_lock_file_there_is_nothing_to_demand() {
    let home = Home::empty();
    home.write("ctx/Dockerfile", "FROM scratch\nWORKDIR /a\n");
    assert_transcript("compile", "locked-no-file", &home, &home.layercake(["compile", "--locked", "ctx"]).exits(2));
    let piped = home.piped(["compile", "--locked", "-"], "FROM scratch\nWORKDIR /a\n").exits(2);
    assert!(piped.stderr.contains("there is no place for a lock file"), "{}", piped.stderr);
    home.piped(["compile", "--lock", "-"], "FROM scratch\nWORKDIR /a\n").exits(2);
    // Nothing to lock is a lock file all the same, and beside the Dockerfile.
    home.write("elsewhere/Dockerfile", "FROM scratch\nWORKDIR /a\n");
    home.layercake(["compile", "--lock", "-f", "elsewhere/Dockerfile", "ctx"]).ok();
    home.layercake(["build", "--locked", "-o", "type=none", "-f", "elsewhere/Dockerfile", "ctx"]).ok();
    assert!(home.read("elsewhere/layercake.lock").contains("version = 1"));
}

#[test]
fn a_digest_of_another_image_is_a_lie() {
    if !available(&[PROGRAM]) {
        return;
    }
    let Some(home) = Home::with_base() else { return };
    let registry = Registry::open();
    let (one, two) = (format!("{}/one:1", registry.host()), format!("{}/two:1", registry.host()));
    for name in [&one, &two] {
        home.write("app/Dockerfile", format!("FROM base\nLABEL name={name}\n"));
        home.build(["-t", name, "app"]);
        home.layercake(["push", name]).ok();
    }
    let digest = |name: &str| home.inspect(name)["Digest"].as_str().unwrap().to_owned();
    home.write("ctx/Dockerfile", format!("FROM {one}\nWORKDIR /a\n"));
    let compile = |home: &Home, flags: [&str; 2]| home.layercake(["compile", flags[0], flags[1], "ctx"]);
    compile(&home, ["--lock", "--platform=linux/amd64"]).ok();
    let honest = home.read("ctx/layercake.lock");
    let lie = honest.replace(&digest(&one), &digest(&two));
    assert_ne!(honest, lie);

    // The store has both; it is the registry that knows.
    home.write("ctx/layercake.lock", &lie);
    let ran = compile(&home, ["--locked", "--platform=linux/amd64"]).exits(2);
    assert_transcript("compile", "locked-lie", &home, &ran);
    assert!(
        home.layercake(["compile", "--locked", "--offline", "--platform=linux/amd64", "ctx"])
            .exits(2)
            .stderr
            .contains("which is another image")
    );
    // The same where the store has neither.
    let other = Home::empty();
    other.write("ctx/Dockerfile", home.read("ctx/Dockerfile")).write("ctx/layercake.lock", &lie);
    let ran = compile(&other, ["--locked", "--platform=linux/amd64"]).exits(2);
    assert!(ran.stderr.contains("does not have"), "{}", ran.stderr);
    // And of a digest that nobody has.
    other.write("ctx/layercake.lock", honest.replace(&digest(&one), &format!("sha256:{:064}", 7)));
    let ran = compile(&other, ["--locked", "--platform=linux/amd64"]).exits(2);
    assert_transcript("compile", "locked-gone", &other, &ran);
    // An image that is named by its digest is that image.
    home.write("ctx/Dockerfile", format!("FROM {one}@{}\n", digest(&one)));
    home.write("ctx/layercake.lock", lie.replace(&one, &format!("{one}@{}", digest(&one))));
    let ran = compile(&home, ["--locked", "--platform=linux/amd64"]).exits(2);
    assert!(ran.stderr.contains(&format!("but it is {}", digest(&one))), "{}", ran.stderr);
}
