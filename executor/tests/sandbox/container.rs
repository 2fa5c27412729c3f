//! Containers in the foreground: their terminal, their signals and their ports. Each runs in a program of its own, since
//! what is tested is what that program does with its streams and signals.

use std::fs;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::ops::{Deref, DerefMut};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use layercake_executor::container::{self, Container, Streams};
use layercake_executor::sandbox::{Network, Spec};
use rustix::process::{Pid, Signal};
use rustix::pty::OpenptFlags;
use rustix::termios::Winsize;

use crate::harness::{skip, tests};
use crate::little::Little;

tests![
    status_is_passed_on,
    input_is_passed_on,
    signals_are_passed_on,
    asking_twice_kills,
    terminals_are_carried_and_restored,
    terminals_have_to_be_there,
    ports_lead_in_and_keep_half_open,
    ports_in_use_are_named,
    private_networks_have_a_way_out,
];

/// What the executable is called when it is to run a container.
const RUNNER: &str = "sandbox-test-container";

/// Runs the container that the arguments describe: the file of its specification, its streams, its ports.
pub(crate) fn hook() {
    let arguments: Vec<_> = std::env::args().collect();
    if arguments[0] != RUNNER {
        return;
    }
    let spec = serde_json::from_slice(&fs::read(&arguments[1]).unwrap()).unwrap();
    let streams = match arguments[2].as_str() {
        "terminal" => Streams::Terminal,
        "interactive" => Streams::Interactive,
        _ => Streams::Output,
    };
    let ports = arguments[3..].iter().map(|port| port.parse().unwrap()).collect();
    let container = Container { spec, streams, ports };
    let status = match container::run(&container, |notice| eprintln!("note: {}", notice.text())) {
        Ok(outcome) => outcome.end.status(),
        Err(error) => {
            eprintln!("error: {error}\nhelp: {}", error.help().unwrap_or_default());
            125
        }
    };
    std::process::exit(status);
}

fn runner(little: &Little, spec: &Spec, arguments: &[&str]) -> Command {
    fs::write(little.path("spec"), serde_json::to_vec(spec).unwrap()).unwrap();
    let mut command = Command::new("/proc/self/exe");
    command.arg0(RUNNER).arg(little.path("spec")).args(arguments).stdin(Stdio::null()).stdout(Stdio::piped());
    command
}

/// A child that does not outlive a failed test.
struct Runner(Child);

impl Drop for Runner {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Deref for Runner {
    type Target = Child;

    fn deref(&self) -> &Child {
        &self.0
    }
}

impl DerefMut for Runner {
    fn deref_mut(&mut self) -> &mut Child {
        &mut self.0
    }
}

fn private(spec: Spec) -> Spec {
    Spec { network: Network::Private, ..spec }
}

/// Waits until the child has written `wanted`.
fn wait_for(child: &mut Child, wanted: &str) {
    let mut text = vec![0; wanted.len()];
    child.stdout.as_mut().unwrap().read_exact(&mut text).unwrap();
    assert_eq!(String::from_utf8(text).unwrap(), wanted);
}

fn send(child: &Child, signal: Signal) {
    rustix::process::kill_process(Pid::from_child(child), signal).unwrap();
}

fn status_is_passed_on() {
    let little = Little::new();
    let output = runner(&little, &little.script("echo out; exit 42"), &["output"]).output().unwrap();
    assert_eq!((output.status.code(), output.stdout.as_slice()), (Some(42), b"out\n".as_slice()));
    let output = runner(&little, &little.command(&["nosuch"]), &["output"]).output().unwrap();
    assert_eq!(output.status.code(), Some(125));
}

fn input_is_passed_on() {
    let little = Little::new();
    let mut child = runner(&little, &little.command(&["cat"]), &["interactive"]).stdin(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(b"typed").unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), output.stdout.as_slice()), (Some(0), b"typed".as_slice()));
}

fn signals_are_passed_on() {
    let little = Little::new();
    let script = "trap 'echo term; exit 7' TERM; trap 'echo int' INT; echo ready; while :; do sleep 0.02; done";
    let mut child = Runner(runner(&little, &little.script(script), &["output"]).spawn().unwrap());
    wait_for(&mut child, "ready\n");
    send(&child, Signal::INT);
    wait_for(&mut child, "int\n");
    // The second request to end would kill.
    drop(child);
    let mut child = Runner(runner(&little, &little.script(script), &["output"]).spawn().unwrap());
    wait_for(&mut child, "ready\n");
    send(&child, Signal::TERM);
    wait_for(&mut child, "term\n");
    assert_eq!(child.wait().unwrap().code(), Some(7));
}

