//! Which system calls the command may use: those of Docker's default profile, given Docker's default capabilities.
//!
//! The tables say what is refused, which is less than what is allowed; they were made from moby's
//! `seccomp/default.json` of `moby/profiles` (2026-06). A refused call fails with `EPERM`; one that the profile does not know with
//! `ENOSYS`, as runc has it, so that programs fall back to an older one.

mod aarch64;
mod abi;
mod arm;
mod i386;
mod program;
mod x86_64;

use std::sync::LazyLock;

use libc::sock_filter;
use rustix::io::Errno;

use crate::mount::last_error;

static PROGRAM: LazyLock<Vec<sock_filter>> = LazyLock::new(|| program::compile(native()));

/// Compiles the filter, for all processes that are forked from this one.
pub(super) fn prepare() {
    LazyLock::force(&PROGRAM);
}

/// Filters the system calls of this process and its children from here on. It needs the capability `SYS_ADMIN`, because
/// the alternative, `no_new_privs`, would break `sudo` and other setuid programs.
pub(super) fn install() -> Result<(), Errno> {
    let filter = libc::sock_fprog { len: PROGRAM.len() as u16, filter: PROGRAM.as_ptr().cast_mut() };
    // SAFETY: the program outlives the call, and its length is right; the kernel only reads it, checks it and makes a copy.
    let result = unsafe {
        libc::syscall(
            libc::SYS_seccomp,
            libc::SECCOMP_SET_MODE_FILTER,
            // Without it old kernels slow all filtered processes down, for the sake of a browser's.
            libc::SECCOMP_FILTER_FLAG_SPEC_ALLOW,
            &raw const filter,
        )
    };
    if result == 0 { Ok(()) } else { Err(last_error()) }
}

/// What programs on this machine may be written for.
fn native() -> &'static [abi::Abi] {
    if cfg!(target_arch = "x86_64") { &[x86_64::ABI, i386::ABI] } else { &[aarch64::ABI, arm::ABI] }
}
