//! Bad input: nothing that is copied comes from outside of the context, and nothing goes outside of the image.

use std::fs;
use std::io::Write;
use std::os::unix::fs::{MetadataExt, symlink};

use tar::{Builder, EntryType, Header};

use crate::support::Home;

/// A home with a file `work/outside/secret` beside the context, and a base.
fn home() -> Option<Home> {
    let home = Home::with_base()?;
    home.write("outside/secret", "secret").write("ctx/inside", "inside");
    Some(home)
}

fn outside(home: &Home) -> String {
    home.path("work/outside").display().to_string()
}

/// What is outside is as it was.
#[track_caller]
fn assert_untouched(home: &Home) {
    let names: Vec<_> =
        fs::read_dir(home.path("work/outside")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names, ["secret"]);
    assert_eq!(home.read("outside/secret"), "secret");
}

/// Builds, which has to fail because of the input, and says why.
#[track_caller]
fn refused(home: &Home, instruction: &str) -> String {
    home.write("ctx/Dockerfile", format!("FROM base\n{instruction}\n"));
    let ran = home.layercake(["build", "-q", "ctx"]);
    assert!(matches!(ran.status, Some(2 | 3)), "{instruction}: {:?}\n{}", ran.status, ran.stderr);
    assert!(!ran.stderr.contains("panicked"), "{}", ran.stderr);
    assert_untouched(home);
    assert_eq!(home.unfinished(), [""; 0], "{instruction}");
    ran.stderr
}

#[test]
fn a_source_cannot_lead_out_of_the_context() {
    let Some(home) = home() else { return };
    for (name, target) in
        [("absolute", outside(&home)), ("up", "../outside".to_owned()), ("file", format!("{}/secret", outside(&home)))]
    {
        symlink(target, home.path("work/ctx").join(name)).unwrap();
    }
    home.write("ctx/sub/x", "");
    symlink("../../outside/secret", home.path("work/ctx/sub/deep")).unwrap();
    for source in [
        "absolute",
        "absolute/secret",
        "up/secret",
        "file",
        "sub/deep",
        "../outside/secret",
        "sub/../../outside/secret",
        "/../outside",
    ] {
        for instruction in ["COPY", "ADD", "COPY --link", "COPY --parents"] {
            let message = refused(&home, &format!("{instruction} {source} /x/"));
            assert!(message.contains(": not found"), "{instruction} {source}: {message}");
        }
        let message = refused(&home, &format!("RUN --mount=type=bind,source={source},target=/x true"));
        assert!(message.contains(": not found"), "{message}");
    }
    // What is in a folder stays the link that it is, and a pattern finds nothing behind one.
    home.write("ctx/Dockerfile", "FROM base\nCOPY . /all/\nCOPY up/* absolute/* /none/\n");
    let tree = home.tree("ctx");
    assert_eq!((tree.file("all/up").target.as_str(), tree.file("all/file").content.len()), ("../outside", 0));
    assert!(tree.paths().iter().all(|path| !path.starts_with("none/")), "{:?}", tree.paths());
}

#[test]
fn a_named_context_holds_its_links_too() {
    let Some(home) = home() else { return };
    home.write("named/x", "");
    symlink("../outside/secret", home.path("work/named/link")).unwrap();
    home.write("ctx/Dockerfile", "FROM base\nCOPY --from=named link /\n");
    let ran = home.layercake(["build", "--build-context", "named=named", "ctx"]).exits(2);
    assert!(ran.stderr.contains("\"/link\": not found"), "{}", ran.stderr);
}

#[test]
fn a_destination_cannot_lead_out_of_the_image() {
    let Some(home) = home() else { return };
    let outside = outside(&home);
    home.write(
        "ctx/Dockerfile",
        format!(
            "FROM base\nRUN ln -s {outside} /absolute && ln -s ../../../../../../../..{outside} /up && ln -s {outside}/secret /file\n\
             COPY inside /absolute/a\nCOPY inside /up/b\nCOPY inside /file\nCOPY inside /../../../../..{outside}/c\n\
             ADD inside /absolute/d/\nWORKDIR /absolute/e\nCOPY inside .\n"
        ),
    );
    let tree = home.tree("ctx");
    for name in ["a", "b", "secret", "c", "d/inside", "e/inside"] {
        assert_eq!(tree.text(&format!("{}/{name}", outside.trim_start_matches('/'))), "inside", "{name}");
    }
    assert_untouched(&home);
}

#[test]
fn a_file_that_is_replaced_keeps_its_other_names() {
    let Some(home) = home() else { return };
    home.write("ctx/Dockerfile", "FROM base\nRUN ln /etc/passwd /again\nCOPY inside /again\n");
    let tree = home.tree("ctx");
    assert_eq!(tree.text("again"), "inside");
    assert!(tree.text("etc/passwd").starts_with("root:"));
    // So does one of this machine that a context has a name of.
    fs::hard_link(home.path("work/outside/secret"), home.path("work/ctx/name")).unwrap();
    home.write("ctx/Dockerfile", "FROM base\nCOPY --chmod=777 --chown=1:1 name /\nRUN echo changed > /name\n");
    assert_eq!(home.tree("ctx").text("name"), "changed\n");
    assert_untouched(&home);
    assert_eq!(fs::metadata(home.path("work/outside/secret")).unwrap().mode() & 0o022, 0);
}

