//! How commands end, and what is said of those that cannot begin.

use layercake_executor::fault::Fault;
use layercake_executor::sandbox::{End, Error, Failure};

use crate::harness::tests;
use crate::little::{Little, output, run};

tests![
    exit_codes,
    signals,
    usage_is_told,
    programs_that_are_not_there,
    environment_is_only_what_is_given,
    zombies_are_reaped
];

fn exit_codes() {
    let little = Little::new();
    for status in [0, 1, 42, 255] {
        let finished = run(&little.script(&format!("exit {status}"))).unwrap();
        assert_eq!(finished.outcome.end, End::Exited(status));
        assert_eq!(finished.outcome.end.status(), status);
    }
}

fn signals() {
    let little = Little::new();
    // Process 1 cannot be killed from within, so its parent in there is a shell that passes the status on.
    let finished = run(&little.script("sh -c 'kill -9 $$'; exit $?")).unwrap();
    assert_eq!(finished.outcome.end, End::Exited(137));
    assert_eq!(End::Signalled(9).status(), 137);
}

fn usage_is_told() {
    let little = Little::new();
    let finished = run(&little.script("i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done")).unwrap();
    let outcome = finished.outcome;
    assert!(outcome.peak_memory > 64 << 10 && outcome.peak_memory < 1 << 30, "{outcome:?}");
    assert!((outcome.user_time + outcome.system_time).as_millis() > 5, "{outcome:?}");
}

fn programs_that_are_not_there() {
    let little = Little::new();
    let failure = |arguments: &[&str]| match run(&little.command(arguments)) {
        Err(Error::Failure(failure)) => failure,
        other => panic!("{other:?}"),
    };
    let missing = failure(&["nosuch"]);
    assert_eq!(missing, Failure::NoProgram { program: "nosuch".into(), searched: true });
    assert_eq!((missing.fault(), missing.status()), (Fault::Command, Some(127)));
    assert_eq!(missing.to_string(), "`nosuch` is not a program of the tree (in no folder of `PATH`)");
    assert_eq!(failure(&["/nosuch"]), Failure::NoProgram { program: "/nosuch".into(), searched: false });
    assert_eq!(failure(&["/etc/passwd"]), Failure::Program { program: "/etc/passwd".into(), errno: libc::EACCES });
    assert_eq!(failure(&["/etc/passwd"]).status(), Some(126));
    assert_eq!(failure(&[""]), Failure::NoProgram { program: String::new(), searched: true });
    std::fs::write(little.lower().join("bin/odd"), "#!/no/interpreter\n").unwrap();
    output(&little.script("chmod 755 /bin/odd"));
    assert_eq!(failure(&["odd"]), Failure::Program { program: "/bin/odd".into(), errno: libc::ENOENT });
    let workdir = run(&layercake_executor::sandbox::Spec { workdir: "/none".into(), ..little.script("true") });
    assert_eq!(
        workdir.unwrap_err().to_string(),
        "cannot enter the folder `/none` in the tree: no such file or directory"
    );
}

fn environment_is_only_what_is_given() {
    let little = Little::new();
    let mut spec = little.command(&["env"]);
    spec.env.push(("A".into(), "1 2".into()));
    assert_eq!(output(&spec), "PATH=/bin\nA=1 2\nHOME=/root\n");
    spec.user = "ann".into();
    assert_eq!(output(&spec), "PATH=/bin\nA=1 2\nHOME=/home/ann\n");
    spec.env.push(("HOME".into(), "/x".into()));
    assert_eq!(output(&spec), "PATH=/bin\nA=1 2\nHOME=/x\n");
}

fn zombies_are_reaped() {
    let little = Little::new();
    let before = children();
    // An orphan holds the output open for as long as it lives: this would wait for it.
    output(&little.script("sleep 1000 & sleep 1000 & exit 0"));
    assert_eq!(children(), before);
}

/// How many children this process has, dead ones included.
fn children() -> usize {
    let me = std::process::id();
    let list = std::fs::read_to_string(format!("/proc/self/task/{me}/children")).unwrap_or_default();
    list.split_whitespace().count()
}
