//! The process between the parent and the command: makes the namespaces, forks the command into them, watches over both
//! sides, and tells the parent how it went. It has a single thread and knows nothing but the specification.

use std::io::{PipeReader, Read};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use rustix::event::{PollFd, PollFlags};
use rustix::io::Errno;
use rustix::mount::MountPropagationFlags;
use rustix::process::{Pid, PidfdFlags, Signal};
use rustix::thread::UnshareFlags;

use super::failure::{Doing, Failure};
use super::init::{self, Surroundings};
use super::message::{self, Order, Report};
use super::outcome::Outcome;
use super::process::{self, Side};
use super::spec::{Network, Spec};
use crate::mount;

/// What the executable is called when it is started as the supervisor.
pub(super) const NAME: &str = "layercake-sandbox";

/// Takes over the process if it was started as a supervisor, and does not return then. `main` calls this before all else.
pub fn hook() {
    let is_supervisor = std::env::args_os().next().is_some_and(|name| name.as_bytes() == NAME.as_bytes());
    if is_supervisor {
        supervise();
    }
}

fn supervise() -> ! {
    // The socket is the standard input, where it needs no number to be known.
    let Ok(socket) = rustix::io::fcntl_dupfd_cloexec(rustix::stdio::stdin(), 3) else { process::exit(1) };
    match run(&socket) {
        Ok(Some(outcome)) => message::report(&socket, &Report::Ended(outcome), &[]),
        // The parent is gone.
        Ok(None) => {}
        Err(failure) => message::report(&socket, &Report::Failed(failure), &[]),
    }
    process::exit(0)
}

fn run(socket: &OwnedFd) -> Result<Option<Outcome>, Failure> {
    let received = message::receive(socket.as_fd()).doing("hear from the program")?;
    let Some((Order::Run { parent }, files)) = received else { return Ok(None) };
    die_with(parent)?;
    let mut files = files.into_iter();
    let spec = files.next().ok_or_else(|| Failure::system("receive the specification", Errno::BADF))?;
    let spec: Spec = message::read_file(spec).doing("read the specification")?;
    let stdin = files.next();
    make_namespaces(spec.network)?;
    let (progress, say) = std::io::pipe().doing("make a pipe")?;
    // Out of the terminal's reach: what is typed there is for the parent to pass on.
    rustix::process::setsid().doing("make a session")?;
    let surroundings = Surroundings { stdin, socket: socket.as_fd(), failures: say };
    match process::fork().doing("fork the command")? {
        Side::Child => init::run(&spec, surroundings),
        Side::Parent(child) => {
            drop(surroundings);
            watch(socket.as_fd(), child, progress, spec.network)
        }
    }
}

/// Asks to be killed when the parent's thread ends, and makes sure that it has not ended before.
fn die_with(parent: i32) -> Result<(), Failure> {
    rustix::process::set_parent_process_death_signal(Some(Signal::KILL)).doing("follow the program's end")?;
    if rustix::process::getppid().map(|pid| pid.as_raw_nonzero().get()) != Some(parent) {
        process::exit(0);
    }
    Ok(())
}

fn make_namespaces(network: Network) -> Result<(), Failure> {
    let mut flags = UnshareFlags::NEWNS | UnshareFlags::NEWPID | UnshareFlags::NEWIPC | UnshareFlags::NEWUTS;
    if network != Network::Host {
        flags |= UnshareFlags::NEWNET;
    }
    unshare(flags).doing("make the namespaces of the sandbox")?;
    // Kernels can be built without; the command then sees where in the machine's groups it is, which does no harm.
    let _ = unshare(UnshareFlags::NEWCGROUP);
    if network != Network::Host {
        super::network::raise_loopback().doing("switch the loopback device on")?;
    }
    rustix::mount::mount_change("/", MountPropagationFlags::PRIVATE | MountPropagationFlags::REC)
        .doing("make the mounts private")
}

fn unshare(flags: UnshareFlags) -> Result<(), Errno> {
    // SAFETY: the flags do not include `FILES`, and there is no other thread.
    unsafe { rustix::thread::unshare_unsafe(flags) }
}

/// Follows the command to its end; `None` if the parent's end came first.
fn watch(
    socket: BorrowedFd<'_>,
    child: Pid,
    mut progress: PipeReader,
    network: Network,
) -> Result<Option<Outcome>, Failure> {
    let handle = rustix::process::pidfd_open(child, PidfdFlags::empty()).doing("watch the command")?;
    let network = match network {
        Network::Host => None,
        Network::None | Network::Private => {
            Some(mount::open(Path::new("/proc/self/ns/net")).doing("open the network namespace")?)
        }
    };
    let files: Vec<_> = [Some(&handle), network.as_ref()].into_iter().flatten().map(AsFd::as_fd).collect();
    message::report(socket, &Report::Forked, &files);
    // The pipe ends when the command has become what it is meant to be.
    let mut text = Vec::new();
    progress.read_to_end(&mut text).doing("hear from the command")?;
    if !text.is_empty() {
        process::wait(child).doing("wait for the command")?;
        let failure = serde_json::from_slice(&text);
        return Err(failure.unwrap_or_else(|_| Failure::system("hear from the command", Errno::BADMSG)));
    }
    message::report(socket, &Report::Started, &[]);
    // From here on the socket tells of the parent's end, for the whole process and not only for its starting thread.
    rustix::process::set_parent_process_death_signal(None).doing("outlive the program's thread")?;
    if !wait_for_end(socket, handle.as_fd()).doing("wait for the command")? {
        let _ = rustix::process::kill_process(child, Signal::KILL);
        let _ = process::wait(child);
        return Ok(None);
    }
    process::wait(child).doing("wait for the command").map(Some)
}

/// Whether the command ended, and not the parent.
fn wait_for_end(socket: BorrowedFd<'_>, child: BorrowedFd<'_>) -> Result<bool, Errno> {
    loop {
        let mut both =
            [PollFd::from_borrowed_fd(child, PollFlags::IN), PollFd::from_borrowed_fd(socket, PollFlags::empty())];
        match rustix::event::poll(&mut both, None) {
            Err(Errno::INTR) => {}
            Err(error) => return Err(error),
            Ok(_) => return Ok(both.first().is_some_and(|child| !child.revents().is_empty())),
        }
    }
}
