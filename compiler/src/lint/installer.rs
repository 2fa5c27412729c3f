//! The programs that fetch packages: which commands do so, which files decide what is fetched, and where it is kept.

use super::script::{self, Simple};

/// A program that fetches packages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Installer {
    Apt,
    Apk,
    Dnf,
    Yum,
    Pip,
    Npm,
    YarnPackages,
    Pnpm,
    Bundler,
    Composer,
    Poetry,
    Go,
    Cargo,
    Maven,
    Gradle,
}

/// A command that fetches packages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Fetch {
    pub(super) installer: Installer,
    /// The command, as far as it is known: the program and what it is to do.
    pub(super) command: String,
    /// The files that alone decide what is fetched, as patterns of `COPY`; none if the command line does.
    pub(super) manifests: Vec<String>,
    /// Whether it does nothing but fetch, so that its layer is the cache of what follows.
    pub(super) only_fetches: bool,
}

/// A command that fetches packages, and what it reads of the files around it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fetched {
    /// The program and what it is to do.
    pub command: String,
    /// The files that alone decide what is fetched, as patterns of `COPY`; none if the command line does.
    pub manifests: Vec<String>,
}

/// The commands of a shell's text that fetch packages, as far as it is certain which files they read. One that follows a
/// change of the folder is left out.
#[must_use]
pub fn fetches(text: &str) -> Vec<Fetched> {
    let commands = script::read(text).into_iter().flatten();
    let here = commands.take_while(|command| !matches!(command.program(), "cd" | "pushd"));
    let certain = here.filter_map(|command| {
        let Fetch { installer, command: shown, manifests, .. } = fetch(&command)?;
        let is_of_system = matches!(installer, Installer::Apt | Installer::Apk | Installer::Dnf | Installer::Yum);
        // A package may be a file.
        let names_file = command.operands().any(|operand| operand.contains(['/', '$', '*']));
        (!manifests.is_empty() || is_of_system && !names_file).then_some(Fetched { command: shown, manifests })
    });
    certain.collect()
}

/// Recognizes a command.
pub(super) fn fetch(command: &Simple) -> Option<Fetch> {
    let (mut program, mut operands): (&str, Vec<&str>) = (command.program(), command.operands().collect());
    if program.starts_with("python") && command.words.get(1).is_some_and(|word| word == "-m") && !operands.is_empty() {
        program = operands.remove(0);
    }
    let verb = operands.first().copied().unwrap_or_default();
    let names_packages = operands.len() > 1;
    let of = |installer, manifests: &[&str]| {
        let command = format!("{program} {verb}").trim_end().to_owned();
        let manifests = manifests.iter().map(|name| (*name).to_owned()).collect();
        Some(Fetch { installer, command, manifests, only_fetches: false })
    };
    let unless_named = |installer, manifests: &[&str]| of(installer, if names_packages { &[] } else { manifests });
    let only = |found: Option<Fetch>| found.map(|found| Fetch { only_fetches: true, ..found });
    match (program, verb) {
        ("apt-get" | "apt", "install" | "upgrade" | "dist-upgrade" | "full-upgrade" | "build-dep") => {
            of(Installer::Apt, &[])
        }
        ("apk", "add" | "upgrade") => of(Installer::Apk, &[]),
        ("dnf", "install" | "upgrade" | "update" | "groupinstall") => of(Installer::Dnf, &[]),
        ("yum", "install" | "upgrade" | "update" | "groupinstall") => of(Installer::Yum, &[]),
        ("pip" | "pip3", "install") => of(Installer::Pip, &requirements(command)),
        ("npm", "ci" | "clean-install" | "install" | "i") => {
            unless_named(Installer::Npm, &["package.json", "package-lock.json*"])
        }
        ("yarn", "" | "install") if !command.has_option("--version") && !command.has_option("-v") => {
            unless_named(Installer::YarnPackages, &["package.json", "yarn.lock*"])
        }
        ("yarn", "add") => of(Installer::YarnPackages, &[]),
        ("pnpm", "install" | "i") => unless_named(Installer::Pnpm, &["package.json", "pnpm-lock.yaml*"]),
        ("pnpm", "add") => of(Installer::Pnpm, &[]),
        ("bundle", "install") => of(Installer::Bundler, &["Gemfile", "Gemfile.lock*"]),
        ("composer", "install") => of(Installer::Composer, &["composer.json", "composer.lock*"]),
        ("poetry", "install") => of(Installer::Poetry, &["pyproject.toml", "poetry.lock*"]),
        ("go", "mod") if operands.get(1) == Some(&"download") => {
            let found = only(of(Installer::Go, &["go.mod", "go.sum*"]));
            found.map(|found| Fetch { command: "go mod download".to_owned(), ..found })
        }
        ("go", "build" | "install" | "get" | "test") => of(Installer::Go, &[]),
        // Without a target, which is no manifest, cargo reads no `Cargo.toml`: that is for the author to solve.
        ("cargo", "fetch") => only(of(Installer::Cargo, &["Cargo.toml", "Cargo.lock*"])),
        ("cargo", "build" | "install" | "test") => of(Installer::Cargo, &[]),
        ("mvn" | "mvnw", goal) if goal.starts_with("dependency:") => only(of(Installer::Maven, &["pom.xml"])),
        ("mvn" | "mvnw", _) if !verb.is_empty() => of(Installer::Maven, &[]),
        ("gradle" | "gradlew", "dependencies") => {
            only(of(Installer::Gradle, &["build.gradle*", "settings.gradle*", "gradle.properties*"]))
        }
        ("gradle" | "gradlew", _) if !verb.is_empty() => of(Installer::Gradle, &[]),
        _ => None,
    }
}

/// The files that `pip install -r` names; none if something else is installed too, which may be the sources themselves.
fn requirements(command: &Simple) -> Vec<&str> {
    let mut files = Vec::new();
    let mut words = command.words.iter().map(String::as_str).skip_while(|word| *word != "install").skip(1);
    while let Some(word) = words.next() {
        match word.strip_prefix("--requirement=") {
            Some(file) => files.push(file),
            None if matches!(word, "-r" | "--requirement" | "-c" | "--constraint") => files.extend(words.next()),
            None if word.starts_with('-') => {}
            None => return Vec::new(),
        }
    }
    if files.iter().any(|file| file.starts_with('/') || file.contains(['$', ':'])) { Vec::new() } else { files }
}
