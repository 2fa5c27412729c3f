//! Pulls that end before their time: the next one goes on where they were.

use std::fs;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::faults::assert_sound;
use crate::support::Home;
use crate::support::home::program;
use crate::support::http::{Reply, Server};
use crate::support::machine;
use crate::support::registry::{PROGRAM, Registry};
use crate::support::tools::{self, available};
use crate::wrong::Image;

/// Bytes of the layer, and of what of it comes at first.
const LENGTH: usize = 8_000_000;
const FIRST: usize = 5_000_000;

/// The requests for the layer, by their ranges.
fn ranges(server: &Server, path: &str) -> Vec<String> {
    let all = server.requests();
    let layers = all.iter().filter(|request| request.path == path && request.method == "GET");
    layers.map(|request| request.header("range").unwrap_or("all").to_owned()).collect()
}

#[test]
fn after_a_kill() {
    let image = Image::new(LENGTH);
    let path = image.layer_path();
    let (slow, layer_path) = (Arc::new(AtomicBool::new(true)), path.clone());
    let is_slow = slow.clone();
    let server = Server::start(move |request| {
        if request.path == layer_path && is_slow.load(Ordering::Relaxed) {
            if request.header("range").is_none() {
                return image.answer(request).cut(FIRST);
            }
            sleep(Duration::from_secs(20));
            return Reply::status(500);
        }
        image.answer(request)
    });
    let (home, name) = (Home::empty(), format!("{}/app:1", server.host()));
    let mut pull = home.command(["pull", &name]);
    let mut pull = pull.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let partials = || {
        let entries = fs::read_dir(home.path("store/partial/sha256")).into_iter().flatten().flatten();
        entries.map(|entry| entry.metadata().map_or(0, |found| found.len())).collect::<Vec<_>>()
    };
    let start = Instant::now();
    while partials() != [FIRST as u64] {
        assert!(start.elapsed() < Duration::from_secs(20), "{:?}", partials());
        sleep(Duration::from_millis(10));
    }
    pull.kill().unwrap();
    pull.wait().unwrap();
    assert_eq!(home.layercake(["images", "-q"]).ok().stdout, "", "nothing is half-published");
    slow.store(false, Ordering::Relaxed);
    home.layercake(["pull", &name]).ok();
    let ranges = ranges(&server, &path);
    assert_eq!(ranges.first().unwrap(), "all");
    assert_eq!(ranges.last().unwrap(), &format!("bytes={FIRST}-"));
    assert!(partials().is_empty());
    assert_eq!(home.layercake(["images", "-q"]).ok().stdout.lines().count(), 1);
}

#[test]
fn kills_at_any_moment_leave_a_store_that_is_right() {
    if !available(&[PROGRAM]) {
        return;
    }
    let (registry, source) = (Registry::open(), Home::empty());
    for (number, length) in [3_000_000_u32, 200_000, 1_000_000].into_iter().enumerate() {
        let noise: Vec<u8> = (0..length).flat_map(|word| word.wrapping_mul(0x9E37_79B9).to_le_bytes()).collect();
        source.write(&format!("ctx/{number}"), noise);
    }
    source.write("ctx/Dockerfile", "FROM scratch\nCOPY 0 /\nCOPY 1 /\nCOPY 2 /\n");
    let name = format!("{}/app:1", registry.host());
    source.build(["-t", &name, "ctx"]);
    let digest = source.layercake(["push", "-q", &name]).ok().stdout;
    let home = Home::empty();
    for milliseconds in [2, 5, 8, 10, 12, 15, 18, 20, 25, 30, 35, 40, 50] {
        let mut command = home.command(["pull", &name]);
        let mut pull = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        sleep(Duration::from_millis(milliseconds));
        let _ = pull.kill();
        pull.wait().unwrap();
        assert_sound(&home);
        if milliseconds % 10 == 0 {
            fs::remove_dir_all(home.path("store/blobs")).ok();
        }
    }
    assert_eq!(home.layercake(["pull", "-q", &name]).ok().stdout, digest);
    assert_sound(&home);
    assert_eq!(home.unfinished(), [""; 0]);
}

#[test]
fn what_was_damaged_meanwhile_is_fetched_anew() {
    let image = Image::new(100_000);
    let hex = image.layer_path().rsplit(':').next().unwrap().to_owned();
    let server = Server::start(move |request| image.answer(request));
    let (home, name) = (Home::empty(), format!("{}/app:1", server.host()));
    home.layercake(["images"]).ok();
    home.write(&format!("../store/partial/sha256/{hex}"), vec![0; 60_000]);
    let ran = home.layercake(["pull", &name]).ok();
    assert!(!ran.stderr.contains("digest"), "the registry is not blamed: {}", ran.stderr);
}

/// A disk of four MiB becomes one of sixty-four.
const SCRIPT: &str = r#"
    mkdir -p "$LAYERCAKE_HOME" && mount -t tmpfs -o size=4m none "$LAYERCAKE_HOME" || exit 77
    "$1" pull -q "$2" 2>&1; echo "first $?"
    "$1" images -q
    mount -o remount,size=64m "$LAYERCAKE_HOME" || exit 77
    "$1" pull -q "$2" 2>&1; echo "second $?"
    find "$LAYERCAKE_HOME/tmp" "$LAYERCAKE_HOME/partial" -type f
"#;

#[test]
fn after_a_full_disk() {
    if let Some(missing) = machine::missing_for_builds() {
        tools::skip(missing);
        return;
    }
    let image = Image::new(LENGTH);
    let path = image.layer_path();
    let server = Server::start(move |request| image.answer(request));
    let (home, name) = (Home::empty(), format!("{}/app:1", server.host()));
    let mut command = machine::in_mount_namespace("sh");
    home.furnish(&mut command);
    let output = command.args(["-c", SCRIPT, "sh"]).arg(program()).arg(&name).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    assert!(lines[0].contains("no room is left for") && lines[0].contains("goes on from there"), "{text}");
    assert_eq!(lines[1], "first 3", "{text}");
    assert_eq!(lines[lines.len() - 1], "second 0", "{text}");
    assert_eq!(lines.len(), 4, "no image before, no unfinished work after: {text}");
    let ranges = ranges(&server, &path);
    let resumed: usize = ranges[1].strip_prefix("bytes=").unwrap().trim_end_matches('-').parse().unwrap();
    assert!(ranges.len() == 2 && resumed > 3_000_000, "{ranges:?}");
}
