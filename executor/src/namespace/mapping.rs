//! Maps ids into the user namespace of this process. Only a process outside of it may, so a helper stays behind there.

use std::ffi::CStr;
use std::io::{self, PipeReader, PipeWriter, Read, Write};
use std::process::{Child, Command, Stdio};

use serde::{Deserialize, Serialize};

use super::error::Error;
use super::subordinate::{self, Kind};
use crate::fault::reason;

/// Which ids become which, for both kinds.
pub(super) struct Plan {
    maps: [(Kind, Vec<Extent>); 2],
    by: Authority,
}

/// `count` ids from `inside` on are those from `outside` on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Extent {
    inside: u32,
    outside: u32,
    count: u32,
}

/// Who may write the maps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Authority {
    /// The setuid programs of the `uidmap` package, for an ordinary user.
    Programs,
    /// The helper itself: it is root.
    Itself,
}

/// The maps that the user who runs this is entitled to.
pub(super) fn plan() -> Result<Plan, Error> {
    let (user, group) = (rustix::process::geteuid(), rustix::process::getegid());
    if user.is_root() {
        return Ok(Plan {
            maps: [(Kind::Users, same(Kind::Users)?), (Kind::Groups, same(Kind::Groups)?)],
            by: Authority::Itself,
        });
    }
    let name = user_name(user.as_raw());
    let map = |kind: Kind, own: u32| {
        let text = std::fs::read_to_string(kind.file()).unwrap_or_default();
        let ranges = subordinate::ranges(&text, name.as_deref(), user.as_raw());
        if ranges.is_empty() {
            let user = name.clone().unwrap_or_else(|| user.as_raw().to_string());
            return Err(Error::NoSubordinateIds { file: kind.file(), user });
        }
        Ok((kind, extents(own, &ranges)))
    };
    Ok(Plan { maps: [map(Kind::Users, user.as_raw())?, map(Kind::Groups, group.as_raw())?], by: Authority::Programs })
}

/// The user's own id becomes 0, and the subordinate ones follow without a gap.
fn extents(own: u32, ranges: &[subordinate::Range]) -> Vec<Extent> {
    let mut extents = vec![Extent { inside: 0, outside: own, count: 1 }];
    let mut next = 1_u32;
    for range in ranges {
        extents.push(Extent { inside: next, outside: range.first, count: range.count });
        next = next.saturating_add(range.count);
    }
    extents
}

/// Every id that there is here stays what it is.
fn same(kind: Kind) -> Result<Vec<Extent>, Error> {
    let text = std::fs::read_to_string(format!("/proc/self/{}", kind.map()))
        .map_err(|source| Error::System { operation: "read the map of ids", source })?;
    let extent = |line: &str| {
        let mut columns = line.split_whitespace();
        let (inside, count) = (columns.next()?.parse().ok()?, columns.nth(1)?.parse().ok()?);
        Some(Extent { inside, outside: inside, count })
    };
    Ok(text.lines().filter_map(extent).collect())
}

/// The name of a user, by whatever the system's name service asks.
fn user_name(id: u32) -> Option<String> {
    // SAFETY: `getpwuid` returns null, or a structure that stays valid until the next call; there is a single thread.
    unsafe {
        let entry = libc::getpwuid(id);
        let name = entry.as_ref()?.pw_name;
        (!name.is_null()).then(|| CStr::from_ptr(name).to_string_lossy().into_owned())
    }
}

/// A child that stays in the namespace which this process leaves.
pub(super) struct Helper {
    pid: libc::pid_t,
    go: PipeWriter,
    answer: PipeReader,
}

#[derive(Serialize, Deserialize)]
enum Answer {
    Mapped,
    MissingProgram { program: String },
    Refused { program: String, message: String },
}

impl Helper {
    /// Starts it, while this process is still where it was.
    pub(super) fn start(plan: &Plan) -> Result<Self, Error> {
        let refused = |source| Error::System { operation: "start the helper that maps ids", source };
        let (wait, go) = io::pipe().map_err(refused)?;
        let (answer, tell) = io::pipe().map_err(refused)?;
        let target = rustix::process::getpid().as_raw_nonzero().get();
        // SAFETY: this process has a single thread, so its child may do everything that it may itself.
        match unsafe { libc::fork() } {
            -1 => Err(refused(io::Error::last_os_error())),
            0 => {
                drop((go, answer));
                help(plan, target, wait, tell);
                // SAFETY: ends the child at once, without running what the parent registered for its own end.
                unsafe { libc::_exit(0) }
            }
            pid => Ok(Self { pid, go, answer }),
        }
    }

