//! The program as text: stage by stage, each statement with everything it depends on, as a plan writes it.
//!
//! `%1.2` is the third statement of stage 1; what it changes is the tree that the statement before it left. Behind `<-` are its
//! further inputs.

use std::fmt;

use crate::address::redact;
use crate::operation::{Environment, Operation};
use crate::plan::text::{
    fact, on_one_line, operation_name, word, write_config, write_git, write_http, write_image_source, write_inline,
    write_operation, write_origin,
};
use crate::program::{Program, Stage, StageId, Tree};

/// The place of a statement.
#[derive(Clone, Copy)]
struct Place(StageId, usize);

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "%{}.{}", self.0.0, self.1)
    }
}

/// A tree in a few words; what else there is to it stands below the statement.
impl fmt::Display for Tree {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Scratch => f.write_str("scratch"),
            Self::Stage(id) => write!(f, "stage {}", id.0),
            Self::Image(image) => write!(f, "image {}", word(&image.reference)),
            Self::Context(context) => match &context.name {
                Some(name) => write!(f, "context {}", word(name)),
                None => f.write_str("context"),
            },
            Self::Inline(inline) => {
                let names: Vec<String> = inline.files.iter().map(|file| word(&file.name)).collect();
                write!(f, "inline {}", names.join(" "))
            }
            Self::Http(http) => write!(f, "http {}", word(&redact(&http.url))),
            Self::Git(git) => write!(f, "git {}", word(&git.remote)),
        }
    }
}

impl fmt::Display for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let target = self.stage(self.target).map_or("", |stage| &stage.name);
        writeln!(f, "program: `{target}` for {}", self.platform)?;
        if let Some(epoch) = self.source_date_epoch {
            fact(f, "epoch", epoch)?;
        }
        for stage in &self.stages {
            writeln!(f)?;
            write_stage(f, stage)?;
        }
        writeln!(f, "\nimage")?;
        if let Some(author) = &self.author {
            fact(f, "author", word(author))?;
        }
        write_config(f, &self.config)
    }
}

fn write_stage(f: &mut fmt::Formatter<'_>, stage: &Stage) -> fmt::Result {
    writeln!(f, "stage {}: `{}` for {}", stage.id.0, stage.name, stage.platform)?;
    fact(f, "from", format_args!("{}:{}  {}", stage.name, stage.line, on_one_line(&stage.from)))?;
    fact(f, "base", &stage.base)?;
    write_tree(f, &stage.base)?;
    let mut last_env: Option<(Place, &Environment)> = None;
    for (index, statement) in stage.statements.iter().enumerate() {
        let place = Place(stage.id, index);
        write!(f, "\n{place} = {}", operation_name(&statement.operation))?;
        // Slot 0 is the tree below, which goes without saying.
        for (index, tree) in statement.inputs.iter().enumerate() {
            write!(f, "{}{tree}", if index == 0 { " <- " } else { ", " })?;
        }
        writeln!(f)?;
        write_origin(f, &statement.origin)?;
        let below = std::iter::once("below".to_owned());
        let inputs: Vec<String> = below.chain(statement.inputs.iter().map(ToString::to_string)).collect();
        write_operation(f, &statement.operation, &inputs, last_env)?;
        statement.inputs.iter().try_for_each(|tree| write_tree(f, tree))?;
        if let Operation::Run(run) = &statement.operation {
            last_env = Some((place, &run.env));
        }
    }
    writeln!(f, "\nhistory of stage {}", stage.id.0)?;
    for entry in &stage.history {
        let step = entry.statement.map_or_else(|| "-".to_owned(), |index| Place(stage.id, index).to_string());
        writeln!(f, "    {step:<5} {}", on_one_line(&entry.entry.created_by))?;
    }
    Ok(())
}

/// What there is to a tree from outside.
fn write_tree(f: &mut fmt::Formatter<'_>, tree: &Tree) -> fmt::Result {
    match tree {
        Tree::Scratch | Tree::Stage(_) | Tree::Context(_) => Ok(()),
        Tree::Image(image) => write_image_source(f, image),
        Tree::Inline(inline) => write_inline(f, inline),
        Tree::Http(http) => write_http(f, http),
        Tree::Git(git) => write_git(f, git),
    }
}
