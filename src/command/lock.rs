//! The lock file: what every image, git reference and URL of a build was when somebody last agreed to it.
//!
//! It lies beside the Dockerfile. A build uses what it has, as Cargo does; `--locked` refuses what it does not have, and `--lock`
//! writes it anew. `docs/decisions/lock-file.md` says why.

mod entry;
mod file;
mod renew;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use layercake_cache::Digest;
use layercake_compiler::operation::Operation;
use layercake_compiler::plan::Plan;
use layercake_compiler::{BaseRequest, Parsed};
use layercake_executor::build::error::Error as BuildError;
use layercake_executor::git;
use layercake_executor::http::error::Error as HttpError;

pub use renew::{Servers, renew};

use crate::arguments::inputs as arguments;
use crate::failure::Failure;
use crate::terminal::output;
use crate::terminal::paint::Paint;
use file::Entries;

/// The lock file's name.
const NAME: &str = "layercake.lock";

/// What to do about a file that is not as it should be.
const RENEW: &str = "write it anew with `layercake compile --lock`";

/// A lock file that is used.
pub struct LockFile {
    path: PathBuf,
    entries: Entries,
    /// What becomes of what it does not have.
    absent: Absent,
}

/// What becomes of what a lock file does not have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Absent {
    /// It is found out as if there were no lock file.
    FoundOut,
    /// The build ends.
    Refused,
}

/// Where the lock file of a build is: beside the Dockerfile, or in the context if that came another way. `None` where neither is
/// a folder of this machine.
fn place(dockerfile: Option<&Path>, arguments: &arguments::Inputs) -> Option<PathBuf> {
    if let Some(path) = dockerfile {
        return Some(path.with_file_name(NAME));
    }
    let context = Path::new(&arguments.context);
    context.is_dir().then(|| context.join(NAME))
}

impl LockFile {
    /// The lock file of a build, if there is one. Who asks for the newest asks for other images than it has.
    ///
    /// # Errors
    /// If it is not right.
    pub fn existing(dockerfile: Option<&Path>, arguments: &arguments::Inputs) -> Result<Option<Self>, Failure> {
        let Some(path) = place(dockerfile, arguments).filter(|_| !arguments.pull) else { return Ok(None) };
        let entries = Entries::read(&path)?;
        Ok(entries.map(|entries| Self { path, entries, absent: Absent::FoundOut }))
    }

    /// The lock file, which has to be there and to have everything.
    ///
    /// # Errors
    /// If it is not there.
    pub fn demanded(
        existing: Option<Self>,
        dockerfile: Option<&Path>,
        arguments: &arguments::Inputs,
    ) -> Result<Self, Failure> {
        match (existing, place(dockerfile, arguments)) {
            (Some(found), _) => Ok(Self { absent: Absent::Refused, ..found }),
            (None, Some(path)) => Err(Failure::input(format!("there is no lock file `{}`", path.display()))
                .help("write it with `layercake compile --lock`")),
            (None, None) => Err(no_place()),
        }
    }

    /// The manifest's digest that an image is held to.
    pub fn image(&self, request: &BaseRequest) -> Option<Digest> {
        self.entries.images.get(&entry::image(request)).copied()
    }

    /// What people know it as.
    pub fn shown(&self) -> String {
        self.path.display().to_string()
    }

    /// Whether it is what says what a step of a pinned plan brings.
    #[must_use]
    pub fn holds(&self, operation: &Operation) -> bool {
        match operation {
            Operation::Image(image) => {
                let entry = entry::Image { reference: image.reference.clone(), platform: image.platform.clone() };
                self.entries.images.contains_key(&entry)
            }
            Operation::Git(git) => {
                let is_of = |commit: &entry::Commit| git.checksum.as_ref() == Some(&commit.commit);
                git.fetch_by_commit && self.entries.commits.values().any(is_of)
            }
            Operation::Http(http) => {
                http.checksum.is_some() && self.entries.files.get(&entry::url(http)) == http.checksum.as_ref()
            }
            _ => false,
        }
    }

