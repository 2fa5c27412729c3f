//! Base images that cannot be had.

use std::net::TcpListener;

use crate::support::Home;
use crate::support::registry::{PROGRAM, Registry};
use crate::support::tools::available;
use crate::{assert_build_fails, assert_fails};

#[test]
fn the_registry_does_not_answer() {
    let home = Home::empty();
    // A port that was free a moment ago.
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    assert_build_fails(&home, &format!("# comment\nFROM 127.0.0.1:{port}/base:1\n"), 3, "registry-on-a-closed-port");
    assert_build_fails(&home, "FROM registry.invalid/base:1\n", 3, "registry-of-an-unknown-name");
}

#[test]
fn nobody_may_be_asked() {
    let home = Home::empty();
    home.write("ctx/Dockerfile", "FROM base AS one\nFROM scratch\nCOPY --from=one /a /\n");
    assert_fails(&home, ["build", "--offline", "ctx"], 3, "offline");
}

#[test]
fn the_registry_has_no_such_image() {
    if !available(&[PROGRAM]) {
        return;
    }
    let home = Home::empty();
    let registry = Registry::open();
    assert_build_fails(&home, &format!("FROM {}/team/base:1\n", registry.host()), 2, "image-that-the-registry-lacks");
    assert_fails(&home, ["pull", &format!("{}/team/base:1", registry.host())], 2, "pull-what-the-registry-lacks");
}
