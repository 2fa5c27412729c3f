//! What is done again after a change, and what is not.

use std::time::Duration;

use crate::support::Home;

/// Three layers, of which the middle one copies.
const THREE: &str = "FROM base\nRUN echo one > /one\nCOPY a.txt b.txt /\nRUN cat /a.txt > /three\n";

fn with_three() -> Option<Home> {
    let home = Home::with_base()?;
    home.write("ctx/Dockerfile", THREE).write("ctx/a.txt", "a").write("ctx/b.txt", "b").write("ctx/other.txt", "c");
    Some(home)
}

#[test]
#[expect(clippy::print_stderr, reason = "the time is what one wants to see of this test")]
fn the_second_build_runs_nothing() {
    let Some(home) = with_three() else { return };
    let first = home.build(["-t", "x", "ctx"]);
    assert_eq!(first.started.len(), 3);
    let second = home.build(["-t", "x", "ctx"]);
    assert_eq!(second.started, [""; 0]);
    assert_eq!(second.digest, first.digest);
    assert!(first.digest.starts_with("sha256:") && first.digest.len() == 71, "{}", first.digest);
    eprintln!("a build of which everything is in the store took {:?}", second.took);
    assert!(second.took < Duration::from_secs(2), "{:?}", second.took);
}

#[test]
fn an_edited_file_remakes_only_what_follows() {
    let Some(home) = with_three() else { return };
    home.build(["-t", "x", "ctx"]);
    let before = home.diff_ids("x");
    home.write("ctx/a.txt", "changed");
    let built = home.build(["-t", "x", "ctx"]);
    assert_eq!(built.started, ["COPY a.txt b.txt /", "RUN cat /a.txt > /three"]);
    let after = home.diff_ids("x");
    assert_eq!(after[..2], before[..2], "the base's layer and the one before the change stay");
    assert!(after[2] != before[2] && after[3] != before[3]);
    // Put back, everything is still there.
    home.write("ctx/a.txt", "a");
    assert_eq!(home.build(["-t", "x", "ctx"]).started, [""; 0]);
    assert_eq!(home.diff_ids("x"), before);
}

#[test]
fn a_file_that_is_not_copied_does_not_count() {
    let Some(home) = with_three() else { return };
    home.build(["-t", "x", "ctx"]);
    home.write("ctx/other.txt", "changed").write("ctx/further.txt", "new");
    assert_eq!(home.build(["-t", "x", "ctx"]).started, [""; 0]);
}

#[test]
fn a_file_written_again_does_not_count() {
    let Some(home) = with_three() else { return };
    let digest = home.build(["-t", "x", "ctx"]).digest;
    std::thread::sleep(Duration::from_millis(1100));
    home.write("ctx/a.txt", "a");
    let built = home.build(["-t", "x", "ctx"]);
    assert_eq!((built.started, built.digest), (vec![], digest));
}

#[test]
fn a_step_with_the_same_result_ends_the_wave() {
    let Some(home) = Home::with_base() else { return };
    home.write("ctx/a.txt", "code comment one\n").write(
        "ctx/Dockerfile",
        "FROM base AS made\nCOPY a.txt /\nRUN sed s/comment.*// /a.txt > /a\nFROM base\nCOPY --from=made /a /\nRUN cat /a > /b\n",
    );
    let first = home.build(["-t", "x", "ctx"]);
    home.write("ctx/a.txt", "code comment two\n");
    let second = home.build(["-t", "x", "ctx"]);
    assert_eq!(first.started.len(), 4);
    assert_eq!(second.started, ["[made] COPY a.txt /", "[made] RUN sed s/comment.*// /a.txt > /a"]);
    assert_eq!(second.digest, first.digest);
}

#[test]
fn a_step_that_changes_nothing_leaves_the_tree_what_it_was() {
    let Some(home) = Home::with_base() else { return };
    let dockerfile = |first: &str| format!("FROM base\nRUN {first}\nRUN echo x > /x\n");
    home.build_text(&dockerfile("true"));
    assert_eq!(home.build_text(&dockerfile("true || echo other")).started, ["RUN true || echo other"]);
}

