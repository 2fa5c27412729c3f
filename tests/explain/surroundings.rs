//! What the command line, the mounts and the store say: networks, limits, refused caches, results that are gone.

use std::fs;

use crate::case::{Case, DOCKERFILE};
use crate::support::Home;

#[test]
fn mounts_are_named() {
    let Some(home) = Home::with_base() else { return };
    let case = Case::new(&home, "mounts", "FROM base\nRUN --mount=type=tmpfs,target=/t true\n");
    case.build(&[]).edit("target=/t", "target=/t,size=1m");
    case.build(&[]);
    let [reason] = case.reasons().try_into().unwrap();
    assert!(reason.starts_with("2 mount /t: ") && reason.contains("1048576"), "{reason}");
    case.edit("true", "--mount=type=cache,target=/c true").build(&[]);
    let [reason] = case.reasons().try_into().unwrap();
    assert!(reason.starts_with("2 mount /c: none -> ") && reason.contains("cache"), "{reason}");
    case.edit("target=/c", "target=/c,id=other").build(&[]);
    let [reason] = case.reasons().try_into().unwrap();
    assert!(reason.starts_with("2 mount /c: ") && reason.contains("other"), "{reason}");
}

#[test]
fn networks_hosts_and_limits_are_named() {
    let Some(home) = Home::with_base() else { return };
    let case = Case::new(&home, "network", "FROM base\nRUN true\n");
    case.build(&[]).explains(&["--network=none"], &["2 flag --network: host -> none"]);
    case.explains(&["--add-host=db:10.0.0.5"], &["2 flag --add-host db: none -> 10.0.0.5"]);
    case.explains(&["--shm-size=1m"], &["2 flag --shm-size: 67108864 -> 1048576"]);
    case.build(&["--ulimit=nofile=512"]);
    let [reason] = case.reasons().try_into().unwrap();
    assert!(reason.starts_with("2 flag --ulimit: none -> ") && reason.contains("512"), "{reason}");
    case.explains(&["--build-arg=BUILDKIT_SANDBOX_HOSTNAME=other"], &["2 flag hostname: layercake -> other"]);
    case.edit("RUN true", "RUN --network=none true").explains(&[], &[]);
}

#[test]
fn the_first_build_and_refused_caches_are_told() {
    let Some(home) = Home::with_base() else { return };
    let case = Case::new(&home, "first", DOCKERFILE);
    let all = |kind: &str, lines: &[u32]| lines.iter().map(|line| format!("{line} {kind}")).collect::<Vec<_>>();
    let check = |arguments: &[&str], expected: &[String]| {
        case.explains(arguments, &expected.iter().map(String::as_str).collect::<Vec<_>>());
    };
    check(&[], &all("first-build", &[1, 4, 5, 6, 8, 9]));
    check(&[], &[]);
    check(&["--no-cache"], &all("no-cache", &[4, 5, 6, 8, 9]));
    check(&["--no-cache-filter=one"], &all("no-cache", &[4, 5, 6]));
    check(&[], &[]);
    // Of the same files and another target nothing is known yet, though everything is in the store.
    let ran = home.layercake(["explain", "--target=one", "first"]).exits(2);
    assert!(ran.stderr.contains("nothing is remembered") && ran.stderr.contains("layercake explain --file"), "{ran:?}");
    home.layercake(["build", "--target=one", "first"]).ok();
    assert_eq!(home.layercake(["explain", "--target=ONE", "first"]).ok().stdout, "hit all 4 steps\n");
}

#[test]
fn what_failed_or_is_gone_is_told() {
    let Some(home) = Home::with_base() else { return };
    home.write("no", "no").write("yes", "yes");
    let text = "FROM base\nRUN --mount=type=secret,id=s test $(cat /run/secrets/s) = yes\nRUN echo > /after\n";
    let case = Case::new(&home, "failed", text);
    case.build_exits(&["--secret=id=s,src=no"], 1);
    assert_eq!(case.reasons(), ["1 first-build", "2 first-build"]);
    assert!(case.text().contains("fail %1"), "{}", case.text());
    // A secret is no part of a key.
    case.explains(&["--secret=id=s,src=yes"], &["2 failed-before", "3 new-step"]);
    case.explains(&["--secret=id=s,src=no"], &[]);
    fs::rename(home.path("store/folders"), home.path("elsewhere")).unwrap();
    let reasons = case.build(&["--secret=id=s,src=yes"]).reasons();
    assert!(reasons.contains(&"2 gone".to_owned()), "{reasons:?}");
}

#[test]
fn the_same_that_happens_twice_is_told_twice() {
    let Some(home) = Home::with_base() else { return };
    let case = Case::new(&home, "fails", "FROM base\nRUN false\n");
    case.build_exits(&[], 1).build_exits(&[], 1);
    assert_eq!(case.reasons(), ["2 failed-before"]);
    let case = Case::new(&home, "goes", "FROM base\nRUN echo > /goes\n");
    case.build(&[]);
    fs::rename(home.path("store/folders"), home.path("elsewhere")).unwrap();
    case.explains(&[], &["2 gone"]);
    case.explains(&[], &[]);
}
