//! What a prediction says of steps, against the build that follows it.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use crate::support::Home;
use crate::{agrees, outlook, predicted, reason};

const DOCKERFILE: &str = "FROM base AS lib
RUN echo lib > /lib
FROM base
ARG A=1
COPY a.txt /a
COPY --from=lib /lib /lib
RUN --mount=type=cache,target=/c --mount=type=secret,id=s echo $A | tee /c/x > /one
COPY --link b.txt /b
RUN cat /a /b > /two
COPY <<here /three
text
here
";

/// A home in which that was built. Its steps, in the plan's order: the command of `lib`, `COPY a.txt`, what is copied of
/// `lib`, the command with mounts, the linked copy, `cat`, and the text.
fn built() -> Option<Home> {
    let home = Home::with_base()?;
    home.write("ctx/Dockerfile", DOCKERFILE).write("ctx/a.txt", "a").write("ctx/b.txt", "b").write("ctx/other", "o");
    home.write("secret", "one").write("ctx/.dockerignore", "ignored\n");
    agrees(&home, "nothing is there", &["ctx"], "mmuumuu");
    agrees(&home, "nothing has changed", &["ctx"], "hhhhhhh");
    Some(home)
}

#[test]
fn files() {
    let Some(home) = built() else { return };
    home.write("ctx/other", "changed").write("ctx/ignored", "new");
    agrees(&home, "a file that is not copied", &["ctx"], "hhhhhhh");
    home.write("ctx/a.txt", "changed");
    agrees(&home, "a file that is copied", &["ctx"], "hmuuhuu");
    home.write("ctx/a.txt", "a");
    agrees(&home, "put back", &["ctx"], "hhhhhhh");
    std::thread::sleep(Duration::from_millis(1100));
    home.write("ctx/a.txt", "a");
    agrees(&home, "only the time is new", &["ctx"], "hhhhhhh");
    home.write("ctx/b.txt", "changed");
    agrees(&home, "a linked copy", &["ctx"], "hhhhmuu");
    fs::set_permissions(home.path("work/ctx/a.txt"), fs::Permissions::from_mode(0o755)).unwrap();
    agrees(&home, "a mode", &["ctx"], "hmuuhuu");
    home.write("ctx/Dockerfile", DOCKERFILE.replace("\ntext", "\nother text"));
    agrees(&home, "a file of the Dockerfile", &["ctx"], "hhhhhhm");
    home.write("ctx/.dockerignore", "ignored\nother\n");
    agrees(&home, "what is ignored", &["ctx"], "hhhhhhh");
    fs::remove_file(home.path("work/ctx/a.txt")).unwrap();
    let failed = home.layercake(["compile", "--predict", "ctx"]).exits(2);
    assert!(failed.stderr.contains("COPY a.txt /a") && failed.stderr.contains("a.txt"), "{}", failed.stderr);
    home.layercake(["build", "ctx"]).exits(2);
}

#[test]
fn arguments() {
    let Some(home) = built() else { return };
    agrees(&home, "a build argument", &["--build-arg=A=2", "ctx"], "hhhmhuu");
    agrees(&home, "the same again", &["--build-arg=A=2", "ctx"], "hhhhhhh");
    agrees(&home, "a secret", &["--secret=id=s,src=secret", "ctx"], "hhhhhhh");
    home.write("secret", "two");
    agrees(&home, "what is in a secret", &["--secret=id=s,src=secret", "ctx"], "hhhhhhh");
    agrees(&home, "a host", &["--add-host=h:10.0.0.1", "ctx"], "mhuuhuu");
    agrees(&home, "a name", &["--build-arg=BUILDKIT_SANDBOX_HOSTNAME=n", "ctx"], "mhuuhuu");
    agrees(&home, "a limit", &["--ulimit=nofile=99:99", "ctx"], "mhuuhuu");
    agrees(&home, "a network", &["--network=none", "ctx"], "mhuuhuu");
    agrees(&home, "a label", &["--label=a=b", "ctx"], "hhhhhhh");
    agrees(&home, "another target", &["--target=lib", "ctx"], "h");
    agrees(&home, "jobs", &["-j1", "ctx"], "hhhhhhh");
}

#[test]
fn the_cache() {
    let Some(home) = built() else { return };
    agrees(&home, "refused", &["--no-cache", "ctx"], "mmmmmmm");
    agrees(&home, "refused for one stage", &["--no-cache-filter=lib", "ctx"], "mhuuhuu");
    agrees(&home, "refused for the last", &["--no-cache-filter=1", "ctx"], "hmmmmmm");
    agrees(&home, "refused for one that is not there", &["--no-cache-filter=nobody", "ctx"], "hhhhhhh");
    fs::remove_dir_all(home.path("store/records")).unwrap();
    agrees(&home, "without records", &["ctx"], "mmuumuu");
    // What a step has made can be gone while its record is there.
    for folder in fs::read_dir(home.path("store/folders")).unwrap() {
        let path = folder.unwrap().path();
        if path.join("two").is_file() {
            crate::support::home::run(crate::support::machine::as_root("rm").arg("-r").arg(path)).ok();
        }
    }
    let plan = predicted(&home, &["ctx"]);
    assert_eq!((outlook(&plan).as_str(), reason(&plan, 9)), ("hhhhhmu", "no longer in the store"));
    agrees(&home, "without a folder", &["ctx"], "hhhhhmu");
}