#[test]
fn what_a_command_sees_counts() {
    let Some(home) = Home::with_base() else { return };
    let dockerfile = "FROM base\nARG A=1\nENV B=2\nARG UNUSED\nWORKDIR /w\nRUN echo $A $B > /x\n";
    home.build_text(dockerfile);
    for (from, to) in
        [("A=1", "A=3"), ("B=2", "B=4"), ("/w", "/v"), ("RUN echo", "RUN  echo \"\""), ("WORKDIR", "USER ann\nWORKDIR")]
    {
        let built = home.build_text(&dockerfile.replace("> /x", "> /tmp/x").replace(from, to));
        assert_eq!(built.ran("RUN"), 1, "{to}: {built:?}");
    }
    // As in BuildKit, an ARG that is set is in the environment, so it counts whether it is read or not.
    assert_eq!(home.build(["--build-arg", "A=9", "ctx"]).ran("RUN"), 1);
    assert_eq!(home.build(["--build-arg", "UNUSED=5", "ctx"]).ran("RUN"), 1);
    assert_eq!(home.build(["--build-arg", "UNUSED=5", "ctx"]).ran("RUN"), 0);
}

#[test]
fn labels_and_commands_run_nothing() {
    let Some(home) = Home::with_base() else { return };
    let before = home.build_text("FROM base\nRUN echo x > /x\n").digest;
    let built = home.build_text("FROM base\nLABEL a=b\nRUN echo x > /x\nCMD [\"cat\", \"/x\"]\nEXPOSE 80\n");
    assert_eq!(built.started, [""; 0]);
    assert_ne!(built.digest, before);
}

#[test]
fn the_cache_can_be_refused() {
    let Some(home) = Home::with_base() else { return };
    home.write(
        "ctx/Dockerfile",
        "FROM base AS one\nRUN echo 1 > /1\nFROM base AS two\nCOPY --from=one /1 /\nRUN echo 2 > /2\n",
    );
    let digest = home.dated(["ctx"]).digest;
    assert_eq!(home.build(["--no-cache", "ctx"]).started.len(), 3);
    assert_eq!(
        home.build(["--no-cache-filter=TWO", "ctx"]).started,
        ["[two] COPY --from=one /1 /", "[two] RUN echo 2 > /2"]
    );
    assert_eq!(home.dated(["--no-cache", "ctx"]).digest, digest);
}

#[test]
fn a_failed_build_keeps_what_was_done() {
    let Some(home) = Home::with_base() else { return };
    home.write("ctx/Dockerfile", "FROM base\nRUN echo one > /one\nRUN false\n");
    home.layercake(["build", "ctx"]).exits(1);
    let built = home.build_text("FROM base\nRUN echo one > /one\nRUN true\n");
    assert_eq!(built.started, ["RUN true"]);
}

#[test]
fn one_job_or_eight_in_two_stores_make_the_same_image() {
    let (Some(one), Some(eight)) = (Home::with_base(), Home::with_base()) else { return };
    let stage = |number| {
        format!(
            "FROM base AS s{number}\nRUN mkdir /out && seq {number}00 {number}99 > /out/{number} && ln /out/{number} /out/link\n"
        )
    };
    let dockerfile = format!(
        "{}FROM base\nCOPY context/ /context/\n{}RUN chown -R ann /3 && rm -r /4\n",
        (0..6).map(stage).collect::<String>(),
        (0..6).map(|number| format!("COPY --from=s{number} /out/ /{number}/\n")).collect::<String>(),
    );
    let mut digests = Vec::new();
    for (home, jobs) in [(&one, "-j1"), (&eight, "-j8")] {
        home.write("ctx/Dockerfile", &dockerfile);
        for file in 0..40 {
            home.write(&format!("ctx/context/{}/{file}", file % 7), format!("{file}").repeat(file * 100));
        }
        digests.push(home.dated([jobs, "-t", "x", "ctx"]).digest);
        // The stores and the context's times differ by this.
        std::thread::sleep(Duration::from_millis(1100));
    }
    assert_eq!(digests[0], digests[1]);
}

#[test]
fn which_names_are_one_file_is_part_of_what_is_copied() {
    let Some(home) = Home::with_base() else { return };
    home.write("ctx/Dockerfile", "FROM base AS stage\nCOPY d /d\nFROM base\nCOPY --from=stage /d /copied\n");
    home.write("ctx/d/a", "same").write("ctx/d/b", "same");
    let links = |home: &Home| home.layers("x")[1].0.values().filter(|file| file.kind == tar::EntryType::Link).count();
    let build = || home.build(["-t", "x", "ctx"]).started.len();
    assert_eq!((build(), links(&home)), (2, 0));
    let (a, b) = (home.path("work/ctx/d/a"), home.path("work/ctx/d/b"));
    std::fs::remove_file(&b).unwrap();
    std::fs::hard_link(&a, &b).unwrap();
    assert_eq!((build(), links(&home)), (2, 1), "two names of one file are not two files");
    std::fs::remove_file(&b).unwrap();
    std::fs::copy(&a, &b).unwrap();
    assert_eq!((build(), links(&home)), (0, 0), "what was two files is remembered");
    assert_eq!(build(), 0);
}
