//! Where the Dockerfile and the files come from: folders, ignore files, named contexts, standard input.

use std::io::Write;
use std::process::Stdio;

use crate::support::Home;

fn listed(home: &Home) -> Vec<String> {
    let tree = home.tree("ctx");
    tree.paths().into_iter().filter_map(|path| path.strip_prefix("all/").map(str::to_owned)).collect()
}

fn with_files() -> Option<Home> {
    let home = Home::with_base()?;
    home.write("ctx/Dockerfile", "FROM base\nCOPY . /all/\n");
    for file in ["a.txt", "a.log", "keep.log", "target/big", "target/keep", "src/a.rs", "src/b.log"] {
        home.write(&format!("ctx/{file}"), file);
    }
    Some(home)
}

#[test]
fn an_ignore_file_hides() {
    let Some(home) = with_files() else { return };
    home.write(
        "ctx/.dockerignore",
        "# comment\n**/*.log\n!keep.log\ntarget\n!target/keep\nDockerfile\n.dockerignore\n",
    );
    assert_eq!(listed(&home), ["a.txt", "keep.log", "src", "src/a.rs", "target", "target/keep"]);
}

#[test]
fn the_dockerfiles_own_ignore_file_goes_first() {
    let Some(home) = with_files() else { return };
    home.write("ctx/.dockerignore", "a.txt\n").write("ctx/Dockerfile.dockerignore", "*\n!a.txt\n");
    assert_eq!(listed(&home), ["a.txt"]);
}

#[test]
fn the_dockerfile_may_lie_elsewhere() {
    let Some(home) = with_files() else { return };
    home.write("elsewhere/my.Dockerfile", "FROM base\nCOPY a.txt /only\n");
    home.build(["-f", "elsewhere/my.Dockerfile", "-t", "x", "ctx"]);
    assert_eq!(home.layers("x")[1].paths(), ["only"]);
    // From the context's folder, too.
    home.write("ctx/inner.Dockerfile", "FROM base\nCOPY a.txt /inner\n");
    home.build(["-f", "inner.Dockerfile", "-t", "x", "ctx"]);
    assert_eq!(home.layers("x")[1].paths(), ["inner"]);
}

#[test]
fn a_dockerfile_on_standard_input_has_no_context() {
    let Some(home) = Home::with_base() else { return };
    let build = |arguments: &[&str], dockerfile: &str| {
        let mut command = home.command(["build", "-t", "x"]);
        let command = command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        child.stdin.take().unwrap().write_all(dockerfile.as_bytes()).unwrap();
        child.wait_with_output().unwrap()
    };
    assert!(build(&["-"], "FROM base\nRUN echo stdin > /x\n").status.success());
    assert_eq!(home.layers("x")[1].text("x"), "stdin\n");
    home.write("ctx/a", "from the context");
    assert!(build(&["-f", "-", "ctx"], "FROM base\nCOPY a /a\n").status.success());
    assert_eq!(home.layers("x")[1].text("a"), "from the context");
}

#[test]
fn named_contexts_are_folders_images_and_stages() {
    let Some(home) = Home::with_base() else { return };
    home.write("lib/l", "library");
    home.write(
        "ctx/Dockerfile",
        "FROM base AS stage\nRUN echo stage > /s\nFROM base\nCOPY --from=lib l /\nCOPY --from=other /etc/passwd /p\n",
    );
    home.build(["--build-context", "lib=lib", "--build-context", "other=docker-image://base", "-t", "x", "ctx"]);
    let layers = home.layers("x");
    assert_eq!(layers[1].text("l"), "library");
    assert!(layers[2].text("p").starts_with("root:"));
    // A named context goes before a stage of its name.
    home.write("lib/s", "named");
    home.write("ctx/Dockerfile", "FROM base AS stage\nRUN echo stage > /s\nFROM base\nCOPY --from=stage /s /\n");
    home.build(["--build-context", "stage=lib", "-t", "x", "ctx"]);
    assert_eq!(home.layers("x")[1].text("s"), "named");
}

#[test]
fn files_keep_modes_links_and_names() {
    use std::os::unix::fs::{PermissionsExt, symlink};
    let Some(home) = Home::with_base() else { return };
    home.write("ctx/Dockerfile", "FROM base\nCOPY . /all/\n").write("ctx/.dockerignore", "Dockerfile\n.dockerignore\n");
    home.write("ctx/run.sh", "#!/bin/sh\n").write("ctx/größe ", "umlaut and a blank").write("ctx/new\nline", "odd");
    std::fs::set_permissions(home.path("work/ctx/run.sh"), std::fs::Permissions::from_mode(0o4751)).unwrap();
    symlink("../nowhere", home.path("work/ctx/dangling")).unwrap();
    std::fs::create_dir(home.path("work/ctx/empty")).unwrap();
    let tree = home.tree("ctx");
    assert_eq!(tree.file("all/run.sh").mode, 0o4751);
    assert_eq!(tree.file("all/run.sh").owner, (0, 0), "who builds is nobody in the image");
    assert_eq!(tree.file("all/dangling").target, "../nowhere");
    assert_eq!(tree.text("all/größe "), "umlaut and a blank");
    assert_eq!(tree.text("all/new\nline"), "odd");
    assert!(tree.has("all/empty"));
}
