//! [`Home`]: a store, settings and a folder to work in, for one test alone.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use tempfile::TempDir;

use super::ran::{Built, Ran};
use super::{base, machine, tools};

/// The time that [`Home::dated`] builds have: what two of them make can be compared.
pub(crate) const EPOCH: &str = "1700000000";

/// Where the program lives in one test: it sees nothing of whoever runs the tests, and nothing of other tests. All of it
/// goes when it is dropped.
pub(crate) struct Home {
    folder: TempDir,
}

impl Home {
    /// One with an empty store.
    pub(crate) fn empty() -> Self {
        let home = Self { folder: TempDir::with_prefix("layercake-test-").unwrap() };
        for folder in ["work", "config", "home"] {
            fs::create_dir(home.path(folder)).unwrap();
        }
        home
    }

    /// One whose store has the image `base`; `None`, and a word about it, where the machine cannot build.
    pub(crate) fn with_base() -> Option<Self> {
        if let Some(missing) = machine::missing_for_builds() {
            tools::skip(missing);
            return None;
        }
        let home = Self::empty();
        home.import_base();
        Some(home)
    }

    /// Puts the image `base` into the store. It has the same digest in every store.
    pub(crate) fn import_base(&self) {
        let tar = self.path("base.tar");
        fs::write(&tar, base::rootfs().unwrap()).unwrap();
        let tar = tar.to_str().unwrap();
        let changes = ["--change=ENV PATH=/bin", "--change=CMD [\"sh\"]", "--message=busybox"];
        run(self.command(["import"]).args(changes).args([tar, "base"]).env("SOURCE_DATE_EPOCH", EPOCH)).ok();
    }

    /// A path in it: `work/…` is where the program is started, `store/…` the store.
    pub(crate) fn path(&self, path: &str) -> PathBuf {
        self.folder.path().join(path)
    }

    /// Writes a file below the folder to work in, and the folders on the way to it.
    pub(crate) fn write(&self, path: &str, content: impl AsRef<[u8]>) -> &Self {
        let path = self.path("work").join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
        self
    }

    /// What a file below the folder to work in holds.
    pub(crate) fn read(&self, path: &str) -> String {
        fs::read_to_string(self.path("work").join(path)).unwrap()
    }

    /// The program with these arguments, in a clean environment.
    pub(crate) fn command<'a>(&self, arguments: impl IntoIterator<Item = &'a str>) -> Command {
        let mut command = Command::new(program());
        self.furnish(&mut command);
        command.args(arguments);
        command
    }

    /// Gives a command this home: the folder to work in, the store, the settings, and else a clean environment.
    pub(crate) fn furnish(&self, command: &mut Command) {
        command
            .current_dir(self.path("work"))
            .env_clear()
            .env("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
            .env("HOME", self.path("home"))
            .env("XDG_CONFIG_HOME", self.path("config"))
            .env("LAYERCAKE_HOME", self.path("store"))
            .stdin(Stdio::null());
    }

    /// Runs the program.
    pub(crate) fn layercake<const N: usize>(&self, arguments: [&str; N]) -> Ran {
        run(&mut self.command(arguments))
    }

    /// Runs the program with this on its standard input.
    pub(crate) fn piped<'a>(&self, arguments: impl IntoIterator<Item = &'a str>, input: impl AsRef<[u8]>) -> Ran {
        let path = self.path("input");
        fs::write(&path, input).unwrap();
        run(self.command(arguments).stdin(fs::File::open(path).unwrap()))
    }

    /// Builds, and has to succeed.
    #[track_caller]
    pub(crate) fn build<const N: usize>(&self, arguments: [&str; N]) -> Built {
        Built::of(run(self.command(["build", "--progress=json"]).args(arguments)))
    }

    /// Builds with every time in the image set to [`EPOCH`], and has to succeed.
    #[track_caller]
    pub(crate) fn dated<const N: usize>(&self, arguments: [&str; N]) -> Built {
        Built::of(run(self.command(["build", "--progress=json"]).args(arguments).env("SOURCE_DATE_EPOCH", EPOCH)))
    }

    /// Makes `ctx/Dockerfile` of this text, and builds it as `x`.
    #[track_caller]
    pub(crate) fn build_text(&self, dockerfile: &str) -> Built {
        self.write("ctx/Dockerfile", dockerfile);
        self.build(["-t", "x", "ctx"])
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        // What an ordinary user's builds have made belongs to ids that only root of a user namespace can reach.
        if fs::remove_dir_all(self.folder.path()).is_err() {
            let mut command = machine::as_root("rm");
            let _ = command.arg("-rf").arg(self.folder.path()).stderr(Stdio::null()).status();
        }
    }
}

/// The program: `LAYERCAKE_BIN`, or what Cargo has built.
pub(crate) fn program() -> PathBuf {
    std::env::var_os("LAYERCAKE_BIN")
        .map_or_else(|| Path::new(env!("CARGO_BIN_EXE_layercake")).to_owned(), PathBuf::from)
}

/// Runs a command to its end.
pub(crate) fn run(command: &mut Command) -> Ran {
    let start = Instant::now();
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let shown: Vec<_> = command.get_args().map(OsStr::to_string_lossy).collect();
    Ran::new(shown.join(" "), &output, start.elapsed())
}
