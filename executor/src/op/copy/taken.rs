//! [`Taken`]: what of a source a copy takes: all of it, or with `--parents` what a pattern names, less what `--exclude` says.

use std::path::Path;

use layercake_compiler::ignore::{Ignore, InvalidPattern};
use layercake_compiler::operation::Copy;
use layercake_compiler::wildcard::has_wildcards;
use rustix::fs::FileType;

use super::source::{SelectError, Selected, Source};
use crate::op::input::{both, verdict};
use crate::select::Verdict;

/// What of a source is taken.
#[derive(Clone, Debug)]
pub struct Taken {
    /// The path or wildcard pattern that is copied.
    pub path: String,
    /// A path that must exist, if one was named without wildcards.
    required: Option<String>,
    /// What is taken below `path`; `None` is everything.
    included: Option<Ignore>,
    excluded: Ignore,
    patterns: Vec<String>,
}

impl Taken {
    /// What `copy` takes of its source `path`.
    ///
    /// # Errors
    /// If a pattern is none.
    pub fn new(copy: &Copy, path: &str) -> Result<Self, InvalidPattern> {
        let mut taken = Self { excluded: Ignore::new(&copy.exclude)?, ..Self::everything(path) };
        taken.patterns.clone_from(&copy.exclude);
        if copy.parents {
            // As BuildKit has it: the part before a pivot `/./` is left out of what is made, the rest is a pattern below it.
            let (root, pattern) = path.split_once("/./").unwrap_or(("/", path));
            let pattern = pattern.trim_matches('/');
            let pattern = pattern.strip_prefix("./").unwrap_or(pattern);
            root.clone_into(&mut taken.path);
            taken.required = (!has_wildcards(root) && !has_wildcards(pattern)).then(|| format!("{root}/{pattern}"));
            // `.` is everything. Nothing behind the pivot is a pattern that nothing matches.
            if pattern != "." {
                taken.included = Some(Ignore::new([pattern].into_iter().filter(|pattern| !pattern.is_empty()))?);
            }
            taken.patterns.extend(["--parents".to_owned(), pattern.to_owned()]);
        }
        Ok(taken)
    }

    /// All of what lies at `path`.
    #[must_use]
    pub fn everything(path: &str) -> Self {
        Self {
            path: path.to_owned(),
            required: None,
            included: None,
            excluded: Ignore::default(),
            patterns: Vec::new(),
        }
    }

    /// Holds the source to what was named: a path without wildcards must exist, and something must be named at all.
    ///
    /// # Errors
    /// If it does not.
    pub fn check(&self, source: &Source<'_>) -> Result<(), SelectError> {
        if self.included.as_ref().is_some_and(Ignore::is_empty) {
            return Err(SelectError::NotFound(self.path.clone()));
        }
        self.required.as_ref().map_or(Ok(()), |required| source.select(required).map(drop))
    }

    /// Whether nothing of what is selected is left out.
    #[must_use]
    pub fn is_everything(&self) -> bool {
        self.included.is_none() && self.excluded.is_empty()
    }

    /// Whether `path`, at or below what was selected, is taken. Patterns count from what was selected.
    #[must_use]
    pub fn verdict(&self, selected: &Selected, path: &Path, kind: FileType) -> Verdict {
        let Ok(below) = path.strip_prefix(&selected.path) else { return Verdict::Take };
        if below.as_os_str().is_empty() {
            return Verdict::Take;
        }
        let included = self.included.as_ref().map_or(Verdict::Take, |included| {
            match included.excludes(&below.to_string_lossy()) {
                true => Verdict::Take,
                false if kind == FileType::Directory => Verdict::Enter,
                false => Verdict::Skip,
            }
        });
        both(included, || verdict(&self.excluded, below, kind))
    }

    /// The patterns, for keys.
    pub fn patterns(&self) -> &[String] {
        &self.patterns
    }
}
