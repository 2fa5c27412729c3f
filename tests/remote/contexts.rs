//! Contexts in tars and on servers: on standard input, behind an address, and by name.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};

use crate::archive::{compressed, gzip, tar};
use crate::site::{Resource, replaceable};
use crate::support::Home;
use crate::support::archive::Files;

const DOCKERFILE: &str = "FROM base\nCOPY . /all/\n";

/// A context, with an ignore file.
fn context() -> Vec<u8> {
    tar(&[
        ("./Dockerfile", DOCKERFILE),
        ("./a.txt", "a"),
        ("./src/b.rs", "b"),
        ("./c.log", "hidden"),
        ("./.dockerignore", "*.log\nDockerfile*\n.dockerignore\nother\n"),
        ("./other/my.Dockerfile", "FROM base\nCOPY a.txt /other\n"),
    ])
}

/// What the build of the last image's second layer put into `/all`.
fn listed(home: &Home) -> Vec<String> {
    let layer: &Files = &home.layers("x")[1];
    layer.paths().into_iter().filter_map(|path| path.strip_prefix("all/").map(str::to_owned)).collect()
}

const EXPECTED: [&str; 3] = ["a.txt", "src", "src/b.rs"];

#[test]
fn a_tar_on_standard_input_is_the_context_however_it_is_packed() {
    let Some(home) = Home::with_base() else { return };
    for (name, bytes) in compressed(&context()) {
        home.piped(["build", "-t", "x", "-"], bytes).ok();
        assert_eq!(listed(&home), EXPECTED, "{name}");
        assert_eq!(home.layers("x")[1].file("all/a.txt").owner, (0, 0), "a context's files are root's");
        assert_eq!(home.unfinished(), [""; 0]);
    }
}

#[test]
fn a_tar_behind_an_address_is_the_context() {
    let Some(home) = Home::with_base() else { return };
    for (name, bytes) in compressed(&context()) {
        let server = Resource::new(bytes).tagged("\"1\"").serve();
        let url = format!("http://{}/any/name?whatever", server.host());
        home.build(["-t", "x", &url]);
        assert_eq!(listed(&home), EXPECTED, "{name}");
        // It is not sent again, and nothing is done again.
        assert_eq!(home.build(["-t", "x", &url]).started, [""; 0], "{name}");
        assert_eq!(server.requests()[1].header("if-none-match"), Some("\"1\""), "{name}");
        assert_eq!(home.build(["-t", "x", "--offline", &url]).started, [""; 0], "{name}");
        assert_eq!(server.requests().len(), 2, "{name}");
    }
}

#[test]
fn the_same_files_have_the_same_keys_wherever_they_come_from() {
    let Some(home) = Home::with_base() else { return };
    home.write("folder/Dockerfile", DOCKERFILE).write("folder/a", "a").write("folder/b/c", "c");
    symlink("a", home.path("work/folder/link")).unwrap();
    for (path, mode) in [("", 0o775), ("a", 0o4751), ("b", 0o700), ("b/c", 0o640), ("Dockerfile", 0o644)] {
        fs::set_permissions(home.path("work/folder").join(path), fs::Permissions::from_mode(mode)).unwrap();
    }
    let mut builder = tar::Builder::new(Vec::new());
    builder.follow_symlinks(false);
    builder.append_dir_all(".", home.path("work/folder")).unwrap();
    let bytes = builder.into_inner().unwrap();
    let folder = home.build(["-t", "x", "folder"]);
    assert_eq!(folder.ran("COPY"), 1);
    let server = Resource::new(gzip(&bytes)).serve();
    let url = format!("http://{}/ctx.tar.gz", server.host());
    let remote = home.build(["-t", "x", &url]);
    assert_eq!((remote.started.len(), &remote.digest), (0, &folder.digest));
    let piped = home.piped(["build", "--progress=json", "-t", "x", "-"], &bytes).ok();
    assert!(!piped.stderr.contains("\"started\""), "{}", piped.stderr);
    assert_eq!(piped.stdout.trim(), folder.digest);
}

#[test]
fn another_dockerfile_of_the_context_is_named_by_its_path_there() {
    let Some(home) = Home::with_base() else { return };
    home.write("other/my.Dockerfile", "FROM base\nRUN echo not this one\n");
    home.piped(["build", "-t", "x", "-f", "other/my.Dockerfile", "-"], context()).ok();
    assert_eq!(home.layers("x")[1].paths(), ["other"]);
    let server = Resource::new(context()).serve();
    let url = format!("http://{}/x.tar", server.host());
    home.build(["-t", "x", "-f", "./other/my.Dockerfile", &url]);
    assert_eq!(home.layers("x")[1].paths(), ["other"]);
}

#[test]
fn the_dockerfiles_own_ignore_file_counts_in_a_tar_too() {
    let Some(home) = Home::with_base() else { return };
    let files = [
        ("Dockerfile", DOCKERFILE),
        ("a", ""),
        ("b", ""),
        ("Dockerfile.dockerignore", "*\n!b\n"),
        (".dockerignore", "b\n"),
    ];
    home.piped(["build", "-t", "x", "-"], tar(&files)).ok();
    assert_eq!(listed(&home), ["b"]);
}

