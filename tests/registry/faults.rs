//! Pulls and pushes through a proxy that does everything wrong: what succeeds is right to the byte, what fails says so and
//! leaves nothing half-published, and the next attempt is right.
//!
//! `LAYERCAKE_FAULTS` says how many; each has a seed, which is its number.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use serde_json::Value;

use crate::faulty::{Chance, Faulty};
use crate::support::Home;
use crate::support::home::run;
use crate::support::ran::Ran;
use crate::support::registry::{PROGRAM, Registry};
use crate::support::tools::{self, available};

/// How many where nobody says.
const USUAL: usize = 40;

/// How often it came to what.
#[derive(Default)]
struct Tally {
    right: AtomicUsize,
    /// With the seed, how many of a hundred requests went wrong, and the reason.
    refused: Mutex<Vec<(u64, usize, String)>>,
    faults: Mutex<BTreeMap<&'static str, usize>>,
}

/// An image without a base, whose layers are small and large.
fn source() -> Home {
    let home = Home::empty();
    let mut chance = Chance::new(7);
    for (name, length) in [("small", 1000), ("middle", 300_000), ("large", 6_000_000)] {
        let noise: Vec<u8> = (0..length).map(|_| u8::try_from(chance.below(256)).unwrap()).collect();
        home.write(&format!("ctx/{name}"), noise);
    }
    home.write("ctx/Dockerfile", "FROM scratch\nCOPY small /\nCOPY middle /\nCOPY large /\nENV A=1\n");
    home.build(["-t", "source", "ctx"]);
    home
}

/// A home with a copy of that one's store, which has not pushed anything yet.
fn copy(source: &Home) -> Home {
    let home = Home::empty();
    tools::run(Command::new("cp").arg("-a").arg(source.path("store")).arg(home.path("")));
    home
}

/// Every blob in a store is what its name says.
#[track_caller]
pub(crate) fn assert_sound(home: &Home) {
    let blobs = home.path("store/blobs/sha256");
    for entry in fs::read_dir(blobs).into_iter().flatten().flatten() {
        let name = entry.file_name().into_string().unwrap();
        assert_eq!(sha256(&entry.path()), name, "a blob is not what its name says");
    }
}

fn sha256(path: &Path) -> String {
    let line = tools::run(Command::new("sha256sum").arg(path));
    line.split_whitespace().next().unwrap().trim_start_matches('\\').to_owned()
}

/// What the registry's own files have under a name, or nothing; everything that it leads to has to be there.
fn published(registry: &Registry, repository: &str, seed: u64) -> Option<String> {
    let storage = registry.storage().join("docker/registry/v2");
    let link = storage.join(format!("repositories/{repository}/_manifests/tags/1/current/link"));
    let digest = fs::read_to_string(link).ok()?;
    let file = |digest: &str| {
        let hex = digest.strip_prefix("sha256:").unwrap();
        storage.join("blobs/sha256").join(&hex[..2]).join(hex).join("data")
    };
    let manifest: Value = serde_json::from_slice(&fs::read(file(&digest)).unwrap()).unwrap();
    let layers = manifest["layers"].as_array().unwrap().iter();
    for blob in layers.chain([&manifest["config"]]) {
        let digest = blob["digest"].as_str().unwrap();
        assert_eq!(format!("sha256:{}", sha256(&file(digest))), digest, "seed {seed}: pushed wrongly");
    }
    Some(digest)
}

/// Pushes to a repository of its own.
fn push(registry: &Registry, source: &Home, digest: &str, seed: u64, tally: &Tally) {
    let proxy = Faulty::start(registry.port(), seed, rate(seed));
    let repository = format!("pushed/{seed}");
    let name = format!("{}/{repository}:1", proxy.host());
    let home = copy(source);
    home.layercake(["tag", "source", &name]).ok();
    let ran = home.layercake(["push", &name]);
    let there = published(registry, &repository, seed);
    if ran.status == Some(0) {
        assert_eq!(there.as_deref(), Some(digest), "seed {seed}: {}", ran.stderr);
        tally.right.fetch_add(1, Ordering::Relaxed);
    } else {
        assert!(ran.status == Some(3) && ran.stderr.contains("error: "), "seed {seed}: {ran:?}");
        tally.refuse(seed, &ran);
        proxy.calm();
        home.layercake(["push", &name]).ok();
        assert_eq!(published(registry, &repository, seed).as_deref(), Some(digest), "seed {seed}");
    }
    tally.count(&proxy);
}

