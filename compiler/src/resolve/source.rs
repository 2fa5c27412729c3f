//! `COPY` and `ADD`: what is copied from where to where.

use std::collections::{HashMap, HashSet};

use super::link::Task;
use super::remote::{self, Remote};
use super::walk::{StageWalk, Step};
use crate::address::redact;
use crate::ast::{Add, Body, Copy, CopySources, KeepGitDir, RemoteUnpack, Word};
use crate::diagnostic::{Code, Diagnostic};
use crate::ignore::Ignore;
use crate::operation::{self, Below, Context, CopySource, Inline, InlineFile, Operation, Unpack};
use crate::program::Tree;
use crate::shell::{Lexer, Quotes};
use crate::wildcard::literal;
use crate::{go, lint, path};

/// What the sources of one instruction come to.
#[derive(Debug, Default)]
struct Inputs {
    trees: Vec<Tree>,
    slots: HashMap<Tree, usize>,
    sources: Vec<CopySource>,
}

impl Inputs {
    /// Adds a source; equal trees share a slot.
    fn add(&mut self, tree: Tree, path: String) {
        let slot = *self.slots.entry(tree).or_insert_with_key(|tree| {
            self.trees.push(tree.clone());
            self.trees.len()
        });
        self.sources.push(CopySource { input: slot, path });
    }
}

/// What only one of the two instructions can say.
struct Specifics<'a> {
    keyword: &'static str,
    parents: bool,
    checksum: Option<&'a Word>,
    keep_git_dir: Option<KeepGitDir>,
    unpack: Unpack,
}

