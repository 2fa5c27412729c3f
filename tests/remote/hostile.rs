//! Archives that want out of their folder, more than there is room for, or a build to wait for ever.

use std::fs;

use tar::{Builder, EntryType};

use crate::archive::{entry, gzip, tar};
use crate::site::Resource;
use crate::support::Home;
use crate::support::home::{program, run};
use crate::support::machine;

/// A tar of these entries: path, type, target of a link, content.
fn hostile(entries: &[(&str, EntryType, &str, &str)]) -> Vec<u8> {
    let mut builder = Builder::new(Vec::new());
    for (path, kind, target, content) in entries {
        entry(&mut builder, path, *kind, target, content.as_bytes());
    }
    builder.into_inner().unwrap()
}

const DOCKERFILE: (&str, EntryType, &str, &str) = ("Dockerfile", EntryType::Regular, "", "FROM base\nCOPY . /all/\n");

#[test]
fn nothing_is_written_outside_of_a_context() {
    let Some(home) = Home::with_base() else { return };
    let victim = home.path("victim");
    fs::create_dir(&victim).unwrap();
    fs::write(victim.join("file"), "untouched").unwrap();
    let outside = victim.to_str().unwrap();
    let (file, link) = (EntryType::Regular, EntryType::Symlink);
    let up = "../".repeat(20);
    let archives = [
        hostile(&[DOCKERFILE, (&format!("{up}{}/new", &outside[1..]), file, "", "evil")]),
        hostile(&[DOCKERFILE, (&format!("{outside}/new"), file, "", "evil")]),
        hostile(&[DOCKERFILE, ("out", link, outside, ""), ("out/new", file, "", "evil")]),
        hostile(&[DOCKERFILE, ("out", link, &format!("{up}{}", &outside[1..]), ""), ("out/new", file, "", "evil")]),
        hostile(&[DOCKERFILE, ("out", link, &format!("{outside}/file"), ""), ("out", file, "", "evil")]),
        hostile(&[DOCKERFILE, ("hard", EntryType::Link, &format!("{outside}/file"), ""), ("hard", file, "", "evil")]),
        hostile(&[DOCKERFILE, ("a", link, "b", ""), ("b", link, "a", ""), ("a/x", file, "", "evil")]),
    ];
    for archive in archives {
        // Whether it is refused or kept inside: nothing happens to the folder next door.
        let ran = home.piped(["build", "-t", "x", "-"], &archive);
        assert!(matches!(ran.status, Some(0 | 2)), "{}", ran.stderr);
        let names: Vec<_> = fs::read_dir(&victim).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(names, ["file"]);
        assert_eq!(fs::read_to_string(victim.join("file")).unwrap(), "untouched");
        assert_eq!(home.unfinished(), [""; 0]);
    }
}

#[test]
fn nothing_outside_of_a_context_is_read() {
    let Some(home) = Home::with_base() else { return };
    home.write("secret", "FROM base\nRUN echo stolen > /stolen\n");
    let secret = home.path("work/secret").to_str().unwrap().to_owned();
    let link = EntryType::Symlink;
    let refused = home.piped(["build", "-"], hostile(&[("Dockerfile", link, &secret, "")])).exits(2);
    assert!(refused.stderr.contains("there is no Dockerfile `Dockerfile` in the context"), "{}", refused.stderr);
    let up = format!("{}{}", "../".repeat(20), &secret[1..]);
    home.piped(["build", "-f", &up, "-"], hostile(&[DOCKERFILE])).exits(2);
    let copy = ("Dockerfile", EntryType::Regular, "", "FROM base\nCOPY leak /x\n");
    home.piped(["build", "-"], hostile(&[copy, ("leak", link, &secret, "")])).exits(2);
    let hard = home.piped(["build", "-"], hostile(&[copy, ("leak", EntryType::Link, &secret, "")])).exits(2);
    assert!(hard.stderr.contains("is a hard link to"), "{}", hard.stderr);
}

#[test]
fn a_dockerfile_that_is_a_pipe_is_not_waited_for() {
    let home = Home::empty();
    let ran = home.piped(["compile", "-"], hostile(&[("Dockerfile", EntryType::Fifo, "", "")])).exits(2);
    assert!(ran.stderr.contains("is no file"), "{}", ran.stderr);
    let ran = home.piped(["compile", "-"], hostile(&[("Dockerfile", EntryType::Directory, "", "")])).exits(2);
    assert!(ran.stderr.contains("is no file"), "{}", ran.stderr);
}