    /// Has it map the ids of the namespace that this process now is in.
    pub(super) fn map(mut self) -> Result<(), Error> {
        let refused = |source| Error::System { operation: "talk to the helper that maps ids", source };
        self.go.write_all(b"!").map_err(refused)?;
        let mut answer = Vec::new();
        self.answer.read_to_end(&mut answer).map_err(refused)?;
        // SAFETY: waits for our own child, and wants no status.
        unsafe { libc::waitpid(self.pid, std::ptr::null_mut(), 0) };
        match serde_json::from_slice(&answer) {
            Ok(Answer::Mapped) => Ok(()),
            Ok(Answer::MissingProgram { program }) => Err(Error::MissingProgram { program }),
            Ok(Answer::Refused { program, message }) => Err(Error::Mapping { program, message }),
            Err(error) => Err(refused(error.into())),
        }
    }
}

/// The helper's life. It ends unheard when the other side of the pipe does.
fn help(plan: &Plan, target: libc::pid_t, mut wait: PipeReader, mut tell: PipeWriter) {
    if wait.read_exact(&mut [0]).is_err() {
        return;
    }
    let answers: Vec<Answer> = match plan.by {
        // Each takes a while to start, so they do so together.
        Authority::Programs => {
            let running: Vec<_> =
                plan.maps.iter().map(|(kind, extents)| start_program(*kind, target, extents)).collect();
            running.into_iter().map(|(program, child)| finish_program(program, child)).collect()
        }
        Authority::Itself => plan.maps.iter().map(|(kind, extents)| write_map(*kind, target, extents)).collect(),
    };
    let failed = answers.into_iter().find(|answer| !matches!(answer, Answer::Mapped));
    let answer = failed.unwrap_or(Answer::Mapped);
    // Where this cannot be told, the other side sees an answer that ends too early.
    let _ = serde_json::to_vec(&answer).map(|text| tell.write_all(&text));
}

fn start_program(kind: Kind, target: libc::pid_t, extents: &[Extent]) -> (String, io::Result<Child>) {
    let program = kind.program().to_owned();
    let numbers = extents.iter().flat_map(|extent| [extent.inside, extent.outside, extent.count]);
    let mut command = Command::new(&program);
    command.arg(target.to_string()).args(numbers.map(|number| number.to_string())).stdin(Stdio::null());
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    (program, child)
}

fn finish_program(program: String, child: io::Result<Child>) -> Answer {
    match child.and_then(Child::wait_with_output) {
        Ok(output) if output.status.success() => Answer::Mapped,
        Ok(output) => {
            let message = String::from_utf8_lossy(&output.stderr);
            let message = message.trim().strip_prefix(&format!("{program}: ")).unwrap_or(message.trim());
            Answer::Refused { program, message: message.to_owned() }
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Answer::MissingProgram { program },
        Err(error) => Answer::Refused { program, message: reason(&error) },
    }
}

fn write_map(kind: Kind, target: libc::pid_t, extents: &[Extent]) -> Answer {
    let line = |extent: &Extent| format!("{} {} {}\n", extent.inside, extent.outside, extent.count);
    let path = format!("/proc/{target}/{}", kind.map());
    match std::fs::write(&path, extents.iter().map(line).collect::<String>()) {
        Ok(()) => Answer::Mapped,
        Err(error) => Answer::Refused { program: path, message: reason(&error) },
    }
}

#[cfg(test)]
mod tests {
    use super::subordinate::Range;
    use super::*;

    #[test]
    fn subordinate_ids_follow_the_own_one_without_a_gap() {
        let ranges = [Range { first: 100_000, count: 65_536 }, Range { first: 7, count: 3 }];
        let found: Vec<_> = extents(1000, &ranges).iter().map(|e| (e.inside, e.outside, e.count)).collect();
        assert_eq!(found, [(0, 1000, 1), (1, 100_000, 65_536), (65_537, 7, 3)]);
    }
}
