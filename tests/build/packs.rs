//! Copies that are only a layer of the image: kept as one file, and a folder as soon as somebody looks into it.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::PathBuf;

use rustix::fs::{AtFlags, CWD, Timespec, Timestamps, XattrFlags, setxattr, utimensat};

use crate::support::Home;
use crate::support::home::{EPOCH, run};
use crate::support::ran::Built;

/// The last instruction copies `app`, to where nothing of the archive is as old as the build.
const LAST: &str = "FROM base\nRUN echo one > /one\nCOPY app /\n";

/// A home with files in `ctx/app`, whose times have fractions of seconds.
fn home() -> Option<Home> {
    let home = Home::with_base()?;
    home.write("ctx/Dockerfile", LAST).write("ctx/app/a/one", "1\n").write("ctx/app/a/two", "2\n");
    symlink("one", home.path("work/ctx/app/a/link")).unwrap();
    fs::hard_link(home.path("work/ctx/app/a/one"), home.path("work/ctx/app/a/same")).unwrap();
    home.write("ctx/app/large", vec![b'x'; (3 << 20) + 7]);
    touch(&home, 1_600_000_000);
    Some(home)
}

/// Gives everything in `ctx/app` a time, and half a second.
fn touch(home: &Home, seconds: i64) {
    let time = Timespec { tv_sec: seconds, tv_nsec: 500_000_000 };
    let times = Timestamps { last_access: time, last_modification: time };
    for path in ["a/one", "a/two", "a/link", "large", "a"] {
        let path = home.path("work/ctx/app").join(path);
        utimensat(CWD, path, &times, AtFlags::SYMLINK_NOFOLLOW).unwrap();
    }
}

fn entries(home: &Home, folder: &str) -> BTreeSet<PathBuf> {
    fs::read_dir(home.path("store").join(folder)).unwrap().map(|entry| entry.unwrap().path()).collect()
}

/// The folder with the files of `ctx/app`.
fn folder(home: &Home) -> Option<PathBuf> {
    entries(home, "folders").into_iter().find(|folder| folder.join("a/two").exists())
}

/// The blob of the layer of `ctx/app`.
fn blob(home: &Home, image: &str) -> PathBuf {
    home.path("store/blobs/sha256").join(home.diff_ids(image)[2].trim_start_matches("sha256:"))
}

/// The same image where every layer was a folder first: an archive is asked for before it.
fn of_folders() -> Vec<String> {
    let home = home().unwrap();
    home.build(["-o", "type=oci,dest=out.tar", "ctx"]);
    assert!(folder(&home).is_some());
    home.build(["-t", "x", "ctx"]);
    assert!(!blob(&home, "x").exists());
    home.diff_ids("x")
}

#[test]
fn a_last_copy_is_one_file_and_the_same_image() {
    let Some(home) = home() else { return };
    let built = home.build(["-t", "x", "ctx"]);
    assert_eq!(folder(&home), None);
    assert!(blob(&home, "x").exists());
    assert_eq!(home.diff_ids("x")[2], of_folders()[2]);
    assert_eq!(home.layers("x")[2].text("a/same"), "");
    assert_eq!(home.layers("x")[2].file("a/same").target, "a/one");
    assert_eq!(home.layers("x")[2].text("large").len(), (3 << 20) + 7);
    let again = home.build(["-t", "x", "ctx"]);
    assert_eq!((again.digest, again.started.len()), (built.digest, 0));
    assert_eq!(folder(&home), None, "nobody has looked into it");
}

#[test]
fn it_becomes_a_folder_when_a_step_looks_into_it() {
    let Some(home) = home() else { return };
    home.build(["-t", "x", "ctx"]);
    let copied = home.diff_ids("x");
    home.write("ctx/Dockerfile", format!("{LAST}RUN cat /a/link /a/two > /read && stat -c %Y%h /a/one >> /read\n"));
    let built = home.build(["-t", "y", "ctx"]);
    assert_eq!(built.ran("COPY"), 0, "it was done before: {:?}", built.started);
    assert_eq!(home.layers("y")[3].text("read"), "1\n2\n16000000002\n");
    assert_eq!(home.diff_ids("y")[..3], copied);
    // As if it had been a folder from the start.
    let found = folder(&home).unwrap().join("a/one").metadata().unwrap();
    assert_eq!((found.mtime(), found.mtime_nsec(), found.nlink()), (1_600_000_000, 500_000_000, 2));
    home.layercake(["verify"]).ok();
}

#[test]
fn others_look_into_it_too() {
    let Some(home) = home() else { return };
    home.build(["-t", "x", "ctx"]);
    // An image is built upon.
    home.write("from/Dockerfile", "FROM x\nRUN cat /a/one > /read\n");
    home.build(["-t", "upon", "from"]);
    assert_eq!(home.layers("upon")[3].text("read"), "1\n");
    let found = folder(&home).unwrap().join("a/one").metadata().unwrap();
    assert_eq!(found.mtime_nsec(), 500_000_000, "the folder is that of the step");
    let outputs: [(&str, &[&str]); 4] = [
        ("local", &["-o", "out"]),
        ("compressed", &["-o", "type=oci,dest=out.tar"]),
        ("recompressed", &["-o", "type=image,name=y,compression=zstd"]),
        ("cache", &["-t", "y", "--cache-to", "type=local,dest=cache"]),
    ];
    for (name, arguments) in outputs {
        let home = self::home().unwrap();
        home.build(["-t", "x", "ctx"]);
        let all = ["build", "--progress=json", "ctx"].iter().chain(arguments).copied();
        let built = Built::of(run(&mut home.command(all)));
        assert_eq!(built.started.len(), 0, "{name}: {:?}", built.started);
        match name {
            "local" => assert_eq!(home.read("out/a/same"), "1\n"),
            "cache" | "recompressed" => assert_eq!(home.diff_ids("y")[2], home.diff_ids("x")[2]),
            _ => assert!(fs::metadata(home.path("work/out.tar")).unwrap().len() > 1000),
        }
        home.layercake(["verify"]).ok();
    }
}

