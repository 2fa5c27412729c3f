//! `du`, `prune`, `verify`: what a store holds, making room in it, and whether it is sound.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

#[path = "../support/support.rs"]
mod support;

mod damage;
mod room;
mod together;

use serde_json::Value;

use support::Home;
use support::home::run;

/// Two stages, so that there is something that no image needs, and a folder that stays from build to build.
const DOCKERFILE: &str = "FROM base AS stage\nRUN mkdir /out && seq 1 20000 > /out/numbers\n\
    FROM base\nCOPY --from=stage /out /out\nRUN --mount=type=cache,target=/cache seq 1 9000 > /cache/numbers; sha256sum /out/* > /sums\n\
    COPY files /files\n";

/// A build whose layers are blobs in the store, as those of images that have travelled.
const PACKED: [&str; 3] = ["-o", "type=image,name=x,compression=gzip", "ctx"];

/// A store with the image `x`, another build that nobody has named, and what was left of an earlier build of `x`.
fn home() -> Option<Home> {
    let home = Home::with_base()?;
    home.write("ctx/Dockerfile", DOCKERFILE).write("ctx/files/a", "one");
    home.dated(PACKED);
    home.write("ctx/files/a", "two");
    home.dated(PACKED);
    home.write("other/Dockerfile", "FROM base\nRUN seq 1 30000 > /other\n");
    home.dated(["-o", "type=image,compression=gzip", "other"]);
    Some(home)
}

/// What `du` says of every piece.
fn pieces(home: &Home) -> Vec<Value> {
    let ran = home.layercake(["du", "--format=json"]).ok();
    ran.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn of_type<'a>(pieces: &'a [Value], kind: &str) -> Vec<&'a Value> {
    pieces.iter().filter(|piece| piece["Type"] == kind).collect()
}

/// All images, as `NAME:TAG`.
fn images(home: &Home) -> Vec<String> {
    let ran = run(&mut home.command(["images", "--format", "{{.Repository}}:{{.Tag}}"])).ok();
    ran.stdout.lines().map(str::to_owned).collect()
}
