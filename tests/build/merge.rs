//! `--pass merge=on`: fewer layers, with the same files, configuration and history.

use crate::support::Home;
use crate::support::archive::Files;
use crate::support::image::strings;

const DOCKERFILE: &str = "FROM base
WORKDIR /app
COPY dir ./
ENV A=1
COPY --chown=1000:50 a dir/one ./
RUN echo made > made
COPY --chmod=600 a /app/two
";

fn home() -> Option<Home> {
    let home = Home::with_base()?;
    home.write("ctx/Dockerfile", DOCKERFILE)
        .write("ctx/a", "a")
        .write("ctx/dir/one", "one")
        .write("ctx/dir/sub/f", "f");
    std::fs::hard_link(home.path("work/ctx/dir/one"), home.path("work/ctx/dir/same")).unwrap();
    Some(home)
}

/// The files that an image's layers make.
fn files(home: &Home, image: &str) -> Files {
    home.write("flat/Dockerfile", format!("FROM {image}\n"));
    home.tree("flat")
}

#[test]
fn neighbours_become_one_layer_of_the_same_files() {
    let Some(home) = home() else { return };
    home.dated(["-t", "plain", "ctx"]);
    let merged = home.dated(["-t", "merged", "-O2", "ctx"]);
    assert_eq!(merged.started, [""; 0], "the steps are what they were");
    let layers = ["plain", "merged"].map(|image| home.diff_ids(image).len());
    assert_eq!(layers, [6, 4]);
    let [plain, merged] = ["plain", "merged"].map(|image| home.inspect(image));
    assert_eq!(plain["Config"], merged["Config"]);
    let trees = ["plain", "merged"].map(|image| files(&home, image));
    assert_eq!(trees[0], trees[1]);
    let layer = &home.layers("merged")[1];
    assert_eq!(layer.paths(), ["app", "app/a", "app/one", "app/same", "app/sub", "app/sub/f"]);
    assert_eq!((layer.text("app/one"), layer.file("app/one").owner.0), ("one", 1000));
    assert_eq!(strings(&plain["RootFS"]["Layers"])[0], strings(&merged["RootFS"]["Layers"])[0]);
}

/// A file that has changed is copied again alone, though it lies in a layer with others.
#[test]
fn each_copy_keeps_its_own_key() {
    let Some(home) = home() else { return };
    home.build(["-t", "merged", "--pass=merge=on", "ctx"]);
    let before = home.diff_ids("merged");
    home.write("ctx/a", "changed");
    let built = home.build(["-t", "merged", "--pass=merge=on", "ctx"]);
    assert_eq!(built.ran("COPY dir ./"), 0);
    let after = home.diff_ids("merged");
    assert!(after[1] != before[1] && after[0] == before[0]);
}
