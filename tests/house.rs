//! The rules of the house, as tests: which crate may know which, what files look like, and that the documents tell the
//! truth.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Each crate, its folder, and the crates of the house that it may know.
const ARROWS: [(&str, &str, &[&str]); 4] = [
    ("layercake", ".", &["layercake-cache", "layercake-compiler", "layercake-executor"]),
    ("layercake-executor", "executor", &["layercake-cache", "layercake-compiler"]),
    ("layercake-compiler", "compiler", &[]),
    ("layercake-cache", "cache", &[]),
];

/// The crates from elsewhere that the compiler may use: none of them can reach a file, a process or a socket.
const COMPILER_MAY_USE: [&str; 4] = ["petgraph", "serde", "serde_json", "thiserror"];

/// What the compiler may not name.
const COMPILER_MAY_NOT_NAME: [&str; 9] = [
    "std::env",
    "std::fs",
    "std::os",
    "std::process",
    "std::thread",
    "SystemTime",
    "Instant",
    "TcpStream",
    "UdpSocket",
];

/// Names that say nothing about what is in a module.
const EMPTY_NAMES: [&str; 8] = ["common", "data", "helpers", "info", "manager", "misc", "util", "utils"];

/// The most lines that a file may have.
const MOST_LINES: usize = 500;

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// The files of the repository whose names end so, as paths from its root.
fn files(ending: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![PathBuf::new()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(root().join(&folder)).unwrap() {
            let entry = entry.unwrap();
            let path = folder.join(entry.file_name());
            let name = entry.file_name().to_string_lossy().into_owned();
            if entry.file_type().unwrap().is_dir() {
                if name != "target" && !name.starts_with('.') {
                    folders.push(path);
                }
            } else if name.ends_with(ending) {
                found.push(path);
            }
        }
    }
    assert!(!found.is_empty(), "there are files `*{ending}`");
    found.sort();
    found
}

