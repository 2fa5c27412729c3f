//! What this machine and this user may do, found by trying.

use std::fs::{self, File};
use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;
use std::time::Duration;

use rustix::fs::{CWD, FileType, Mode, XattrFlags, fsetxattr, makedev, mknodat};

/// Something that a test needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Need {
    /// To give files away.
    Owners,
    /// To make devices.
    Devices,
    /// To give files capabilities.
    Capabilities,
    /// To give files attributes of the user's.
    Attributes,
    /// To mount an overlay in a mount namespace of its own.
    Overlay,
    /// A program.
    Program(&'static str),
}

/// Whether the need is met. If not, the test is skipped, or fails where nothing may be skipped.
pub(crate) fn has(need: Need) -> bool {
    let met = met(need);
    if !met {
        let test = std::thread::current().name().unwrap_or_default().to_owned();
        assert!(std::env::var("LAYERCAKE_REQUIRE").as_deref() != Ok("all"), "`{test}` needs {need:?}");
        #[allow(clippy::print_stderr, reason = "a skip is to be seen")]
        {
            eprintln!("skipped `{test}`, at least in part: it needs {need:?}");
        }
    }
    met
}

/// Whether the need is met; where a test does without.
pub(crate) fn met(need: Need) -> bool {
    static OWNERS: OnceLock<bool> = OnceLock::new();
    static DEVICES: OnceLock<bool> = OnceLock::new();
    static CAPABILITIES: OnceLock<bool> = OnceLock::new();
    static ATTRIBUTES: OnceLock<bool> = OnceLock::new();
    static OVERLAY: OnceLock<bool> = OnceLock::new();
    let with_file = |test: &dyn Fn(&File, &Path) -> bool| {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        test(&File::create(&path).unwrap(), &path)
    };
    let attribute =
        |name: &str, value: &[u8]| with_file(&|file, _| fsetxattr(file, name, value, XattrFlags::empty()).is_ok());
    match need {
        Need::Owners => {
            *OWNERS.get_or_init(|| with_file(&|_, path| std::os::unix::fs::chown(path, Some(1234), Some(4321)).is_ok()))
        }
        Need::Devices => *DEVICES.get_or_init(|| {
            with_file(&|_, path| {
                fs::remove_file(path).unwrap();
                mknodat(CWD, path, FileType::CharacterDevice, Mode::empty(), makedev(1, 3)).is_ok()
            })
        }),
        Need::Capabilities => *CAPABILITIES.get_or_init(|| attribute("security.capability", &capability())),
        Need::Attributes => *ATTRIBUTES.get_or_init(|| attribute("user.test", b"")),
        Need::Overlay => *OVERLAY.get_or_init(|| {
            let folder = tempfile::tempdir().unwrap();
            for name in ["lower", "upper", "work", "merged"] {
                fs::create_dir(folder.path().join(name)).unwrap();
            }
            Command::new("unshare")
                .args([
                    "--mount",
                    "mount",
                    "-t",
                    "overlay",
                    "-o",
                    "userxattr,lowerdir=lower,upperdir=upper,workdir=work",
                ])
                .args(["overlay", "merged"])
                .current_dir(folder.path())
                .output()
                .is_ok_and(|output| output.status.success())
        }),
        Need::Program(name) => std::env::var_os("PATH")
            .is_some_and(|path| std::env::split_paths(&path).any(|folder| folder.join(name).exists())),
    }
}

/// Runs a program as root of a user namespace with many ids, which root may give itself; `None` if this machine has none.
pub(crate) fn in_namespace(program: &Path, arguments: &[&str], variables: &[(&str, &str)]) -> Option<Output> {
    let mut command = Command::new("unshare");
    // What a namespace may not do is no lack of the machine.
    command.env_remove("LAYERCAKE_REQUIRE").envs(variables.iter().copied());
    // The map can be written when the namespace is there, and has to be before the program starts.
    command.args(["--user", "sh", "-c", r#"read go && exec "$0" "$@""#]).arg(program).args(arguments);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().ok()?;
    let namespace = |process: &str| fs::read_link(format!("/proc/{process}/ns/user")).ok();
    let process = child.id().to_string();
    while namespace(&process) == namespace("self") {
        if child.try_wait().unwrap().is_some() {
            return None;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    for map in ["uid_map", "gid_map"] {
        fs::write(format!("/proc/{process}/{map}"), "0 0 1\n1 100001 65535\n").unwrap();
    }
    child.stdin.take().unwrap().write_all(b"go\n").unwrap();
    Some(child.wait_with_output().unwrap())
}

/// `cap_net_bind_service=ep`, version 2 (`linux/capability.h`).
pub(crate) fn capability() -> Vec<u8> {
    let mut bytes = vec![1, 0, 0, 2];
    bytes.extend_from_slice(&(1u32 << 10).to_le_bytes());
    bytes.extend_from_slice(&[0; 12]);
    bytes
}
