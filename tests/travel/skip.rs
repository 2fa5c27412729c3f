//! Layers that are made faster than they are fetched.

use super::machine;
use crate::support::Home;
use crate::support::home::run;
use crate::support::ran::Built;
use crate::support::registry::{PROGRAM, Registry};
use crate::support::tools::available;

const DOCKERFILE: &str = "\
FROM base AS build
COPY large /large
RUN sleep 0.5; wc -c /large > /slow
FROM base
COPY large /also-large
COPY --from=build /slow /slow
";

fn with_large() -> Option<Home> {
    let home = machine()?;
    let mut large = vec![0; 6 << 20];
    // Nothing that can be compressed: a simple generator's numbers.
    let mut state = 1_u64;
    for word in large.chunks_exact_mut(8) {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        word.copy_from_slice(&(state ^ state >> 29).wrapping_mul(0x9e37_79b9_7f4a_7c15).to_le_bytes());
    }
    home.write("ctx/Dockerfile", DOCKERFILE).write("ctx/large", large);
    Some(home)
}

#[test]
fn a_layer_that_is_made_faster_stays() {
    if !available(&[PROGRAM]) {
        return;
    }
    let registry = Registry::open();
    let name = format!("{}/team/app:cache", registry.host());
    let to = |more: &str| format!("--cache-to=type=registry,ref={name},mode=max{more}");
    let Some(one) = with_large() else { return };
    let built = |home: &Home, argument: &str| {
        run(home
            .command(["build", "--progress=plain", "-o", "type=image,name=x,compression=gzip", argument, "ctx"])
            .env("SOURCE_DATE_EPOCH", super::EPOCH))
        .ok()
    };
    let said = built(&one, &to(""));
    assert!(said.stderr.contains("cache: 1 of 3 layers not sent"), "{}", said.stderr);
    // Everything is known all the same.
    let two = with_large().unwrap();
    let from = format!("--cache-from={name}");
    let mut command =
        two.command(["build", "--progress=json", "-o", "type=image,name=x,compression=gzip", &from, "ctx"]);
    let found = Built::of(run(command.env("SOURCE_DATE_EPOCH", super::EPOCH)));
    assert_eq!((found.started, found.digest.as_str()), (Vec::new(), said.stdout.trim()));
    // The copy is done where something works on what it made.
    let dockerfile = DOCKERFILE.replace("wc -c /large > /slow", "cat /large | wc -c > /slow");
    two.write("ctx/Dockerfile", &dockerfile);
    let mut command =
        two.command(["build", "--progress=json", "-o", "type=image,name=x,compression=gzip", &from, "ctx"]);
    let found = Built::of(run(command.env("SOURCE_DATE_EPOCH", super::EPOCH)));
    assert_eq!((found.ran("COPY large /large"), found.ran("also"), found.started.len()), (1, 0, 3));
    // And makes what it makes where all of it is done.
    let fresh = with_large().unwrap();
    fresh.write("ctx/Dockerfile", &dockerfile);
    assert_eq!(built(&fresh, "--no-cache").stdout.trim(), found.digest);
    // Whoever wants all of it gets all of it.
    let said = built(&one, &to(",skip=off"));
    assert!(!said.stderr.contains("not sent"), "{}", said.stderr);
    let three = with_large().unwrap();
    three.write("ctx/Dockerfile", dockerfile.replace("cat /large |", "cat < /large |"));
    let mut command =
        three.command(["build", "--progress=json", "-o", "type=image,name=x,compression=gzip", &from, "ctx"]);
    assert_eq!(Built::of(run(command.env("SOURCE_DATE_EPOCH", super::EPOCH))).ran("COPY large /large"), 0);
}
