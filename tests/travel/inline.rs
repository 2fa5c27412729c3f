//! `type=inline`: an image that is its own cache.

use super::{EPOCH, build, machine};
use crate::support::Home;
use crate::support::home::run;
use crate::support::ran::Built;
use crate::support::registry::{PROGRAM, Registry};
use crate::support::tools::available;

/// Builds and pushes an image with its cache in it.
fn push(home: &Home, name: &str) -> String {
    let arguments = ["build", "--progress=json", "--push", "-t", name, "--cache-to=type=inline", "ctx"];
    Built::of(run(home.command(arguments).env("SOURCE_DATE_EPOCH", EPOCH))).digest
}

#[test]
fn an_image_is_its_own_cache() {
    if !available(&[PROGRAM]) {
        return;
    }
    let (Some(one), Some(two)) = (machine(), machine()) else { return };
    let registry = Registry::open();
    let name = format!("{}/team/app:1", registry.host());
    let digest = push(&one, &name);
    let again = build(&two, &["--cache-from", &name, "--cache-to=type=inline"]);
    assert_eq!((again.started, again.digest), (Vec::new(), digest.clone()));
    // Whoever builds it makes the same image.
    let three = machine().unwrap();
    assert_eq!(push(&three, &name), digest);
    // Without the cache it is another, of the same layers.
    let plain = build(&one, &[]);
    assert_ne!(plain.digest, digest);
    assert_eq!(one.diff_ids("x"), two.diff_ids("x"));
}

/// As BuildKit: each platform's image is the cache of its own steps.
#[test]
fn an_image_for_several_platforms_is_the_cache_of_all() {
    if !available(&[PROGRAM]) {
        return;
    }
    let registry = Registry::open();
    let name = format!("{}/team/app:1", registry.host());
    let both = |home: &Home, arguments: &[&str]| {
        home.write("ctx/Dockerfile", "FROM scratch\nARG TARGETARCH\nCOPY $TARGETARCH /\nCOPY in /in\n");
        home.write("ctx/amd64", "a").write("ctx/arm64", "b");
        let mut command = home.command(["build", "--progress=json", "--platform=linux/amd64,linux/arm64"]);
        let command = command.args(["--cache-to=type=inline", "ctx"]).args(arguments);
        Built::of(run(command.env("SOURCE_DATE_EPOCH", EPOCH)))
    };
    let (Some(one), Some(two)) = (machine(), machine()) else { return };
    let made = both(&one, &["--push", "-t", &name]);
    assert!(made.started.len() >= 3, "{:?}", made.started);
    let again = both(&two, &["-t", "x", "--cache-from", &name]);
    assert_eq!((again.started, again.digest), (Vec::new(), made.digest));
}

#[test]
fn what_is_made_from_such_an_image_is_not_its_cache() {
    let Some(home) = machine() else { return };
    build(&home, &["--cache-to=type=inline"]);
    home.write("next/Dockerfile", "FROM x\nRUN true\n");
    home.layercake(["build", "-t", "y", "--output=type=oci,dest=y.tar", "next"]).ok();
    let archive = std::fs::read(home.path("work/y.tar")).unwrap();
    let is_in = |needle: &[u8]| archive.windows(needle.len()).any(|window| window == needle);
    assert!(is_in(b"\"rootfs\"") && !is_in(b"layercake.cache"));
}