impl StageWalk<'_> {
    pub(super) fn copy(&mut self, task: &Task<'_>, copy: &Copy) -> Step {
        let tree = match task.links.first() {
            Some(Some(link)) => self.tree(link).map_err(|_| {
                let from = copy.from.as_ref().map(|from| from.text.as_str()).unwrap_or_default();
                Box::new(task.too_early(format!(
                    "cannot copy from stage {}, it needs to be defined before current stage {}",
                    go::quote(from),
                    go::quote(self.label())
                )))
            })?,
            _ => Tree::Context(Context { name: None }),
        };
        let specifics = Specifics {
            keyword: "COPY",
            parents: copy.parents,
            checksum: None,
            keep_git_dir: None,
            unpack: Unpack::Never,
        };
        self.copy_sources(task, &copy.sources, &tree, &specifics)
    }

    pub(super) fn add(&mut self, task: &Task<'_>, add: &Add) -> Step {
        let specifics = Specifics {
            keyword: "ADD",
            parents: false,
            checksum: add.checksum.as_ref(),
            keep_git_dir: add.keep_git_dir,
            unpack: match add.unpack {
                None => Unpack::Local,
                Some(RemoteUnpack::Always) => Unpack::Always,
                Some(RemoteUnpack::Never) => Unpack::Never,
            },
        };
        self.copy_sources(task, &add.sources, &Tree::Context(Context { name: None }), &specifics)
    }

    fn copy_sources(&mut self, task: &Task<'_>, copied: &CopySources, tree: &Tree, specifics: &Specifics<'_>) -> Step {
        let owner = self.expand_flag(task, copied.owner.as_ref())?;
        let mode = self.expand_flag(task, copied.mode.as_ref())?;
        let checksum = self.expand_flag(task, specifics.checksum)?;
        let paths: Step<Vec<String>> = copied.paths.iter().map(|word| self.expand(task, word)).collect();
        let paths = paths?;
        let destination = self.expand(task, &copied.destination)?;
        if let (Some(mode), Some(word)) = (&mode, &copied.mode) {
            check_mode(mode).map_err(|message| {
                let error = Diagnostic::error(Code::InvalidMode, task.at, message).label(word.span, "");
                Box::new(error.help("write an octal mode such as `0755`, or a symbolic one such as `u+x,go-w`"))
            })?;
        }
        if let (Some(_), Some(word)) = (&checksum, specifics.checksum) {
            self.check_checksum_sources(task, &paths, word)?;
        }

        for pattern in &copied.exclude {
            Ignore::new([&pattern.text]).map_err(|cause| {
                let message = format!("cannot use the pattern of `--exclude`: {cause}");
                let error = Diagnostic::error(Code::InvalidPath, task.at, message).label(pattern.span, "");
                Box::new(error.help("close the bracket, or put a backslash before it"))
            })?;
        }
        let mut inputs = Inputs::default();
        for (text, word) in paths.iter().zip(&copied.paths) {
            match self.remote(task, text, word, checksum.as_deref(), specifics)? {
                Some((tree, path)) => inputs.add(tree, path),
                None => {
                    if matches!(tree, Tree::Context(Context { name: None })) {
                        let command = if specifics.keyword == "ADD" { "Add" } else { "Copy" };
                        let ignore = &self.facts.request.ignore;
                        self.warn(task, lint::ignored::check(command, text, word, ignore, task.at));
                    }
                    inputs.add(tree.clone(), source_path(text, tree, specifics.parents));
                }
            }
        }
        self.add_inline(task, copied, &mut inputs)?;

        let mut created_by = specifics.keyword.to_owned();
        if specifics.parents {
            created_by.push_str(" --parents");
        }
        for (name, value) in [("chown", &owner), ("chmod", &mode)] {
            if let Some(value) = value {
                created_by = format!("{created_by} --{name}={value}");
            }
        }
        let inline = copied.inline.iter().map(|inline| format!("<<{}", inline.name));
        for text in paths.iter().cloned().chain(inline).chain([destination.clone()]) {
            created_by.push(' ');
            created_by.push_str(&redact(&text));
        }
        created_by.push_str(" # buildkit");
        let operation = Operation::Copy(operation::Copy {
            sources: inputs.sources,
            destination: destination_path(self.workdir_or_root(), &destination),
            unpack: specifics.unpack,
            owner,
            mode,
            parents: specifics.parents,
            link: copied.link,
            exclude: copied.exclude.iter().map(|word| word.text.clone()).collect(),
            below: Below::default(),
        });
        self.state(task, operation, inputs.trees, created_by)
    }

    /// The value of a flag; an empty one counts as none.
    fn expand_flag(&mut self, task: &Task<'_>, flag: Option<&Word>) -> Step<Option<String>> {
        let Some(flag) = flag else { return Ok(None) };
        Ok(Some(self.expand(task, flag)?).filter(|value| !value.is_empty()))
    }

    /// What a source means that is fetched, and the path in it; `None` for a path.
    fn remote(
        &mut self,
        task: &Task<'_>,
        text: &str,
        word: &Word,
        checksum: Option<&str>,
        specifics: &Specifics<'_>,
    ) -> Step<Option<(Tree, String)>> {
        let error = |code, message: String| Box::new(Diagnostic::error(code, task.at, message).label(word.span, ""));
        let remote = remote::parse(text).map_err(|message| error(Code::InvalidPath, message))?;
        let is_add = specifics.keyword == "ADD";
        match remote {
            None => Ok(None),
            Some(Remote::Git(..)) if !is_add => {
                let error = *error(Code::InvalidPath, "source can't be a git ref for COPY".to_owned());
                Err(Box::new(error.help("write `ADD` instead")))
            }
            Some(Remote::Http(_)) if !is_add => {
                let error = *error(Code::InvalidPath, "source can't be a URL for COPY".to_owned());
                Err(Box::new(error.help("write `ADD` instead")))
            }
            Some(Remote::Http(mut http)) => {
                if let Some(checksum) = checksum {
                    remote::check_digest(checksum).map_err(|cause| {
                        let message = format!("cannot use the checksum `{checksum}`: {cause}");
                        let error = Diagnostic::error(Code::InvalidChecksum, task.at, message);
                        let place = specifics.checksum.map_or(word.span, |flag| flag.span);
                        Box::new(error.label(place, "").help("write `sha256:` and 64 hexadecimal digits"))
                    })?;
                }
                http.checksum = checksum.map(str::to_owned);
                let path = literal(&http.filename);
                Ok(Some((Tree::Http(http), path)))
            }
            Some(Remote::Git(mut git, keep_in_address)) => {
                let keep_in_flag = specifics.keep_git_dir.map(|keep| keep == KeepGitDir::Keep);
                if keep_in_flag.is_some_and(|flag| keep_in_address.is_some_and(|address| address != flag)) {
                    return Err(error(Code::InvalidFlag, "inconsistent keep-git-dir configuration".to_owned()));
                }
                git.keep_git_dir = keep_in_address.or(keep_in_flag).unwrap_or(false);
                match (checksum, &git.checksum) {
                    (Some(flag), Some(address)) if flag != address => {
                        let (flag, address) = (go::quote(flag), go::quote(address));
                        return Err(error(Code::InvalidChecksum, format!("checksum mismatch {flag} != {address}")));
                    }
                    (Some(flag), None) => git.checksum = Some(flag.to_owned()),
                    _ => {}
                }
                Ok(Some((Tree::Git(git), ".".to_owned())))
            }
        }
    }

    fn check_checksum_sources(&self, task: &Task<'_>, paths: &[String], word: &Word) -> Step {
        let message = match paths {
            [only] if matches!(remote::parse(only), Ok(None)) => "checksum requires HTTP(S) or Git sources",
            [_] => return Ok(()),
            _ => "checksum can't be specified for multiple sources",
        };
        Err(Box::new(Diagnostic::error(Code::InvalidChecksum, task.at, message).label(word.span, "")))
    }

    /// Adds the files whose text stands in the Dockerfile.
    fn add_inline(&mut self, task: &Task<'_>, copied: &CopySources, inputs: &mut Inputs) -> Step {
        let mut files: Vec<InlineFile> = Vec::new();
        let mut names = HashSet::new();
        for inline in &copied.inline {
            if inline.name.contains('/') || matches!(inline.name.as_str(), "." | "..") {
                let message = format!("the heredoc `{}` cannot be a file: its name is a path", inline.name);
                let error = Diagnostic::error(Code::InvalidHeredoc, task.at, message).label(inline.opening.span, "");
                return Err(Box::new(error.help("name it like the file, and put its folder into the destination")));
            }
            let content = match inline.body {
                Body::Literal => inline.content.text.clone(),
                Body::Expanded => {
                    let lexer = Lexer { quotes: Quotes::Ignore, ..Lexer::new('\\') };
                    self.expand_with(task, &inline.content, &lexer)?
                }
            };
            if names.insert(inline.name.as_str()) {
                files.push(InlineFile { name: inline.name.clone(), content, executable: false });
            }
        }
        if !files.is_empty() {
            let tree = Tree::Inline(Inline { files });
            for inline in &copied.inline {
                inputs.add(tree.clone(), inline.name.clone());
            }
        }
        Ok(())
    }
}

