//! Several things at once: stages of a build, and builds on one store.

use std::time::{Duration, Instant};

use crate::support::Home;
use crate::support::home::run;
use crate::support::ran::Built;

#[test]
fn stages_run_side_by_side() {
    let Some(home) = Home::with_base() else { return };
    let stage = |number: usize| format!("FROM base AS s{number}\nRUN sleep 1 && echo {number} > /{number}\n");
    let copy = |number: usize| format!("COPY --from=s{number} /{number} /\n");
    let dockerfile =
        format!("{}FROM base\n{}", (0..8).map(stage).collect::<String>(), (0..8).map(copy).collect::<String>());
    let built = home.build_text(&dockerfile);
    assert_eq!(built.started.len(), 16);
    // One after the other they would sleep for 8 seconds; the rest is for machines that are busy.
    assert!(built.took < Duration::from_secs(6), "{:?}", built.took);
}

#[test]
fn one_job_is_one_at_a_time() {
    let Some(home) = Home::with_base() else { return };
    let stage = |number: usize| format!("FROM base AS s{number}\nRUN sleep 0.5 && echo {number} > /{number}\n");
    let dockerfile =
        format!("{}FROM base\nCOPY --from=s0 /0 /\nCOPY --from=s1 /1 /\n", (0..2).map(stage).collect::<String>());
    home.write("ctx/Dockerfile", dockerfile);
    assert!(home.build(["-j1", "ctx"]).took >= Duration::from_secs(1));
}

#[test]
fn two_builds_at_once_do_an_equal_step_once() {
    let Some(home) = Home::with_base() else { return };
    home.write("one/Dockerfile", "FROM base\nRUN sleep 1.5; echo same > /same\nRUN echo one > /one\n");
    home.write("two/Dockerfile", "FROM base\nRUN sleep 1.5; echo same > /same\nRUN echo two > /two\n");
    let build = |context: &str| Built::of(run(&mut home.command(["build", "--progress=json", "-t", context, context])));
    let (one, two) = std::thread::scope(|scope| {
        let one = scope.spawn(|| build("one"));
        let two = scope.spawn(|| build("two"));
        (one.join().unwrap(), two.join().unwrap())
    });
    assert_eq!(one.ran("same") + two.ran("same"), 1, "{one:?} {two:?}");
    assert_eq!((one.ran("RUN echo one"), two.ran("RUN echo two")), (1, 1));
    let (one, two) = (home.diff_ids("one"), home.diff_ids("two"));
    assert_eq!(one[..2], two[..2]);
    assert_ne!(one[2], two[2]);
}

#[test]
fn many_builds_at_once_make_one_image() {
    let Some(home) = Home::with_base() else { return };
    home.write(
        "ctx/Dockerfile",
        "FROM base AS a\nRUN seq 1 9999 > /a\nFROM base\nCOPY --from=a /a /\nRUN sha256sum /a > /b\n",
    );
    let built: Vec<Built> = std::thread::scope(|scope| {
        let builds: Vec<_> = (0..6).map(|_| scope.spawn(|| home.dated(["-t", "x", "ctx"]))).collect();
        builds.into_iter().map(|build| build.join().unwrap()).collect()
    });
    assert!(built.iter().all(|other| other.digest == built[0].digest), "{built:?}");
    assert_eq!(built.iter().map(|built| built.started.len()).sum::<usize>(), 3, "{built:?}");
}

#[test]
fn a_failure_ends_what_runs_beside_it() {
    let Some(home) = Home::with_base() else { return };
    home.write(
        "ctx/Dockerfile",
        "FROM base AS slow\nRUN sleep 60\nFROM base AS wrong\nRUN sleep 0.3; false\n\
         FROM base\nCOPY --from=slow /etc/passwd /1\nCOPY --from=wrong /etc/passwd /2\n",
    );
    let start = Instant::now();
    let ran = home.layercake(["build", "ctx"]).exits(1);
    assert!(start.elapsed() < Duration::from_secs(20), "{:?}", start.elapsed());
    assert!(ran.stderr.contains("RUN sleep 0.3; false"), "{}", ran.stderr);
}
