//! Namespaces, ids, and a whole sandbox.

use std::fs::File;
use std::io::Read;
use std::path::PathBuf;

use super::fact::{Fact, State, Subject};
use crate::fault::reason;
use crate::namespace::{Entered, Error};
use crate::overlay::Overlay;
use crate::sandbox::{self, End, Spec, Standard};

/// As many ids as images ordinarily use.
const USUAL_IDS: u64 = 65_536;

/// Succeeds where `/proc` is that of the sandbox's own processes, of which the shell is the first.
const SCRIPT: &str = "read number rest < /proc/self/stat && test \"$number\" = $$";

pub(super) fn namespaces(entered: &Result<Entered, Error>) -> Fact {
    match entered {
        Ok(Entered::Root) => Fact::ok(Subject::Namespaces, "as root"),
        Ok(Entered::UserNamespace) => Fact::ok(Subject::Namespaces, "in a user namespace, without being root"),
        Err(error) => Fact::lacking(
            Subject::Namespaces,
            State::Missing,
            error.to_string(),
            "no command can run, and no layer can be unpacked: no image can be built",
            error.help(),
        ),
    }
}

pub(super) fn ids() -> Fact {
    let count = |file: &str| {
        let text = std::fs::read_to_string(file).unwrap_or_default();
        text.lines().filter_map(|line| line.split_whitespace().nth(2)?.parse::<u64>().ok()).sum::<u64>()
    };
    let (users, groups) = (count("/proc/self/uid_map"), count("/proc/self/gid_map"));
    let detail = format!("{users} users, {groups} groups");
    if users.min(groups) >= USUAL_IDS {
        return Fact::ok(Subject::SubordinateIds, detail);
    }
    let consequence = "images whose files belong to higher ids cannot be unpacked, nor their users be used";
    let help =
        "give the user 65536 ids in `/etc/subuid` and `/etc/subgid`: `sudo usermod --add-subuids … --add-subgids …`";
    Fact::lacking(Subject::SubordinateIds, State::Limited, detail, consequence, Some(help.to_owned()))
}

pub(super) fn sandbox() -> Fact {
    let missing = |detail: String, help| {
        Fact::lacking(Subject::Sandbox, State::Missing, detail, "`RUN` and `layercake run` do not work", help)
    };
    let root = Overlay { lowers: vec![PathBuf::from("/")], upper: None };
    let spec = Spec::new(root, ["/bin/sh", "-c", SCRIPT].map(str::to_owned).to_vec());
    match end(&spec) {
        Ok((End::Exited(0), _)) => Fact::ok(Subject::Sandbox, "runs commands, with a `/proc` of their own"),
        Ok((End::Exited(1), said)) if said.is_empty() => Fact::lacking(
            Subject::Sandbox,
            State::Limited,
            "runs commands, with the machine's `/proc`",
            "commands see the numbers of the machine's processes",
            Some(
                "start the surrounding container with `--security-opt systempaths=unconfined` or `--privileged`"
                    .to_owned(),
            ),
        ),
        Ok((end, said)) => missing(format!("a shell ended with status {}: {}", end.status(), said.trim()), None),
        Err(error) => missing(error.to_string(), error.help()),
    }
}

/// How a command ends, and what it complains of.
fn end(spec: &Spec) -> Result<(End, String), sandbox::Error> {
    let control = |source| sandbox::Error::Control { operation: "connect to", source };
    let (mut stderr, theirs) = std::io::pipe().map_err(control)?;
    let nowhere = File::options().write(true).open("/dev/null").map_err(control)?;
    let standard = Standard { stdin: None, stdout: Some(nowhere.into()), stderr: Some(theirs.into()) };
    let running = sandbox::start(spec, standard)?;
    let mut said = String::new();
    stderr.read_to_string(&mut said).map_err(control)?;
    Ok((running.wait()?.end, said))
}

pub(super) fn filter() -> Fact {
    let action = libc::SECCOMP_RET_ERRNO;
    // SAFETY: the action outlives the call, which only reads it.
    let result = unsafe { libc::syscall(libc::SYS_seccomp, libc::SECCOMP_GET_ACTION_AVAIL, 0, &raw const action) };
    if result == 0 {
        return Fact::ok(Subject::Seccomp, "filters system calls");
    }
    let error = reason(&std::io::Error::last_os_error());
    let help = "use a kernel with `CONFIG_SECCOMP_FILTER`".to_owned();
    Fact::lacking(Subject::Seccomp, State::Missing, error, "no command can run", Some(help))
}
