//! `RUN --mount`: what is shown where.

use std::collections::HashMap;

use super::link::Task;
use super::walk::{StageWalk, Step};
use crate::ast::{MountFlag, Run, Word};
use crate::diagnostic::{Code, Diagnostic};
use crate::operation::{Context, Mount, MountKind, Sharing};
use crate::parse::{self, MountType, parse_mount};
use crate::program::Tree;
use crate::{go, path};

impl StageWalk<'_> {
    /// The mounts of a command, and the trees that they show, which are its inputs from slot 1 on.
    pub(super) fn mounts(&mut self, task: &Task<'_>, run: &Run) -> Step<(Vec<Mount>, Vec<Tree>)> {
        let mut inputs: Vec<Tree> = Vec::new();
        let mut slots: HashMap<Tree, usize> = HashMap::new();
        let mut mounts = Vec::with_capacity(run.mounts.len());
        let mut agents = 0;
        for (place, flag) in run.mounts.iter().enumerate() {
            let fields = self.fields(task, flag)?;
            let error = |message: String| {
                Box::new(Diagnostic::error(Code::InvalidMount, task.at, message).label(flag.flag.span, ""))
            };
            let mount = match fields.kind {
                MountType::Secret => self.secret(task, &fields).map_err(error)?,
                MountType::Ssh => {
                    agents += 1;
                    self.agent(task, &fields, agents - 1).map_err(error)?
                }
                MountType::Tmpfs => {
                    let target = self.mount_target(&fields.target).map_err(error)?;
                    Mount {
                        target: Some(target),
                        kind: MountKind::Tmpfs { size: fields.size.filter(|size| *size > 0) },
                    }
                }
                MountType::Bind | MountType::Cache => {
                    let target = self.mount_target(&fields.target);
                    let tree =
                        self.mounted_tree(task, flag, task.links.get(place).and_then(Option::as_ref), &fields)?;
                    let slot = tree.map(|tree| {
                        *slots.entry(tree).or_insert_with_key(|tree| {
                            inputs.push(tree.clone());
                            inputs.len()
                        })
                    });
                    tree_mount(&fields, target.map_err(error)?, slot)
                }
            };
            mounts.push(mount);
        }
        Ok((mounts, inputs))
    }

    fn fields(&mut self, task: &Task<'_>, flag: &MountFlag) -> Step<parse::Mount> {
        let mut failed = None;
        let parsed = parse_mount(flag, |value| {
            let word = Word { text: value.to_owned(), span: flag.flag.span };
            self.expand(task, &word).map_err(|error| {
                let message = error.message.clone();
                failed = Some(error);
                message
            })
        });
        match (parsed, failed) {
            (Ok(fields), _) => Ok(fields),
            (Err(_), Some(error)) => Err(error),
            (Err(message), None) => {
                Err(Box::new(Diagnostic::error(Code::InvalidMount, task.at, message).label(flag.flag.span, "")))
            }
        }
    }

    /// The tree of a bind mount, or the one a cache begins with; a cache begins empty unless it says otherwise.
    fn mounted_tree(
        &self,
        task: &Task<'_>,
        flag: &MountFlag,
        link: Option<&super::header::Meaning>,
        fields: &parse::Mount,
    ) -> Step<Option<Tree>> {
        match link {
            None if fields.kind == MountType::Cache => Ok(None),
            None => Ok(Some(Tree::Context(Context { name: None }))),
            Some(link) => self.tree(link).map(Some).map_err(|_| {
                let from = flag.from.as_deref().unwrap_or_default();
                let (from, target) = (go::quote(from), go::quote(&fields.target));
                Box::new(task.too_early(format!(
                    "cannot mount from stage {from} to {target}, stage needs to be defined before current command"
                )))
            }),
        }
    }

    /// Where something is mounted: relative paths start from the folder of the command.
    fn mount_target(&self, target: &str) -> Result<String, String> {
        let target = if target.starts_with('/') {
            path::clean(target)
        } else {
            path::join(&format!("/{}", self.workdir_or_root()), target)
        };
        if target == "/" { Err("invalid mount target \"/\"".to_owned()) } else { Ok(target) }
    }

    fn secret(&mut self, task: &Task<'_>, fields: &parse::Mount) -> Result<Mount, String> {
        let id = [&fields.source, &fields.id].into_iter().find(|id| !id.is_empty());
        let id = id.map_or_else(|| path::base(&fields.target).to_owned(), Clone::clone);
        let target = match (&fields.env, fields.target.as_str()) {
            (Some(_), "") => None,
            (None, "") => Some(format!("/run/secrets/{}", path::base(&id))),
            (_, target) => Some(self.mount_target(target)?),
        };
        self.usage.secret(&id, fields.required, task.at);
        let kind = MountKind::Secret {
            id,
            env: fields.env.clone(),
            required: fields.required,
            uid: fields.uid.unwrap_or(0),
            gid: fields.gid.unwrap_or(0),
            mode: fields.mode.unwrap_or(0o400),
        };
        Ok(Mount { target, kind })
    }

    fn agent(&mut self, task: &Task<'_>, fields: &parse::Mount, place: usize) -> Result<Mount, String> {
        if !fields.source.is_empty() {
            return Err("ssh does not support source".to_owned());
        }
        let id = if fields.id.is_empty() { "default".to_owned() } else { fields.id.clone() };
        let target = match fields.target.as_str() {
            "" => format!("/run/buildkit/ssh_agent.{place}"),
            target => self.mount_target(target)?,
        };
        self.usage.agent(&id, fields.required, task.at);
        let kind = MountKind::Ssh {
            id,
            required: fields.required,
            uid: fields.uid.unwrap_or(0),
            gid: fields.gid.unwrap_or(0),
            mode: fields.mode.unwrap_or(0o600),
        };
        Ok(Mount { target: Some(target), kind })
    }
}

fn tree_mount(fields: &parse::Mount, target: String, slot: Option<usize>) -> Mount {
    let source = path::join("/", &fields.source);
    let kind = match (fields.kind, slot) {
        (MountType::Cache, slot) => MountKind::Cache {
            // Unless it says otherwise, a cache is named after where it is.
            id: if fields.id.is_empty() { path::clean(&fields.target) } else { fields.id.clone() },
            sharing: fields.sharing.unwrap_or(Sharing::Shared),
            from: slot.map(|slot| (slot, source)),
            uid: fields.uid.unwrap_or(0),
            gid: fields.gid.unwrap_or(0),
            mode: fields.mode.unwrap_or(0o755),
            read_only: fields.read_only,
        },
        (_, slot) => MountKind::Bind { input: slot.unwrap_or_default(), source, writable: !fields.read_only },
    };
    Mount { target: Some(target), kind }
}
