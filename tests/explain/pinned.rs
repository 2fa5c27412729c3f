//! Images whose tags move, files of servers and branches, with and without a lock file.

use std::fs;
use std::sync::{Arc, Mutex};

use crate::case::Case;
use crate::support::Home;
use crate::support::git::{self, GitServer, Readers, Repository};
use crate::support::http::{Reply, Server};

/// Lets the tag `moving` lead to another image.
fn moved(home: &Home, content: &str) {
    home.write("image/Dockerfile", format!("FROM base\nRUN echo {content} > /v\n"));
    home.build(["-t", "moving", "image"]);
}

#[test]
fn a_tag_has_moved_or_the_lock_file_was_renewed() {
    let Some(home) = Home::with_base() else { return };
    moved(&home, "1");
    let case = Case::new(&home, "locked", "FROM moving\nRUN echo > /1\n");
    let lock = || home.layercake(["compile", "--lock", "locked"]).ok();
    let said = |text: &str| {
        let explained = case.text();
        let json = case.json();
        let lock = json["steps"][0]["reasons"][0]["lock"].as_str().unwrap_or("none").to_owned();
        assert!(explained.contains(text), "{explained}");
        lock
    };
    let base = ["1 base moving: # -> #", "2 base moving: # -> #"];
    case.build(&[]);
    moved(&home, "2");
    case.explains(&[], &base);
    assert_eq!(said("the tag `moving` has moved from sha256:"), "none");
    lock();
    // It is the same image: nothing is done.
    case.explains(&[], &[]);
    moved(&home, "3");
    case.explains(&["--locked"], &[]);
    lock();
    case.explains(&[], &base);
    assert_eq!(said("`layercake.lock` was renewed: it has `moving` as sha256:"), "renewed");
    moved(&home, "4");
    case.explains(&[], &[]);
    fs::remove_file(case.path("layercake.lock")).unwrap();
    case.explains(&[], &base);
    assert_eq!(said("no lock file holds `moving` any more: "), "dropped");
    moved(&home, "5");
    lock();
    case.explains(&[], &base);
    assert_eq!(said("`layercake.lock` holds `moving` to sha256:"), "added");
    // Written by the build itself, it is a lock file all the same.
    moved(&home, "6");
    case.explains(&["--lock"], &base);
    assert_eq!(said("`layercake.lock` was renewed"), "renewed");
}

#[test]
fn what_a_server_has_now_is_named() {
    let Some(home) = Home::with_base() else { return };
    let content = Arc::new(Mutex::new("first".to_owned()));
    let served = content.clone();
    let server = Server::start(move |_| Reply::ok(served.lock().unwrap().clone()));
    let case = Case::new(&home, "server", &format!("FROM base\nADD http://{}/f /f\nRUN cat /f\n", server.host()));
    case.build(&[]);
    *content.lock().unwrap() = "second".to_owned();
    let reasons = case.build(&[]).reasons();
    assert_eq!(reasons.len(), 4, "{reasons:?}");
    assert!(reasons[0].starts_with("2 source http://") && reasons[0].ends_with("/f: # -> #"), "{reasons:?}");
    assert_eq!(reasons[1..], ["2 file f content: # -> #", "2 step 2", "3 step 2"]);
}

#[test]
fn where_a_branch_is_now_is_named() {
    if !git::available() {
        return;
    }
    let Some(home) = Home::with_base() else { return };
    fs::create_dir_all(home.path("work/remote")).unwrap();
    let server = GitServer::start(&home.path("work/remote"), Readers::Everybody);
    let repository = Repository::begin(home.path("work/remote/a"));
    let first = repository.write("f", "first").commit();
    let case = Case::new(&home, "branch", &format!("FROM base\nADD {}#main /a\nRUN cat /a/f\n", server.url("a")));
    case.build(&[]);
    let second = repository.write("f", "second").commit();
    let reasons = case.build(&[]).reasons();
    assert!(
        reasons[0].starts_with("2 source http") && reasons[0].ends_with(&format!(": {first} -> {second}")),
        "{reasons:?}"
    );
    assert_eq!(reasons[1..], ["2 file f content: # -> #", "2 step 2", "3 step 2"]);
    // Held to a commit, it stays.
    home.layercake(["compile", "--lock", "branch"]).ok();
    case.explains(&[], &[]);
    repository.write("f", "third").commit();
    case.explains(&[], &[]);
}
