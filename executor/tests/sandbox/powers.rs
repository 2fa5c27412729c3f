//! What a command may do, line by line as `docs/sandbox.md` has it: each line of the table there has a check here.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

use layercake_compiler::operation::Security;
use layercake_executor::sandbox::{Access, Mount, MountKind, Spec};

use crate::harness::{skip, tests};
use crate::little::{Little, output, run};

tests![
    every_line_of_the_table_is_checked,
    refused_and_allowed_calls,
    calls_of_users_are_refused_too,
    hidden_and_protected_paths,
    devices_that_are_made_cannot_be_opened,
    insecure_commands_may_open_devices,
    identity_is_the_commands_own,
    keyrings_are_the_commands_own,
    huge_pages_are_had_as_outside,
];

const EPERM: i32 = libc::EPERM;
const ENOSYS: i32 = libc::ENOSYS;

/// What is to come of a call.
#[derive(Clone, Copy, Debug)]
enum Fate {
    /// It fails with this error.
    Fails(i32),
    /// The filter lets it through: it succeeds, or fails for a reason of its own.
    Passes,
    /// It succeeds.
    Succeeds,
}

use Fate::{Fails, Passes, Succeeds};

/// Lines of the table, and the calls that they are about: as `attempt.c` has them.
fn calls() -> Vec<(&'static str, Vec<(String, Fate)>)> {
    let refused = |calls: &[i64]| calls.iter().map(|call| (call.to_string(), Fails(EPERM))).collect::<Vec<_>>();
    let one = |call: i64, values: &str, fate| (format!("{call}{values}"), fate);
    let families =
        [libc::AF_VSOCK, libc::AF_ALG].map(|family| one(libc::SYS_socket, &format!(",{family},5"), Fails(EPERM)));
    let spaces = [
        libc::CLONE_NEWNS,
        libc::CLONE_NEWUSER,
        libc::CLONE_NEWPID,
        libc::CLONE_NEWNET,
        libc::CLONE_NEWIPC,
        libc::CLONE_NEWUTS,
        libc::CLONE_NEWCGROUP,
    ];
    let mut namespaces = refused(&[libc::SYS_setns]);
    for space in spaces {
        namespaces.push(one(libc::SYS_unshare, &format!(",{space}"), Fails(EPERM)));
        namespaces.push(one(libc::SYS_clone, &format!(",{}", space | libc::SIGCHLD), Fails(EPERM)));
    }
    namespaces.push(one(libc::SYS_clone3, ",z,88", Fails(ENOSYS)));
    let mut personality: Vec<_> = [0, 8, 0x2_0000, 0x2_0008, 0xffff_ffff_u32]
        .map(|one| (format!("{},{one}", libc::SYS_personality), Succeeds))
        .into();
    // ADDR_NO_RANDOMIZE, and READ_IMPLIES_EXEC.
    personality.extend([0x4_0000, 0x40_0000].map(|one| (format!("{},{one}", libc::SYS_personality), Fails(EPERM))));
    vec![
        (
            "mounting",
            refused(&[
                libc::SYS_mount,
                libc::SYS_umount2,
                libc::SYS_pivot_root,
                libc::SYS_fsopen,
                libc::SYS_fsconfig,
                libc::SYS_fsmount,
                libc::SYS_fspick,
                libc::SYS_open_tree,
                libc::SYS_move_mount,
                libc::SYS_mount_setattr,
            ]),
        ),
        ("namespaces", namespaces),
        ("kernel modules", refused(&[libc::SYS_init_module, libc::SYS_finit_module, libc::SYS_delete_module])),
        ("kexec and reboot", refused(&[libc::SYS_kexec_load, libc::SYS_kexec_file_load, libc::SYS_reboot])),
        ("setting the clock", refused(&[libc::SYS_settimeofday, libc::SYS_clock_settime])),
        ("keyrings", refused(&[libc::SYS_add_key, libc::SYS_request_key, libc::SYS_keyctl])),
        ("bpf and perf events", refused(&[libc::SYS_bpf, libc::SYS_perf_event_open])),
        ("userfaultfd", refused(&[libc::SYS_userfaultfd])),
        ("io_uring", refused(&[libc::SYS_io_uring_setup, libc::SYS_io_uring_enter, libc::SYS_io_uring_register])),
        ("swap", refused(&[libc::SYS_swapon, libc::SYS_swapoff])),
        ("accounting and quotas", refused(&[libc::SYS_acct, libc::SYS_quotactl, libc::SYS_quotactl_fd])),
        #[cfg(target_arch = "x86_64")]
        ("raw I/O ports", refused(&[libc::SYS_iopl, libc::SYS_ioperm])),
        #[cfg(not(target_arch = "x86_64"))]
        ("raw I/O ports", Vec::new()),
        ("opening file handles", refused(&[libc::SYS_open_by_handle_at])),
        (
            "other processes' descriptors and advice",
            refused(&[libc::SYS_kcmp, libc::SYS_pidfd_getfd, libc::SYS_process_madvise]),
        ),
        (
            "tracing one's own processes",
            vec![
                // PTRACE_TRACEME.
                one(libc::SYS_ptrace, ",0", Succeeds),
                one(libc::SYS_process_vm_readv, "", Passes),
                one(libc::SYS_process_vm_writev, "", Passes),
            ],
        ),
        (
            "memory policy of NUMA nodes",
            refused(&[
                libc::SYS_mbind,
                libc::SYS_set_mempolicy,
                libc::SYS_get_mempolicy,
                libc::SYS_move_pages,
                libc::SYS_migrate_pages,
            ]),
        ),
        ("host and domain name", refused(&[libc::SYS_sethostname, libc::SYS_setdomainname])),
        ("kernel log", refused(&[libc::SYS_syslog])),
        ("hanging up terminals", refused(&[libc::SYS_vhangup])),
        ("fanotify", refused(&[libc::SYS_fanotify_init])),
        ("personality", personality),
        ("sockets of hypervisors and of kernel cryptography", families.into()),
        #[cfg(target_arch = "x86_64")]
        (
            "obsolete calls",
            refused(&[
                libc::SYS_uselib,
                libc::SYS_ustat,
                libc::SYS_sysfs,
                libc::SYS__sysctl,
                libc::SYS_nfsservctl,
                libc::SYS_lookup_dcookie,
            ]),
        ),
        #[cfg(not(target_arch = "x86_64"))]
        ("obsolete calls", refused(&[libc::SYS_nfsservctl, libc::SYS_lookup_dcookie])),
        // A number that no kernel has given out, and one of the x32 interface.
        ("calls that the profile does not know", vec![one(400, "", Fails(ENOSYS)), one(1000, "", Fails(ENOSYS))]),
        // mount, umount, init_module, unshare, keyctl; and getpid.
        #[cfg(target_arch = "x86_64")]
        (
            "32-bit calls",
            [21, 22, 128, 310, 288]
                .map(|call| (format!("x{call}"), Fails(EPERM)))
                .into_iter()
                .chain([("x20".to_owned(), Succeeds)])
                .collect(),
        ),
        #[cfg(not(target_arch = "x86_64"))]
        ("32-bit calls", Vec::new()),
        (
            "seccomp and Landlock for oneself",
            vec![
                // SECCOMP_GET_ACTION_AVAIL of an action that all zeros mean, which is to kill the thread.
                one(libc::SYS_seccomp, ",2,0,z", Succeeds),
                // LANDLOCK_CREATE_RULESET_VERSION; a kernel may lack it.
                one(444, ",0,0,1", Passes),
            ],
        ),
        ("chroot", vec![one(libc::SYS_chroot, ",@/tmp", Succeeds)]),
    ]
}