#[test]
fn a_remote_context_may_have_a_dockerfile_from_elsewhere() {
    let Some(home) = Home::with_base() else { return };
    let server = Resource::new(context()).serve();
    let url = format!("http://{}/x.tar", server.host());
    home.piped(["build", "-t", "x", "-f", "-", &url], "FROM base\nCOPY a.txt /piped\n").ok();
    assert_eq!(home.layers("x")[1].paths(), ["piped"]);
    home.write("local.Dockerfile", "FROM base\nCOPY a.txt /local\n");
    let local = home.path("work/local.Dockerfile").to_str().unwrap().to_owned();
    home.build(["-t", "x", "-f", &local, &url]);
    assert_eq!(home.layers("x")[1].paths(), ["local"]);
    let dockerfile = Resource::new("FROM base\nCOPY a.txt /remote\n").serve();
    let remote = format!("http://{}/Dockerfile", dockerfile.host());
    home.build(["-t", "x", "-f", &remote, &url]);
    assert_eq!(home.layers("x")[1].paths(), ["remote"]);
    home.piped(["build", "-t", "x", "-f", &remote, "-"], context()).ok();
    assert_eq!(home.layers("x")[1].paths(), ["remote"]);
    home.write("ctx/a.txt", "here");
    home.build(["-t", "x", "-f", &remote, "ctx"]);
    assert_eq!(home.layers("x")[1].text("remote"), "here");
}

#[test]
fn a_text_behind_an_address_is_the_dockerfile() {
    let Some(home) = Home::with_base() else { return };
    let (server, resource) =
        replaceable(Resource::new("FROM base\nRUN echo remote > /x\nCOPY . /all/\n").tagged("\"1\""));
    let url = format!("http://{}/path/Dockerfile", server.host());
    home.build(["-t", "x", &url]);
    let layers = home.layers("x");
    assert_eq!(layers[1].text("x"), "remote\n");
    // As for BuildKit, it is all that its context has, under this name.
    assert_eq!(layers[2].paths(), ["all", "all/context"]);
    resource.lock().unwrap().body = b"FROM base\nRUM true\n".to_vec();
    resource.lock().unwrap().etag = None;
    let wrong = home.layercake(["build", &url]).exits(2);
    assert!(wrong.stderr.contains(&format!("{url}:2:1")), "{}", wrong.stderr);
}

#[test]
fn named_contexts_may_lie_on_servers() {
    let Some(home) = Home::with_base() else { return };
    let server = Resource::new(gzip(&tar(&[("lib/l", "library"), ("junk", ""), (".dockerignore", "junk")]))).serve();
    let text = Resource::new("text").serve();
    home.write("ctx/Dockerfile", "FROM base\nCOPY --from=lib . /lib/\nCOPY --from=text /context /text\n");
    let named = [format!("lib=http://{}/lib.tgz", server.host()), format!("text=http://{}/readme", text.host())];
    home.build(["--build-context", &named[0], "--build-context", &named[1], "-t", "x", "ctx"]);
    let layers = home.layers("x");
    assert_eq!(layers[1].paths(), ["lib", "lib/.dockerignore", "lib/lib", "lib/lib/l"]);
    assert_eq!(layers[2].text("text"), "text");
    // A stage can start from one.
    home.write("ctx/Dockerfile", "FROM lib\nCOPY --from=text context /text\n");
    home.build(["--build-context", &named[0], "--build-context", &named[1], "-t", "x", "ctx"]);
    assert_eq!(home.layers("x")[0].paths(), [".dockerignore", "lib", "lib/l"]);
}

#[test]
fn other_commands_know_these_contexts_too() {
    let home = Home::empty();
    let context =
        tar(&[("Dockerfile", "FROM scratch AS one\nCOPY c.log /\nFROM scratch as two\n"), (".dockerignore", "*.log")]);
    let server = Resource::new(context.clone()).serve();
    let url = format!("http://{}/x.tar", server.host());
    for argument in ["-", &url] {
        let compiled = home.piped(["compile", "--target=one", argument], &context).ok();
        assert!(compiled.stdout.contains("COPY c.log /"), "{}", compiled.stdout);
        let checked = home.piped(["check", "--format=json", argument], &context).exits(2);
        assert!(
            checked.stdout.contains("FromAsCasing") && checked.stdout.contains("CopyIgnoredFile"),
            "{}",
            checked.stdout
        );
        let targets = home.piped(["build", "--call=targets", argument], &context).ok();
        assert!(targets.stdout.contains("one") && targets.stdout.contains("two (default)"), "{}", targets.stdout);
        let fix = home.piped(["check", "--fix", argument], &context).exits(2);
        assert!(fix.stderr.contains("cannot be mended"), "{}", fix.stderr);
    }
}

#[test]
fn mounts_show_files_of_a_tar() {
    let Some(home) = Home::with_base() else { return };
    let files = [
        ("Dockerfile", "FROM base\nRUN --mount=target=/ctx cat /ctx/a > /a && ! test -e /ctx/b\n"),
        ("a", "mounted"),
        ("b", ""),
        (".dockerignore", "b"),
    ];
    home.piped(["build", "-t", "x", "-"], tar(&files)).ok();
    assert_eq!(home.layers("x")[1].text("a"), "mounted");
}

#[test]
fn a_folder_whose_name_looks_like_an_address_is_a_folder() {
    let Some(home) = Home::with_base() else { return };
    home.write("github.com/a/Dockerfile", DOCKERFILE);
    home.build(["-t", "x", "github.com/a"]);
    assert_eq!(listed(&home), ["Dockerfile"]);
}