fn asking_twice_kills() {
    let little = Little::new();
    let mut command = runner(&little, &little.command(&["cat"]), &["interactive"]);
    let mut child = Runner(command.stdin(Stdio::piped()).spawn().unwrap());
    // To wait for a child closes its input, unless that is taken out; and the end of it would end `cat` as well.
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(b"ready").unwrap();
    wait_for(&mut child, "ready");
    send(&child, Signal::INT);
    sleep(Duration::from_millis(100));
    assert!(child.try_wait().unwrap().is_none(), "process 1 does not handle the signal");
    send(&child, Signal::INT);
    assert_eq!(child.wait().unwrap().code(), Some(128 + libc::SIGKILL));
}

fn terminals_are_carried_and_restored() {
    let little = Little::new();
    let control = rustix::pty::openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
    rustix::pty::unlockpt(&control).unwrap();
    let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
    let line = rustix::pty::ioctl_tiocgptpeer(&control, flags).unwrap();
    let size = Winsize { ws_row: 40, ws_col: 100, ws_xpixel: 0, ws_ypixel: 0 };
    rustix::termios::tcsetwinsize(&line, size).unwrap();
    let before = rustix::termios::tcgetattr(&line).unwrap();
    let script =
        "tty; stty size; test -c /dev/console && read x && echo got $x; ps -o tty,pid | grep pts | wc -l; exit 3";
    let mut command = runner(&little, &little.script(script), &["terminal"]);
    command.stdin(line.try_clone().unwrap()).stdout(line.try_clone().unwrap()).stderr(line.try_clone().unwrap());
    let mut child = Runner(command.spawn().unwrap());
    drop(command);
    let mut control = fs::File::from(control);
    let mut shown = String::new();
    let mut piece = [0; 1024];
    while !shown.contains("40 100") {
        let length = control.read(&mut piece).unwrap();
        shown.push_str(std::str::from_utf8(&piece[..length]).unwrap());
    }
    control.write_all(b"hello\n").unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(3), "{shown}");
    let after = rustix::termios::tcgetattr(&line).unwrap();
    assert_eq!(format!("{after:?}"), format!("{before:?}"));
    drop(line);
    while let Ok(length @ 1..) = control.read(&mut piece) {
        shown.push_str(std::str::from_utf8(&piece[..length]).unwrap());
    }
    assert!(shown.starts_with("/dev/pts/0\r\n40 100\r\n"), "{shown:?}");
    assert!(shown.contains("got hello\r\n"), "{shown:?}");
}

fn terminals_have_to_be_there() {
    let little = Little::new();
    let output = runner(&little, &little.command(&["true"]), &["terminal"]).stderr(Stdio::piped()).output().unwrap();
    let text = String::from_utf8(output.stderr).unwrap();
    assert_eq!(
        text,
        "error: the standard input is not a terminal\nhelp: leave out `-t`, or run this from a terminal\n"
    );
}

/// A port that nothing uses at the moment.
fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

fn ports_lead_in_and_keep_half_open() {
    let little = Little::new();
    let port = free_port();
    let spec = private(little.script("nc -ll -p 80 -e wc -c & echo ready; sleep 1000"));
    let mut child = Runner(runner(&little, &spec, &["output", &format!("127.0.0.1:{port}:80")]).spawn().unwrap());
    wait_for(&mut child, "ready\n");
    let start = Instant::now();
    for length in [1, 1_000_000] {
        // The server counts until the end of our way, and answers then. It may not listen yet.
        let answer = loop {
            assert!(start.elapsed() < Duration::from_secs(10));
            let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
            let sent = stream.write_all(&vec![b'x'; length]).and_then(|()| stream.shutdown(Shutdown::Write));
            let mut answer = String::new();
            if sent.and_then(|()| stream.read_to_string(&mut answer)).is_ok() && !answer.is_empty() {
                break answer;
            }
            sleep(Duration::from_millis(10));
        };
        assert_eq!(answer, format!("{length}\n"));
    }
}

fn ports_in_use_are_named() {
    let little = Little::new();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let spec = private(little.command(&["true"]));
    let mut command = runner(&little, &spec, &["output", &format!("127.0.0.1:{port}:80")]);
    let output = command.stderr(Stdio::piped()).output().unwrap();
    let text = String::from_utf8(output.stderr).unwrap();
    let expected = format!("error: cannot publish a port on `127.0.0.1:{port}`: address already in use");
    assert!(text.starts_with(&expected), "{text}");
    assert!(text.ends_with("help: publish on another port, or stop what uses this one\n"), "{text}");
}

fn private_networks_have_a_way_out() {
    let little = Little::new();
    let spec = private(little.script("ip -o addr; ip route"));
    let output = runner(&little, &spec, &["output"]).stderr(Stdio::piped()).output().unwrap();
    let (shown, notes) = (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
    if notes.contains("the container has no way out of its network") {
        assert!(!shown.contains("default via"), "{shown}");
        return skip(&format!("a working `pasta`: {}", notes.trim()));
    }
    assert!(shown.contains("default via"), "{shown} {notes}");
}
