//! Contexts that are git repositories.

use std::os::unix::fs::symlink;
use std::process::Stdio;

use crate::support::git::Readers::Everybody;
use crate::{repository, served};

#[test]
fn the_dockerfile_and_the_ignore_file_are_in_it() {
    let Some((home, server)) = served(Everybody) else { return };
    let repository = repository(&home, "a");
    repository.write("Dockerfile", "FROM base\nCOPY . /all/\n").write("a", "1").write("b.log", "2");
    repository.write(".dockerignore", "*.log\nDockerfile*\n").commit();
    let url = server.url("a");
    let files = home.tree(&url);
    assert_eq!(files.text("all/a"), "1");
    assert!(!files.has("all/b.log") && !files.has("all/Dockerfile") && !files.has("all/.git"), "{files:?}");
    // The second build asks where the branch is, and does nothing more.
    let asked = server.asked("a");
    assert_eq!(home.build([url.as_str()]).started, [] as [&str; 0]);
    assert_eq!((server.asked("a"), server.fetched("a")), (asked + 1, 1));
    repository.write("a", "2").commit();
    assert_eq!(home.tree(&url).text("all/a"), "2");
}

#[test]
fn references_folders_and_other_dockerfiles() {
    let Some((home, server)) = served(Everybody) else { return };
    let repository = repository(&home, "a");
    repository.write("app/Dockerfile", "FROM base\nCOPY f /f\n").write("app/f", "tagged").commit();
    repository.git(["tag", "v1"]);
    repository.write("app/f", "newest").write("app/other.Dockerfile", "FROM base\nCOPY f /o\n");
    repository.write("app/other.Dockerfile.dockerignore", "f\n!f\n").commit();
    let url = server.url("a");
    assert_eq!(home.tree(&format!("{url}#v1:app")).text("f"), "tagged");
    assert_eq!(home.tree(&format!("{url}?subdir=app&ref=main")).text("f"), "newest");
    let tree = |arguments: &[&str]| {
        let mut command = home.command(["build", "-q", "-o", "type=tar,dest=tree.tar"]);
        crate::support::home::run(command.args(arguments)).ok();
        crate::Files::read(&std::fs::read(home.path("work/tree.tar")).unwrap())
    };
    assert_eq!(tree(&["-f", "other.Dockerfile", &format!("{url}#:app")]).text("o"), "newest");
    // A file of this machine is named by its whole path; a relative one is the repository's, whatever lies here.
    home.write("other.Dockerfile", "FROM base\nCOPY f /wrong\n").write("mine", "FROM base\nCOPY app/f /mine\n");
    assert!(tree(&["-f", "other.Dockerfile", &format!("{url}#:app")]).has("o"));
    let mine = home.path("work/mine").display().to_string();
    assert_eq!(tree(&["-f", &mine, &url]).text("mine"), "newest");
    let ran = home.layercake(["build", &url]).exits(2);
    assert!(ran.stderr.contains("failed to read dockerfile") && ran.stderr.contains("`Dockerfile`"), "{}", ran.stderr);
}

#[test]
fn the_dockerfile_may_come_on_standard_input() {
    use std::io::Write;
    let Some((home, server)) = served(Everybody) else { return };
    repository(&home, "a").write("f", "1").commit();
    let mut command = home.command(["build", "-t", "x", "-f", "-", &server.url("a")]);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(b"FROM base\nCOPY f /f\n").unwrap();
    assert!(child.wait().unwrap().success());
    assert_eq!(home.layers("x")[1].text("f"), "1");
}

#[test]
fn compile_check_and_calls_know_them_too() {
    let Some((home, server)) = served(Everybody) else { return };
    repository(&home, "a").write("Dockerfile", "FROM base AS first\nCOPY Dockerfile /\n").commit();
    let url = server.url("a");
    let plan = home.layercake(["compile", &url]).ok().stdout;
    assert!(plan.contains("%first.Dockerfile = copy"), "{plan}");
    home.layercake(["check", &url]).ok();
    let targets = home.layercake(["build", "--call=targets", &url]).ok().stdout;
    assert!(targets.contains("first"), "{targets}");
    // What one command has fetched, the next one has: of an ordinary user's too.
    assert_eq!(home.tree(&url).text("Dockerfile"), "FROM base AS first\nCOPY Dockerfile /\n");
    assert_eq!(server.fetched("a"), 1);
}

