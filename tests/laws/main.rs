//! Laws that hold for every Dockerfile, tried on generated ones with the real executor: any passes of the optimizer and any
//! number of jobs make the same image, an unchanged build runs nothing, a changed one makes what a fresh one makes, and what is
//! remembered of a step hashes to its key.
//!
//! `LAYERCAKE_LAWS` is the number of programs. What they are depends on nothing but that number's share in each thread.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
#![allow(clippy::print_stderr, reason = "what is looked for can take minutes")]

#[path = "../support/support.rs"]
mod support;

mod explained;
mod generator;
mod passes;
mod program;

use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::Once;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;

use layercake_compiler::passes::{Level, PIPELINE};
use proptest::prelude::{ProptestConfig, TestCaseError, prop_assert, prop_assert_eq};
use proptest::test_runner::{RngAlgorithm, TestError, TestRng, TestRunner};
use serde_json::Value;

use program::Program;
use support::Home;
use support::archive::Files;
use support::home::{EPOCH, program as layercake, run};
use support::image::{document, json};
use support::ran::{Built, Ran};

/// How many programs are tried where nobody says.
const PROGRAMS: u32 = 300;

/// They are tried in this many threads, each with a seed of its own.
const THREADS: u8 = 4;

/// Fewer than one program in this many may be one that cannot be built: such a one shows little.
const REFUSED_ONE_IN: u32 = 3;

#[test]
fn laws_of_all_programs() {
    let Some(template) = Home::with_base() else { return };
    let programs = std::env::var("LAYERCAKE_LAWS").map_or(PROGRAMS, |number| number.parse().unwrap());
    let refused = AtomicU32::new(0);
    thread::scope(|scope| {
        for seed in 0..THREADS {
            let (template, refused) = (&template, &refused);
            scope.spawn(move || try_laws(programs.div_ceil(u32::from(THREADS)), seed, template, refused));
        }
    });
    let refused = refused.into_inner();
    eprintln!("{programs} programs, of which {refused} cannot be built");
    assert!(refused < programs / REFUSED_ONE_IN, "{refused} of {programs} programs cannot be built");
}

fn try_laws(programs: u32, seed: u8, template: &Home, refused: &AtomicU32) {
    let config =
        ProptestConfig { cases: programs, max_shrink_iters: 300, failure_persistence: None, ..Default::default() };
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &[seed; 32]);
    let first_failure = Once::new();
    let law = |program: Program| match laws_hold(&program, template) {
        Ok(Outcome::Image(_)) => Ok(()),
        Ok(Outcome::Refused) => {
            refused.fetch_add(1, Ordering::Relaxed);
            Ok(())
        }
        Err(failure) => {
            first_failure.call_once(|| {
                eprintln!("{failure}\n{program:?}this breaks a law; looking for a smaller program that does");
            });
            Err(failure)
        }
    };
    match TestRunner::new_with_rng(config, rng).run(&generator::program(), law) {
        Ok(()) => {}
        Err(TestError::Fail(why, program)) => panic!("{why}\n{program:?}"),
        Err(error) => panic!("{error}"),
    }
}

/// What came of a build. Of several steps that fail, any may be told.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Outcome {
    /// The image's digest: equal ones have equal configurations, histories and layers.
    Image(String),
    Refused,
}

/// The stores of one program.
struct Trial<'a> {
    home: Home,
    template: &'a Home,
}

fn laws_hold(program: &Program, template: &Home) -> Result<Outcome, TestCaseError> {
    let trial = Trial { home: Home::empty(), template };
    let context = trial.home.path("work/ctx");
    program.write(&context);

    let (plain, _) = trial.build("one", ["-O0", "--jobs=1"])?;
    let optional = PIPELINE.iter().filter(|pass| pass.level == Level::Unseen);
    let passes = optional
        .zip(program.passes.iter().cycle())
        .map(|(pass, is_on)| format!("--pass={}={}", pass.name, if *is_on { "on" } else { "off" }));
    let passes: Vec<String> = passes.chain(["--jobs=8".to_owned()]).collect();
    let passes = || passes.iter().map(String::as_str);
    let (optimized, _) = trial.build("two", passes())?;
    prop_assert_eq!(&plain, &optimized, "passes or jobs change the image");
    merged_is_the_same(&trial, &optimized)?;

    program.apply(&context);
    let (changed, _) = trial.build("two", passes())?;
    let (fresh, _) = trial.build("three", [])?;
    prop_assert_eq!(&changed, &fresh, "a changed build makes not what a fresh one makes");

    program.revert(&context);
    let (again, started) = trial.build("two", passes())?;
    prop_assert_eq!(&again, &optimized, "a change that is taken back leaves a trace");
    if matches!(again, Outcome::Image(_)) {
        prop_assert!(started.is_empty(), "an unchanged build does {started:?}");
    }
    explained::hashes_to_the_keys(&trial.home.path("two"))?;
    Ok(plain)
}

