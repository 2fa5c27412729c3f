//! Who commands run as.

use layercake_executor::fault::Fault;
use layercake_executor::sandbox::Spec;

use crate::harness::tests;
use crate::little::{Little, output, run};

tests![users_and_groups, unknown_users, files_belong_to_who_made_them, setuid_programs_work];

fn users_and_groups() {
    let little = Little::new();
    let id = |user: &str| {
        let spec = Spec { user: user.into(), ..little.script("id -u; id -g; id -G") };
        output(&spec).replace('\n', "|")
    };
    assert_eq!(id(""), "0|0|0|");
    assert_eq!(id("ann"), "1000|1000|1000 29|");
    assert_eq!(id("1000"), "1000|1000|1000 29|");
    assert_eq!(id("ann:audio"), "1000|29|29|");
    assert_eq!(id("4711"), "4711|0|0|");
    assert_eq!(id("4711:4712"), "4711|4712|4712|");
}

fn unknown_users() {
    let little = Little::new();
    let error = run(&Spec { user: "eve".into(), ..little.script("true") }).unwrap_err();
    assert_eq!(error.fault(), Fault::Input);
    assert_eq!(error.to_string(), "the tree has no user `eve`: `/etc/passwd` does not name it");
    let error = run(&Spec { user: "ann:staff".into(), ..little.script("true") }).unwrap_err();
    assert_eq!(error.to_string(), "the tree has no group `staff`: `/etc/group` does not name it");
}

fn files_belong_to_who_made_them() {
    let little = Little::new();
    output(&Spec { user: "ann".into(), ..little.script("touch /tmp/x; echo y > /dev/stderr") });
    assert_eq!(little.output("stat -c %u:%g /tmp/x"), "1000:1000\n");
    assert_eq!(little.output("chown 4242:4343 /tmp/x; stat -c %u:%g /tmp/x"), "4242:4343\n");
}

fn setuid_programs_work() {
    let little = Little::new();
    let ping = Spec { user: "ann".into(), ..little.command(&["/bin/ping", "-c", "1", "127.0.0.1"]) };
    let finished = run(&ping).unwrap();
    assert!(finished.stderr.contains("permission denied"), "{finished:?}");
    output(&little.script("rm /bin/ping; cat /bin/busybox > /bin/ping; chmod 4755 /bin/ping"));
    output(&ping);
}
