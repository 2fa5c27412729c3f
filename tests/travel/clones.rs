//! Keys depend on what is built, and not on where, when or by whom.

use std::fs;
use std::path::Path;
use std::process::Command;

use super::{DOCKERFILE, machine};
use crate::support::home::run;
use crate::support::machine::is_root;
use crate::support::ran::Built;

fn quiet(program: &str, arguments: &[&str], folder: &Path) {
    assert!(Command::new(program).args(arguments).current_dir(folder).status().unwrap().success());
}

#[test]
fn another_clone_finds_everything() {
    let (Some(one), Some(two)) = (machine(), machine()) else { return };
    one.write("here/Dockerfile", DOCKERFILE).write("here/in", "hello").write("here/more/file", "x");
    let dockerfile = "FROM base\nCOPY . /src\nRUN ls -R /src > /list\n";
    one.write("here/more/Dockerfile", dockerfile);
    // Another path, other times, another owner, and another umask of who builds.
    let there = two.path("work/far/away/there");
    fs::create_dir_all(there.parent().unwrap()).unwrap();
    quiet("cp", &["-r", one.path("work/here").to_str().unwrap(), there.to_str().unwrap()], Path::new("/"));
    quiet("find", &[".", "-exec", "touch", "-d", "2001-02-03", "{}", "+"], &there);
    if is_root() {
        quiet("chown", &["-R", "1234:2345", "."], &there);
    }
    let cache = two.path("work/cache").display().to_string();
    for (file, tag) in [("Dockerfile", "a"), ("more/Dockerfile", "b")] {
        let to = format!("--cache-to=type=local,dest={cache},tag={tag},mode=max");
        let here = format!("here/{file}");
        let mut command = one.command(["build", "--progress=json", &to, "-f", &here, "here"]);
        let made = Built::of(run(&mut command));
        let from = format!("--cache-from=type=local,src={cache},tag={tag}");
        let file = there.join(file).display().to_string();
        let context = there.display().to_string();
        let mut command = two.command(["build", "--progress=json", &from, "-f", &file, &context]);
        let program = command.get_program().to_owned();
        let arguments: Vec<_> = command.get_args().map(ToOwned::to_owned).collect();
        let mut shell = Command::new("sh");
        shell.args(["-c", "umask 077; exec \"$0\" \"$@\""]).arg(program).args(arguments);
        two.furnish(&mut shell);
        command = shell;
        let found = Built::of(run(&mut command));
        assert_eq!(found.started, [""; 0]);
        assert!(!made.started.is_empty());
    }
}
