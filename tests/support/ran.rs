//! [`Ran`] and [`Built`]: how a run of the program went.

use std::process::Output;
use std::time::Duration;

use serde_json::Value;

/// How a run of the program went.
#[derive(Debug)]
pub(crate) struct Ran {
    /// Its arguments, for messages.
    pub(crate) arguments: String,
    /// Its exit status; `None` if a signal ended it.
    pub(crate) status: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    pub(crate) took: Duration,
}

impl Ran {
    pub(crate) fn new(arguments: String, output: &Output, took: Duration) -> Self {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Self {
            arguments,
            status: output.status.code(),
            stdout: text(&output.stdout),
            stderr: text(&output.stderr),
            took,
        }
    }

    /// It has to have succeeded.
    #[track_caller]
    pub(crate) fn ok(self) -> Self {
        self.exits(0)
    }

    /// It has to have this exit status.
    #[track_caller]
    pub(crate) fn exits(self, status: i32) -> Self {
        let Self { arguments, stdout, stderr, .. } = &self;
        assert_eq!(self.status, Some(status), "layercake {arguments}\n--- stdout\n{stdout}\n--- stderr\n{stderr}");
        self
    }
}

/// A build that has succeeded.
#[derive(Debug)]
pub(crate) struct Built {
    /// The image's digest; empty where no image was made.
    pub(crate) digest: String,
    /// The steps that were done and not found in the store, such as `[0] RUN true`.
    pub(crate) started: Vec<String>,
    /// What the commands have written.
    pub(crate) output: String,
    pub(crate) took: Duration,
}

impl Built {
    /// Reads what a build with `--progress=json` has told.
    #[track_caller]
    pub(crate) fn of(ran: Ran) -> Self {
        let ran = ran.ok();
        let events = || ran.stderr.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let of_kind = |kind: &'static str, field: &'static str| {
            let events = events().filter(move |event| event["event"] == kind);
            events.map(move |event| event[field].as_str().unwrap_or_default().to_owned())
        };
        Self {
            digest: ran.stdout.trim().to_owned(),
            started: of_kind("started", "name").collect(),
            output: of_kind("output", "text").collect(),
            took: ran.took,
        }
    }

    /// How many steps were done whose names contain this.
    pub(crate) fn ran(&self, text: &str) -> usize {
        self.started.iter().filter(|name| name.contains(text)).count()
    }
}
