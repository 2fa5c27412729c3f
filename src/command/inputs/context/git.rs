//! A build context that is a git repository: fetched into the store, with the Dockerfile and the ignore file in it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use layercake_compiler::address::redact;
use layercake_compiler::go;
use layercake_compiler::ignore::Ignore;
use layercake_compiler::oci::ContainerConfig;
use layercake_compiler::operation::{Git, Network, Operation};
use layercake_compiler::plan::{Joint, Origin, PLAN_VERSION, Plan, PlannedImage, Step, StepId};
use layercake_executor::build::event::Event;
use layercake_executor::build::materialize;
use layercake_executor::build::site::{Allowed, Bases, ContextFolder, Form, Later, Reuse, Site, Surroundings, Word};
use layercake_executor::build::tree::Layer;
use layercake_executor::fault::reason;
use layercake_executor::git::{self, Access, Client};
use layercake_executor::namespace;
use layercake_executor::remote::caches::Caches;
use layercake_executor::root::Root;
use layercake_executor::sandbox::Spec;

use super::super::{Fetching, arguments, build_args, host_platform, open_store, secret};
use super::{Opened, Place, folder, is_url, text};
use crate::failure::Failure;
use crate::settings;
use crate::terminal::progress::Progress;

/// The build argument that keeps `.git` in the context, as BuildKit has it.
const KEEP_GIT_DIR: &str = "BUILDKIT_CONTEXT_KEEP_GIT_DIR";

/// The repository that a context names; `None` if it names something else.
pub(in super::super) fn parse(context: &str) -> Result<Option<Git>, Failure> {
    layercake_compiler::git_context(context)
        .map_err(|cause| Failure::input(format!("the context `{}` is wrong: {cause}", redact(context))))
}

/// Asks and fetches, as the arguments and the environment say.
pub(in super::super) fn client(
    arguments: &arguments::Inputs,
    store: &layercake_cache::Store,
) -> Result<Client, Failure> {
    let settings = git::Settings {
        variables: settings::git_variables(),
        access: if arguments.offline { Access::Offline } else { Access::Online },
        secrets: arguments.secret.iter().map(|text| secret(text)).collect::<Result<_, _>>()?,
    };
    Ok(Client::new(store.clone(), settings))
}

/// Fetches the repository, and finds the Dockerfile.
pub(super) fn locate(mut git: Git, arguments: &arguments::Inputs, fetching: &Fetching<'_>) -> Result<Place, Failure> {
    let given = build_args(&arguments.build_arg);
    let keep = given.iter().rev().find(|(name, _)| name == KEEP_GIT_DIR).and_then(|(_, value)| go::parse_bool(value));
    git.keep_git_dir |= keep.unwrap_or(false);
    let path = fetch(&git, arguments, fetching)?;
    let root = Root::open(&path).map_err(Failure::environment)?;
    let inside = Inside { root, remote: &git.remote };
    let is_elsewhere =
        |file: &&Path| *file == Path::new("-") || file.is_absolute() || file.to_str().is_some_and(is_url);
    let (file, place, content, own_ignore) = match arguments.file.as_deref().filter(is_elsewhere) {
        // A file of this machine or on a server, or standard input.
        Some(_) => {
            let found = folder::dockerfile(&path, arguments, fetching.settings)?;
            (found.file, found.path, found.text, found.ignore)
        }
        None => {
            let (file, content) = inside.dockerfile(arguments.file.as_deref())?;
            let mut own = file.clone().into_os_string();
            own.push(".dockerignore");
            (file.display().to_string(), None, content, inside.ignore(Path::new(&own))?)
        }
    };
    let ignore = match own_ignore {
        Some(ignore) => ignore,
        None => inside.ignore(Path::new(".dockerignore"))?.unwrap_or_default(),
    };
    let folder = ContextFolder { root: inside.root, path, ignore };
    Ok(Place { file, path: place, text: content, context: Some(Opened { folder, unpacked: None }) })
}

/// A repository's files. No link leads out of them: what a repository says is not to be read elsewhere.
struct Inside<'a> {
    root: Root,
    remote: &'a str,
}