#[test]
fn instructions() {
    let Some(home) = built() else { return };
    home.write("ctx/Dockerfile", DOCKERFILE.replace("cat /a", "cat  /a"));
    agrees(&home, "a command", &["ctx"], "hhhhhmu");
    home.write("ctx/Dockerfile", DOCKERFILE.replace("ARG A=1", "ARG A=1\nLABEL a=b\n# a comment"));
    agrees(&home, "a label in between", &["ctx"], "hhhhhhh");
    home.write("ctx/Dockerfile", DOCKERFILE.replace("target=/c", "target=/d").replace("/c/x", "/d/x"));
    agrees(&home, "a mount", &["ctx"], "hhhmhuu");
    home.write("ctx/Dockerfile", DOCKERFILE.replace("COPY a.txt", "COPY --chown=1 a.txt"));
    agrees(&home, "a flag", &["ctx"], "hmuuhuu");
    home.write("ctx/Dockerfile", DOCKERFILE.replace("COPY --link", "COPY --link --chown=root"));
    agrees(&home, "a linked copy that sees users", &["ctx"], "hhhhmuu");
    home.write("ctx/Dockerfile", DOCKERFILE.replace("ARG", "WORKDIR /w\nARG"));
    agrees(&home, "a folder", &["ctx"], "hmuuuhuu");
}

#[test]
fn another_base() {
    let Some(home) = built() else { return };
    home.layercake(["tag", "base", "old"]).ok();
    home.write("new/Dockerfile", "FROM old\nRUN echo new > /new\n");
    home.build(["-t", "base", "new"]);
    // The copy goes where it went, by the same way.
    agrees(&home, "another base", &["ctx"], "mhuuhuu");
    home.layercake(["tag", "old", "base"]).ok();
    agrees(&home, "the old one", &["ctx"], "hhhhhhh");
    // The same files under another configuration.
    home.write("new/Dockerfile", "FROM old\nLABEL a=b\n");
    home.build(["-t", "base", "new"]);
    agrees(&home, "another label of the base", &["ctx"], "hhhhhhh");
    home.write("new/Dockerfile", "FROM old\nENV NEW=1\n");
    home.build(["-t", "base", "new"]);
    agrees(&home, "another variable of the base", &["ctx"], "mhuuhuu");
}

#[test]
fn a_result_that_stays_the_same_is_not_predicted() {
    let Some(home) = Home::with_base() else { return };
    home.write("ctx/a.txt", "1\n").write("ctx/Dockerfile", "FROM base\nCOPY a.txt /\nRUN rm /a.txt\nRUN echo x > /x\n");
    agrees(&home, "nothing is there", &["ctx"], "muu");
    home.write("ctx/a.txt", "2\n");
    let plan = predicted(&home, &["ctx"]);
    assert_eq!(
        [2, 3, 4].map(|line| reason(&plan, line)),
        ["`a.txt` has changed", "it depends on %2", "it depends on %2"]
    );
    agrees(&home, "a file that is removed again", &["ctx"], "muu");
}

#[test]
fn bind_mounts() {
    let Some(home) = Home::with_base() else { return };
    home.write("ctx/d/x", "1").write("ctx/other", "1");
    home.write(
        "ctx/Dockerfile",
        "FROM base AS s\nRUN echo 1 > /1\nFROM base\nRUN --mount=source=d,target=/d cat /d/x > /x\n\
         RUN --mount=from=s,target=/s cat /s/1 > /y\n",
    );
    agrees(&home, "nothing is there", &["ctx"], "mmu");
    home.write("ctx/other", "2");
    agrees(&home, "a file that is not mounted", &["ctx"], "hhh");
    home.write("ctx/d/x", "2");
    agrees(&home, "a file that is mounted", &["ctx"], "hmu");
    agrees(&home, "a stage that is mounted", &["--no-cache-filter=s", "ctx"], "mhu");
}

/// Two steps of one key: whichever comes first does it.
#[test]
fn what_is_made_twice_is_made_once() {
    let Some(home) = Home::with_base() else { return };
    home.write("ctx/Dockerfile", "FROM base\nRUN true\n");
    agrees(&home, "a command that changes nothing", &["ctx"], "m");
    home.write(
        "ctx/Dockerfile",
        "FROM base AS a\nRUN true\nRUN echo x > /x\nFROM base AS b\nRUN echo x > /x\nFROM base\n\
         COPY --from=a /x /a\nCOPY --from=b /x /b\n",
    );
    let plan = predicted(&home, &["ctx"]);
    assert_eq!((outlook(&plan).as_str(), reason(&plan, 5)), ("hmhuu", "the same as %2"));
    agrees(&home, "one job", &["-j1", "ctx"], "hmhuu");
    agrees(&home, "nothing is shared", &["-j1", "--no-cache", "ctx"], "mmmmm");
}
