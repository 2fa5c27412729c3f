//! What is mounted into the tree, and that nothing of it stays.

use std::fs;
use std::os::unix::fs::{MetadataExt, symlink};

use layercake_executor::overlay::{Overlay, Upper};
use layercake_executor::sandbox::{Access, Mount, MountKind, Spec};

use crate::harness::tests;
use crate::little::{Little, output, run};

tests![
    nothing_stays_in_the_upper,
    parents_of_mount_points_keep_their_attributes,
    binds_of_folders_and_files,
    tmpfs_with_a_size,
    secrets_are_content,
    trees_are_written_to_their_own_upper,
    targets_below_targets,
    links_do_not_lead_out,
    targets_of_the_wrong_kind,
    an_empty_tree_works,
];

fn mounted(little: &Little, target: &str, kind: MountKind, script: &str) -> Spec {
    Spec { mounts: vec![Mount { target: target.into(), kind }], ..little.script(script) }
}

fn bind(source: impl Into<std::path::PathBuf>, access: Access) -> MountKind {
    MountKind::Bind { source: source.into(), access }
}

fn secret(content: &str) -> MountKind {
    MountKind::File { content: content.into(), uid: 1000, gid: 7, mode: 0o400, access: Access::ReadOnly }
}

fn nothing_stays_in_the_upper() {
    let little = Little::new();
    output(&little.command(&["true"]));
    assert_eq!(little.changes(), [""; 0]);
    let mounts = vec![
        Mount { target: "/run/secrets/a".into(), kind: secret("x") },
        Mount { target: "/etc/ssl/new/file".into(), kind: secret("x") },
        Mount { target: "/deep/er/folder".into(), kind: MountKind::Tmpfs { size: None } },
    ];
    output(&Spec { mounts, ..little.script("touch /deep/er/folder/x; ls /etc /run /deep") });
    assert_eq!(little.changes(), [""; 0]);
    output(&little.script("echo x > /etc/new"));
    assert_eq!(little.changes(), ["etc", "etc/new"]);
}

fn parents_of_mount_points_keep_their_attributes() {
    let little = Little::new();
    let etc = little.lower().join("etc");
    output(&little.script("chown 5:6 /etc; chmod 2751 /etc; touch -d '2001-02-03 04:05:06' /etc"));
    assert_eq!(little.output("stat -c '%u:%g %a %Y' /etc"), "5:6 2751 981173106\n");
    let before = fs::metadata(&etc).unwrap();
    fs::remove_dir_all(little.path("upper/etc")).unwrap();
    let expected = format!("{:o} {}\n", before.mode() & 0o7777, before.mtime());
    assert_eq!(little.output("stat -c '%a %Y' /etc"), expected);
    assert_eq!(little.changes(), [""; 0]);
}

fn binds_of_folders_and_files() {
    let little = Little::new();
    fs::create_dir(little.path("shared")).unwrap();
    fs::write(little.path("shared/f"), "text").unwrap();
    let script = "cat /mnt/f; echo more > /mnt/g";
    assert_eq!(output(&mounted(&little, "/mnt", bind(little.path("shared"), Access::ReadWrite), script)), "text");
    assert_eq!(fs::read_to_string(little.path("shared/g")).unwrap(), "more\n");
    let finished = run(&mounted(&little, "/mnt", bind(little.path("shared"), Access::ReadOnly), script)).unwrap();
    assert!(finished.stderr.contains("Read-only file system"), "{finished:?}");
    let file = mounted(&little, "/etc/passwd", bind(little.path("shared/f"), Access::ReadOnly), "cat /etc/passwd");
    assert_eq!(output(&Spec { user: "0".into(), ..file }), "text");
    let missing = run(&mounted(&little, "/mnt", bind(little.path("none"), Access::ReadOnly), "true")).unwrap_err();
    assert!(missing.to_string().ends_with("none`: no such file or directory"), "{missing}");
    assert_eq!(little.changes(), [""; 0]);
}

fn tmpfs_with_a_size() {
    let little = Little::new();
    let kind = MountKind::Tmpfs { size: Some(1 << 20) };
    let text =
        output(&mounted(&little, "/cache", kind, "touch /cache/x; grep ' /cache ' /proc/mounts; stat -c %a /cache"));
    assert!(text.contains("size=1024k") && text.ends_with("1777\n"), "{text}");
}

fn secrets_are_content() {
    let little = Little::new();
    let script = "stat -c '%u:%g %a' /run/secrets/key; cat /run/secrets/key; echo x >> /run/secrets/key";
    let finished = run(&mounted(&little, "/run/secrets/key", secret("hidden\n"), script)).unwrap();
    assert_eq!(finished.stdout, "1000:7 400\nhidden\n");
    assert!(finished.stderr.contains("Read-only file system"), "{finished:?}");
    let type_of = mounted(&little, "/run/secrets/key", secret("x"), "grep /run/secrets/key /proc/mounts");
    assert!(output(&type_of).contains(" ramfs "));
}