/// An image whose layers are merged has the same files, the same configuration, and the same history but for which entries
/// have no layer; and fewer layers.
fn merged_is_the_same(trial: &Trial<'_>, optimized: &Outcome) -> Result<(), TestCaseError> {
    let (merged, _) = trial.build("two", ["--pass=merge=on", "-t", "merged"])?;
    if merged == *optimized {
        return Ok(());
    }
    let (plain, _) = trial.build("two", ["-t", "plain"])?;
    prop_assert_eq!(&plain, optimized, "a name changes the image");
    let [plain, merged] = ["plain", "merged"].map(|image| trial.documents(image));
    prop_assert_eq!(without_layers(plain.clone()), without_layers(merged.clone()), "merging changes the configuration");
    let layers = |config: &Value| config["rootfs"]["diff_ids"].as_array().unwrap().len();
    prop_assert!(layers(&merged) < layers(&plain), "merging leaves as many layers");
    let entries = merged["history"].as_array().unwrap().iter();
    let told = entries.filter(|entry| entry["empty_layer"] != true).count();
    prop_assert_eq!(told, layers(&merged), "the history has another number of layers");
    let [plain, merged] = ["plain", "merged"].map(|image| trial.files(image));
    prop_assert!(plain == merged, "merging changes the files");
    Ok(())
}

/// A configuration without what merging may change.
fn without_layers(mut config: Value) -> Value {
    config["rootfs"]["diff_ids"].take();
    for entry in config["history"].as_array_mut().unwrap() {
        entry.as_object_mut().unwrap().remove("empty_layer");
    }
    config
}

impl Trial<'_> {
    /// The program in the store `two`.
    fn command<'b>(&self, arguments: impl IntoIterator<Item = &'b str>) -> Command {
        let mut command = self.home.command(arguments);
        command.env("LAYERCAKE_HOME", self.home.path("two")).env("SOURCE_DATE_EPOCH", EPOCH);
        command
    }

    /// An image's configuration.
    fn documents(&self, image: &str) -> Value {
        run(&mut self.command(["save", "-o", "image.tar", image])).ok();
        let archive = Files::read(&fs::read(self.home.path("work/image.tar")).unwrap());
        let manifest = document(&archive, &json(&archive, "index.json")["manifests"][0]["digest"]);
        document(&archive, &manifest["config"]["digest"])
    }

    /// The files that an image's layers make, as an archive. What it wants to be done with it is done.
    fn files(&self, image: &str) -> Vec<u8> {
        self.home.write("flat", format!("FROM {image}\n"));
        let _ = fs::remove_file(self.home.path("work/tree.tar"));
        run(&mut self.command(["build", "-q", "-f", "flat", "-o", "type=tar,dest=tree.tar", "ctx"]));
        fs::read(self.home.path("work/tree.tar")).unwrap_or_default()
    }

    /// Builds in the store of this name, which begins with the image `base` alone; also gives the steps that were done.
    fn build<'b>(
        &self,
        store: &str,
        arguments: impl IntoIterator<Item = &'b str>,
    ) -> Result<(Outcome, Vec<String>), TestCaseError> {
        let store = self.home.path(store);
        if !store.exists() {
            copy_folder(&self.template.path("store"), &store);
        }
        // What hangs would hang the whole test.
        let mut command = Command::new("timeout");
        self.home.furnish(command.arg("60").arg(layercake()).args(["build", "--progress=json", "ctx"]).args(arguments));
        let ran = run(command.env("LAYERCAKE_HOME", store).env("SOURCE_DATE_EPOCH", EPOCH));
        match ran.status {
            Some(0) => {
                let built = Built::of(ran);
                Ok((Outcome::Image(built.digest), built.started))
            }
            // A command that fails, or a Dockerfile that names what is not there.
            Some(1 | 2) => Ok((Outcome::Refused, Vec::new())),
            _ => {
                let Ran { arguments, status, stderr, .. } = ran;
                Err(TestCaseError::fail(format!("`{arguments}` ends with {status:?}:\n{stderr}")))
            }
        }
    }
}

/// Copies files and folders; a store has nothing else before the first build.
fn copy_folder(from: &Path, to: &Path) {
    fs::create_dir(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy_folder(&entry.path(), &to);
        } else {
            fs::copy(entry.path(), to).unwrap();
        }
    }
}
