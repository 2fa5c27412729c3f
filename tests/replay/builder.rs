//! [`Builder`]: a checkout of a project and a store of its own, in which one level of the optimizer builds.

use std::collections::BTreeSet;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use serde_json::Value;

use crate::Extent;
use crate::history::Tree;
use crate::project::{RUNTIMES, TOOLCHAINS};
use crate::support::Home;
use crate::support::archive::Files;
use crate::support::home::{EPOCH, run};
use crate::support::ran::Built;

/// How much the optimizer does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Level {
    /// What every plan needs.
    Needed,
    /// What it does where nobody says. The image is the same, byte for byte.
    Default,
    /// All passes. The files of the image are the same; which layer one is in may be not.
    All,
}

/// A checkout and a store.
pub(crate) struct Builder {
    pub(crate) home: Home,
    level: Level,
    /// What is checked out.
    tree: Tree,
}

/// A build that has ended.
pub(crate) struct Rebuild {
    /// The image's.
    pub(crate) digest: String,
    /// The steps of the plan that were done, and not found in the store.
    pub(crate) done: BTreeSet<u64>,
    /// Of the whole program.
    pub(crate) took: Duration,
}

/// How many units of work the tools do for each that they count; see `tools/work`.
fn cost(extent: Extent) -> u32 {
    match extent {
        Extent::Short => 0,
        Extent::Whole => 1,
    }
}

impl Level {
    fn flag(self) -> Option<&'static str> {
        match self {
            Self::Needed => Some("-O0"),
            Self::Default => None,
            Self::All => Some("-O2"),
        }
    }
}

impl Builder {
    /// One whose store has the images that projects start from; `None` where the machine cannot build.
    pub(crate) fn new(level: Level, extent: Extent) -> Option<Self> {
        let home = Home::with_base()?;
        let tools = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/replay/tools");
        home.write(
            "image/Dockerfile",
            format!("FROM base\nCOPY --chmod=755 --from=tools . /bin/\nENV COST={}\n", cost(extent)),
        );
        let tools = format!("--build-context=tools={}", tools.display());
        let tags = TOOLCHAINS.map(|name| format!("--tag={name}"));
        let arguments = [tools.as_str(), "image"].into_iter().chain(tags.iter().map(String::as_str));
        run(home.command(["build", "--quiet"]).args(arguments).env("SOURCE_DATE_EPOCH", EPOCH)).ok();
        for name in RUNTIMES {
            home.layercake(["tag", "base", name]).ok();
        }
        Some(Self { home, level, tree: Tree::new() })
    }

    /// Makes the context what it is after a commit. Files that are the same are not touched.
    pub(crate) fn check_out(&mut self, tree: &Tree) {
        for path in self.tree.keys().filter(|path| !tree.contains_key(*path)) {
            let path = self.home.path("work/project").join(path);
            fs::remove_file(&path).unwrap();
            // Git has no empty folders. That of the project itself is never empty.
            path.ancestors().skip(1).map_while(|folder| fs::remove_dir(folder).ok()).for_each(drop);
        }
        for (path, file) in tree.iter().filter(|(path, file)| self.tree.get(*path) != Some(file)) {
            let path = format!("project/{path}");
            self.home.write(&path, &file.content);
            fs::set_permissions(self.home.path("work").join(path), Permissions::from_mode(file.mode)).unwrap();
        }
        self.tree = tree.clone();
    }

    /// The plan of a build with these arguments, with what is expected of each step.
    pub(crate) fn predict(&self, arguments: &[&str]) -> Value {
        let ran = run(self.command("compile", arguments).args(["--predict", "--format=json"])).ok();
        serde_json::from_str(&ran.stdout).unwrap()
    }

    /// Builds with these arguments.
    pub(crate) fn build(&self, arguments: &[&str]) -> Rebuild {
        let ran = run(self.command("build", arguments).arg("--progress=json"));
        let events = ran.stderr.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let started = events.filter(|event| event["event"] == "started");
        let done = started.map(|event| event["step"].as_u64().unwrap()).collect();
        let Built { digest, took, .. } = Built::of(ran);
        Rebuild { digest, done, took }
    }

    /// The files that a build with these arguments makes, of all layers together.
    pub(crate) fn files(&self, arguments: &[&str]) -> Files {
        self.build(&[arguments, &["--output=type=tar,dest=files.tar"]].concat());
        Files::read(&fs::read(self.home.path("work/files.tar")).unwrap())
    }

    fn command(&self, command: &str, arguments: &[&str]) -> Command {
        let mut command = self.home.command([command].into_iter().chain(self.level.flag()));
        command.args(arguments).arg("project").env("SOURCE_DATE_EPOCH", EPOCH);
        command
    }
}