#[test]
fn named_contexts_are_steps_of_the_plan() {
    let Some((home, server)) = served(Everybody) else { return };
    repository(&home, "lib").write("l", "library").write("deep/d", "deep").commit();
    let url = server.url("lib");
    home.write("ctx/Dockerfile", "FROM base\nCOPY --from=lib l /\nRUN --mount=from=lib,target=/m cat /m/deep/d > /d\n");
    let context = format!("lib={url}#main");
    home.build(["--build-context", &context, "-t", "x", "ctx"]);
    let layers = home.layers("x");
    assert_eq!((layers[1].text("l"), layers[2].text("d")), ("library", "deep"));
    let plan = home.layercake(["compile", "--build-context", &context, "ctx"]).ok().stdout;
    assert!(plan.contains("= git\n") && plan.contains(&format!("remote    {url}\n    reference main")), "{plan}");
    // In place of an image and of a stage; and one that nobody names is not even asked about.
    home.write(
        "ctx/Dockerfile",
        "FROM alpine:3.20 AS one\nFROM base AS stage\nRUN false\nFROM scratch\nCOPY --from=one /l /1\n\
         COPY --from=stage /deep/d /2\n",
    );
    let contexts = [format!("alpine:3.20={url}"), format!("stage={url}"), "no=http://nowhere.invalid/a.git".to_owned()];
    let [image, stage, unused] = contexts.map(|context| format!("--build-context={context}"));
    home.build([&image, &stage, &unused, "-t", "y", "ctx"]);
    let layers = home.layers("y");
    assert_eq!((layers[0].text("1"), layers[1].text("2")), ("library", "deep"));
}

#[test]
fn an_image_can_start_from_a_repository() {
    let Some((home, server)) = served(Everybody) else { return };
    repository(&home, "lib").write("l", "library").commit();
    home.write("ctx/Dockerfile", "FROM lib\nLABEL a=b\n");
    home.build(["--build-context", &format!("lib={}", server.url("lib")), "-t", "x", "ctx"]);
    assert_eq!(home.layers("x")[0].text("l"), "library");
    assert_eq!(home.inspect("x")["Config"]["Labels"]["a"], "b");
}

#[test]
fn links_lead_to_nothing_of_this_machine() {
    let Some((home, server)) = served(Everybody) else { return };
    std::fs::write(home.path("work/private"), "FROM private\n").unwrap();
    let repository = repository(&home, "a");
    symlink(home.path("work/private"), repository.path("Dockerfile")).unwrap();
    symlink("real", repository.path("linked")).unwrap();
    repository.write("real", "FROM base\n").commit();
    let ran = home.layercake(["build", &server.url("a")]).exits(2);
    assert!(ran.stderr.contains("has no file `Dockerfile`") && !ran.stderr.contains("private"), "{}", ran.stderr);
    home.layercake(["build", "-f", "linked", &server.url("a")]).ok();
}

#[test]
fn the_repository_can_be_kept_in_the_context() {
    let Some((home, server)) = served(Everybody) else { return };
    repository(&home, "a").write("Dockerfile", "FROM base\nCOPY . /\n").commit();
    let url = server.url("a");
    let files = |arguments: &[&str]| {
        let mut command = home.command(["build", "-q", "-o", "type=tar,dest=tree.tar"]);
        crate::support::home::run(command.args(arguments)).ok();
        crate::Files::read(&std::fs::read(home.path("work/tree.tar")).unwrap())
    };
    assert!(!files(&[&url]).has(".git"));
    assert!(files(&["--build-arg=BUILDKIT_CONTEXT_KEEP_GIT_DIR=1", &url]).has(".git/HEAD"));
    assert!(files(&[&format!("{url}?keep-git-dir=true")]).has(".git/HEAD"));
}

#[test]
fn a_folder_of_this_name_goes_first() {
    let Some((home, _server)) = served(Everybody) else { return };
    home.write("github.com/a/b/Dockerfile", "FROM base\nCOPY f /\n").write("github.com/a/b/f", "here");
    assert_eq!(home.tree("github.com/a/b").text("f"), "here");
    let ran = home.layercake(["build", "--offline", "github.com/none/none"]).exits(3);
    assert!(ran.stderr.contains("https://github.com/none/none"), "{}", ran.stderr);
}
