//! Builds that end before their time: what they leave does no harm, and goes.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

#[path = "../support/support.rs"]
mod support;

mod damage;

use std::fs;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use support::Home;
use support::home::{EPOCH, program, run};

/// How many builds are killed in each store, all different, and in how many stores.
const KILLS: u32 = 8;
const STORES: u32 = 4;

/// Several stages, copies and commands; `SALT` makes everything new.
const DOCKERFILE: &str = "ARG SALT\n\
    FROM base AS one\nARG SALT\nRUN mkdir /out && seq 1 20000 > /out/numbers && echo $SALT > /out/salt && sleep 0.02\n\
    FROM base AS two\nARG SALT\nCOPY files /files\nRUN echo $SALT > /files/salt && rm /files/3 && sleep 0.02\n\
    FROM base\nARG SALT\nWORKDIR /work\nRUN echo $SALT > salt && chown ann salt\n\
    COPY --from=one /out /one\nCOPY --from=two /files /two\n\
    RUN --mount=type=cache,target=/cache echo $SALT >> /cache/log && sha256sum /one/* /two/* > sums\n";

fn home() -> Option<Home> {
    let home = Home::with_base()?;
    home.write("ctx/Dockerfile", DOCKERFILE);
    for number in 0..20 {
        home.write(&format!("ctx/files/{number}"), number.to_string().repeat(10_000));
    }
    Some(home)
}

fn salted(salt: u32) -> [String; 6] {
    ["build", "--build-arg", &format!("SALT={salt}"), "-t", "x", "ctx"].map(str::to_owned)
}

/// Starts the program in a process group of its own. Whoever started the tests may not care for hangups; the program does.
fn start(home: &Home, arguments: &[String]) -> Child {
    use std::os::unix::process::CommandExt;
    let mut command = Command::new("env");
    home.furnish(&mut command);
    command.arg("--default-signal=HUP").arg(program()).args(arguments);
    command.env("SOURCE_DATE_EPOCH", EPOCH).process_group(0).stdout(Stdio::null()).stderr(Stdio::null());
    command.spawn().unwrap()
}

/// Numbers that are spread evenly below 1, and are the same in every run: xorshift, by Marsaglia.
fn spread(seed: u64) -> impl FnMut() -> f64 {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        f64::from(u32::try_from(state >> 32).unwrap()) / f64::from(u32::MAX)
    }
}

#[test]
fn killed_builds_leave_a_store_that_is_right() {
    let Some(reference) = home() else { return };
    let build = |home: &Home, salt| {
        run(home.command(salted(salt).iter().map(String::as_str)).env("SOURCE_DATE_EPOCH", EPOCH)).ok()
    };
    let expected: Vec<_> = (0..KILLS).map(|salt| build(&reference, salt)).collect();
    let usual = expected.iter().map(|ran| ran.took).min().unwrap();
    let mut interrupted = 0;
    for store in 0..STORES {
        let home = home().unwrap();
        let mut random = spread(u64::from(store) + 1);
        for salt in 0..KILLS {
            let mut build = start(&home, &salted(salt));
            sleep(usual.mul_f64(random()));
            build.kill().unwrap();
            interrupted += u32::from(!build.wait().unwrap().success());
            home.assert_no_processes("");
            home.assert_no_mounts();
        }
        for (salt, expected) in (0..KILLS).zip(&expected).skip(usize::try_from(store).unwrap()).step_by(3) {
            let built = build(&home, salt);
            assert_eq!(built.stdout, expected.stdout, "{}", built.stderr);
            assert_eq!(home.layers("x").len(), 6);
        }
        assert_eq!(home.unfinished(), [""; 0]);
    }
    assert!(interrupted > KILLS * STORES / 2, "only {interrupted} builds were killed before they were done");
}

#[test]
fn a_killed_import_leaves_a_store_that_works() {
    let Some(home) = Home::with_base() else { return };
    let tar = home.path("base.tar").display().to_string();
    let import = ["import".to_owned(), tar, "again".to_owned()];
    for milliseconds in [1, 3, 10, 20, 30, 40] {
        let other = Home::empty();
        let mut child = start(&other, &import);
        sleep(Duration::from_millis(milliseconds));
        let _ = child.kill();
        child.wait().unwrap();
        other.import_base();
        assert_eq!(other.unfinished(), [""; 0]);
        assert_eq!(other.inspect("base")["Digest"], home.inspect("base")["Digest"]);
    }
}

/// A build whose commands sleep, once they do.
fn asleep() -> Option<(Home, Child, String)> {
    let home = Home::with_base()?;
    // The home's name makes the command one that nobody else runs.
    let name = home.path("").file_name().unwrap().to_string_lossy().replace("layercake-test-", "sleeper-");
    // One of the two has lost its parent and does not care for signals.
    let script = format!("(trap '' INT TERM HUP; sh -c 'sleep 600; : {name}' &); sh -c 'sleep 600; : {name}'; :");
    home.write("ctx/Dockerfile", format!("FROM base AS a\nRUN {script}\nFROM base AS b\nRUN {script} b\nFROM base\nCOPY --from=a /etc/group /a\nCOPY --from=b /etc/group /b\n"));
    let build = start(&home, &["build", "ctx"].map(str::to_owned));
    let start = Instant::now();
    // In each stage two that sleep, and the shell that waits for them.
    while home.processes(&name).iter().filter(|line| line.contains(&name)).count() < 6 {
        assert!(start.elapsed() < Duration::from_secs(20), "{:?}", home.processes(&name));
        sleep(Duration::from_millis(10));
    }
    Some((home, build, name))
}

#[test]
fn a_signal_ends_the_whole_tree() {
    for signal in [Signal::INT, Signal::TERM, Signal::HUP, Signal::KILL] {
        let Some((home, mut build, name)) = asleep() else { return };
        kill_process(Pid::from_child(&build), signal).unwrap();
        let status = build.wait().unwrap();
        assert!(!status.success(), "{signal:?}: {status}");
        home.assert_no_processes(&name);
        home.assert_no_mounts();
        // The next run drops what was not finished.
        home.layercake(["images"]).ok();
        assert_eq!(home.unfinished(), [""; 0], "{signal:?}");
    }
}

#[test]
fn a_build_that_waits_for_a_killed_one_goes_on() {
    let Some(home) = Home::with_base() else { return };
    home.write("ctx/Dockerfile", "FROM base\nRUN sleep 1; echo x > /x\n");
    let mut first = start(&home, &["build", "ctx"].map(str::to_owned));
    sleep(Duration::from_millis(500));
    let mut second = start(&home, &["build", "-t", "x", "ctx"].map(str::to_owned));
    sleep(Duration::from_millis(200));
    first.kill().unwrap();
    first.wait().unwrap();
    assert!(second.wait().unwrap().success());
    assert_eq!(home.layers("x")[1].text("x"), "x\n");
}

#[test]
fn a_killed_output_is_not_mistaken_for_a_whole_one() {
    let Some(home) = home() else { return };
    home.write("out.tar", "what was there before");
    let mut arguments = salted(1).to_vec();
    arguments.extend(["-o", "type=oci,dest=out.tar"].map(str::to_owned));
    let mut random = spread(7);
    for _ in 0..6 {
        let mut build = start(&home, &arguments);
        sleep(Duration::from_millis(600).mul_f64(random()));
        let _ = build.kill();
        if build.wait().unwrap().success() {
            break;
        }
        let content = fs::read(home.path("work/out.tar")).unwrap();
        // Killed after the archive took its place, it is whole.
        if content != b"what was there before" {
            assert!(support::archive::Files::read(&content).has("index.json"));
        }
    }
}
