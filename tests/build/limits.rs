//! Control groups: where they are the user's, limits hold and leave nothing; elsewhere they are refused. And what is said of a
//! command that was killed.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

use crate::support::Home;
use crate::support::home::{program, run};
use crate::support::machine;

/// A command that takes 300 MB of memory at once.
const GREEDY: &str = "FROM base\nRUN dd if=/dev/zero of=/dev/null bs=300M count=1\n";

/// The hierarchy of version 2, where tests may make groups in it.
fn hierarchy() -> Option<PathBuf> {
    let mounts = fs::read_to_string("/proc/self/mounts").unwrap();
    let mount = mounts.lines().find(|line| line.split(' ').nth(2) == Some("cgroup2"))?.split(' ').nth(1)?;
    machine::is_root().then(|| PathBuf::from(mount)).filter(|mount| fs::metadata(mount.join("cgroup.procs")).is_ok())
}

/// Whether groups in it can limit memory.
fn has_memory(hierarchy: &Path) -> bool {
    fs::read_to_string(hierarchy.join("cgroup.controllers"))
        .is_ok_and(|text| text.split_whitespace().any(|c| c == "memory"))
}

/// A group of a test, gone with it.
struct Group(PathBuf);

impl Drop for Group {
    fn drop(&mut self) {
        let _ = fs::remove_dir(&self.0);
    }
}

#[test]
fn a_group_is_made_where_it_is_wanted_and_goes() {
    let (Some(home), Some(hierarchy)) = (Home::with_base(), hierarchy()) else { return };
    let name = format!("test-of-layercake-{}", std::process::id());
    let group = Group(hierarchy.join(&name));
    home.write("ctx/Dockerfile", "FROM base\nRUN grep ^0:: /proc/self/cgroup; sleep 600 & echo\n");
    let built = home.build(["--cgroup-parent", &format!("/{name}"), "ctx"]);
    // The command is at the root of what it sees of groups.
    assert!(built.output.contains("0::/\n"), "{}", built.output);
    let groups = || fs::read_dir(&group.0).unwrap().flatten().filter(|entry| entry.path().is_dir()).count();
    assert_eq!(groups(), 0);
    // A build that is killed leaves its group to the next one.
    home.write("ctx/Dockerfile", "FROM base\nRUN sleep 600\n");
    let parent = format!("--cgroup-parent=/{name}");
    let mut build = home.command(["build", &parent, "ctx"]).stderr(Stdio::null()).spawn().unwrap();
    while groups() == 0 {
        assert!(build.try_wait().unwrap().is_none());
        sleep(Duration::from_millis(5));
    }
    build.kill().unwrap();
    build.wait().unwrap();
    home.assert_no_processes("");
    home.write("ctx/Dockerfile", "FROM base\nRUN true\n");
    home.build([&parent, "ctx"]);
    assert_eq!(groups(), 0);
}

#[test]
fn memory_is_limited_or_that_is_refused() {
    let Some(home) = Home::with_base() else { return };
    home.write("ctx/Dockerfile", GREEDY);
    if let Some(hierarchy) = hierarchy().filter(|hierarchy| has_memory(hierarchy)) {
        let name = format!("memory-of-layercake-{}", std::process::id());
        let _group = Group(hierarchy.join(&name));
        let parent = format!("--cgroup-parent=/{name}");
        let killed = home.layercake(["build", &parent, "--memory=64m", "--memory-swap=64m", "ctx"]).exits(1);
        assert!(killed.stderr.contains("it had used up its memory"), "{}", killed.stderr);
        home.layercake(["build", &parent, "--memory=1g", "ctx"]).ok();
        return;
    }
    let refused = home.layercake(["build", "--memory=64m", "ctx"]).exits(3);
    assert!(refused.stderr.contains("so commands cannot be limited"), "{}", refused.stderr);
    assert!(refused.stderr.contains("help: leave out the limits"), "{}", refused.stderr);
}

#[test]
fn limits_that_make_no_sense_are_refused() {
    let home = Home::empty();
    home.write("ctx/Dockerfile", "FROM scratch\n");
    let refused = |argument: &str| home.layercake(["build", argument, "ctx"]).exits(2).stderr;
    assert!(refused("--memory=1m").contains("the least memory that a command can have is 6 MiB"));
    assert!(refused("--memory=lots").contains("`lots` is not a size"));
    assert!(refused("--memory-swap=64m").contains("only where memory is limited too"));
    assert!(refused("--cpu-quota=half").contains("invalid value"));
}

#[test]
fn a_kill_is_told_from_want_of_memory() {
    let Some(home) = Home::with_base() else { return };
    home.write("ctx/Dockerfile", "FROM base\nRUN sh -c 'kill -9 $$'; exit $?\n");
    let killed = home.layercake(["build", "ctx"]).exits(1);
    assert!(killed.stderr.contains("exit code: 137"), "{}", killed.stderr);
    // Somebody else's process may have been ended for want of memory at that time.
    let known = ["it was not the kernel for want of memory", "for want of memory meanwhile", "does not tell which"];
    assert!(known.iter().any(|words| killed.stderr.contains(words)), "{}", killed.stderr);
}

/// The build as a whole may be in a group of somebody else's that is too small, of whichever version.
#[test]
fn want_of_memory_around_the_build_is_a_likely_cause() {
    let Some(home) = Home::with_base() else { return };
    let version_1 = Path::new("/sys/fs/cgroup/memory");
    let (folder, limit) = match hierarchy().filter(|hierarchy| has_memory(hierarchy)) {
        Some(hierarchy) => (hierarchy, "memory.max"),
        None if machine::is_root() && version_1.join("cgroup.procs").exists() => {
            (version_1.to_owned(), "memory.limit_in_bytes")
        }
        None => return,
    };
    let group = Group(folder.join(format!("layercake-test-around-{}", std::process::id())));
    fs::create_dir(&group.0).unwrap();
    if fs::write(group.0.join(limit), "200000000").is_err() {
        return;
    }
    // Without swap the limit is one.
    let _ =
        fs::write(group.0.join("memory.swappiness"), "0").or_else(|_| fs::write(group.0.join("memory.swap.max"), "0"));
    home.write("ctx/Dockerfile", GREEDY);
    let mut shell = Command::new("sh");
    home.furnish(&mut shell);
    shell.args(["-c", "echo $$ > \"$1\" && exec \"$2\" build ctx", "sh"]);
    let ran = run(shell.arg(group.0.join("cgroup.procs")).arg(program())).exits(1);
    assert!(ran.stderr.contains("the kernel ended a process for want of memory meanwhile"), "{}", ran.stderr);
}
