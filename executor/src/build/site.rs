//! [`Site`]: where a plan is carried out, and with what: the store, the base images, the contexts, and the surroundings
//! of every command.

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use std::sync::LazyLock;

use layercake_cache::{ContentKey, Store};
use layercake_compiler::ignore::Ignore;
use layercake_compiler::operation;
use layercake_compiler::plan::Step;
use layercake_compiler::platform::Platform;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::error::Error;
use super::event::Listener;
use super::folders::{AT_ONCE, Fetch, bring, fetch_layer, folders};
use super::product::Product;
use super::tree::Tree;
use crate::agent::Agent;
use crate::cgroup;
use crate::emulation::Emulator;
use crate::git;
use crate::image::descriptor::Descriptor;
use crate::image::local::LocalImage;
use crate::layer::{Contents, plain};
use crate::registry::client::Client;
use crate::registry::parallel::each;
use crate::remote::caches::Caches;
use crate::root::Root;
use crate::sandbox::{Host, Limit, Mount};

/// Where a plan is carried out. Nothing in it changes during the build.
pub struct Site<'a> {
    /// Where everything lies.
    pub store: &'a Store,
    /// The documents of the base images.
    pub bases: &'a Bases,
    /// Brings a layer of a base image into the store.
    pub fetch: Fetch<'a>,
    /// Who asks servers for files; `None`: nobody may.
    pub client: Option<&'a Client>,
    /// Asks and fetches from git repositories.
    pub git: &'a git::Client,
    /// What has been made elsewhere.
    pub caches: &'a Caches<'a>,
    /// Whose word counts for what is in a tree.
    pub word: Word,
    /// The contexts, by name; the build context has none.
    pub contexts: &'a BTreeMap<Option<String>, ContextFolder>,
    /// The surroundings of every command.
    pub surroundings: &'a Surroundings,
    /// Whether a step's result is taken from the cache.
    pub reuse: &'a (dyn Fn(&Step) -> Reuse + Sync),
    /// As what a step's change set is kept, if it is not known to be here.
    pub form: &'a (dyn Fn(&Step) -> Form + Sync),
    /// Steps under way at the same time.
    pub jobs: usize,
    /// `SOURCE_DATE_EPOCH`, in seconds since 1970.
    pub epoch: Option<i64>,
    /// Who is told what happens.
    pub listener: Listener<'a>,
}

/// Whose word counts for what is in a tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Word {
    /// That of a cache from elsewhere too: a step may be looked up by it.
    Anybodys,
    /// Our own alone: what is made is kept by it.
    Ours,
}

/// The documents of base images, by reference and platform as the plan has them.
pub type Bases = HashMap<(String, Platform), LocalImage>;

/// Whether a step's result may come from the cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reuse {
    /// It may.
    Allowed,
    /// The step is done anew.
    Refused,
}

/// As what the change set of a step is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// A folder.
    Folder,
    /// The archive of a layer, of which a folder is made when somebody needs it; a folder where that is not possible.
    Pack,
}

/// A folder that files are copied from.
#[derive(Debug)]
pub struct ContextFolder {
    /// The folder, open.
    pub root: Root,
    /// Its path, for messages.
    pub path: PathBuf,
    /// What of it is not to be seen.
    pub ignore: Ignore,
}

/// What is found out when the first command runs: a build in which nothing runs does without.
pub type Later<T> = LazyLock<T, Box<dyn FnOnce() -> T + Send>>;

/// What every command gets that the plan does not say.
#[derive(Debug)]
pub struct Surroundings {
    /// The name that the machine has for it.
    pub hostname: String,
    /// The network of those that do not choose one: the host's or none.
    pub network: operation::Network,
    /// Further lines of `/etc/hosts`.
    pub hosts: Vec<Host>,
    /// Resource limits.
    pub limits: Vec<Limit>,
    /// Size of `/dev/shm` in bytes.
    pub shm_size: u64,
    /// Files of the machine that it may see. They are no part of any key: they say how to reach the world, not what to
    /// make.
    pub files: Vec<Mount>,
    /// Variables that are no part of any key, for the same reason: proxies, certificates.
    pub env: Vec<(String, String)>,
    /// Secrets by id.
    pub secrets: BTreeMap<String, Vec<u8>>,
    /// SSH agents by id.
    pub agents: BTreeMap<String, Agent>,
    /// The control group that those of commands are made in; `None`: they are in that of the program.
    pub groups: Later<Option<cgroup::Parent>>,
    /// The folders that describe CDI devices.
    pub cdi_folders: Vec<PathBuf>,
    /// What may run programs for other processors. No part of any key: what a command makes does not depend on who runs it.
    pub emulators: Later<Vec<Emulator>>,
    /// What is allowed that is forbidden by default.
    pub allowed: Allowed,
}