fn read(path: impl AsRef<Path>) -> String {
    let path = root().join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The Rust files that break a rule, by name, with what `broken` says of each.
#[track_caller]
fn assert_every_rust_file(broken: impl Fn(&Path, &str) -> Option<String>) {
    let found: BTreeMap<PathBuf, String> =
        files(".rs").into_iter().filter_map(|path| broken(&path, &read(&path)).map(|why| (path, why))).collect();
    assert!(found.is_empty(), "{found:#?}");
}

/// The dependencies of a crate, those of its tests among them only if asked for.
fn dependencies(folder: &str, sections: &[&str]) -> BTreeSet<String> {
    let manifest: toml::Table = read(Path::new(folder).join("Cargo.toml")).parse().unwrap();
    let names =
        |section: &&str| manifest.get(*section).and_then(toml::Value::as_table).map(|table| table.keys().cloned());
    sections.iter().filter_map(names).flatten().collect()
}

#[test]
fn crates_know_only_those_below_them() {
    for (name, folder, allowed) in ARROWS {
        let known = dependencies(folder, &["dependencies", "dev-dependencies", "build-dependencies"]);
        let forbidden: Vec<_> =
            known.iter().filter(|known| known.starts_with("layercake") && !allowed.contains(&known.as_str())).collect();
        assert!(forbidden.is_empty(), "{name} knows {forbidden:?}");
    }
    let members = read("Cargo.toml").parse::<toml::Table>().unwrap()["workspace"]["members"].clone();
    let members: Vec<_> = members.as_array().unwrap().iter().map(|member| member.as_str().unwrap()).collect();
    for member in members {
        assert!(ARROWS.iter().any(|(_, folder, _)| *folder == member), "`{member}` has no arrows");
    }
}

#[test]
fn the_compiler_is_pure() {
    let used = dependencies("compiler", &["dependencies", "build-dependencies"]);
    assert_eq!(used.iter().map(String::as_str).collect::<Vec<_>>(), COMPILER_MAY_USE);
    for path in files(".rs").iter().filter(|path| path.starts_with("compiler/src")) {
        let text = read(path);
        let named: Vec<_> = COMPILER_MAY_NOT_NAME.iter().filter(|name| text.contains(**name)).collect();
        assert!(named.is_empty(), "{}: {named:?}", path.display());
    }
    assert!(root().join("compiler/clippy.toml").is_file());
}

#[test]
fn every_crate_is_linted_and_two_are_safe() {
    for (name, folder, _) in ARROWS {
        let manifest: toml::Table = read(Path::new(folder).join("Cargo.toml")).parse().unwrap();
        assert_eq!(manifest["lints"]["workspace"].as_bool(), Some(true), "{name}");
    }
    for folder in ["compiler", "cache"] {
        assert!(read(format!("{folder}/src/lib.rs")).contains("#![forbid(unsafe_code)]"), "{folder}");
    }
}

#[test]
fn files_say_first_what_they_are() {
    assert_every_rust_file(|_, text| {
        let line = text.lines().next().unwrap_or_default();
        let says = line.strip_prefix("//! ").is_some_and(|line| line.len() > 10);
        (!says).then(|| line.to_owned())
    });
}

#[test]
fn files_are_short() {
    assert_every_rust_file(|_, text| {
        let lines = text.lines().count();
        (lines > MOST_LINES).then(|| format!("{lines} lines"))
    });
}

#[test]
fn modules_have_names() {
    assert_every_rust_file(|path, _| {
        let parts = path.components().map(|part| part.as_os_str().to_string_lossy());
        let names: Vec<_> = parts.map(|part| part.trim_end_matches(".rs").to_owned()).collect();
        let is_empty = |name: &&String| *name == "mod" || EMPTY_NAMES.contains(&name.as_str());
        names.iter().find(is_empty).cloned()
    });
}

#[test]
fn nothing_is_left_for_later() {
    // In two parts, so that this file does not have them.
    let words = [("to", "do!("), ("unimple", "mented!("), ("db", "g!("), ("FIX", "ME"), ("TO", "DO"), ("XX", "X:")];
    assert_every_rust_file(|_, text| {
        let mut words = words.iter().map(|(first, second)| format!("{first}{second}"));
        words.find(|word| text.contains(word))
    });
}

#[test]
fn decisions_have_titles() {
    for path in files(".md").iter().filter(|path| path.starts_with("docs/decisions")) {
        let text = read(path);
        let title = text.lines().next().and_then(|line| line.strip_prefix("# "));
        assert!(title.is_some_and(|title| !title.is_empty()), "{}", path.display());
        assert!(text.lines().count() >= 5, "{} gives no reasons", path.display());
    }
}

#[test]
fn links_between_documents_lead_somewhere() {
    for path in files(".md") {
        let text = read(&path);
        let links = text.split("](").skip(1).filter_map(|rest| rest.split(')').next());
        for link in links.filter(|link| !link.contains("://") && !link.starts_with('#')) {
            let target = root().join(path.parent().unwrap()).join(link.split('#').next().unwrap());
            assert!(target.exists(), "{}: {link}", path.display());
        }
    }
}

#[test]
fn the_licence_is_there() {
    assert!(read("LICENSE").contains("Apache License"));
    assert!(read("Cargo.toml").contains("license = \"Apache-2.0\""));
}

/// What follows `$ ` in the documents.
fn commands(path: &str) -> Vec<String> {
    read(path).lines().filter_map(|line| line.strip_prefix("$ ").map(str::to_owned)).collect()
}

#[test]
fn the_readmes_commands_exist() {
    use std::os::unix::fs::PermissionsExt;
    let commands = commands("README.md");
    assert!(commands.len() >= 4, "{commands:?}");
    for command in commands {
        let words: Vec<&str> = command.split_whitespace().collect();
        match words[0] {
            "layercake" => {
                let help = help(words[1]);
                let options = words.iter().filter(|word| word.starts_with("--"));
                for option in options.map(|option| option.split('=').next().unwrap()) {
                    assert!(help.contains(option), "{command}: no {option}");
                }
            }
            "cargo" => {}
            script => {
                let mode = fs::metadata(root().join(script)).unwrap().permissions().mode();
                assert_eq!(mode & 0o111, 0o111, "{script}");
            }
        }
    }
}

#[test]
fn the_readmes_table_lists_commands() {
    let readme = read("README.md");
    let rows = readme.lines().filter_map(|line| line.strip_prefix("| `")?.split(" | ").next());
    let names: Vec<String> = rows
        .flat_map(|row| {
            row.split(',')
                .map(|name| name.trim_matches(|c: char| !c.is_ascii_lowercase()).to_owned())
                .collect::<Vec<_>>()
        })
        .collect();
    assert!(names.len() > 10, "{names:?}");
    for name in names {
        help(&name);
    }
}

/// What a command says of itself.
#[track_caller]
fn help(command: &str) -> String {
    let program = std::env::var_os("LAYERCAKE_BIN").unwrap_or_else(|| env!("CARGO_BIN_EXE_layercake").into());
    let output = Command::new(program).args([command, "--help"]).output().unwrap();
    assert!(output.status.success(), "layercake {command}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}