#[test]
fn damaged_archives_are_errors() {
    let home = Home::empty();
    let whole = gzip(&tar(&[("Dockerfile", "FROM scratch\n"), ("a", &"a".repeat(100_000))]));
    for length in [whole.len() - 5, whole.len() / 2, 40] {
        let ran = home.piped(["compile", "-"], &whole[..length]).exits(2);
        assert!(ran.stderr.contains("cannot unpack the context `standard input`"), "{}", ran.stderr);
    }
    let mut changed = tar(&[("Dockerfile", "FROM scratch\n"), ("a", "")]);
    changed[1024 + 3] ^= 1;
    let ran = home.piped(["compile", "-"], changed).exits(2);
    assert!(ran.stderr.contains("checksum is wrong"), "{}", ran.stderr);
    let not_a_tar = home.piped(["compile", "-"], gzip(b"FROM scratch\n")).exits(2);
    assert!(not_a_tar.stderr.contains("cannot unpack the context"), "{}", not_a_tar.stderr);
    assert_eq!(home.unfinished(), [""; 0]);
}

/// A disk of 400 MiB for the store, and a gzip of a megabyte that holds a gigabyte.
const SCRIPT: &str = r#"
    mkdir -p "$LAYERCAKE_HOME" && mount -t tmpfs -o size=400m none "$LAYERCAKE_HOME" || exit 77
    "$1" import --change='ENV PATH=/bin' ../base.tar base > /dev/null || exit 78
    "$1" build -t x "$2" < "$3"; echo "status $?"
    df --output=avail -m "$LAYERCAKE_HOME" | tail -n 1
"#;

#[test]
fn a_bomb_ends_in_an_error_and_not_in_a_full_disk() {
    let Some(home) = Home::with_base() else { return };
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    let mut header = tar::Header::new_gnu();
    header.set_path("zeros").unwrap();
    header.set_size(1 << 30);
    header.set_cksum();
    let write = |encoder: &mut flate2::write::GzEncoder<Vec<u8>>, bytes: &[u8]| {
        std::io::Write::write_all(encoder, bytes).unwrap();
    };
    write(&mut encoder, header.as_bytes());
    let mebibyte = vec![0; 1 << 20];
    (0..1024).for_each(|_| write(&mut encoder, &mebibyte));
    write(&mut encoder, &[0; 1024]);
    let bomb = encoder.finish().unwrap();
    home.write("bomb", &bomb);
    home.write("ctx/Dockerfile", "FROM base\nADD bomb /out/\n").write("ctx/bomb", &bomb);
    for (context, input) in [("-", "bomb"), ("ctx", "/dev/null")] {
        let mut command = machine::in_mount_namespace("sh");
        home.furnish(&mut command);
        let ran = run(command.args(["-c", SCRIPT, "sh"]).arg(program()).args([context, input]));
        assert!(ran.stdout.contains("status 3"), "{}{}", ran.stdout, ran.stderr);
        assert!(ran.stderr.contains("there is no room for `zeros`"), "{}", ran.stderr);
        let free: u64 = ran.stdout.lines().last().unwrap().trim().parse().unwrap();
        assert!(free > 300, "{free} MiB are left: it was not cleaned up");
    }
}

#[test]
fn an_endless_dockerfile_is_refused() {
    let home = Home::empty();
    let long = vec![b'#'; (16 << 20) + 1];
    let server = Resource::new(long.clone()).serve();
    home.write("ctx/Dockerfile", &long);
    let mut tar = Builder::new(Vec::new());
    tar.append_path_with_name(home.path("work/ctx/Dockerfile"), "Dockerfile").unwrap();
    let tar = tar.into_inner().unwrap();
    let address = format!("http://{}/x", server.host());
    // However it comes, the same is said of it.
    for (arguments, input) in [
        (&["compile", "-"][..], long.as_slice()),
        (&["compile", "-"], &tar),
        (&["compile", "ctx"], b""),
        (&["compile", "-f", "-", "ctx"], &long),
        (&["compile", "-f", &address, "ctx"], b""),
        (&["compile", &address], b""),
    ] {
        let ran = home.piped(arguments.iter().copied(), input).exits(2);
        assert!(ran.stderr.contains("the Dockerfile has more than 16 MiB"), "{arguments:?}: {}", ran.stderr);
        assert!(ran.stderr.contains("help: put what is large into files of the context"), "{}", ran.stderr);
        assert!(!arguments.contains(&&*address) || ran.stderr.contains(&address), "{}", ran.stderr);
    }
}