/// The path of a source below its root: absolute in a stage, relative to a context. With `--parents`, `/./` stays.
fn source_path(text: &str, tree: &Tree, parents: bool) -> String {
    let absolute = match text.split_once("/./") {
        Some((before, after)) if parents => {
            let (before, after) = (path::join("/", before), path::join("/", after));
            format!("{}/.{after}", before.trim_end_matches('/'))
        }
        _ => path::join("/", text),
    };
    if !matches!(tree, Tree::Context(_)) {
        return absolute;
    }
    match absolute.trim_start_matches('/') {
        "" => ".".to_owned(),
        relative => relative.to_owned(),
    }
}

/// The absolute path of a destination. It ends in a slash where the text demands a folder.
fn destination_path(workdir: &str, text: &str) -> String {
    let absolute = if text.starts_with('/') { path::clean(text) } else { path::join(&format!("/{workdir}"), text) };
    let last = text.rsplit('/').next().unwrap_or_default();
    let is_folder = matches!(last, "" | "." | "..");
    if is_folder && absolute != "/" { format!("{absolute}/") } else { absolute }
}

/// Checks a mode: octal, or symbolic as chmod(1) has it. The texts are BuildKit's.
fn check_mode(text: &str) -> Result<(), String> {
    let not_octal = || format!("invalid chmod parameter: '{text}'. it should be octal string and between 0 and 07777");
    if text.bytes().all(|byte| byte.is_ascii_digit()) {
        return match u32::from_str_radix(text, 8) {
            Ok(mode) if mode <= 0o7777 => Ok(()),
            _ => Err(not_octal()),
        };
    }
    if text.starts_with(|first: char| first.is_ascii_digit()) {
        return Err(not_octal());
    }
    let is_clause = |clause: &str| {
        let rest = clause.trim_start_matches(['u', 'g', 'o', 'a']);
        let is_permission = |c: char| matches!(c, 'r' | 'w' | 'x' | 'X' | 's' | 't' | 'u' | 'g' | 'o');
        rest.starts_with(['+', '-', '=']) && rest.chars().all(|c| matches!(c, '+' | '-' | '=') || is_permission(c))
    };
    if text.split(',').all(is_clause) {
        Ok(())
    } else {
        Err(format!("invalid chmod parameter: '{text}': invalid syntax"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn destinations() {
        for (workdir, text, path) in [
            ("/", "a", "/a"),
            ("/app", ".", "/app/"),
            ("/app", "", "/app/"),
            ("/app", "b/", "/app/b/"),
            ("/app", "/x/../y", "/y"),
            ("/app", "/", "/"),
            ("", "./", "/"),
        ] {
            assert_eq!(destination_path(workdir, text), path, "{workdir} {text}");
        }
    }

    #[test]
    fn sources() {
        let context = Tree::Context(Context { name: None });
        assert_eq!(source_path(".", &context, false), ".");
        assert_eq!(source_path("../a/", &context, false), "a");
        assert_eq!(source_path("a/./b", &context, true), "a/./b");
        assert_eq!(source_path("./b/c", &context, true), "b/c");
        assert_eq!(source_path("a", &Tree::Scratch, false), "/a");
    }

    #[test]
    fn modes() {
        for good in ["755", "07777", "u+x", "u=rwX,go-w", "+x", "a=r,u+ws"] {
            assert_eq!(check_mode(good), Ok(()), "{good}");
        }
        for bad in ["8", "17777", "7x", "u=rwx,g", "q", "u+q"] {
            assert!(check_mode(bad).is_err(), "{bad}");
        }
    }
}
