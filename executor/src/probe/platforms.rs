//! The programs of other processors.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use super::fact::{Fact, State, Subject};
use super::storage::Trial;
use crate::emulation::{Architecture, Emulator, registered};
use crate::overlay::Overlay;
use crate::sandbox::{self, Error, Failure, Lack, Spec, Standard};

/// Which programs for other processors run, and by whom. `emulators` are those that are installed.
pub(super) fn platforms(store: &Path, emulators: &[Emulator]) -> Fact {
    let list = |chosen: &mut dyn Iterator<Item = Architecture>| {
        chosen.map(|architecture| architecture.to_string()).collect::<Vec<_>>().join(" ")
    };
    let (native, foreign): (Vec<_>, Vec<_>) = Architecture::all().partition(|architecture| architecture.is_native());
    let (by_machine, others): (Vec<_>, Vec<_>) = foreign.into_iter().partition(|one| registered(*one).is_some());
    let installed: Vec<&Emulator> = emulators.iter().filter(|one| others.contains(&one.architecture)).collect();
    // One stands for all: what can go wrong is the registration.
    let lack = installed.first().and_then(|emulator| trial(store, emulator));
    let mut parts = vec![format!("runs {}", list(&mut native.into_iter()))];
    if !by_machine.is_empty() {
        parts.push(format!("{} by the machine's binfmt_misc", list(&mut by_machine.iter().copied())));
    }
    let consequence = "a `RUN` for another platform does not work; what is copied or downloaded for it does";
    let limited = |parts: Vec<String>, help: &str| {
        Fact::lacking(Subject::Platforms, State::Limited, parts.join("; "), consequence, Some(help.to_owned()))
    };
    match (installed.is_empty(), lack) {
        (false, None) => {
            let own = list(&mut installed.iter().map(|emulator| emulator.architecture));
            parts.push(format!("{own} by qemu, registered for each command alone"));
            Fact::ok(Subject::Platforms, parts.join("; "))
        }
        (false, Some(reason)) => {
            parts.push(format!("qemu is there and cannot be registered: {reason}"));
            limited(parts, "use Linux 6.7 or newer, or register qemu for the whole machine")
        }
        (true, _) if by_machine.is_empty() => limited(parts, "install the package `qemu-user-static`"),
        (true, _) => Fact::ok(Subject::Platforms, parts.join("; ")),
    }
}

/// Why an emulator is not given the programs of its processor; `None` if it is. What it is given is no whole program, which is
/// for the emulator to say.
fn trial(store: &Path, emulator: &Emulator) -> Option<String> {
    let trial = Trial::new(store, "platforms").map_err(|error| error.to_string());
    let run = |folder: &Path| -> Result<(), String> {
        let program = folder.join("program");
        let mut content = emulator.architecture.pattern().0.to_vec();
        content.resize(64, 0);
        fs::write(&program, content).map_err(|error| error.to_string())?;
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).map_err(|error| error.to_string())?;
        let root = Overlay { lowers: vec![folder.to_owned()], upper: None };
        let spec = Spec { emulators: vec![emulator.clone()], ..Spec::new(root, vec!["/program".to_owned()]) };
        let nowhere = || fs::File::options().write(true).open("/dev/null").map(Into::into);
        let nowhere = || nowhere().map_err(|error| error.to_string()).map(Some);
        let standard = Standard { stdin: None, stdout: nowhere()?, stderr: nowhere()? };
        match sandbox::start(&spec, standard).and_then(sandbox::Running::wait) {
            Ok(_) => Ok(()),
            Err(Error::Failure(Failure::Foreign { lack: Lack::Registration { reason, .. }, .. })) => Err(reason.into()),
            Err(error) => Err(error.to_string()),
        }
    };
    trial.and_then(|trial| run(&trial.folder)).err()
}
