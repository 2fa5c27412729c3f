//! What only adds to a tree is made without that tree: a cache says what stands where in it.

use crate::support::Home;
use crate::support::home::{EPOCH, run};
use crate::support::ran::Built;
use crate::support::registry::{PROGRAM, Registry};
use crate::support::tools::available;

/// A base with users, links and folders of its own, and an image on it whose last steps only add.
const BASE: &str = "\
FROM base
RUN mkdir -m 750 -p /srv/real /opt && chown 7:8 /srv/real && ln -s /srv/real /app && echo 'ann:x:71:72::/:' >> /etc/passwd \\
 && awk 'BEGIN { for (x = 1; i++ < 60000;) { x = (x * 48271) % 2147483647; print x } }' > /opt/big
";
const DOCKERFILE: &str = "
RUN awk 'BEGIN { for (x = 7; i++ < 60000;) { x = (x * 48271) % 2147483647; print x } }' > /deps && mkdir -p /srv/real/lib && touch /srv/real/lib/old
WORKDIR /app/code
COPY --chown=ann src .
COPY lib ../lib
CMD [\"cat\", \"main\"]
";

fn built(home: &Home, arguments: &[&str]) -> Built {
    let mut command = home.command(["build", "--progress=json", "ctx"]);
    Built::of(run(command.args(arguments).env("SOURCE_DATE_EPOCH", EPOCH)))
}

fn write(home: &Home, base: &str, main: &str) {
    home.write("ctx/Dockerfile", format!("FROM {base}{DOCKERFILE}"));
    home.write("ctx/src/main", main).write("ctx/lib/new", "new");
}

/// The sizes of the blobs that a home has of a registry.
fn fetched(registry: &Registry, before: usize) -> Vec<String> {
    let requests = registry.requests().split_off(before).into_iter();
    requests.filter(|request| request.starts_with("GET") && request.contains("/blobs/")).collect()
}

#[test]
fn changed_sources_are_copied_onto_a_tree_that_is_elsewhere() {
    if !available(&[PROGRAM]) {
        return;
    }
    let Some(home) = Home::with_base() else { return };
    let registry = Registry::open();
    let [base, cache, image] = ["base:1", "app:cache", "app:2"].map(|name| format!("{}/team/{name}", registry.host()));
    home.write("base/Dockerfile", BASE);
    home.build(["-t", &base, "base"]);
    home.layercake(["push", &base]).ok();
    write(&home, &base, "one");
    built(&home, &[&format!("--cache-to=type=registry,ref={cache},mode=max")]);

    let other = Home::empty();
    write(&other, &base, "two");
    let before = registry.requests().len();
    let from = format!("--cache-from=type=registry,ref={cache}");
    let there = built(&other, &[&from, "-t", &image, "--push"]);
    assert_eq!(there.started, ["COPY --chown=ann src ."]);
    let blobs = fetched(&registry, before);
    let store = other.path("store");
    assert!(super::size(&store) < 100_000, "neither the base nor what RUN made is here: {blobs:#?}");

    // What was made is what is made where everything is.
    write(&home, &base, "two");
    assert_eq!(built(&home, &["-t", "here"]).digest, there.digest);
    let third = Home::empty();
    let ran = third.layercake(["run", "--rm", "--network=none", &image]).ok();
    assert_eq!(ran.stdout, "two");

    // Where no cache is asked, nothing is believed that one said: all is done, and is the same.
    let all = built(&other, &[]);
    assert_eq!((all.started.len(), all.digest), (3, there.digest));
}

#[test]
fn what_is_above_a_folder_in_the_tree_decides() {
    // The way to the destination leads through a link of the base; a second cache knows another base.
    if !available(&[PROGRAM]) {
        return;
    }
    let Some(home) = Home::with_base() else { return };
    let registry = Registry::open();
    let [base, cache] = ["base:1", "app:cache"].map(|name| format!("{}/team/{name}", registry.host()));
    home.write("base/Dockerfile", BASE);
    home.build(["-t", &base, "base"]);
    home.layercake(["push", &base]).ok();
    write(&home, &base, "one");
    built(&home, &[&format!("--cache-to=type=registry,ref={cache},mode=max")]);
    // The base moves on: of the new one the cache knows nothing, so it is fetched.
    home.write(
        "base/Dockerfile",
        BASE.replace("/srv/real /app", "/opt /app").replace("ln -s", "mkdir -p /opt/lib && ln -s"),
    );
    home.build(["-t", &base, "base"]);
    home.layercake(["push", &base]).ok();
    let other = Home::empty();
    write(&other, &base, "one");
    let there = built(&other, &[&format!("--cache-from=type=registry,ref={cache}"), "-t", "x"]);
    assert_eq!(there.started.len(), 4, "{:?}", there.started);
    assert_eq!(other.layers("x").last().unwrap().text("opt/lib/new"), "new");
}
