//! [`Report`]: all that two images differ in, and its JSON.

use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use layercake_compiler::oci::History;
use layercake_executor::compare::config::Difference as Setting;
use layercake_executor::compare::files::{Aspect, Change, Difference as File, Entry};
use layercake_executor::image::descriptor::Descriptor;
use layercake_executor::image::local::LocalImage;
use rustix::fs::FileType;
use serde_json::{Value, json};

/// All that two images differ in.
pub(super) struct Report<'a> {
    /// What they were called, and what they are.
    pub(super) images: [(&'a str, &'a LocalImage); 2],
    /// Settings, by name.
    pub(super) settings: Vec<Setting>,
    /// Files, by path.
    pub(super) files: Vec<File>,
}

/// A layer that only one of them has.
pub(super) struct Layer<'a> {
    pub(super) blob: &'a Descriptor,
    /// What made it, if the image says so.
    pub(super) history: Option<&'a History>,
}

impl<'a> Report<'a> {
    /// Whether nothing differs that counts.
    pub(super) fn is_empty(&self) -> bool {
        self.settings.is_empty() && self.files.is_empty()
    }

    /// How many of the lowest layers both have.
    pub(super) fn shared(&self) -> usize {
        let [one, other] = self.images.map(|(_, image)| &image.config.rootfs.diff_ids);
        one.iter().zip(other).take_while(|(one, other)| one == other).count()
    }

    /// The layers of either that lie above those that both have, the lowest first.
    pub(super) fn layers(&self) -> [Vec<Layer<'a>>; 2] {
        let shared = self.shared();
        self.images.map(|(_, image)| {
            let mut history = image.config.history.iter().filter(|entry| !entry.empty_layer);
            let layers = image.manifest.layers.iter().map(|blob| Layer { blob, history: history.next() });
            layers.skip(shared).collect()
        })
    }

    /// One object.
    pub(super) fn to_json(&self) -> Value {
        let images = self.images.map(|(name, image)| json!({"name": name, "digest": image.manifest_digest}));
        let layers = self.layers().map(|layers| {
            let layer = |layer: &Layer<'_>| {
                let created_by = layer.history.map(|entry| &entry.created_by);
                json!({"digest": layer.blob.digest, "size": layer.blob.size, "created_by": created_by})
            };
            layers.iter().map(layer).collect::<Vec<_>>()
        });
        let setting = |setting: &Setting| json!({"name": setting.name, "old": setting.was, "new": setting.is});
        json!({
            "images": images,
            "config": self.settings.iter().map(setting).collect::<Vec<_>>(),
            "layers": {"shared": self.shared(), "old": layers[0], "new": layers[1]},
            "files": self.files.iter().map(file).collect::<Vec<_>>(),
        })
    }
}

/// A path as the image has it. Names need not be UTF-8; what is none is shown in a way that keeps it apart.
pub(super) fn shown(path: &Path) -> String {
    let path = Path::new("/").join(path);
    path.to_str().map_or_else(|| path.as_os_str().as_bytes().escape_ascii().to_string(), str::to_owned)
}

/// What people call a kind of file.
pub(super) fn kind(kind: FileType) -> &'static str {
    match kind {
        FileType::RegularFile => "file",
        FileType::Directory => "folder",
        FileType::Symlink => "symbolic link",
        FileType::Fifo => "fifo",
        FileType::Socket => "socket",
        FileType::CharacterDevice => "character device",
        FileType::BlockDevice => "block device",
        FileType::Unknown => "unknown",
    }
}

fn file(file: &File) -> Value {
    let entry = |change: &str, entry: &Entry| {
        let size = (entry.kind == FileType::RegularFile).then_some(entry.size);
        json!({"path": shown(&file.path), "change": change, "kind": kind(entry.kind), "size": size})
    };
    match &file.change {
        Change::Added(found) => entry("added", found),
        Change::Removed(found) => entry("removed", found),
        Change::Changed(aspects) => {
            let aspects: serde_json::Map<String, Value> = aspects.iter().map(aspect).collect();
            json!({"path": shown(&file.path), "change": "changed", "differs": aspects})
        }
    }
}

fn aspect(aspect: &Aspect) -> (String, Value) {
    let (name, old, new) = match aspect {
        Aspect::Kind(was, is) => ("kind", json!(kind(*was)), json!(kind(*is))),
        Aspect::Content(was, is) => ("content", json!({"size": was}), json!({"size": is})),
        Aspect::Target(was, is) => ("target", json!(was.to_string_lossy()), json!(is.to_string_lossy())),
        Aspect::Device(was, is) => ("device", json!(was), json!(is)),
        Aspect::Mode(was, is) => ("mode", json!(format!("{was:04o}")), json!(format!("{is:04o}"))),
        Aspect::Owner(was, is) => {
            let owner = |(user, group): &(u32, u32)| json!(format!("{user}:{group}"));
            ("owner", owner(was), owner(is))
        }
        Aspect::Attributes(names) => return ("attributes".to_owned(), json!(names)),
        Aspect::Time(was, is) => ("time", json!(was), json!(is)),
    };
    (name.to_owned(), json!({"old": old, "new": new}))
}