#[test]
fn a_time_makes_it_another_archive() {
    let Some(home) = home() else { return };
    touch(&home, EPOCH.parse::<i64>().unwrap() + 1000);
    home.build(["-t", "x", "ctx"]);
    let dated = home.dated(["-t", "dated", "ctx"]);
    assert_eq!(dated.started.len(), 0, "{:?}", dated.started);
    assert_ne!(home.diff_ids("dated")[2], home.diff_ids("x")[2]);
    assert_eq!(home.layers("dated")[2].text("a/two"), "2\n");
}

#[test]
fn it_stays_as_long_as_its_image() {
    let Some(home) = home() else { return };
    let built = home.build(["-t", "x", "ctx"]);
    home.layercake(["prune"]).ok();
    home.layercake(["verify"]).ok();
    let again = home.build(["-t", "x", "ctx"]);
    assert_eq!((again.digest, again.started.len()), (built.digest, 0));
    let blob = blob(&home, "x");
    assert!(blob.exists());
    home.layercake(["rmi", "x"]).ok();
    home.layercake(["prune"]).ok();
    assert!(!blob.exists(), "nothing needs it any more");
    assert_eq!(home.build(["-t", "x", "ctx"]).ran("COPY"), 1);
    assert_eq!(home.layers("x")[2].text("a/two"), "2\n");
}

#[test]
fn the_same_files_with_other_times_stay_what_they_are() {
    let Some(home) = home() else { return };
    home.build(["-t", "x", "ctx"]);
    let before = home.diff_ids("x");
    touch(&home, 1_500_000_000);
    assert_eq!(home.build(["-t", "x", "ctx"]).ran("COPY"), 0);
    assert_eq!(home.build(["-t", "x", "--no-cache", "ctx"]).ran("COPY"), 1);
    assert_eq!(home.diff_ids("x")[2], before[2]);
    // And so they do where the other times come as a folder.
    home.write("ctx/Dockerfile", format!("{LAST}RUN true\n"));
    assert_eq!(home.build(["-t", "x", "--no-cache", "ctx"]).ran("COPY"), 1);
    assert_eq!(home.diff_ids("x")[2], before[2]);
    assert_eq!(folder(&home).unwrap().join("a/one").metadata().unwrap().mtime(), 1_600_000_000);
    home.layercake(["verify"]).ok();
}

#[test]
fn a_damaged_one_is_made_again() {
    let Some(home) = home() else { return };
    home.build(["-t", "x", "ctx"]);
    let blob = blob(&home, "x");
    let whole = fs::read(&blob).unwrap();
    let damage = || {
        let mut bytes = whole.clone();
        bytes[whole.len() / 2] ^= 1;
        fs::write(&blob, bytes).unwrap();
    };
    damage();
    assert!(home.layercake(["verify"]).exits(3).stdout.contains(blob.to_str().unwrap()));
    home.write("ctx/Dockerfile", format!("{LAST}RUN cat /a/one /large | wc -c > /read\n"));
    assert_eq!(home.build(["-t", "y", "ctx"]).ran("COPY"), 1);
    assert_eq!(home.layers("y")[3].text("read").trim(), ((3 << 20) + 9).to_string());
    // A machine that went down before it was on the disk.
    for torn in [&whole[..whole.len() / 3], b""] {
        let home = self::home().unwrap();
        home.build(["-t", "x", "ctx"]);
        fs::write(self::blob(&home, "x"), torn).unwrap();
        home.start_anew();
        assert_eq!(home.build(["-t", "x", "ctx"]).ran("COPY"), 1);
        assert_eq!(home.layers("x")[2].text("a/two"), "2\n");
    }
}

#[test]
fn what_the_system_decides_on_is_a_folder() {
    let Some(home) = home() else { return };
    let file = home.path("work/ctx/app/a/two");
    if setxattr(&file, "user.a", b"x", XattrFlags::empty()).is_err() {
        return;
    }
    home.build(["-t", "x", "ctx"]);
    assert!(folder(&home).is_some());
    let layer = &home.layers("x")[2];
    assert_eq!(layer.file("a/two").attributes["user.a"], b"x");
}

#[test]
fn linked_copies_look_into_nothing_and_others_do() {
    let Some(home) = home() else { return };
    home.write("ctx/Dockerfile", "FROM base\nRUN echo one > /one\nCOPY app /\nCOPY --link app/large /last/\n");
    home.build(["-t", "x", "ctx"]);
    assert_eq!(folder(&home), None);
    assert_eq!(home.layers("x")[3].text("last/large").len(), (3 << 20) + 7);
    // A copy that is not linked looks at what stands on its way.
    home.write("ctx/Dockerfile", "FROM base\nRUN echo one > /one\nCOPY app /\nCOPY app/large /last/\n");
    assert_eq!(home.build(["-t", "y", "ctx"]).ran("COPY"), 1);
    assert!(folder(&home).is_some());
    assert_eq!(home.diff_ids("y")[..3], home.diff_ids("x")[..3]);
}
