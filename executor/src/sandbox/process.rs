//! Forking and waiting, for a process that has a single thread.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::time::Duration;

use rustix::io::Errno;
use rustix::process::{Pid, Signal};
use rustix::thread::UnshareFlags;

use super::outcome::{End, Outcome};
use crate::mount::last_error;

/// Which side of a fork this is.
pub(super) enum Side {
    /// The old process, with the new one.
    Parent(Process),
    /// The new one.
    Child,
}

/// A child. Readable when it has ended.
pub(super) struct Process {
    number: Pid,
    handle: OwnedFd,
}

impl AsFd for Process {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.handle.as_fd()
    }
}

impl Process {
    /// Ends it. One that has ended already stays so.
    pub(super) fn kill(&self) {
        let _ = rustix::process::pidfd_send_signal(&self.handle, Signal::KILL);
    }

    /// Ends it, and waits until nothing of it is left.
    pub(super) fn end(&self) {
        self.kill();
        let _ = self.wait();
    }

    /// Waits for its end, and says how it came.
    pub(super) fn wait(&self) -> Result<Outcome, Errno> {
        wait(self.number)
    }
}

/// Forks this process into new namespaces, and into the control group whose folder is open. A process is born there at
/// the price of a look; to move one later, the kernel waits until every processor has taken notice.
pub(super) fn fork(namespaces: UnshareFlags, group: Option<BorrowedFd<'_>>) -> Result<Side, Errno> {
    let mut handle: libc::c_int = -1;
    let flags = u64::from(namespaces.bits()) | libc::CLONE_PIDFD as u64;
    // SAFETY: an all-zero record is a valid one: numbers only.
    let mut wanted: libc::clone_args = unsafe { std::mem::zeroed() };
    wanted.flags = flags;
    wanted.pidfd = &raw mut handle as u64;
    wanted.exit_signal = libc::SIGCHLD as u64;
    if let Some(group) = group {
        // Of `linux/sched.h`; the libc crate has it for some systems only.
        const CLONE_INTO_CGROUP: u64 = 1 << 33;
        wanted.flags |= CLONE_INTO_CGROUP;
        wanted.cgroup = group.as_raw_fd() as u64;
    }
    // SAFETY: the supervisor has a single thread, so no lock is held by one that the child lacks; without `CLONE_VM` the child
    // has a copy of the stack, and goes on with it.
    let result = unsafe { libc::syscall(libc::SYS_clone3, &raw const wanted, size_of::<libc::clone_args>()) };
    let result = match result {
        // Unknown before Linux 5.3, and where a container's filter says so.
        -1 if group.is_none() && last_error() == Errno::NOSYS => {
            let flags = flags as libc::c_ulong | libc::SIGCHLD as libc::c_ulong;
            // SAFETY: as above; the descriptor is written where the third argument points to.
            unsafe { libc::syscall(libc::SYS_clone, flags, 0_usize, &raw mut handle, 0_usize, 0_usize) }
        }
        result => result,
    };
    match result {
        -1 => Err(last_error()),
        0 => Ok(Side::Child),
        number => Ok(Pid::from_raw(number as i32).map_or(Side::Child, |number| {
            // SAFETY: the call has succeeded, so this is a descriptor that is new and nobody else's.
            let handle = unsafe { OwnedFd::from_raw_fd(handle) };
            Side::Parent(Process { number, handle })
        })),
    }
}

/// Ends this process at once, without running anything that was registered for its end.
pub(super) fn exit(status: i32) -> ! {
    // SAFETY: takes no memory and does not return.
    unsafe { libc::_exit(status) }
}

fn wait(child: Pid) -> Result<Outcome, Errno> {
    let mut status = 0;
    // SAFETY: an all-zero record is a valid one: numbers only.
    let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
    loop {
        // SAFETY: both records outlive the call.
        let result = unsafe { libc::wait4(child.as_raw_nonzero().get(), &raw mut status, 0, &raw mut usage) };
        match if result == -1 { Err(last_error()) } else { Ok(()) } {
            Err(Errno::INTR) => {}
            Err(error) => return Err(error),
            Ok(()) => break,
        }
    }
    let end = if libc::WIFSIGNALED(status) {
        End::Signalled(libc::WTERMSIG(status))
    } else {
        End::Exited(libc::WEXITSTATUS(status))
    };
    Ok(Outcome {
        end,
        // Linux counts kibibytes.
        peak_memory: u64::try_from(usage.ru_maxrss).unwrap_or(0) << 10,
        user_time: duration(usage.ru_utime),
        system_time: duration(usage.ru_stime),
    })
}

fn duration(time: libc::timeval) -> Duration {
    Duration::from_secs(time.tv_sec.try_into().unwrap_or(0))
        + Duration::from_micros(time.tv_usec.try_into().unwrap_or(0))
}

/// Gives the command a session keyring of its own: the caller's may hold tickets and passwords. Kernels can be built without.
pub(super) fn leave_keyring() {
    const KEYCTL_JOIN_SESSION_KEYRING: libc::c_long = 1;
    // SAFETY: a null pointer asks for a keyring without a name; nothing of this process's memory is read or written.
    unsafe { libc::syscall(libc::SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, std::ptr::null::<libc::c_char>()) };
}

/// Gives the command the signals as a fresh process has them: the Rust runtime ignores `SIGPIPE`, and whoever started the
/// program may have ignored or blocked others.
pub(super) fn reset_signals() {
    for signal in 1..=libc::SIGRTMAX() {
        // SAFETY: sets no handler, so there is none to be unsafe. What cannot be set stays as it is.
        unsafe { libc::signal(signal, libc::SIG_DFL) };
    }
    // SAFETY: an all-zero set is the empty one, and it outlives the call.
    unsafe {
        let empty: libc::sigset_t = std::mem::zeroed();
        libc::sigprocmask(libc::SIG_SETMASK, &raw const empty, std::ptr::null_mut());
    }
}
