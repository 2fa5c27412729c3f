//! Nothing outlives the parent, and nothing is left of a command.

use std::fs;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use layercake_executor::sandbox::{self, End, Spec, Standard};

use crate::harness::tests;
use crate::little::Little;

tests![killing_the_parent_kills_the_tree, killing_the_command, dropping_ends_the_command];

/// What the executable is called when it is to be a parent that gets killed.
const PARENT: &str = "sandbox-test-parent";

/// Runs the command in the file that is the argument, and waits to be killed.
pub(crate) fn hook() {
    if std::env::args().next().as_deref() != Some(PARENT) {
        return;
    }
    let path = std::env::args().nth(1).unwrap();
    let spec: Spec = serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
    let _ = sandbox::start(&spec, Standard::inherited()).unwrap().wait();
    std::process::exit(0);
}

/// How many processes of the machine have `word` in their command lines, this one aside.
fn count(word: &str) -> usize {
    let is_one = |entry: fs::DirEntry| {
        let line = fs::read(entry.path().join("cmdline")).unwrap_or_default();
        String::from_utf8_lossy(&line).contains(word)
    };
    fs::read_dir("/proc").unwrap().flatten().map(is_one).filter(|is| *is).count()
}

#[track_caller]
fn wait_for(word: &str, wanted: usize) {
    let start = Instant::now();
    while count(word) != wanted {
        assert!(start.elapsed() < Duration::from_secs(10), "{} processes instead of {wanted}", count(word));
        sleep(Duration::from_millis(5));
    }
}

fn killing_the_parent_kills_the_tree() {
    let little = Little::new();
    let spec = little.script("sleep 98761 & sleep 98761 & sleep 98761; :");
    fs::write(little.path("spec"), serde_json::to_vec(&spec).unwrap()).unwrap();
    let mut parent = Command::new("/proc/self/exe");
    let mut parent = parent.arg0(PARENT).arg(little.path("spec")).stdin(Stdio::null()).spawn().unwrap();
    // Three that sleep, and the shell, which has the word in its script.
    wait_for("98761", 4);
    parent.kill().unwrap();
    parent.wait().unwrap();
    wait_for("98761", 0);
}

fn killing_the_command() {
    let little = Little::new();
    let running = sandbox::start(&little.script("sleep 98762 & sleep 98762"), Standard::inherited()).unwrap();
    running.killer().unwrap().kill();
    assert_eq!(running.wait().unwrap().end, End::Signalled(libc::SIGKILL));
    assert_eq!(count("98762"), 0);
}

fn dropping_ends_the_command() {
    let little = Little::new();
    drop(sandbox::start(&little.script("sleep 98763 & sleep 98763"), Standard::inherited()).unwrap());
    assert_eq!(count("98763"), 0);
}
