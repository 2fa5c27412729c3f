//! Process 1 of the sandbox, from its fork until it becomes the command.

use std::convert::Infallible;
use std::io::{PipeWriter, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use layercake_compiler::operation::Security;
use rustix::fs::{CWD, FileType, Gid, Mode, OFlags, Uid};
use rustix::io::Errno;
use rustix::mount::{MountAttrFlags, UnmountFlags};
use rustix::process::Signal;

use super::device::Devices;
use super::execute::Command;
use super::failure::{Doing, Failure};
use super::file::{Permissions, Shelf};
use super::foreign::Foreign;
use super::frame::{Frame, close_to_devices};
use super::message::{self, Order, Report};
use super::place::{self, Missing, Node};
use super::skeleton::Wanted;
use super::spec::{Access, DeviceGuard, MountKind, Network, Spec};
use super::terminal::{self, Terminal};
use super::user::{self, Identity};
use super::{capability, limit, network, process, seccomp, system, tree};
use crate::fault::At;
use crate::mount::{self, Depth};

/// What process 1 has from the supervisor.
pub(super) struct Surroundings {
    /// The standard input, where there is one.
    pub(super) stdin: Option<OwnedFd>,
    /// Where the output goes, where there is no terminal.
    pub(super) stdout: OwnedFd,
    /// Where errors go.
    pub(super) stderr: OwnedFd,
    /// To the parent.
    pub(super) socket: OwnedFd,
    /// Closed by becoming the command; until then for a single [`Failure`].
    pub(super) failures: PipeWriter,
}

impl Surroundings {
    /// Those that `files` are, as [`Order::Run`] has them, and the file of the specification.
    pub(super) fn of(files: Vec<OwnedFd>) -> Option<(OwnedFd, Self)> {
        let mut files = files.into_iter();
        let (spec, socket, failures) = (files.next()?, files.next()?, files.next()?.into());
        let (stdout, stderr, stdin) = (files.next()?, files.next()?, files.next());
        Some((spec, Self { stdin, stdout, stderr, socket, failures }))
    }
}

/// A mount that is ready to be attached.
struct Item {
    target: PathBuf,
    mount: OwnedFd,
    missing: Missing,
}

/// Becomes the command that `spec` is a file of, or says why not.
pub(super) fn run(spec: OwnedFd, mut surroundings: Surroundings, frame: Result<Frame, Failure>) -> ! {
    let spec = message::read_file::<Spec>(spec).doing("read the specification");
    let Err(failure) = spec.and_then(|spec| become_command(&spec, &surroundings, frame?));
    // Where even this fails, the supervisor hears of an end without a reason.
    let _ = serde_json::to_vec(&failure).map(|text| surroundings.failures.write_all(&text));
    process::exit(1)
}

fn become_command(spec: &Spec, surroundings: &Surroundings, frame: Frame) -> Result<Infallible, Failure> {
    if spec.network == Network::Private {
        let own = mount::open(Path::new("/proc/self/ns/net")).doing("open the network namespace")?;
        message::report(&surroundings.socket, &Report::Network, &[own.as_fd()]);
    }
    let Frame { guard, devices, processes, machine, shelf } = frame;
    let items = items(spec, guard, processes, machine, shelf)?;
    let root = assemble(spec, guard, &devices, &items)?;
    if spec.network == Network::Private {
        wait_for_network(surroundings.socket.as_fd())?;
    }
    rustix::process::setsid().doing("make a session")?;
    process::leave_keyring();
    let mut identity = user::resolve(root.as_fd(), &spec.user)?;
    identity.groups.extend(&spec.extra_groups);
    let command = Command::new(&spec.arguments, &spec.env, &identity.home)?;
    let foreign = Foreign::find(root.as_fd(), spec, command.candidates())?;
    connect_streams(spec, surroundings, &devices, &identity)?;
    enter(root.as_fd())?;
    rustix::system::sethostname(spec.hostname.as_bytes()).doing("set the host's name")?;
    for wanted in &spec.limits {
        limit::set(wanted).map_err(|error| Failure::system(format!("limit {:?}", wanted.resource), error))?;
    }
    rustix::process::umask(Mode::from_raw_mode(0o022));
    rustix::process::chdir(&spec.workdir).map_err(|error| Failure::tree("enter the folder", &spec.workdir, error))?;
    let refused = foreign.map(Foreign::arrange);
    give_up_privileges(spec.security, &identity)?;
    process::reset_signals();
    command.execute().map_err(|failure| match refused {
        Some(refused) => refused.explain(failure),
        None => failure,
    })
}

/// What goes into the tree, in the order in which it has to: what lies below another mount's target after that.
fn items(
    spec: &Spec,
    guard: Option<DeviceGuard>,
    processes: OwnedFd,
    machine: OwnedFd,
    mut shelf: Shelf,
) -> Result<Vec<Item>, Failure> {
    let hosts = network::hosts(spec.network, &spec.hostname, &spec.hosts);
    let servers = network::name_servers(spec.network);
    let item = |target: &str, mount, missing| Item { target: PathBuf::from(target), mount, missing };
    let mut items = vec![
        item("/proc", processes, Missing::Make),
        item("/sys", machine, Missing::Make),
        item("/etc/hosts", shelf.file(hosts.as_bytes(), Permissions::PUBLIC)?, Missing::Skip),
        item("/etc/resolv.conf", shelf.file(servers.as_bytes(), Permissions::PUBLIC)?, Missing::Skip),
    ];
    for wanted in &spec.mounts {
        let mount = source(&wanted.kind, &mut shelf)?;
        close_to_devices(guard, mount.as_fd())?;
        items.push(item(&wanted.target, mount, Missing::Make));
    }
    shelf.close();
    items.sort_by_key(|item| item.target.components().count());
    Ok(items)
}

/// What a mount shows, attached nowhere yet.
fn source(kind: &MountKind, shelf: &mut Shelf) -> Result<OwnedFd, Failure> {
    let limited = |mount: OwnedFd, access| {
        if access == Access::ReadOnly {
            mount::set_attributes(mount.as_fd(), MountAttrFlags::MOUNT_ATTR_RDONLY, Depth::Recursive)
                .doing("make a mount read-only")?;
        }
        Ok(mount)
    };
    match kind {
        MountKind::Bind { source, access } => {
            limited(mount::clone(CWD, source, Depth::Recursive).at("mount", source)?, *access)
        }
        MountKind::Tree { tree, source, access } => {
            let whole = tree::plain(tree)?;
            let part = mount::open_inside(whole.as_fd(), Path::new(source), OFlags::PATH, Mode::empty())
                .map_err(|error| Failure::tree("mount", source, error))?;
            let part = mount::clone(part.as_fd(), Path::new(""), Depth::Recursive)
                .map_err(|error| Failure::tree("mount", source, error))?;
            limited(part, *access)
        }
        MountKind::Tmpfs { size } => {
            let size = size.map(|size| size.to_string());
            let options: Vec<_> =
                [("mode", "1777")].into_iter().chain(size.as_ref().map(|size| ("size", size.as_str()))).collect();
            mount::new(c"tmpfs", &options, MountAttrFlags::MOUNT_ATTR_NOSUID).doing("mount a file system in memory")
        }
        MountKind::File { content, uid, gid, mode, access } => {
            shelf.file(content, Permissions { uid: *uid, gid: *gid, mode: *mode, access: *access })
        }
    }
}

/// Mounts the tree with everything in it where only this namespace sees it.
fn assemble(spec: &Spec, guard: Option<DeviceGuard>, devices: &Devices, items: &[Item]) -> Result<OwnedFd, Failure> {
    let mut wanted = vec![Wanted { target: Path::new("/dev"), node: Node::Folder }];
    for item in items {
        let node = Node::of(&item.mount).doing("look at a mount")?;
        wanted.push(Wanted { target: &item.target, node });
    }
    let root = tree::mount(&spec.root, &wanted)?;
    close_to_devices(guard, root.as_fd())?;
    let place = mount::open_place(Path::new(mount::MOUNT_POINT)).at("open", Path::new(mount::MOUNT_POINT))?;
    mount::attach(&root, place.as_fd()).doing("mount the tree")?;
    devices.move_to(root.as_fd())?;
    for item in items {
        place::attach(root.as_fd(), &item.target, &item.mount, item.missing)?;
    }
    // The frame's own are protected, unless something was mounted over them.
    let covers = |target: &Path| target.starts_with("/proc") || target.starts_with("/sys");
    if spec.security == Security::Sandbox && spec.mounts.iter().any(|mount| covers(Path::new(&mount.target))) {
        system::protect(root.as_fd())?;
    }
    Ok(root)
}

fn wait_for_network(socket: BorrowedFd<'_>) -> Result<(), Failure> {
    match message::receive(socket).doing("hear from the program")? {
        Some((Order::Go, _)) => Ok(()),
        Some((Order::Run(_) | Order::Prepare(_), _)) | None => process::exit(1),
    }
}

/// Gives the command its standard streams: a terminal, or what the parent gave.
fn connect_streams(
    spec: &Spec,
    surroundings: &Surroundings,
    devices: &Devices,
    identity: &Identity,
) -> Result<(), Failure> {
    if let Some(size) = spec.terminal {
        let terminal = terminal::open(devices, size)?;
        terminal.attach_console(devices)?;
        message::report(&surroundings.socket, &Report::Terminal, &[terminal.control.as_fd()]);
        terminal.control()?;
        let Terminal { line, .. } = &terminal;
        rustix::stdio::dup2_stdin(line).doing("connect the terminal")?;
        rustix::stdio::dup2_stdout(line).doing("connect the terminal")?;
        rustix::stdio::dup2_stderr(line).doing("connect the terminal")?;
    } else {
        if let Some(stdin) = &surroundings.stdin {
            rustix::stdio::dup2_stdin(stdin).doing("connect the standard input")?;
        } else {
            let null = mount::open(Path::new("/dev/null")).doing("open `/dev/null`")?;
            rustix::stdio::dup2_stdin(null).doing("connect the standard input")?;
        }
        rustix::stdio::dup2_stdout(&surroundings.stdout).doing("connect the standard output")?;
        rustix::stdio::dup2_stderr(&surroundings.stderr).doing("connect the output of errors")?;
    }
    own_streams(identity);
    // SAFETY: closes nothing yet, only marks; and what is marked is not used after the command has begun.
    unsafe { libc::syscall(libc::SYS_close_range, 3, u32::MAX, libc::CLOSE_RANGE_CLOEXEC) };
    Ok(())
}

/// Programs open `/dev/stdout` and its like anew, for which they must own what is behind it. Files of the machine's stay as
/// they are.
fn own_streams(identity: &Identity) {
    for stream in [rustix::stdio::stdin(), rustix::stdio::stdout(), rustix::stdio::stderr()] {
        let Ok(stat) = rustix::fs::fstat(stream) else { continue };
        let is_terminal =
            FileType::from_raw_mode(stat.st_mode) == FileType::CharacterDevice && rustix::termios::isatty(stream);
        if is_terminal || FileType::from_raw_mode(stat.st_mode) == FileType::Fifo {
            // A stream that is not ours to give is used as it is.
            let _ = rustix::fs::fchown(stream, Some(Uid::from_raw(identity.uid)), None::<Gid>);
        }
    }
}

/// Makes the tree the root of this namespace, and leaves the machine's.
fn enter(root: BorrowedFd<'_>) -> Result<(), Failure> {
    rustix::process::fchdir(root).doing("enter the tree")?;
    // The old root ends up below the new one, at the same place, and is taken away from there: see pivot_root(2).
    rustix::process::pivot_root(".", ".").doing("make the tree the root")?;
    rustix::mount::unmount(".", UnmountFlags::DETACH).doing("leave the machine's root")?;
    rustix::process::chdir("/").doing("enter the tree")
}

/// The filter comes first, while it may be installed without `no_new_privs`; what it refuses is not needed any more.
fn give_up_privileges(security: Security, identity: &Identity) -> Result<(), Failure> {
    if security == Security::Sandbox {
        seccomp::install().doing("filter system calls")?;
        capability::bound(capability::DEFAULT).doing("bound the capabilities")?;
    }
    let unmapped = |id| {
        move |error| match error {
            Errno::INVAL => Failure::UnmappedId { id },
            error => Failure::system("change the user", error),
        }
    };
    let groups: Vec<_> = identity.groups.iter().copied().map(Gid::from_raw).collect();
    let group = Gid::from_raw(identity.gid);
    rustix::thread::set_thread_groups(&groups).map_err(unmapped(identity.gid))?;
    rustix::thread::set_thread_res_gid(group, group, group).map_err(unmapped(identity.gid))?;
    let user = Uid::from_raw(identity.uid);
    rustix::thread::set_thread_res_uid(user, user, user).map_err(unmapped(identity.uid))?;
    if security == Security::Sandbox {
        capability::keep(capability::DEFAULT).doing("give up capabilities")?;
    }
    // Changing the user has cleared it.
    rustix::process::set_parent_process_death_signal(Some(Signal::KILL)).doing("follow the supervisor's end")
}
