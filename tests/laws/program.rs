//! [`Program`]: a Dockerfile and its context, as a value that can be written down, changed and shown.

use std::collections::BTreeMap;
use std::fmt::{self, Write};
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use proptest::sample::Index;

/// A Dockerfile with its context, and what is changed in it.
#[derive(Clone)]
pub(crate) struct Program {
    pub(crate) context: Context,
    pub(crate) stages: Vec<Stage>,
    pub(crate) change: Change,
    /// For each pass that can be turned off, in the order of the pipeline, whether it is on. There may be more than passes.
    pub(crate) passes: Vec<bool>,
}

/// The files of a context by path.
pub(crate) type Context = BTreeMap<&'static str, Entry>;

/// One of them.
#[derive(Clone, Debug)]
pub(crate) enum Entry {
    File { content: String, mode: u32 },
    Link(&'static str),
}

/// What is done to one entry of the context.
#[derive(Clone, Debug)]
pub(crate) struct Change {
    pub(crate) which: Index,
    pub(crate) what: What,
}

/// What is done to it.
#[derive(Clone, Debug)]
pub(crate) enum What {
    Content(String),
    Mode(u32),
    Remove,
}

/// One stage; its name is `s` and its place.
#[derive(Clone, Debug)]
pub(crate) enum Stage {
    Of {
        base: Base,
        instructions: Vec<Instruction>,
    },
    /// The same instructions as an earlier one; nothing if there is none.
    Again(Index),
}

/// What a stage starts from.
#[derive(Clone, Debug)]
pub(crate) enum Base {
    Scratch,
    Image,
    /// An earlier stage; the image if there is none.
    Stage(Index),
}

#[derive(Clone, Debug)]
pub(crate) enum Instruction {
    /// One that does the same in every stage.
    Plain(String),
    /// Left out in stages that have no shell.
    Run {
        mounts: Vec<Mount>,
        form: Form,
        commands: Vec<String>,
    },
    Copy {
        from: Source,
        flags: Vec<&'static str>,
        destination: &'static str,
    },
}

/// How a `RUN` is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    Line,
    Heredoc,
}

/// Where the files of a `COPY` are from.
#[derive(Clone, Debug)]
pub(crate) enum Source {
    Context(&'static str),
    /// An earlier stage; the context's `a` if there is none.
    Stage(Index, &'static str),
    Inline(&'static str),
}

/// What a `RUN` has mounted.
#[derive(Clone, Debug)]
pub(crate) enum Mount {
    Plain(&'static str),
    /// `/w` of an earlier stage at `/m`; nothing if there is none.
    Stage(Index),
}

impl Program {
    /// The text of the Dockerfile.
    pub(crate) fn dockerfile(&self) -> String {
        let mut text = String::new();
        // For each stage so far, its instructions and whether it has a shell.
        let mut known: Vec<(&Base, &[Instruction], bool)> = Vec::new();
        for (place, stage) in self.stages.iter().enumerate() {
            let (base, instructions) = match stage {
                Stage::Of { base, instructions } => (base, instructions.as_slice()),
                Stage::Again(index) if place > 0 => {
                    let (base, instructions, _) = known[index.index(place)];
                    (base, instructions)
                }
                Stage::Again(_) => (&Base::Image, [].as_slice()),
            };
            let (from, has_shell) = match base {
                Base::Scratch => ("scratch".to_owned(), false),
                Base::Stage(index) if place > 0 => (format!("s{}", index.index(place)), known[index.index(place)].2),
                Base::Image | Base::Stage(_) => ("base".to_owned(), true),
            };
            // What is copied and mounted from stages is mostly below `/w`.
            writeln!(text, "FROM {from} AS s{place}\nWORKDIR /w").unwrap();
            for instruction in instructions {
                instruction.write(&mut text, place, has_shell);
            }
            known.push((base, instructions, has_shell));
        }
        text
    }

    /// Writes the context and the Dockerfile to a folder that is not there yet.
    pub(crate) fn write(&self, folder: &Path) {
        fs::create_dir_all(folder).unwrap();
        fs::write(folder.join("Dockerfile"), self.dockerfile()).unwrap();
        for (path, entry) in &self.context {
            entry.write(&folder.join(path));
        }
    }

    /// Makes the change to what was written.
    pub(crate) fn apply(&self, folder: &Path) {
        let (path, entry) = self.changed();
        fs::remove_file(folder.join(path)).unwrap();
        match (&self.change.what, entry) {
            (What::Remove, _) => {}
            (What::Content(content), Entry::File { mode, .. }) => {
                Entry::File { content: content.clone(), mode: *mode }.write(&folder.join(path));
            }
            (What::Mode(mode), Entry::File { content, .. }) => {
                Entry::File { content: content.clone(), mode: *mode }.write(&folder.join(path));
            }
            (What::Content(_) | What::Mode(_), Entry::Link(_)) => Entry::Link("dir/c").write(&folder.join(path)),
        }
    }

    /// Takes the change back.
    pub(crate) fn revert(&self, folder: &Path) {
        let (path, entry) = self.changed();
        let _ = fs::remove_file(folder.join(path));
        entry.write(&folder.join(path));
    }

    fn changed(&self) -> (&'static str, &Entry) {
        let (path, entry) = self.context.iter().nth(self.change.which.index(self.context.len())).unwrap();
        (path, entry)
    }
}

impl Entry {
    fn write(&self, path: &Path) {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        match self {
            Self::File { content, mode } => {
                fs::write(path, content).unwrap();
                fs::set_permissions(path, fs::Permissions::from_mode(*mode)).unwrap();
            }
            Self::Link(target) => symlink(target, path).unwrap(),
        }
    }
}

impl Instruction {
    fn write(&self, text: &mut String, place: usize, has_shell: bool) {
        match self {
            Self::Plain(line) => writeln!(text, "{line}").unwrap(),
            Self::Run { .. } if !has_shell => {}
            Self::Run { mounts, form, commands } => {
                text.push_str("RUN");
                for mount in mounts {
                    match mount {
                        Mount::Plain(mount) => write!(text, " --mount={mount}").unwrap(),
                        Mount::Stage(index) if place > 0 => {
                            write!(text, " --mount=from=s{},source=/w,target=/m", index.index(place)).unwrap();
                        }
                        Mount::Stage(_) => {}
                    }
                }
                // What a command cannot do, it leaves undone.
                match form {
                    Form::Line => writeln!(text, " {}; true", commands.join("; ")).unwrap(),
                    Form::Heredoc => writeln!(text, " <<end\n{}\ntrue\nend", commands.join("\n")).unwrap(),
                }
            }
            Self::Copy { from, flags, destination } => {
                text.push_str("COPY");
                flags.iter().for_each(|flag| write!(text, " {flag}").unwrap());
                match from {
                    Source::Stage(index, path) if place > 0 => {
                        writeln!(text, " --from=s{} {path} {destination}", index.index(place)).unwrap();
                    }
                    Source::Stage(..) => writeln!(text, " a {destination}").unwrap(),
                    Source::Context(path) => writeln!(text, " {path} {destination}").unwrap(),
                    Source::Inline(content) => writeln!(text, " <<f {destination}\n{content}\nf").unwrap(),
                }
            }
        }
    }
}

impl fmt::Debug for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "--- Dockerfile\n{}--- context", self.dockerfile())?;
        for (path, entry) in &self.context {
            writeln!(f, "{path}: {entry:?}")?;
        }
        let change = &self.change.what;
        writeln!(f, "--- change: {} {change:?}; passes: {:?}", self.changed().0, self.passes)
    }
}