/// What is allowed that is forbidden by default.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Allowed {
    /// `RUN --network=host` where the build's network is none.
    pub host_network: bool,
    /// `RUN --security=insecure`.
    pub insecure: bool,
    /// `RUN --device`.
    pub devices: AllowedDevices,
}

/// The devices that commands may use.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum AllowedDevices {
    /// None.
    #[default]
    None,
    /// All.
    All,
    /// Those of these names, or of these kinds.
    Named(Vec<String>),
}

impl AllowedDevices {
    /// Whether a device may be used, by its full name, `vendor.example/class=name`.
    #[must_use]
    pub fn allow(&self, name: &str) -> bool {
        match self {
            Self::None => false,
            Self::All => true,
            Self::Named(names) => {
                let kind = name.split('=').next().unwrap_or_default();
                names.iter().any(|allowed| allowed == name || allowed.strip_suffix("=*").unwrap_or(allowed) == kind)
            }
        }
    }
}

impl Site<'_> {
    /// The tree of a base image.
    ///
    /// # Errors
    /// If nobody has found out about it: the plan is not this site's.
    pub fn base(&self, image: &operation::Image) -> Result<Tree, Error> {
        let key = (image.reference.clone(), image.platform.clone());
        let base = self.bases.get(&key).ok_or_else(|| Error::UnknownBase(image.reference.clone()))?;
        Ok(Tree::of_image(base))
    }

    /// The folders of a tree's layers, topmost first, as an overlay wants them. Layers that are not here are fetched and
    /// unpacked.
    ///
    /// # Errors
    /// If that does not work.
    pub fn folders(&self, tree: &Tree) -> Result<Vec<PathBuf>, Error> {
        folders(tree, Contents::All, self.store, self.caches, self.fetch, self.listener)
    }

    /// The same of a tree of which no more is wanted than what stands where. Where nothing reads the files of its image, those
    /// that are not here are fetched and not unpacked.
    ///
    /// # Errors
    /// If that does not work.
    pub fn outline(&self, tree: &Tree) -> Result<Vec<PathBuf>, Error> {
        let contents = if tree.is_read() { Contents::All } else { Contents::Outline };
        folders(tree, contents, self.store, self.caches, self.fetch, self.listener)
    }

    /// What was found in a tree before, under this key. What is found in a tree is found there for ever.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub fn recall<T: DeserializeOwned>(&self, key: &ContentKey) -> Result<Option<T>, Error> {
        self.caches.note(key);
        let ours = self.store.record(key)?.and_then(|record| serde_json::from_slice(&record).ok());
        let theirs = || self.caches.fact(key).and_then(|fact| serde_json::from_value(fact).ok());
        Ok(ours.or_else(|| if self.word == Word::Anybodys { theirs() } else { None }))
    }

    /// Remembers what was found in a tree. As long as a cache is believed it is not put into the store: what was looked for
    /// there may be what the cache said of something else.
    ///
    /// # Errors
    /// If the store cannot be written.
    pub fn remember<T: Serialize>(&self, key: &ContentKey, found: &T) -> Result<(), Error> {
        if self.word == Word::Anybodys && !self.caches.is_empty() {
            self.caches.learn(key, serde_json::to_value(found).expect("names, texts and numbers are always JSON"));
            return Ok(());
        }
        let record = serde_json::to_vec(found).expect("names, texts and numbers are always JSON");
        Ok(self.store.put_record(key, &record)?)
    }

    /// Sees to it that what a step changed is in the store, wherever it is.
    ///
    /// # Errors
    /// If it cannot be had.
    pub fn bring(&self, product: &Product) -> Result<(), Error> {
        let Product::Tree(tree, Some(made)) = product else { return Ok(()) };
        let folders = self.folders(tree)?;
        // A change set that changes nothing is a layer of the image, but none of the tree.
        bring(&made.change, &folders, self.store, self.caches, self.listener).map(drop)
    }

    /// Brings the layers of a tree's image that are not here into the store.
    ///
    /// # Errors
    /// If one cannot be had.
    pub fn fetch_layers(&self, tree: &Tree) -> Result<(), Error> {
        let absent = tree.image_layers().filter(|layer| !plain::is_at_hand(self.store, &layer.blob.digest));
        Ok(each(&absent.collect::<Vec<_>>(), AT_ONCE, |layer, _| fetch_layer(layer, self.fetch, self.listener))?)
    }

    /// Brings the layers of an image that was assembled of such a tree into the store, wherever they are.
    ///
    /// # Errors
    /// If one cannot be had.
    pub fn fetch_all(&self, tree: &Tree, layers: &[Descriptor]) -> Result<(), Error> {
        self.fetch_layers(tree)?;
        for layer in layers.iter().filter(|layer| !plain::is_at_hand(self.store, &layer.digest)) {
            self.caches.fetch(self.store, &layer.digest, self.listener)?;
        }
        Ok(())
    }
}
