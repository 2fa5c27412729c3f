//! Caches that travel: what one machine has made, another need not do.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

#[path = "../support/support.rs"]
mod support;

mod ahead;
mod arguments;
mod clones;
mod hostile;
mod inline;
mod layout;
mod least;
mod mounts;
mod outlines;
mod predict;
mod registry;
mod skip;

use std::path::Path;

use support::Home;
pub(crate) use support::home::EPOCH;
use support::home::run;
use support::ran::Built;

/// Two stages; the second takes a file of the first.
pub(crate) const DOCKERFILE: &str = "\
FROM base AS build
WORKDIR /src
COPY in .
RUN tr a-z A-Z < in > /out && mkdir -p /d/gone && touch /d/gone/x && chmod 700 /d
RUN rm -r /d/gone && ln -s out /link
FROM base
RUN echo runtime > /runtime && rm /bin/nc
COPY --from=build /out /app/out
RUN cat /app/out > /last
CMD [\"cat\", \"/last\"]
";

/// A machine with a store of its own and the same files in its context.
pub(crate) fn machine() -> Option<Home> {
    let home = Home::with_base()?;
    home.write("ctx/Dockerfile", DOCKERFILE).write("ctx/in", "hello");
    Some(home)
}

/// Builds `ctx` as `x`, and has to succeed.
#[track_caller]
pub(crate) fn build(home: &Home, arguments: &[&str]) -> Built {
    // Packed as it travels, whether there is a cache or not.
    let mut command = home.command(["build", "--progress=json", "-o", "type=image,name=x,compression=gzip", "ctx"]);
    Built::of(run(command.args(arguments).env("SOURCE_DATE_EPOCH", EPOCH)))
}

/// The size of a folder's files, as far as they stay while it is looked at.
pub(crate) fn size(folder: &Path) -> u64 {
    let entries = std::fs::read_dir(folder).map(Iterator::flatten).into_iter().flatten();
    let size = |entry: std::fs::DirEntry| match entry.metadata() {
        Ok(found) if found.is_dir() => size(&entry.path()),
        Ok(found) => found.len(),
        Err(_) => 0,
    };
    entries.map(size).sum()
}
