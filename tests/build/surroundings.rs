//! Odd surroundings: they make no difference to what is built.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::process::Command;

use crate::support::Home;
use crate::support::home::{EPOCH, program, run};

const DOCKERFILE: &str =
    "FROM base\nWORKDIR /w\nRUN echo x > x && mkdir d && touch d/y\nCOPY file /copied/\nRUN rm x\n";

/// A home with a context, and the digest of its image.
fn home() -> Option<(Home, String)> {
    let home = Home::with_base()?;
    home.write("ctx/Dockerfile", DOCKERFILE).write("ctx/file", "content");
    // The mode of a file is the context's business.
    fs::set_permissions(home.path("work/ctx/file"), fs::Permissions::from_mode(0o644)).unwrap();
    let digest = home.dated(["ctx"]).digest;
    Some((home, digest))
}

/// Builds with `--no-cache`, and is the same image.
#[track_caller]
fn assert_same(home: &Home, digest: &str, prepare: impl Fn(&mut Command) -> &mut Command) {
    let mut command = home.command(["build", "--no-cache", "ctx"]);
    command.env("SOURCE_DATE_EPOCH", EPOCH);
    prepare(&mut command);
    assert_eq!(run(&mut command).ok().stdout.trim(), digest);
}

#[test]
fn a_store_may_lie_anywhere() {
    let Some((home, digest)) = home() else { return };
    let import = |store: &std::ffi::OsStr| {
        let tar = home.path("base.tar");
        let mut command =
            home.command(["import", "--change=ENV PATH=/bin", "--change=CMD [\"sh\"]", "--message=busybox"]);
        command.arg(tar).arg("base").env("SOURCE_DATE_EPOCH", EPOCH).env("LAYERCAKE_HOME", store);
        run(&mut command).ok();
    };
    for name in ["a:b", "a,b=c", "a b", "back\\slash", "größe", "new\nline", "\"quoted\"", "$HOME", "relative/deep/er"]
    {
        let store = if name.starts_with("relative") { name.into() } else { home.path(name).into_os_string() };
        import(&store);
        assert_same(&home, &digest, |command| command.env("LAYERCAKE_HOME", &store));
    }
    symlink(home.path("a b"), home.path("link")).unwrap();
    assert_same(&home, &digest, |command| command.env("LAYERCAKE_HOME", home.path("link")));
}

#[test]
fn the_file_mode_mask_does_not_count() {
    let Some((home, digest)) = home() else { return };
    for mask in ["000", "077"] {
        let mut shell = Command::new("sh");
        home.furnish(&mut shell);
        shell.env("SOURCE_DATE_EPOCH", EPOCH).args(["-c", &format!("umask {mask}; exec \"$0\" build --no-cache ctx")]);
        assert_eq!(run(shell.arg(program())).ok().stdout.trim(), digest, "{mask}");
    }
}

#[test]
fn the_environment_and_the_folder_do_not_count() {
    let Some((home, digest)) = home() else { return };
    assert_same(&home, &digest, |command| command.env_remove("HOME").env_remove("XDG_CONFIG_HOME"));
    assert_same(&home, &digest, |command| {
        command.env("LANG", "de_DE.UTF-8").env("TZ", "Asia/Tokyo").env("TMPDIR", "/nowhere")
    });
    let mut elsewhere = home.command(["build", "--no-cache", "."]);
    elsewhere.current_dir(home.path("work/ctx")).env("SOURCE_DATE_EPOCH", EPOCH);
    assert_eq!(run(&mut elsewhere).ok().stdout.trim(), digest);
    // No more open files than a shell has by default, and no standard streams but those that are closed.
    let mut shell = Command::new("sh");
    home.furnish(&mut shell);
    let script = "ulimit -n 256; exec \"$0\" build --no-cache --iidfile id ctx <&- >&- 2>&-";
    run(shell.env("SOURCE_DATE_EPOCH", EPOCH).args(["-c", script]).arg(program()));
    assert_eq!(home.read("id"), digest);
}

#[test]
fn many_layers_are_one_tree() {
    let Some(home) = Home::with_base() else { return };
    let lines: String = (0..150).map(|number| format!("COPY file /{number}\n")).collect();
    home.write("ctx/file", "content");
    let built = home.build_text(&format!(
        "FROM base\n{lines}RUN ls / | wc -l | tr -d ' '\nRUN test $(cat /0 /77 /149 | wc -c) = 21\n"
    ));
    // Those of the base, and 150.
    assert_eq!(built.output.trim(), "158");
}

#[test]
fn a_file_that_nobody_may_read_is_copied_as_such() {
    let Some((home, _)) = home() else { return };
    home.write("ctx/private", "kept");
    fs::set_permissions(home.path("work/ctx/private"), fs::Permissions::from_mode(0o0)).unwrap();
    home.write("ctx/Dockerfile", "FROM base\nCOPY private /\n");
    // Whoever builds is root of a namespace in which the file is root's.
    let tree = home.tree("ctx");
    assert_eq!((tree.file("private").mode, tree.text("private")), (0, "kept"));
}