impl Inside<'_> {
    fn read(&self, path: &Path) -> Result<Option<String>, Failure> {
        let bytes = self.root.read(path).map_err(|error| {
            Failure::input(format!("cannot read `{}` of `{}`: {}", path.display(), self.remote, reason(&error)))
        })?;
        Ok(bytes.map(text))
    }

    /// The file that is named, or `Dockerfile`, or as docker has it `dockerfile` where only that exists.
    fn dockerfile(&self, named: Option<&Path>) -> Result<(PathBuf, String), Failure> {
        let names = named.map_or_else(|| vec![Path::new("Dockerfile"), Path::new("dockerfile")], |named| vec![named]);
        for name in &names {
            if let Some(content) = self.read(name)? {
                return Ok((name.components().collect(), content));
            }
        }
        let name = names[0].display();
        Err(Failure::input(format!("failed to read dockerfile: `{}` has no file `{name}`", self.remote))
            .help("name the Dockerfile with `-f FILE`, from the root of the context"))
    }

    fn ignore(&self, path: &Path) -> Result<Option<Ignore>, Failure> {
        let Some(content) = self.read(path)? else { return Ok(None) };
        let ignore = Ignore::parse(&content)
            .map_err(|error| Failure::input(format!("`{}` of `{}`: {error}", path.display(), self.remote)))?;
        Ok(Some(ignore))
    }
}

/// The folder of the store that has the repository's files. Fetching it is a plan of one step, which is remembered like those
/// of any build.
fn fetch(git: &Git, arguments: &arguments::Inputs, fetching: &Fetching<'_>) -> Result<PathBuf, Failure> {
    // The files are to be root's, for who asks for a plan as for who builds.
    if !rustix::process::geteuid().is_root() {
        namespace::enter()?;
    }
    let store = open_store(fetching.settings)?;
    let client = client(arguments, &store)?;
    let plan = plan(git);
    let joint = Joint::of(std::slice::from_ref(&plan));
    let progress = Progress::new(&joint, std::slice::from_ref(&plan), fetching.show, fetching.paint);
    let listener = |event: Event<'_>| progress.event(event);
    let reuse = |_: &Step| if arguments.no_cache { Reuse::Refused } else { Reuse::Allowed };
    let site = Site {
        store: &store,
        bases: &Bases::new(),
        fetch: &|_| Ok(()),
        git: &client,
        client: None,
        caches: &Caches::default(),
        word: Word::Ours,
        contexts: &BTreeMap::new(),
        surroundings: &surroundings(),
        reuse: &reuse,
        form: &|_| Form::Folder,
        jobs: 1,
        epoch: None,
        listener: &listener,
    };
    let products = materialize(&plan, &site)
        .map_err(|error| Failure::new(error.cause.fault(), &error.cause).perhaps_help(error.cause.help()))?;
    let layers = products.last().and_then(|product| product.tree()).map_or(&[][..], |tree| tree.layers());
    match layers.last() {
        Some(Layer::Change(change)) => Ok(store.folder_path(&change.folder)),
        _ => Err(Failure::input(format!("cannot build from `{}`: there is no file in it", git.remote))),
    }
}

fn plan(git: &Git) -> Plan {
    let origin = Origin { stage: String::new(), line: 0, name: format!("context {}", git.remote) };
    Plan {
        version: PLAN_VERSION,
        target: String::new(),
        platform: host_platform(),
        steps: vec![Step { id: StepId(0), operation: Operation::Git(git.clone()), inputs: Vec::new(), origin }],
        result: StepId(0),
        image: PlannedImage { base: None, config: ContainerConfig::default(), author: None, history: Vec::new() },
    }
}

/// No command runs in this plan.
fn surroundings() -> Surroundings {
    Surroundings {
        hostname: String::new(),
        network: Network::None,
        hosts: Vec::new(),
        limits: Vec::new(),
        shm_size: Spec::SHM_SIZE,
        files: Vec::new(),
        env: Vec::new(),
        secrets: BTreeMap::new(),
        agents: BTreeMap::new(),
        groups: Later::new(Box::new(|| None)),
        cdi_folders: Vec::new(),
        emulators: Later::new(Box::new(Vec::new)),
        allowed: Allowed::default(),
    }
}