    /// Refuses images that it does not have, if it has to have them all.
    ///
    /// # Errors
    /// Which they are.
    pub fn check_images(&self, requests: &[BaseRequest], parsed: &Parsed) -> Result<(), Failure> {
        let absent = requests.iter().filter(|request| self.image(request).is_none());
        let line = |request: &BaseRequest| u32::try_from(parsed.source.line(request.span.start)).unwrap_or_default();
        let absent = absent.map(|request| on_line(&entry::image(request).to_string(), line(request)));
        self.check(&absent.collect::<Vec<_>>())
    }

    /// What to do where what it has is no longer to be had.
    pub fn advice(&self, cause: &BuildError) -> Option<String> {
        match cause {
            BuildError::Http(HttpError::Checksum { .. }) | BuildError::Git(git::Error::NoCommit { .. }) => {
                Some(format!("if it is `{}` that is out of date, {RENEW}", self.shown()))
            }
            _ => None,
        }
    }

    fn check(&self, absent: &[String]) -> Result<(), Failure> {
        if absent.is_empty() || self.absent == Absent::FoundOut {
            return Ok(());
        }
        let list: String = absent.iter().map(|absent| format!("\n  {absent}")).collect();
        Err(Failure::input(format!("`{}` does not have what this build needs:{list}", self.shown()))
            .help("add it with `layercake compile --lock`"))
    }

    /// Holds the git references and URLs of plans to what it has of them. Images have been resolved so already.
    ///
    /// # Errors
    /// If it has to have all of them and has not, or the Dockerfile demands something else of one.
    pub fn pin<'a>(&self, plans: impl Iterator<Item = &'a mut Plan>, paint: Paint) -> Result<(), Failure> {
        let (mut absent, mut images) = (Vec::new(), BTreeSet::new());
        for plan in plans {
            self.pin_one(plan, &mut absent, &mut images);
        }
        // What several platforms lack alike is lacking once.
        let mut seen = BTreeSet::new();
        absent.retain(|what: &String| seen.insert(what.clone()));
        self.check(&absent)?;
        let count = absent.len() + images.len();
        if count > 0 {
            let note = format!("`{}` lacks {count} of what this build needs; ", self.shown());
            output::tell(&format!("{} {note}`layercake compile --lock` adds it\n", paint.yellow("note:")));
        }
        Ok(())
    }

    /// Holds a plan to it; adds what it does not have to `absent`, and those of it that are images to `images`.
    fn pin_one(&self, plan: &mut Plan, absent: &mut Vec<String>, images: &mut BTreeSet<String>) {
        for step in &mut plan.steps {
            let line = step.origin.line;
            let missing = match &mut step.operation {
                Operation::Git(git) => {
                    let entry = entry::git(git);
                    let found = self.entries.commits.get(&entry).filter(|commit| commit.fits(git));
                    found.map(|commit| commit.pin(git)).is_none().then(|| entry.to_string())
                }
                Operation::Http(http) => {
                    let url = entry::url(http);
                    let found = self.entries.files.get(&url);
                    // What the Dockerfile demands goes before what was there when the lock file was written.
                    let found = found.filter(|checksum| http.checksum.as_ref().is_none_or(|own| own == *checksum));
                    match found {
                        Some(checksum) => {
                            http.checksum = Some(checksum.clone());
                            None
                        }
                        None => Some(format!("the file `{url}`")),
                    }
                }
                _ => None,
            };
            absent.extend(missing.map(|what| on_line(&what, line)));
        }
        let image = |step: &layercake_compiler::plan::Step| match &step.operation {
            Operation::Image(image) => {
                let entry = entry::Image { reference: image.reference.clone(), platform: image.platform.clone() };
                (!self.entries.images.contains_key(&entry)).then(|| entry.to_string())
            }
            _ => None,
        };
        images.extend(plan.steps.iter().filter_map(image));
    }
}

/// What is missing, with the line that needs it.
fn on_line(what: &str, line: u32) -> String {
    if line == 0 { what.to_owned() } else { format!("{what} (line {line})") }
}

fn no_place() -> Failure {
    Failure::input(
        "there is no place for a lock file: neither the Dockerfile nor the context is a folder of this machine",
    )
    .help("build from a folder, or name a Dockerfile of this machine with `-f`")
}
