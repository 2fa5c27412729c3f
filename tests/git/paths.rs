//! What is checked out of a repository of which only some paths are read.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use crate::support::Home;
use crate::support::git::Readers::Everybody;
use crate::support::git::Repository;
use crate::support::home::{EPOCH, run};
use crate::support::ran::Built;
use crate::{repository, served};

/// Builds `ctx` in a store of its own that begins with the image `base`, with the pass or without it.
fn build(home: &Home, store: &str, context: &str, pass: &str) -> Built {
    let mut command = home.command(["build", "--progress=json", "-t", "x", "--build-context", context, pass, "ctx"]);
    command.env("SOURCE_DATE_EPOCH", EPOCH);
    if store != "store" {
        let import = ["import", "--change=ENV PATH=/bin", "--change=CMD [\"sh\"]", "--message=busybox"];
        let tar = home.path("base.tar");
        let mut import = home.command(import);
        run(import.arg(tar).arg("base").env("SOURCE_DATE_EPOCH", EPOCH).env("LAYERCAKE_HOME", home.path(store))).ok();
        command.env("LAYERCAKE_HOME", home.path(store));
    }
    Built::of(run(&mut command))
}

/// Whether a folder of the store has a file of this name, wherever it lies.
fn is_stored(home: &Home, store: &str, name: &str) -> bool {
    fn has(folder: &Path, name: &str) -> bool {
        fs::read_dir(folder).is_ok_and(|entries| {
            entries.flatten().any(|entry| {
                entry.file_name() == name
                    || entry.file_type().is_ok_and(|kind| kind.is_dir()) && has(&entry.path(), name)
            })
        })
    }
    has(&home.path(store), name)
}

fn with_links(repository: &Repository) {
    repository
        .write("part/src/f", "1")
        .write("part/shared/used", "2")
        .write("part/other/unused", "3")
        .write("unused", "4");
    symlink("../shared", repository.path("part/src/link")).unwrap();
    symlink("src/link/used", repository.path("part/named")).unwrap();
    repository.write(".gitattributes", "*.txt text eol=crlf\n").write("part/src/t.txt", "a\nb\n");
}

#[test]
fn what_nobody_reads_is_not_checked_out() {
    let Some((home, server)) = served(Everybody) else { return };
    let repository = repository(&home, "a");
    with_links(&repository);
    repository.commit();
    home.write(
        "ctx/Dockerfile",
        "FROM base\nCOPY --from=repo src /src\nCOPY --from=repo named /n\n\
         RUN --mount=from=repo,source=src,target=/m cp -r /m /copied\n",
    );
    let context = format!("repo={}#:part", server.url("a"));
    let plan = home.layercake(["compile", "--build-context", &context, "ctx"]).ok().stdout;
    assert!(plan.contains("    path      named\n    path      src\n"), "{plan}");
    let narrowed = build(&home, "store", &context, "--pass=project=on");
    let whole = build(&home, "other", &context, "--pass=project=off");
    assert_eq!(narrowed.digest, whole.digest);
    let found = ["used", "unused"].map(|name| [is_stored(&home, "store", name), is_stored(&home, "other", name)]);
    assert_eq!(found, [[true, true], [false, true]]);
    assert_eq!(home.layers("x")[1].text("src/t.txt"), "a\r\nb\r\n");

    // Whatever happens to what is not read: the repository is looked at again, and the command is not run again.
    repository.write("part/other/more", "5").commit();
    assert_eq!(build(&home, "store", &context, "--pass=project=on").started.len(), 1);
    assert!(build(&home, "other", &context, "--pass=project=off").started.len() > 1);
    // What a link leads to is read.
    repository.write("part/shared/used", "6").commit();
    assert!(build(&home, "store", &context, "--pass=project=on").started.len() > 1);
}

#[test]
fn what_is_not_there_is_missed_in_the_same_words() {
    let Some((home, server)) = served(Everybody) else { return };
    let repository = repository(&home, "a");
    with_links(&repository);
    symlink("nowhere/g", repository.path("part/dangling")).unwrap();
    symlink("circle", repository.path("part/circle")).unwrap();
    repository.commit();
    let context = format!("repo={}#:part", server.url("a"));
    for path in ["no", "src/no", "dangling", "circle", "circle/x", "no/*/f", "src/f/x"] {
        home.write("ctx/Dockerfile", format!("FROM scratch\nCOPY --from=repo {path} /x/\n"));
        let words = ["on", "off"].map(|turn| {
            let pass = format!("--pass=project={turn}");
            let ran = home.layercake(["build", "--progress=plain", "--build-context", &context, &pass, "ctx"]);
            let message = ran.stderr.lines().skip_while(|line| !line.contains("error")).collect::<Vec<_>>().join("\n");
            (ran.status, message)
        });
        assert_eq!(words[0], words[1], "{path}");
        assert_eq!(words[0].0 == Some(0), path == "no/*/f", "{path}: {words:?}");
    }
}

#[test]
fn where_a_path_leads_into_a_submodule_everything_is_there() {
    let Some((home, server)) = served(Everybody) else { return };
    let library = repository(&home, "library");
    library.write("l", "1");
    symlink("../top", library.path("up")).unwrap();
    library.commit();
    let repository = repository(&home, "a");
    repository.write("top", "2").write("src/f", "3").submodule("lib", "../library.git", &library).commit();
    home.write("ctx/Dockerfile", "FROM base\nCOPY --from=repo lib/l lib/up /x/\nCOPY --from=repo src /src\n");
    let context = format!("repo={}", server.url("a"));
    let narrowed = build(&home, "store", &context, "--pass=project=on");
    let whole = build(&home, "other", &context, "--pass=project=off");
    assert_eq!(narrowed.digest, whole.digest);
    assert_eq!(home.layers("x")[1].text("x/up"), "2");
}
