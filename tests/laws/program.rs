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

/// What is changed between two builds.
#[derive(Clone, Debug)]
pub(crate) enum Change {
    /// An entry of the context.
    Context(Index, Edit),
    /// An instruction of a stage of the Dockerfile.
    Dockerfile(Index, Index, Rewrite),
}

/// What is done to an instruction.
#[derive(Clone, Debug)]
pub(crate) enum Rewrite {
    LeaveOut,
    /// It loses its flags and mounts.
    Bare,
    /// What is copied goes elsewhere; an instruction that copies nothing is left out.
    Elsewhere(&'static str),
}

/// What is done to an entry of the context.
#[derive(Clone, Debug)]
pub(crate) enum Edit {
    Content(&'static str),
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
        let (path, edit) = match &self.change {
            Change::Dockerfile(..) => {
                return fs::write(folder.join("Dockerfile"), self.rewritten().dockerfile()).unwrap();
            }
            Change::Context(index, edit) => (self.path(*index), edit),
        };
        fs::remove_file(folder.join(path)).unwrap();
        let changed = match (edit, self.context[path].clone()) {
            (Edit::Remove, _) => return,
            (Edit::Content(content), Entry::File { mode, .. }) => Entry::File { content: (*content).to_owned(), mode },
            (Edit::Mode(mode), Entry::File { content, .. }) => Entry::File { content, mode: *mode },
            (Edit::Content(_) | Edit::Mode(_), Entry::Link(_)) => Entry::Link("dir/c"),
        };
        changed.write(&folder.join(path));
    }

    /// Takes the change back.
    pub(crate) fn revert(&self, folder: &Path) {
        match &self.change {
            Change::Dockerfile(..) => fs::write(folder.join("Dockerfile"), self.dockerfile()).unwrap(),
            Change::Context(index, _) => {
                let path = self.path(*index);
                let _ = fs::remove_file(folder.join(path));
                self.context[path].write(&folder.join(path));
            }
        }
    }

    fn path(&self, index: Index) -> &'static str {
        self.context.keys().nth(index.index(self.context.len())).unwrap()
    }

    /// Itself with the instruction that the change is about rewritten.
    fn rewritten(&self) -> Self {
        let mut changed = self.clone();
        let Change::Dockerfile(stage, place, rewrite) = &self.change else { return changed };
        let stage = stage.index(self.stages.len());
        let Stage::Of { instructions, .. } = &mut changed.stages[stage] else { return changed };
        if instructions.is_empty() {
            return changed;
        }
        let place = place.index(instructions.len());
        match (rewrite, &mut instructions[place]) {
            (Rewrite::Bare, Instruction::Copy { flags, .. }) => flags.clear(),
            (Rewrite::Bare, Instruction::Run { mounts, .. }) => mounts.clear(),
            (Rewrite::Elsewhere(folder), Instruction::Copy { destination, .. }) => *destination = folder,
            _ => drop(instructions.remove(place)),
        }
        changed
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
        match &self.change {
            Change::Dockerfile(..) => writeln!(f, "--- changed to\n{}", self.rewritten().dockerfile())?,
            Change::Context(index, edit) => writeln!(f, "--- change: {}: {edit:?}", self.path(*index))?,
        }
        writeln!(f, "--- passes: {:?}", self.passes)
    }
}
