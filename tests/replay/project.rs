//! The projects: what is built of each, and where its history is.

/// One of them.
pub(crate) struct Project {
    pub(crate) name: &'static str,
    /// Its commits; [`History`](crate::history::History) says how to read them.
    pub(crate) history: &'static str,
    /// The arguments of each build that follows a commit.
    pub(crate) builds: &'static [&'static [&'static str]],
}

/// How many commits each has after the one that begins it.
pub(crate) const COMMITS: usize = 20;

/// All of them.
pub(crate) const PROJECTS: &[Project] = &[
    Project { name: "node", history: include_str!("projects/node.history"), builds: &[&[]] },
    Project { name: "python", history: include_str!("projects/python.history"), builds: &[&[]] },
    Project { name: "go", history: include_str!("projects/go.history"), builds: &[&[]] },
    Project {
        name: "monorepo",
        history: include_str!("projects/monorepo.history"),
        builds: &[&["--target=orders"], &["--target=stock"], &["--target=mail"], &["--target=gateway"]],
    },
    Project { name: "java", history: include_str!("projects/java.history"), builds: &[&[]] },
    Project { name: "c", history: include_str!("projects/c.history"), builds: &[&[]] },
];

/// Names of images that have the tools of `tests/replay/tools`.
pub(crate) const TOOLCHAINS: [&str; 5] = ["node:22-slim", "python:3.13-slim", "golang:1.25", "maven:3.9", "gcc:15"];

/// Names of images that have none.
pub(crate) const RUNTIMES: [&str; 3] = ["alpine:3.22", "debian:bookworm-slim", "eclipse-temurin:21-jre"];
