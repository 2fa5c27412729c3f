//! Copies after a change below them: made again only if what they look at in the tree has changed, and then as they should be.

use crate::support::Home;
use crate::support::home::{EPOCH, run};
use crate::support::ran::Built;

/// What a copy follows, before and after.
struct Case {
    below: [&'static str; 2],
    copy: &'static str,
}

fn build(home: &Home, pass: &str) -> Built {
    let mut command = home.command(["build", "--progress=json", pass, "-t", "x", "ctx"]);
    Built::of(run(command.env("SOURCE_DATE_EPOCH", EPOCH)))
}

/// Builds both, and gives whether the copy was made for the second one too. It is the same image as one that is made with the
/// whole tree in its keys.
#[track_caller]
fn is_made_again(home: &Home, Case { below, copy }: Case) -> bool {
    // Each is a case of its own.
    let write = |below: &str| home.write("ctx/Dockerfile", format!("FROM base\nRUN : {copy}; {below}\n{copy}\n"));
    write(below[0]);
    build(home, "--pass=detach=on");
    write(below[1]);
    let changed = build(home, "--pass=detach=on");
    let whole = build(home, "--pass=detach=off");
    assert_eq!(changed.digest, whole.digest, "{below:?} {copy}");
    assert!(changed.started[0].starts_with("RUN "), "{below:?} {copy}");
    let is_made = changed.started.iter().any(|step| step == copy);
    assert!(is_made || whole.started == [copy], "{below:?} {copy}: nothing was held against a real copy");
    is_made
}

fn home() -> Option<Home> {
    let home = Home::with_base()?;
    home.write("ctx/a", "1").write("ctx/dir/b", "2").write("ctx/dir/sub/c", "3").write("ctx/dir/sub/inner/d", "4");
    home.write("ctx/.dockerignore", "dir/ignored\n").write("ctx/dir/ignored/f", "5");
    Some(home)
}

#[test]
fn a_change_that_a_copy_does_not_see_does_not_make_it_again() {
    let Some(home) = home() else { return };
    for (before, after, copy) in [
        ("echo 1 > /x", "echo 2 > /x", "COPY a /a"),
        ("echo 1 > /x", "rm -rf /home", "COPY dir /new/deep/"),
        // What is replaced does not matter.
        ("mkdir /d; echo 1 > /d/b", "mkdir /d; ln -s /nowhere /d/b", "COPY dir /d/"),
        ("mkdir -p /d/sub; echo 1 > /d/sub/other", "mkdir -p /d/sub /d/more", "COPY dir /d"),
        // What is ignored meets nothing.
        ("mkdir -p /d/ignored", "mkdir -p -m 700 /d/ignored", "COPY dir /d"),
        ("echo 1 > /x", "sed -i s/root/toor/ /etc/group", "COPY --chown=ann dir /d/"),
        ("ln -s /w /l", "ln -s /w /l; echo 1 > /x", "COPY a dir /l/new/"),
        ("echo 1 > /x", "echo 2 > /x", "ADD a /opt/"),
    ] {
        assert!(!is_made_again(&home, Case { below: [before, after], copy }), "{before} -> {after}: {copy}");
    }
}

#[test]
fn a_change_that_a_copy_sees_makes_it_again() {
    let Some(home) = home() else { return };
    for (before, after, copy) in [
        ("mkdir /d", "ln -s /w /d", "COPY dir /d"),
        ("mkdir /d /e; ln -s /d /l", "mkdir /d /e; ln -s /e /l", "COPY a /l/"),
        ("true", "mkdir /d", "COPY a /d"),
        ("mkdir -m 755 /d", "mkdir -m 2775 /d", "COPY dir /d"),
        ("mkdir /d", "mkdir /d; chown 5:6 /d", "COPY a /d/"),
        // The change set carries the folders on the way along.
        ("mkdir -p /d/e", "mkdir -p /d/e; chmod 711 /d", "COPY a /d/e/"),
        ("mkdir -p /d/sub", "mkdir -p -m 700 /d/sub", "COPY dir /d"),
        ("mkdir -p /d/dir/sub", "mkdir -p /d/dir/sub; chown 7 /d/dir/sub", "COPY --parents dir/sub/inner/d /d/"),
        ("chmod 755 /", "chmod 711 /", "COPY a /"),
        ("true", "sed -i s/1000:1000/77:78/ /etc/passwd", "COPY --chown=ann dir /d/"),
    ] {
        assert!(is_made_again(&home, Case { below: [before, after], copy }), "{before} -> {after}: {copy}");
    }
}

/// The first file of several puts another link where the way of the second one leads.
#[test]
fn a_copy_that_changes_its_own_way_depends_on_the_whole_tree() {
    let Some(home) = home() else { return };
    home.write("ctx/first/f", "1");
    std::os::unix::fs::symlink("/etc", home.path("work/ctx/first/up")).unwrap();
    let below = ["mkdir /w; ln -s /w /w/up", "mkdir /w; ln -s /w /w/up; chmod 711 /etc"];
    assert!(is_made_again(&home, Case { below, copy: "COPY first dir /w/up/" }));
}

#[test]
fn what_cannot_be_copied_is_an_error_whatever_was_copied_before() {
    let Some(home) = home() else { return };
    for (before, after, copy) in [
        ("mkdir /d", "mkdir -p /d/b", "COPY dir /d"),
        ("mkdir /d", "mkdir /d; echo 1 > /d/sub", "COPY dir /d"),
        ("mkdir /d", "echo 1 > /d", "COPY a /d/"),
        ("true", "sed -i s/ann/bob/ /etc/passwd", "COPY --chown=ann dir /d/"),
    ] {
        let write = |below: &str| home.write("ctx/Dockerfile", format!("FROM base\nRUN {below}\n{copy}\n"));
        write(before);
        build(&home, "--pass=detach=on");
        write(after);
        let told = ["on", "off"].map(|turn| {
            let pass = format!("--pass=detach={turn}");
            let ran = home.layercake(["build", "--progress=json", &pass, "ctx"]);
            (ran.status, ran.stderr.lines().last().map(str::to_owned))
        });
        assert_eq!(told[0], told[1], "{after}: {copy}");
    }
}

#[test]
fn an_archive_meets_what_is_there_by_rules_of_its_own() {
    let Some(home) = home() else { return };
    let tar = home.path("work/ctx/t.tar");
    let mut command = std::process::Command::new("tar");
    command.arg("-cf").arg(&tar).arg("-C").arg(home.path("work/ctx/dir")).arg(".");
    assert!(command.status().unwrap().success());
    assert!(is_made_again(&home, Case { below: ["echo 1 > /x", "echo 2 > /x"], copy: "ADD t.tar /d/" }));
}

#[test]
fn an_explanation_names_what_is_in_the_way() {
    let Some(home) = home() else { return };
    for below in ["mkdir /srv /opt; ln -s /srv /app", "mkdir /srv /opt; ln -s /opt /app"] {
        home.write("ctx/Dockerfile", format!("FROM base\nRUN {below}\nCOPY a /app/\n"));
        home.build(["-t", "x", "ctx"]);
    }
    let said = home.layercake(["explain", "ctx"]).ok().stdout;
    assert!(said.contains("in the tree below: a link to /srv -> a link to /opt"), "{said}");
}