/// Pulls into an empty store.
fn pull(registry: &Registry, digest: &str, seed: u64, tally: &Tally) {
    let proxy = Faulty::start(registry.port(), seed, rate(seed));
    let name = format!("{}/source:1", proxy.host());
    let home = Home::empty();
    let ran = home.layercake(["pull", &name]);
    assert_sound(&home);
    let listed = |home: &Home| home.layercake(["images", "-q"]).ok().stdout.lines().count();
    if ran.status == Some(0) {
        assert_eq!(ran.stdout.trim(), digest, "seed {seed}");
        tally.right.fetch_add(1, Ordering::Relaxed);
    } else {
        assert!(matches!(ran.status, Some(2 | 3)) && ran.stderr.contains("error: "), "seed {seed}: {ran:?}");
        assert_eq!(listed(&home), 0, "seed {seed}: what is not complete has no name");
        tally.refuse(seed, &ran);
        proxy.calm();
        let again = home.layercake(["pull", &name]).ok();
        assert_eq!(again.stdout.trim(), digest, "seed {seed}");
    }
    tally.count(&proxy);
    // Everything is here now, and nobody needs to be asked any more.
    drop(proxy);
    assert_eq!(home.layers(&name).len(), 3, "seed {seed}");
    assert_sound(&home);
}

/// Some networks are worse than others.
fn rate(seed: u64) -> usize {
    [5, 15, 30, 60][usize::try_from(seed / 2 % 4).unwrap()]
}

impl Tally {
    fn refuse(&self, seed: u64, ran: &Ran) {
        let reason = ran.stderr.lines().find(|line| line.starts_with("error: ")).unwrap_or_default().to_owned();
        self.refused.lock().unwrap().push((seed, rate(seed), reason));
    }

    fn count(&self, proxy: &Faulty) {
        let mut all = self.faults.lock().unwrap();
        proxy.faults().into_iter().for_each(|(name, count)| *all.entry(name).or_default() += count);
    }
}

#[test]
#[allow(clippy::print_stderr, reason = "a failure has to be found again by its seed, and the figures are the result")]
fn every_pull_and_push_is_right_or_cleanly_refused() {
    if !available(&[PROGRAM]) {
        return;
    }
    let count = std::env::var("LAYERCAKE_FAULTS").map_or(USUAL, |text| text.parse().unwrap());
    let (registry, source, tally) = (Registry::open(), source(), Tally::default());
    let name = format!("{}/source:1", registry.host());
    let clean = copy(&source);
    clean.layercake(["tag", "source", &name]).ok();
    let digest = clean.layercake(["push", &name]).ok().stdout.trim().to_owned();
    let next = AtomicUsize::new(0);
    thread::scope(|scope| {
        for _ in 0..6 {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= count {
                        break;
                    }
                    let seed = u64::try_from(seed).unwrap();
                    let done = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
                        if seed % 2 == 0 {
                            push(&registry, &source, &digest, seed, &tally);
                        } else {
                            pull(&registry, &digest, seed, &tally);
                        }
                    }));
                    assert!(done.is_ok(), "seed {seed} went wrong");
                }
            });
        }
    });
    let (right, reasons) = (tally.right.into_inner(), tally.refused.into_inner().unwrap());
    for (seed, rate, reason) in &reasons {
        eprintln!("seed {seed}, {rate} % faults: {reason}");
    }
    let refused = reasons.len();
    eprintln!("{count} pulls and pushes: {right} right, {refused} cleanly refused, 0 wrong");
    eprintln!("faults: {:?}", tally.faults.into_inner().unwrap());
    assert_eq!(right + refused, count);
    let in_vain = reasons.iter().filter(|(_, rate, _)| *rate < 30).count();
    assert_eq!(in_vain, 0, "where no more than every sixth request goes wrong, going on leads to the end");
    assert!(right > count * 3 / 4, "{right} of {count}");
}

#[test]
fn a_push_through_a_proxy_is_what_skopeo_finds() {
    if !available(&[PROGRAM, "skopeo"]) {
        return;
    }
    let (registry, source) = (Registry::open(), source());
    let proxy = Faulty::start(registry.port(), 3, 20);
    let name = format!("{}/app:1", proxy.host());
    source.layercake(["tag", "source", &name]).ok();
    if source.layercake(["push", &name]).status != Some(0) {
        proxy.calm();
        source.layercake(["push", &name]).ok();
    }
    let mut skopeo = Command::new("skopeo");
    skopeo.args(["--insecure-policy", "copy", "--src-tls-verify=false"]);
    skopeo.arg(format!("docker://{}/app:1", registry.host())).arg(format!("dir:{}", source.path("copied").display()));
    run(&mut skopeo).ok();
}
