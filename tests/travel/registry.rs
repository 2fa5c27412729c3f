//! A cache in a registry.

use super::{build, machine};
use crate::support::registry::{PROGRAM, Registry};
use crate::support::tools::available;

#[test]
fn a_second_machine_fetches_documents_alone() {
    if !available(&[PROGRAM]) {
        return;
    }
    let (Some(one), Some(two)) = (machine(), machine()) else { return };
    let registry = Registry::open();
    let cache = format!("{}/team/app:cache", registry.host());
    let made = build(&one, &[&format!("--cache-to=type=registry,ref={cache},mode=max")]);
    let before = registry.requests().len();
    let again = build(&two, &[&format!("--cache-from=type=registry,ref={cache}")]);
    assert_eq!((again.digest, again.started.len()), (made.digest, 0));
    let fetched = registry.requests().split_off(before);
    // The image is pushed without that its layers come here: the registry has them already.
    let name = format!("{}/team/app:1", registry.host());
    two.layercake(["tag", "x", &name]).ok();
    two.layercake(["push", &name]).ok();
    let blobs: Vec<&String> = fetched.iter().filter(|request| request.contains("/blobs/")).collect();
    assert!(blobs.len() <= 1, "{fetched:#?}");
}

#[test]
fn an_image_that_is_no_cache_is_passed_over() {
    if !available(&[PROGRAM]) {
        return;
    }
    let Some(home) = machine() else { return };
    let registry = Registry::open();
    let name = format!("{}/team/app:1", registry.host());
    build(&home, &[]);
    home.layercake(["tag", "x", &name]).ok();
    home.layercake(["push", &name]).ok();
    let ran = home.layercake(["build", "--cache-from", &name, "ctx"]).ok();
    assert!(ran.stderr.contains("carries no cache"), "{}", ran.stderr);
}