fn trees_are_written_to_their_own_upper() {
    let little = Little::new();
    for folder in ["other/sub", "upper2", "work2"] {
        fs::create_dir_all(little.path(folder)).unwrap();
    }
    fs::write(little.path("other/sub/f"), "from").unwrap();
    let upper = Upper { upper: little.path("upper2"), work: little.path("work2") };
    let tree = Overlay { lowers: vec![little.path("other")], upper: Some(upper) };
    let kind = MountKind::Tree { tree, source: "/sub".into(), access: Access::ReadWrite };
    assert_eq!(output(&mounted(&little, "/from", kind, "cat /from/f; rm /from/f; touch /from/g; ls /from")), "fromg\n");
    assert!(little.path("other/sub/f").exists());
    assert!(little.path("upper2/sub/g").exists());
    let tree = Overlay { lowers: vec![little.path("other")], upper: None };
    let kind = MountKind::Tree { tree, source: "sub".into(), access: Access::ReadOnly };
    let finished = run(&mounted(&little, "/from", kind, "cat /from/f; touch /from/x")).unwrap();
    assert!(finished.stderr.contains("Read-only file system"), "{finished:?}");
    assert_eq!(little.changes(), [""; 0]);
}

fn targets_below_targets() {
    let little = Little::new();
    fs::create_dir(little.path("shared")).unwrap();
    // Named in the wrong order, and below `/dev` too.
    let mounts = vec![
        Mount { target: "/a/b/c".into(), kind: secret("c") },
        Mount { target: "/a".into(), kind: MountKind::Tmpfs { size: None } },
        Mount { target: "/a/b".into(), kind: bind(little.path("shared"), Access::ReadWrite) },
        Mount { target: "/dev/extra".into(), kind: secret("d") },
    ];
    assert_eq!(output(&Spec { mounts, ..little.script("cat /a/b/c /dev/extra") }), "cd");
    assert_eq!(little.changes(), [""; 0]);
}

fn links_do_not_lead_out() {
    let little = Little::new();
    let lower = little.lower();
    symlink("../../../../../../../../../../tmp/outside", lower.join("out")).unwrap();
    symlink("/run/real", lower.join("link")).unwrap();
    symlink("../run/systemd/resolve/stub-resolv.conf", lower.join("etc/resolv.conf")).unwrap();
    let _ = fs::remove_dir_all("/tmp/outside");
    assert_eq!(output(&mounted(&little, "/out/f", secret("in"), "cat /tmp/outside/f")), "in");
    assert!(!fs::exists("/tmp/outside").unwrap());
    assert_eq!(output(&mounted(&little, "/link/f", secret("in"), "cat /run/real/f")), "in");
    let resolv = fs::read_to_string("/etc/resolv.conf").unwrap_or_default();
    assert_eq!(little.output("cat /run/systemd/resolve/stub-resolv.conf"), resolv);
    assert_eq!(little.changes(), [""; 0]);
}

fn targets_of_the_wrong_kind() {
    let little = Little::new();
    let error = run(&mounted(&little, "/etc", secret("x"), "true")).unwrap_err();
    assert_eq!(error.to_string(), "cannot mount a file over `/etc`, which is a folder");
    let error = run(&mounted(&little, "/etc/passwd", MountKind::Tmpfs { size: None }, "true")).unwrap_err();
    assert_eq!(error.to_string(), "cannot mount a folder over `/etc/passwd`, which is a file");
    let error = run(&mounted(&little, "/etc/passwd/x", secret("x"), "true")).unwrap_err();
    assert_eq!(error.to_string(), "cannot look up `/etc/passwd/x` in the tree: not a directory");
}

fn an_empty_tree_works() {
    let little = Little::new();
    let busybox = bind(fs::canonicalize("/bin/busybox").unwrap(), Access::ReadOnly);
    let upper = Some(Upper { upper: little.path("upper"), work: little.path("work") });
    for (upper, touches) in [(upper, 0), (None, 1)] {
        let arguments = vec!["/x/busybox".into(), "touch".into(), "/new".into()];
        let mounts = vec![Mount { target: "/x/busybox".into(), kind: busybox.clone() }];
        let spec = Spec { mounts, ..Spec::new(Overlay { lowers: vec![], upper }, arguments) };
        assert_eq!(run(&spec).unwrap().outcome.end.status(), touches);
    }
    assert_eq!(little.changes(), ["new"]);
}