/// An archive of one entry after another, whatever their names.
fn archive(entries: &[(&str, EntryType, &str)]) -> Vec<u8> {
    let mut tar = Builder::new(Vec::new());
    for (name, kind, link) in entries {
        let mut header = Header::new_ustar();
        header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
        header.as_old_mut().linkname[..link.len()].copy_from_slice(link.as_bytes());
        let content: &[u8] = if *kind == EntryType::Regular { b"planted" } else { b"" };
        header.set_entry_type(*kind);
        header.set_mode(0o644);
        header.set_uid(0);
        header.set_gid(0);
        header.set_mtime(0);
        header.set_size(content.len() as u64);
        header.set_cksum();
        tar.append(&header, content).unwrap();
    }
    tar.into_inner().unwrap()
}

#[test]
fn an_archive_cannot_lead_out_of_the_image() {
    use EntryType::{Link, Regular, Symlink};
    let Some(home) = home() else { return };
    let outside = outside(&home);
    let secret = format!("{outside}/secret");
    assert!(secret.len() < 100, "a name in a header is short: {secret}");
    let refusals: [&[(&str, EntryType, &str)]; 3] = [
        &[("x", Link, "../../../../etc/passwd")],
        &[("x", Link, &secret)],
        &[("a", Symlink, "b"), ("b", Symlink, "a"), ("a/x", Regular, "")],
    ];
    for entries in refusals {
        home.write("ctx/odd.tar", archive(entries));
        let message = refused(&home, "ADD odd.tar /d/");
        assert!(message.contains("ADD odd.tar /d/: "), "{message}");
    }
    // A link is a link, and what goes through it stays inside. The folder that is unpacked into is its own parent.
    let planted = format!("{}/planted", outside.trim_start_matches('/'));
    let entries = [
        ("out", Symlink, outside.as_str()),
        ("out/planted", Regular, ""),
        ("/a", Regular, ""),
        ("../b/../../c", Regular, ""),
    ];
    home.write("ctx/odd.tar", archive(&entries));
    home.write("ctx/Dockerfile", "FROM base\nADD odd.tar /d/\n");
    let tree = home.tree("ctx");
    for name in [planted.as_str(), "a", "c"] {
        assert_eq!(tree.text(&format!("d/{name}")), "planted");
    }
    assert_untouched(&home);
}

#[test]
fn a_link_to_itself_is_an_error() {
    let Some(home) = home() else { return };
    symlink("loop", home.path("work/ctx/loop")).unwrap();
    symlink("loop/../there", home.path("work/ctx/here")).unwrap();
    symlink("here", home.path("work/ctx/there")).unwrap();
    for instruction in
        ["COPY loop /", "COPY loop/x /", "COPY here /", "COPY loop/* /", "ADD loop /", "COPY --parents loop/x /"]
    {
        let message = refused(&home, instruction);
        assert!(message.contains("symbolic links") || message.contains("not found"), "{instruction}: {message}");
    }
    for instruction in ["COPY inside /loop", "COPY inside /loop/", "COPY inside /loop/deep/", "WORKDIR /loop/deep"] {
        let message = refused(&home, &format!("RUN ln -s loop /loop\n{instruction}"));
        assert!(message.contains("symbolic links"), "{instruction}: {message}");
    }
}

#[test]
fn an_archive_bomb_is_an_error_and_not_a_full_disk() {
    let Some(home) = home() else { return };
    // A file that says that it is 4 EiB long, with some of the zeros that would follow: in an ordinary entry, and as a hole.
    let mut header = Header::new_gnu();
    header.set_path("zeros").unwrap();
    header.set_mode(0o644);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    header.set_size(4 << 60);
    header.set_cksum();
    let mut ordinary = header.as_bytes().to_vec();
    ordinary.extend([0; 1 << 16]);
    header.set_entry_type(EntryType::GNUSparse);
    header.set_size(0);
    let sparse = header.as_gnu_mut().unwrap();
    for (field, number) in [
        (&mut sparse.realsize[..], 1_u64 << 62),
        (&mut sparse.sparse[0].offset[..], 1 << 62),
        (&mut sparse.sparse[0].numbytes[..], 0),
    ] {
        // Numbers that are too large for octal digits: base 256, marked by the highest bit.
        let length = field.len();
        field.fill(0);
        field[length - 8..].copy_from_slice(&number.to_be_bytes());
        field[0] = 0x80;
    }
    header.set_cksum();
    let mut hole = header.as_bytes().to_vec();
    hole.extend([0; 1024]);
    for archive in [ordinary, hole] {
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        gzip.write_all(&archive).unwrap();
        home.write("ctx/bomb.tar.gz", gzip.finish().unwrap());
        let message = refused(&home, "ADD bomb.tar.gz /");
        assert!(message.contains("there is no room for `zeros` of the archive"), "{message}");
    }
}
