//! The process that becomes `git`: the umask that modes come from, the user that ssh asks about, and an end with this program's.

use std::io;
use std::os::fd::AsFd;
use std::os::unix::process::CommandExt;
use std::process::Command;

use rustix::fs::{Mode, OFlags};
use rustix::process::{Signal, set_parent_process_death_signal, umask};
use rustix::thread::UnshareFlags;

use crate::namespace::{self, Invoker};

/// Has a command be started so. It leads a process group of its own.
pub(super) fn prepare(command: &mut Command) {
    let maps = namespace::invoker().map(Maps::of);
    command.process_group(0);
    // SAFETY: the closure only makes system calls, on what was made ready before.
    unsafe { command.pre_exec(move || begin(maps.as_ref())) };
}

/// The maps of a user namespace in which the user is who started the program.
struct Maps {
    users: String,
    groups: String,
}

impl Maps {
    fn of(invoker: Invoker) -> Self {
        Self { users: format!("{} 0 1", invoker.user), groups: format!("{} 0 1", invoker.group) }
    }
}

/// What happens in the new process before it becomes `git`.
fn begin(maps: Option<&Maps>) -> io::Result<()> {
    // Modes are those of the repository, whatever the user's habits.
    umask(Mode::from_raw_mode(0o022));
    set_parent_process_death_signal(Some(Signal::KILL))?;
    become_first()?;
    if let Some(maps) = maps {
        become_invoker(maps)?;
    }
    // Last, for a change of the user takes it back.
    set_parent_process_death_signal(Some(Signal::KILL))?;
    Ok(())
}

/// Goes on as the first process of a process namespace, below one that does nothing but wait for it. If this program is
/// killed, so is the one that waits, then the first of the namespace, and then the kernel ends all others in it: programs
/// that speak with a server do not notice by themselves that nobody listens any more.
fn become_first() -> io::Result<()> {
    let clone = |flags: libc::c_int| {
        // SAFETY: without a stack of its own, the child goes on with a copy of this one, as after `fork`. This process has
        // a single thread, being new itself.
        unsafe { libc::syscall(libc::SYS_clone, libc::c_long::from(flags | libc::SIGCHLD), 0, 0, 0, 0) }
    };
    let pid = match clone(libc::CLONE_NEWPID) {
        // Where no namespace is to be had, what `git` starts is left to itself.
        -1 => clone(0),
        pid => pid,
    };
    match pid {
        -1 => Err(io::Error::last_os_error()),
        0 => Ok(()),
        pid => wait(pid as libc::pid_t),
    }
}

/// Waits for the process, and ends as it does.
fn wait(pid: libc::pid_t) -> ! {
    let mut status = 0;
    // SAFETY: closes what is open but the standard streams: the caller waits until its pipe is closed everywhere. Then waits
    // for a child, and ends this process without running what its parent registered for its own end.
    unsafe {
        libc::syscall(libc::SYS_close_range, 3, libc::c_uint::MAX, 0);
        while libc::waitpid(pid, &raw mut status, 0) == -1
            && io::Error::last_os_error().kind() == io::ErrorKind::Interrupted
        {}
        let code = if libc::WIFEXITED(status) { libc::WEXITSTATUS(status) } else { 128 + libc::WTERMSIG(status) };
        libc::_exit(code)
    }
}

/// Who is root of a user namespace of ours is the user again, in one more: ssh looks for keys and known hosts in the home
/// of the user that it is run by, and logs in under that name.
fn become_invoker(maps: &Maps) -> io::Result<()> {
    // SAFETY: the flags do not include `FILES`.
    if unsafe { rustix::thread::unshare_unsafe(UnshareFlags::NEWUSER) }.is_err() {
        // Where no further namespace is to be had, everything but ssh works all the same.
        return Ok(());
    }
    let write = |path: &std::ffi::CStr, text: &str| -> io::Result<()> {
        let file = rustix::fs::open(path, OFlags::WRONLY | OFlags::CLOEXEC, Mode::empty())?;
        rustix::io::write(file.as_fd(), text.as_bytes())?;
        Ok(())
    };
    write(c"/proc/thread-self/setgroups", "deny")?;
    write(c"/proc/thread-self/uid_map", &maps.users)?;
    write(c"/proc/thread-self/gid_map", &maps.groups)
}
