//! Making room while others build, and being killed over it.

use std::process::{Child, Stdio};
use std::thread::sleep;
use std::time::Duration;

use crate::home;
use crate::support::Home;
use crate::support::home::EPOCH;

fn start(home: &Home, arguments: &[&str]) -> Child {
    let mut command = home.command(arguments.iter().copied());
    command.env("SOURCE_DATE_EPOCH", EPOCH).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

#[test]
fn a_running_build_loses_nothing() {
    let Some(home) = Home::with_base() else { return };
    // What the second stage copies is made and rests in the store, needed by no image, while the first sleeps.
    home.write(
        "ctx/Dockerfile",
        "FROM base AS one\nRUN echo one > /one\nFROM base AS two\nRUN sleep 2; echo two > /two\nFROM base\nCOPY --from=two /two /\nCOPY --from=one /one /\n",
    );
    home.layercake(["build", "--target=one", "-o", "type=none", "ctx"]).ok();
    let build = start(&home, &["build", "-t", "x", "ctx"]);
    sleep(Duration::from_millis(700));
    let prune = start(&home, &["prune"]);
    sleep(Duration::from_millis(300));
    // Who comes while somebody waits is not kept waiting.
    home.layercake(["images"]).ok();
    let built = build.wait_with_output().unwrap();
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
    let pruned = prune.wait_with_output().unwrap();
    let told = String::from_utf8_lossy(&pruned.stderr).into_owned();
    assert!(
        pruned.status.success() && told.contains("waiting until no build and no container uses the store"),
        "{told}"
    );
    let layers = home.layers("x");
    assert_eq!((layers[1].text("two"), layers[2].text("one")), ("two\n", "one\n"));
}

#[test]
fn killed_at_any_moment_it_leaves_a_store_that_is_right() {
    let Some(home) = home() else { return };
    let digest = home.dated(["-t", "x", "ctx"]).digest;
    for milliseconds in [2, 5, 8, 12, 16, 20, 25, 30, 40, 60] {
        for how in [&["prune"][..], &["prune", "--all"]] {
            let mut prune = start(&home, how);
            sleep(Duration::from_millis(milliseconds));
            let _ = prune.kill();
            prune.wait().unwrap();
            // Every name that is left leads to a whole image.
            let named = crate::images(&home);
            for name in named.iter().filter(|name| name.starts_with("x:")) {
                assert_eq!(home.layers(name).len(), 4);
            }
            home.layercake(["verify"]).ok();
            home.import_base();
            assert_eq!(home.dated(["-t", "x", "ctx"]).digest, digest, "after {milliseconds} ms of {how:?}");
            assert_eq!(home.unfinished(), [""; 0]);
        }
    }
}
