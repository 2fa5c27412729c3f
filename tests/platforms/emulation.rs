//! Commands of other processors: an emulator runs them, and the machine does not notice.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::support::Home;
use crate::support::home::{program, run};
use crate::support::machine;
use crate::support::platforms::{FOREIGN, NATIVE, emulator};
use crate::support::ran::Ran;
use crate::support::tools;

/// Where the machine shows whom it has run programs of other processors.
const BINFMT: &str = "/proc/sys/fs/binfmt_misc";

fn foreign() -> String {
    format!("linux/{}", FOREIGN.0)
}

/// Starts `$@` in a user namespace that has the same ids, as root alone can: the maps come from outside, and only who is started
/// after that is root in it.
const AS_ROOT: &str = r#"
script=$1; shift
mkfifo go
unshare --user --mount sh -c 'read word < go; exec sh -ec "$0" "$@"' "$script" "$@" &
child=$!
while [ "$(readlink /proc/$child/ns/user)" = "$(readlink /proc/self/ns/user)" ]; do sleep 0.01; done
echo 0 0 65536 > /proc/$child/uid_map
echo 0 0 65536 > /proc/$child/gid_map
timeout 10 sh -c 'echo > go'
wait $child
"#;

/// Builds this for the foreign platform, in a user namespace in which a shell has made something of the machine before.
fn build_after(home: &Home, machine: &str, dockerfile: &str) -> Ran {
    home.write("ctx/Dockerfile", dockerfile);
    let script = format!("{machine}\nexec \"$0\" \"$@\"");
    let mut command = if machine::is_root() {
        let mut command = Command::new("sh");
        command.args(["-c", AS_ROOT, "sh"]);
        command
    } else {
        let mut command = Command::new("unshare");
        command.args(["--user", "--map-root-user", "--map-auto", "--mount", "--", "sh", "-ec"]);
        command
    };
    home.furnish(&mut command);
    command.arg(script).arg(program());
    let ran = run(command.args(["build", "--progress=plain", "--platform", &foreign(), "-t", "x", "ctx"]));
    let _ = fs::remove_file(home.path("work/go"));
    ran
}

/// A `binfmt_misc` in which nobody has registered anything.
fn own_binfmt() -> String {
    format!("mount -t binfmt_misc none {BINFMT}")
}

/// The emulator is not installed.
fn no_emulator() -> String {
    format!("mount --bind /dev/null {}", emulator())
}

#[test]
fn commands_are_what_they_would_be_on_their_own_machine() {
    let Some(home) = Home::with_platforms() else { return };
    home.write("ctx/script", "#!/bin/sh\necho \"script $0 $1\"\n");
    home.write(
        "ctx/Dockerfile",
        "FROM base\n\
         COPY --chmod=755 script /bin/script\n\
         RUN uname -m; [ $$ = 1 ] && echo first\n\
         RUN exec -a echo /bin/busybox called as echo\n\
         RUN sh -c 'echo shell works | cat | tr a-z A-Z'\n\
         RUN [\"script\", \"one\"]\n\
         RUN touch /file && chown 7:8 /file && chmod 4711 /file && mkfifo /fifo && stat -c '%u:%g %a' /file\n\
         USER 1000:1000\n\
         RUN id -u; id -g; test ! -w /file\n",
    );
    let built = home.build(["--platform", &foreign(), "-t", "x", "ctx"]);
    let lines: Vec<&str> = built.output.lines().collect();
    let expected =
        [FOREIGN.1, "first", "called as echo", "SHELL WORKS", "script /bin/script one", "7:8 4711", "1000", "1000"];
    assert_eq!(lines, expected);
}

#[test]
fn a_program_with_the_user_bit_has_its_owners_rights() {
    let Some(home) = Home::with_platforms() else { return };
    // busybox gives up rights that an applet does not need; `su` needs them, and root's password is empty.
    home.write("ctx/passwd", "root::0:0::/root:/bin/sh\nann::1000:1000::/:/bin/sh\n");
    home.write(
        "ctx/Dockerfile",
        "FROM base\nCOPY passwd /etc/passwd\nRUN cp /bin/busybox /bin/asroot && chmod 4755 /bin/busybox\n\
         USER 1000\nRUN [\"/bin/busybox\", \"su\", \"root\", \"-c\", \"id -u\"]\n",
    );
    let built = home.build(["--platform", &foreign(), "-t", "x", "ctx"]);
    assert_eq!(built.output, "0\n");
}

#[test]
fn nothing_is_registered_for_the_machine() {
    let Some(home) = Home::with_platforms() else { return };
    // Whoever may mount it sees what the machine has, though it is shown nowhere.
    let look = if machine::is_root() {
        format!("mount -t binfmt_misc none {BINFMT}; ls {BINFMT}")
    } else {
        format!("ls {BINFMT}")
    };
    let list = || tools::run(machine::in_mount_namespace("sh").args(["-c", &look]));
    let before = list();
    let registered = before.contains(FOREIGN.1);
    home.write(
        "ctx/Dockerfile",
        format!("FROM base\nRUN cat {BINFMT}/status; echo :x:M::x::/bin/sh: > {BINFMT}/register || echo refused\n"),
    );
    let built = home.build(["--platform", &foreign(), "-t", "x", "ctx"]);
    if !registered {
        assert!(built.output.starts_with("enabled\n"), "the command sees its own: {}", built.output);
    }
    assert!(built.output.ends_with("refused\n"), "{}", built.output);
    assert_eq!(list(), before);
}

