//! What only adds to a tree is made without that tree: a cache says what stands where in it.

use super::hostile::{Cache, blob};
use super::layout::FROM;
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
    let mut command = home.command(["build", "--progress=json", "-o", "type=image,compression=gzip", "ctx"]);
    Built::of(run(command.args(arguments).env("SOURCE_DATE_EPOCH", EPOCH)))
}

fn write(home: &Home, base: &str, main: &str) {
    home.write("ctx/Dockerfile", format!("FROM {base}{DOCKERFILE}"));
    home.write("ctx/src/main", main).write("ctx/lib/new", "new");
}

/// A registry that has the base, the home that it was made in, and the names there of the base, a cache and an image.
fn pushed() -> Option<(Home, Registry, [String; 3])> {
    if !available(&[PROGRAM]) {
        return None;
    }
    let home = Home::with_base()?;
    let registry = Registry::open();
    let names = ["base:1", "app:cache", "app:2"].map(|name| format!("{}/team/{name}", registry.host()));
    home.write("base/Dockerfile", BASE);
    home.build(["-t", &names[0], "base"]);
    home.layercake(["push", &names[0]]).ok();
    Some((home, registry, names))
}

/// The blobs that were fetched from a registry after the first `before` requests.
fn fetched(registry: &Registry, before: usize) -> Vec<String> {
    let requests = registry.requests().split_off(before).into_iter();
    requests.filter(|request| request.starts_with("GET") && request.contains("/blobs/")).collect()
}

#[test]
fn changed_sources_are_copied_onto_a_tree_that_is_elsewhere() {
    let Some((home, registry, [base, cache, image])) = pushed() else { return };
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
fn a_base_that_was_never_unpacked_is_outlined_too() {
    let Some((_home, _registry, [base, cache, image])) = pushed() else { return };
    let dockerfile = format!("FROM {base}\nCOPY --chown=ann main /app/\n");
    let [first, second] = [Home::empty(), Home::empty()];
    for home in [&first, &second] {
        home.write("ctx/Dockerfile", &dockerfile).write("ctx/main", "one");
    }
    built(&first, &[&format!("--cache-to=type=registry,ref={cache}")]);
    second.write("ctx/main", "two");
    let there = built(&second, &["--cache-from", &cache, "-t", &image, "--push"]);
    assert!(super::size(&second.path("store")) < 100_000, "the base is elsewhere");
    first.write("ctx/main", "two");
    assert_eq!(built(&first, &[]).digest, there.digest);
}

#[test]
fn what_is_above_a_folder_in_the_tree_decides() {
    // The way to the destination leads through a link of the base; a second cache knows another base.
    let Some((home, _registry, [base, cache, _])) = pushed() else { return };
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

/// A tree in which a link decides where a copy goes.
const LINKED: &str = "\
FROM base
RUN mkdir /real && ln -s /real /app
RUN echo 1 > /same
RUN echo 2 > /same
COPY in /app/in
CMD [\"x\"]
";

/// A machine whose cache another one has, and the other one, on which the file that is copied has changed.
fn cached() -> Option<(Home, Home)> {
    let (one, two) = (Home::with_base()?, Home::with_base()?);
    for home in [&one, &two] {
        home.write("ctx/Dockerfile", LINKED).write("ctx/in", "one");
    }
    built(&one, &[&format!("--cache-to=type=local,dest={},mode=max", two.path("work/cache").display())]);
    for home in [&one, &two] {
        home.write("ctx/in", "two");
    }
    Some((one, two))
}

#[test]
fn a_lie_about_a_tree_does_not_outlive_the_build_that_asked_for_it() {
    let Some((one, two)) = cached() else { return };
    // Every layer is said to look as the largest does, which is the base's: there is no link.
    let mut cache = Cache::open(&two.path("work/cache"));
    let outlines = cache.index()["outlines"].as_array_mut().unwrap();
    let base = outlines.iter().map(|outline| outline[1].clone()).max_by_key(|blob| blob["size"].as_u64()).unwrap();
    outlines.iter_mut().for_each(|outline| outline[1] = base.clone());
    cache.put();
    let honest = built(&one, &[]);
    let spoiled = built(&two, &[FROM]);
    assert_ne!(spoiled.digest, honest.digest, "it is made for the tree that it was told of");
    assert_eq!(built(&two, &[]).digest, honest.digest);
}

#[test]
fn without_an_outline_the_tree_comes() {
    let Some((one, two)) = cached() else { return };
    let mut cache = Cache::open(&two.path("work/cache"));
    for outline in cache.index()["outlines"].as_array().unwrap() {
        std::fs::write(blob(&two.path("work/cache"), &outline[1]["digest"]), "no outline").unwrap();
    }
    let mut command = two.command(["build", "--progress=plain", "-o", "type=image,compression=gzip", FROM, "ctx"]);
    let there = run(command.env("SOURCE_DATE_EPOCH", EPOCH)).ok();
    assert!(there.stderr.contains("the outline of a layer cannot be had"), "{}", there.stderr);
    assert_eq!(there.stdout.trim(), built(&one, &[]).digest);
}
