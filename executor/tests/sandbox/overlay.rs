//! Overlays: what the kernel makes of layers, and commands of overlays.

use std::fs;
use std::io::Read;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::Path;

use layercake_executor::overlay::{Error, MountedRoot, Overlay, Upper, Way};
use rustix::fs::{Mode, OFlags};

use crate::harness::tests;
use crate::little::{Little, output};

tests![
    whiteouts_and_opaque_folders,
    sixty_lowers,
    too_many_lowers,
    one_and_none,
    the_classic_way,
    a_used_work_folder,
    is_gone_when_dropped
];

fn read(root: &MountedRoot, path: &str) -> String {
    let file = root.open(Path::new(path), OFlags::RDONLY, Mode::empty()).unwrap();
    let mut text = String::new();
    fs::File::from(file).read_to_string(&mut text).unwrap();
    text
}

fn whiteouts_and_opaque_folders() {
    let little = Little::new();
    fs::create_dir(little.lower().join("d")).unwrap();
    fs::write(little.lower().join("d/old"), "").unwrap();
    output(&little.script("rm /etc/group; rm -r /d; mkdir /d; touch /d/new"));
    assert_eq!(little.changes(), ["d", "d/new", "etc", "etc/group"]);
    let whiteout = fs::symlink_metadata(little.path("upper/etc/group")).unwrap();
    assert!(whiteout.file_type().is_char_device() && whiteout.rdev() == 0);
    let mut value = [0; 8];
    let length = rustix::fs::getxattr(little.path("upper/d"), "user.overlay.opaque", &mut value[..]).unwrap();
    assert_eq!(&value[..length], b"y");
    // The same as a lower of another overlay.
    let both = Overlay { lowers: vec![little.path("upper"), little.lower()], upper: None };
    let root = both.mount().unwrap();
    let names: Vec<_> = fs::read_dir(root.path().join("d")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names, ["new"]);
    assert!(root.open(Path::new("etc/group"), OFlags::PATH, Mode::empty()).is_err());
}

fn layers(little: &Little, count: usize) -> Vec<std::path::PathBuf> {
    let folder = |index: usize| {
        // Longer than the kernel takes as a string.
        let folder = little.path(&format!("{index}-{}", "long, and: odd \\ ".repeat(10))).join("y".repeat(200));
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("which"), index.to_string()).unwrap();
        fs::write(folder.join(format!("only-{index}")), "").unwrap();
        folder
    };
    (0..count).map(folder).collect()
}

fn sixty_lowers() {
    let little = Little::new();
    for way in [Way::Newest, Way::Classic] {
        let root = Overlay { lowers: layers(&little, 60), upper: None }.mount_by(way).unwrap();
        assert_eq!(read(&root, "which"), "0");
        assert_eq!(fs::read_dir(root.path()).unwrap().count(), 61);
    }
    let mut overlay = little.overlay();
    overlay.lowers.extend(layers(&little, 60));
    let mut spec = little.script("cat /which; touch /x");
    spec.root = overlay;
    assert_eq!(output(&spec), "0");
    assert_eq!(little.changes(), ["x"]);
}

fn too_many_lowers() {
    let little = Little::new();
    let overlay = |count| Overlay { lowers: vec![little.lower(); count], upper: None };
    let limit = |result: Result<MountedRoot, Error>| match result {
        Err(Error::TooManyLowers { count, limit }) => (count, limit),
        other => panic!("{other:?}"),
    };
    assert_eq!(limit(overlay(501).mount()), (501, 500));
    let error = overlay(501).mount().unwrap_err();
    assert_eq!(error.to_string(), "a tree of 501 layers cannot be mounted: this kernel stacks at most 500");
    let (count, limit) = limit(overlay(400).mount_by(Way::Classic));
    assert!(count == 400 && (150..300).contains(&limit), "{limit}");
}

fn one_and_none() {
    let little = Little::new();
    let root = Overlay { lowers: vec![little.lower()], upper: None }.mount().unwrap();
    assert!(read(&root, "etc/passwd").starts_with("root:"));
    let root = Overlay::default().mount().unwrap();
    assert_eq!(fs::read_dir(root.path()).unwrap().count(), 0);
    let upper = Upper { upper: little.path("upper"), work: little.path("work") };
    let root = Overlay { lowers: vec![], upper: Some(upper) }.mount().unwrap();
    fs::write(root.path().join("new"), "").unwrap();
    assert_eq!(little.changes(), ["new"]);
    let missing = Overlay { lowers: vec![little.path("none"), little.lower()], upper: None };
    assert!(missing.mount().unwrap_err().to_string().contains("none`: no such file"));
}

fn the_classic_way() {
    let little = Little::new();
    fs::create_dir_all(little.path("second/etc")).unwrap();
    fs::write(little.path("second/etc/more"), "more").unwrap();
    let mut overlay = little.overlay();
    overlay.lowers.push(little.path("second"));
    let before = mounts();
    let root = overlay.mount_by(Way::Classic).unwrap();
    assert_eq!(mounts(), before, "it is attached nowhere");
    assert_eq!(read(&root, "etc/more"), "more");
    let made = root.open(Path::new("etc/made"), OFlags::CREATE | OFlags::WRONLY, Mode::from_raw_mode(0o600)).unwrap();
    drop(made);
    fs::remove_file(root.path().join("etc/group")).unwrap();
    assert_eq!(little.changes(), ["etc", "etc/group", "etc/made"]);
}

fn a_used_work_folder() {
    let little = Little::new();
    for name in ["a", "b"] {
        let root = little.overlay().mount().unwrap();
        fs::write(root.path().join(name), "").unwrap();
    }
    assert_eq!(little.changes(), ["a", "b"]);
}

fn is_gone_when_dropped() {
    let little = Little::new();
    let before = mounts();
    for way in [Way::Newest, Way::Classic] {
        drop(little.overlay().mount_by(way).unwrap());
    }
    assert_eq!(mounts(), before);
}

fn mounts() -> String {
    fs::read_to_string("/proc/self/mounts").unwrap()
}