#[test]
fn a_native_command_has_no_namespace_more_than_before() {
    let Some(home) = Home::with_platforms() else { return };
    home.write("ctx/Dockerfile", "FROM base\nRUN cat /proc/self/uid_map\n");
    let map =
        |architecture: &str| home.build(["--platform", &format!("linux/{architecture}"), "-t", "x", "ctx"]).output;
    let own = map(NATIVE.0);
    if machine::is_root() {
        assert_eq!(own, fs::read_to_string("/proc/self/uid_map").unwrap());
    }
    // Of the same ids: files have the same owners.
    let ids = |map: &str| -> Vec<Vec<String>> {
        let fields = |line: &str| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
        map.lines().map(|line| vec![fields(line)[0].clone(), fields(line)[2].clone()]).collect()
    };
    assert_eq!(ids(&map(FOREIGN.0)), ids(&own));
}

#[test]
fn without_an_emulator_it_is_said_what_to_install() {
    let Some(home) = Home::with_platforms() else { return };
    let hidden = format!("{}\n{}", own_binfmt(), no_emulator());
    let ran = build_after(&home, &hidden, "FROM base\nCOPY Dockerfile /\nRUN echo ran\n").exits(3);
    let message = format!("cannot run `/bin/sh`: it is a program for {}, which this machine does not run", FOREIGN.0);
    assert!(ran.stderr.contains(&message), "{}", ran.stderr);
    assert!(ran.stderr.contains("help: install the package `qemu-user-static`"), "{}", ran.stderr);
    assert!(ran.stderr.contains("Dockerfile:3"), "{}", ran.stderr);
    // What has to run nothing is built all the same.
    build_after(&home, &hidden, "FROM base\nCOPY Dockerfile /\nCMD [\"true\"]\n").ok();
}

#[test]
fn what_the_machine_has_registered_is_used() {
    let Some(home) = Home::with_platforms() else { return };
    let line = fs::read_to_string(format!("/usr/lib/binfmt.d/qemu-{}.conf", FOREIGN.1));
    let Ok(line) = line else { return tools::skip("qemu's registration (package qemu-user-static)") };
    let line = line.trim().to_owned();
    assert!(line.ends_with('F'), "Debian's has the flag F: {line}");
    home.write("registration", &line);
    // The machine's has been opened already, so it need not be there any more.
    let machine = format!("{}\ncat registration > {BINFMT}/register\n{}", own_binfmt(), no_emulator());
    let text = format!("FROM base\nRUN uname -m; cat {BINFMT}/status || echo not shown\n");
    let ran = build_after(&home, &machine, &text).ok();
    assert!(ran.stderr.contains(&format!("| {}\n", FOREIGN.1)), "{}", ran.stderr);
    assert!(ran.stderr.contains("| not shown\n"), "nothing is registered again: {}", ran.stderr);
}

#[test]
fn what_is_registered_by_its_path_has_to_be_in_the_tree() {
    let Some(home) = Home::with_platforms() else { return };
    let line = fs::read_to_string(format!("/usr/lib/binfmt.d/qemu-{}.conf", FOREIGN.1));
    let Ok(line) = line else { return tools::skip("qemu's registration (package qemu-user-static)") };
    let (head, _) = line.split_at(line.find("/usr/").unwrap());
    home.write("registration", format!("{head}/bin/emulator:O"));
    let machine = format!("{}\ncat registration > {BINFMT}/register\n{}", own_binfmt(), no_emulator());
    let ran = build_after(&home, &machine, "FROM base\nRUN uname -m\n").exits(3);
    assert!(ran.stderr.contains("it would have `/bin/emulator` run it, which is not in the tree"), "{}", ran.stderr);
    fs::copy(emulator(), home.path("work/ctx/emulator")).unwrap();
    let ran = build_after(&home, &machine, "FROM base\nCOPY emulator /bin/\nRUN uname -m\n").ok();
    assert!(ran.stderr.contains(&format!("| {}\n", FOREIGN.1)), "{}", ran.stderr);
}

#[test]
fn where_it_cannot_be_registered_it_is_said_why() {
    let Some(home) = Home::with_platforms() else { return };
    let machine = format!("{}\necho 0 > /proc/sys/user/max_user_namespaces", own_binfmt());
    let ran = build_after(&home, &machine, "FROM base\nRUN echo ran\n").exits(3);
    let message = format!("`{}` would, but it cannot be registered: cannot make a user namespace", emulator());
    assert!(ran.stderr.contains(&message), "{}", ran.stderr);
    assert!(ran.stderr.contains("Linux 6.7"), "{}", ran.stderr);
}

#[test]
fn the_doctor_knows() {
    if !Path::new(&emulator()).exists() {
        return tools::skip("qemu's user mode (package qemu-user-static)");
    }
    let Some(home) = Home::with_base() else { return };
    let told = home.layercake(["doctor"]).ok().stdout;
    let line = told.lines().find(|line| line.contains("platforms")).unwrap_or_else(|| panic!("{told}"));
    assert!(line.contains(&format!("runs {}", NATIVE.0)) && line.contains(FOREIGN.0), "{line}");
}