/// Lines of the table that other functions here, and in `isolation.rs`, look at.
const ELSEWHERE: [&str; 17] = [
    "session keyring",
    "capabilities of root",
    "capabilities of other users",
    "inheritable and ambient capabilities",
    "no_new_privs",
    "seccomp",
    "hidden files of /proc",
    "hidden folders of /proc and /sys",
    "read-only paths of /proc",
    "/sys",
    "devices in /dev",
    "making device nodes",
    "opening device nodes that it made",
    "processes it sees",
    "System V and POSIX messages and shared memory",
    "groups of the caller",
    "file descriptors of the caller",
];

/// The cells of the table, by the first of each line.
fn table() -> BTreeMap<String, Vec<String>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/sandbox.md");
    let text = fs::read_to_string(path).unwrap();
    let rows = text.lines().filter_map(|line| line.strip_prefix("| ")?.strip_suffix(" |"));
    let rows = rows.map(|row| row.split(" | ").map(|cell| cell.trim().to_owned()).collect::<Vec<_>>());
    rows.map(|cells| (cells[0].trim_start_matches("| ").to_owned(), cells)).collect()
}

fn every_line_of_the_table_is_checked() {
    let mut checked: Vec<_> = calls().into_iter().map(|(line, _)| line).chain(ELSEWHERE).collect();
    checked.sort_unstable();
    let table = table();
    let lines: Vec<_> = table.keys().filter(|line| table[*line].len() == 4 && !line.starts_with("Docker's")).collect();
    assert_eq!(lines, checked.iter().collect::<Vec<_>>());
}

