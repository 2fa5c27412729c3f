//! The namespaces that the whole program runs in: its own mounts, and where it is not root, its own users too.
//!
//! This happens once, when the program starts and has a single thread (the kernel lets no process with threads into a
//! user namespace), because a map of more than one user id costs two programs of the `uidmap` package.

mod error;
mod mapping;
mod subordinate;

pub use error::{Error, Restriction};

use std::path::Path;
use std::sync::OnceLock;

use rustix::io::Errno;
use rustix::mount::MountPropagationFlags;
use rustix::thread::UnshareFlags;

use mapping::Helper;

/// What the program runs in since [`enter`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Entered {
    /// The machine's users, and mounts of its own.
    Root,
    /// A user namespace in which it is root, and mounts of its own.
    UserNamespace,
}

/// The user who started a program that has become root of a namespace of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Invoker {
    /// The numeric user id, outside.
    pub user: u32,
    /// The numeric group id, outside.
    pub group: u32,
}

/// A process enters once, and all of it is then inside.
static INVOKER: OnceLock<Invoker> = OnceLock::new();

/// Who started the program, if it has become root of a user namespace since then and was another user before.
#[must_use]
pub fn invoker() -> Option<Invoker> {
    INVOKER.get().copied()
}

/// Gives the program mounts of its own, and where it may not have them, a user namespace in which it may: there, it is
/// root, and the ids from 1 on are the subordinate ones of `/etc/subuid` and `/etc/subgid`.
///
/// The supplementary groups stay: a build context may be readable by one of them alone. Commands in the sandbox do not
/// have them.
///
/// # Errors
/// What is missing or forbidden, with what to do about it.
pub fn enter() -> Result<Entered, Error> {
    let threads = std::fs::read_dir("/proc/self/task").map(Iterator::count);
    match threads {
        Ok(1) => {}
        Ok(threads) => return Err(Error::Threads { threads }),
        Err(source) => return Err(Error::System { operation: "list the threads in `/proc/self/task`", source }),
    }
    let entered = if rustix::process::geteuid().is_root() {
        // Root in a container mostly lacks the capability, yet may well be allowed a user namespace.
        match unshare(UnshareFlags::NEWNS) {
            Ok(()) => Entered::Root,
            Err(Errno::PERM) => enter_user_namespace()?,
            Err(error) => return Err(Error::System { operation: "make a mount namespace", source: error.into() }),
        }
    } else {
        enter_user_namespace()?
    };
    make_mounts_private()?;
    Ok(entered)
}

/// Neither do our mounts show elsewhere from now on, nor others here.
fn make_mounts_private() -> Result<(), Error> {
    rustix::mount::mount_change("/", MountPropagationFlags::PRIVATE | MountPropagationFlags::REC)
        .map_err(|error| error::explain("make the mounts private", error))
}

fn enter_user_namespace() -> Result<Entered, Error> {
    let (user, group) = (rustix::process::getuid(), rustix::process::getgid());
    let plan = mapping::plan()?;
    let helper = Helper::start(&plan)?;
    unshare(UnshareFlags::NEWUSER | UnshareFlags::NEWNS)
        .map_err(|error| error::explain("make a user namespace", error))?;
    helper.map()?;
    become_root()?;
    if !user.is_root() {
        INVOKER.get_or_init(|| Invoker { user: user.as_raw(), group: group.as_raw() });
    }
    Ok(Entered::UserNamespace)
}

/// The user that started the program is the namespace's root already; this settles the saved and the group ids as well.
fn become_root() -> Result<(), Error> {
    let refused = |error: Errno| Error::System { operation: "become the user namespace's root", source: error.into() };
    let (user, group) = (rustix::process::Uid::ROOT, rustix::process::Gid::ROOT);
    rustix::thread::set_thread_res_gid(group, group, group).map_err(refused)?;
    rustix::thread::set_thread_res_uid(user, user, user).map_err(refused)
}

fn unshare(flags: UnshareFlags) -> Result<(), Errno> {
    // SAFETY: the flags do not include `FILES`, which alone could surprise other threads; and there are none.
    unsafe { rustix::thread::unshare_unsafe(flags) }
}

/// The number in a file of `/proc/sys`; `None` where the kernel has no such switch.
fn switch(name: &str) -> Option<u64> {
    std::fs::read_to_string(Path::new("/proc/sys").join(name)).ok()?.trim().parse().ok()
}
