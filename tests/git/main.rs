//! Git repositories as sources of `ADD` and as contexts, and images of OCI layouts, from the outside.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

#[path = "../support/support.rs"]
mod support;

mod access;
mod add;
mod contexts;
mod layouts;
mod paths;
mod reuse;
mod wrong;

use support::Home;
use support::archive::Files;
use support::git::{self, GitServer, Readers, Repository};

/// A home that can build, and a server of the repositories in its folder `remote`.
fn served(readers: Readers) -> Option<(Home, GitServer)> {
    if !git::available() {
        return None;
    }
    let home = Home::with_base()?;
    std::fs::create_dir_all(home.path("work/remote")).unwrap();
    let server = GitServer::start(&home.path("work/remote"), readers);
    Some((home, server))
}

/// A new repository that is served as `name`.
fn repository(home: &Home, name: &str) -> Repository {
    Repository::begin(home.path("work/remote").join(name))
}

/// The files that `ADD` puts into an empty image, with these flags and this source.
#[track_caller]
fn added(home: &Home, source: &str) -> Files {
    home.write("ctx/Dockerfile", format!("FROM scratch\nADD {source} /\n"));
    home.tree("ctx")
}