/// The tree with the program that attempts calls; `None` where it cannot be compiled.
fn attempting() -> Option<Little> {
    let little = Little::new();
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/sandbox/attempt.c");
    let program = little.lower().join("bin/attempt");
    let compiled = Command::new("gcc").args(["-static", "-w", "-o"]).arg(&program).arg(source).status();
    if !compiled.is_ok_and(|status| status.success()) {
        skip("gcc and a static libc (packages gcc and libc6-dev)");
        return None;
    }
    Some(little)
}

/// Attempts all calls as `user`, and compares what came of them.
fn attempt(little: &Little, user: &str, lines: &[(&'static str, Vec<(String, Fate)>)]) {
    let all: Vec<_> = lines.iter().flat_map(|(line, calls)| calls.iter().map(move |call| (line, call))).collect();
    let mut arguments = vec!["attempt"];
    arguments.extend(all.iter().map(|(_, (call, _))| call.as_str()));
    let text = output(&Spec { user: user.into(), ..little.command(&arguments) });
    let results: Vec<i32> = text.lines().map(|line| line.parse().unwrap()).collect();
    assert_eq!(results.len(), all.len());
    let wrong = |(result, (line, (call, fate))): (&i32, &(&&str, &(String, Fate)))| {
        let is_right = match fate {
            Fails(error) => result == error,
            Passes => !matches!(*result, EPERM | ENOSYS),
            Succeeds => *result == 0,
        };
        (!is_right).then(|| format!("{line}: {call} is to be {fate:?} and is {result}"))
    };
    let wrong: Vec<_> = results.iter().zip(&all).filter_map(wrong).collect();
    assert!(wrong.is_empty(), "as `{user}`: {wrong:#?}");
}

fn refused_and_allowed_calls() {
    let Some(little) = attempting() else { return };
    attempt(&little, "", &calls());
    // The table says the same of each in all columns, but where it gives numbers or names.
    let table = table();
    for (line, calls) in calls() {
        let cells = &table[line][1..];
        let words = if calls.iter().all(|(_, fate)| matches!(fate, Fails(EPERM))) && !calls.is_empty() {
            Some("refused")
        } else if calls.iter().all(|(_, fate)| matches!(fate, Fails(ENOSYS))) && !calls.is_empty() {
            Some("unknown")
        } else if calls.iter().all(|(_, fate)| matches!(fate, Passes | Succeeds)) && !calls.is_empty() {
            Some("allowed")
        } else {
            None
        };
        assert!(words.is_none_or(|words| cells == [words; 3]), "{line}: {cells:?}");
    }
}

fn calls_of_users_are_refused_too() {
    let Some(little) = attempting() else { return };
    // To change the root takes a capability that users lack.
    let lines: Vec<_> = calls().into_iter().filter(|(line, _)| *line != "chroot").collect();
    attempt(&little, "ann", &lines);
    attempt(&little, "ann", &[("chroot", vec![(format!("{},@/tmp", libc::SYS_chroot), Fails(EPERM))])]);
}

fn hidden_and_protected_paths() {
    let little = Little::new();
    let there = |path: &&str| fs::metadata(path).is_ok();
    let files = ["interrupts", "kcore", "keys", "latency_stats", "sched_debug", "timer_list", "timer_stats"];
    for path in files.map(|name| format!("/proc/{name}")).iter().map(String::as_str).filter(there) {
        assert_eq!(little.output(&format!("wc -c < {path}")), "0\n", "{path}");
    }
    let mut folders: Vec<String> =
        ["/proc/acpi", "/proc/asound", "/proc/scsi", "/sys/firmware", "/sys/devices/virtual/powercap"]
            .map(str::to_owned)
            .into();
    folders.extend((0..8).map(|number| format!("/sys/devices/system/cpu/cpu{number}/thermal_throttle")));
    for path in folders.iter().map(String::as_str).filter(there) {
        assert_eq!(little.output(&format!("ls -A {path} | wc -l")), "0\n", "{path}");
    }
    // Files that root may write to where nothing stops it.
    let files = [
        "/proc/sys/kernel/domainname",
        "/proc/sys/vm/drop_caches",
        "/proc/sysrq-trigger",
        "/proc/irq/default_smp_affinity",
    ];
    for path in files.into_iter().filter(there) {
        let finished = run(&little.script(&format!("echo 0 > {path}"))).unwrap();
        assert!(finished.stderr.contains("Read-only file system"), "{path}: {finished:?}");
    }
    for path in
        ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/sys", "/sys/fs/cgroup"].iter().filter(|path| there(path))
    {
        let finished = run(&little.script(&format!("mkdir {path}/new"))).unwrap();
        let words = ["Read-only file system", "Operation not permitted", "No such file", "Permission denied"];
        assert!(words.iter().any(|words| finished.stderr.contains(words)), "{path}: {finished:?}");
    }
    assert!(little.output("grep ' /sys ' /proc/mounts").contains(" ro,"));
}

fn devices_that_are_made_cannot_be_opened() {
    let little = Little::new();
    fs::create_dir(little.path("cache")).unwrap();
    fs::create_dir(little.path("other")).unwrap();
    let kinds = [
        ("/cache", MountKind::Bind { source: little.path("cache"), access: Access::ReadWrite }),
        ("/memory", MountKind::Tmpfs { size: None }),
    ];
    let mounts = kinds.map(|(target, kind)| Mount { target: target.into(), kind });
    // The null device is the most harmless one: if it cannot be opened, none can. `tty` would say so itself.
    let script = "for folder in / /tmp /dev /dev/shm /cache /memory; do \
                  if mknod $folder/made c 1 3 2>/dev/null; then \
                  (echo x > $folder/made) 2>/dev/null && echo opened $folder || echo closed; else echo not made; fi; done";
    let made = output(&Spec { mounts: mounts.into(), ..little.script(script) });
    let is_root = layercake_is_root();
    let expected = if is_root { "closed\n" } else { "not made\n" };
    assert_eq!(made, expected.repeat(6), "root: {is_root}");
    // One of a base image is no different, if it could get there.
    if is_root {
        assert!(
            Command::new("mknod").arg(little.lower().join("null")).args(["c", "1", "3"]).status().unwrap().success()
        );
        let finished = run(&little.script("cat /null")).unwrap();
        assert!(finished.stderr.contains("Permission denied"), "{finished:?}");
    }
    // Those that are given work.
    let device = MountKind::Bind { source: "/dev/null".into(), access: Access::ReadWrite };
    let mounts = vec![Mount { target: "/dev/given".into(), kind: device }];
    let script = "echo x > /dev/given; echo x > /dev/null; for d in zero full random urandom; do dd if=/dev/$d bs=1 count=1 2>/dev/null | wc -c; done";
    assert_eq!(output(&Spec { mounts, ..little.script(script) }), "1\n1\n1\n1\n");
}

fn insecure_commands_may_open_devices() {
    if !layercake_is_root() {
        return;
    }
    let little = Little::new();
    let script = "mknod /made c 1 3 && echo x > /made && echo opened";
    assert_eq!(output(&Spec { security: Security::Insecure, ..little.script(script) }), "opened\n");
}

/// Whether the tests run as root of the machine, and not of a user namespace.
fn layercake_is_root() -> bool {
    fs::read_to_string("/proc/self/uid_map").unwrap().contains("4294967295")
}

fn identity_is_the_commands_own() {
    let little = Little::new();
    // Each namespace is another one than ours, but that of users.
    for kind in ["pid", "ipc", "uts", "mnt", "net", "cgroup"] {
        let own = fs::read_link(format!("/proc/self/ns/{kind}")).unwrap();
        let theirs = little.output(&format!("readlink /proc/self/ns/{kind}"));
        assert_ne!(own.to_str().unwrap(), theirs.trim(), "{kind}");
    }
    assert_eq!(little.output("id -G"), "0\n");
    assert_eq!(little.output("grep Groups: /proc/self/status"), "Groups:\t0 \n");
    assert_eq!(little.output("exec ls /proc/self/fd"), "0\n1\n2\n3\n");
}

/// The processes between us and the command do without.
fn huge_pages_are_had_as_outside() {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let Some(ours) = status.lines().find(|line| line.starts_with("THP_enabled")) else { return skip("huge pages") };
    assert_eq!(Little::new().output("grep ^THP_enabled /proc/self/status"), format!("{ours}\n"));
}

fn keyrings_are_the_commands_own() {
    let Some(little) = attempting() else { return };
    // Into the session's keyring, which is `-3` (`KEY_SPEC_SESSION_KEYRING`).
    let (kind, name, value) = (c"user", c"layercake-test", b"x");
    // SAFETY: the texts are terminated, the value has the length that is said, and all outlive the call.
    let key =
        unsafe { libc::syscall(libc::SYS_add_key, kind.as_ptr(), name.as_ptr(), value.as_ptr(), value.len(), -3) };
    if key < 0 {
        return skip("keyrings");
    }
    let find = format!("{},@user,@layercake-test,0,0", libc::SYS_request_key);
    // Only a command that may do everything may ask.
    let spec = Spec { security: Security::Insecure, ..little.command(&["attempt", &find]) };
    let found = output(&spec);
    // SAFETY: takes numbers only. KEYCTL_UNLINK.
    unsafe { libc::syscall(libc::SYS_keyctl, 9, key, -3) };
    assert_eq!(found.trim(), libc::ENOKEY.to_string());
}
