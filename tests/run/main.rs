//! Containers, from the outside: what the command sees, and what is left of it, which is nothing.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

#[path = "../support/support.rs"]
mod support;

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use support::Home;
use support::home::run;
use support::ran::Ran;
use support::tools::available;

/// A home with the image `x`, whose configuration says everything that a container takes from one.
fn home() -> Option<Home> {
    let home = Home::with_base()?;
    home.write(
        "ctx/Dockerfile",
        "FROM base\nRUN mkdir /w && chown ann /w\nENV A=image B=image\nWORKDIR /w\nUSER ann\n\
         ENTRYPOINT [\"sh\", \"-c\"]\nCMD [\"echo default $A\"]\n",
    );
    home.build(["-t", "x", "ctx"]);
    Some(home)
}

/// Runs a shell script in a container of the base, without a network.
fn script(home: &Home, options: &[&str], script: &str) -> Ran {
    let mut command = home.command(["run", "--rm", "--network=none"]);
    run(command.args(options).args(["base", "sh", "-c", script]))
}

#[test]
fn the_images_configuration_counts() {
    let Some(home) = home() else { return };
    let output = |arguments: &[&str]| run(home.command(["run", "--rm", "--network=none"]).args(arguments)).ok().stdout;
    assert_eq!(output(&["x"]), "default image\n");
    assert_eq!(output(&["x", "id -un; pwd; echo $A $B"]), "ann\n/w\nimage image\n");
    assert_eq!(
        output(&["-e", "A=given", "-u", "7:8", "-w", "/new", "x", "id -u; id -g; pwd; echo $A $B"]),
        "7\n8\n/new\ngiven image\n"
    );
    assert_eq!(output(&["--entrypoint", "echo", "x", "$A"]), "$A\n");
    assert_eq!(output(&["--hostname", "box", "-u", "0", "x", "hostname"]), "box\n");
}

#[test]
fn the_exit_status_is_the_commands() {
    let Some(home) = Home::with_base() else { return };
    for status in [0, 1, 7, 255] {
        script(&home, &[], &format!("exit {status}")).exits(status);
    }
    script(&home, &[], "sh -c 'kill -9 $$'; exit $?").exits(137);
    for (program, status) in [("missing", 127), ("/etc/passwd", 126)] {
        home.layercake(["run", "--rm", "--network=none", "base", program]).exits(status);
    }
}

#[test]
fn both_outputs_and_the_input_are_its_own() {
    let Some(home) = Home::with_base() else { return };
    let ran = script(&home, &[], "echo out; echo err >&2").ok();
    assert_eq!((ran.stdout.as_str(), ran.stderr.as_str()), ("out\n", "err\n"));
    let mut command = home.command(["run", "--rm", "-i", "--network=none", "base", "tr", "a-z", "A-Z"]);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(b"through the pipe").unwrap();
    assert_eq!(child.wait_with_output().unwrap().stdout, b"THROUGH THE PIPE");
}

#[test]
fn nothing_is_kept() {
    let Some(home) = Home::with_base() else { return };
    script(&home, &[], "echo x > /x; rm /etc/group; mkdir /d").ok();
    assert_eq!(script(&home, &[], "ls -d /x /d /etc/group 2> /dev/null").stdout, "/etc/group\n");
    assert_eq!(home.unfinished(), [""; 0]);
    home.assert_no_mounts();
    home.assert_no_processes("");
}

#[test]
fn volumes_show_this_machine() {
    let Some(home) = Home::with_base() else { return };
    home.write("shared/in", "from outside");
    let volume = format!("{}:/mnt", home.path("work/shared").display());
    assert_eq!(script(&home, &["-v", &volume], "cat /mnt/in; echo inside > /mnt/out").ok().stdout, "from outside");
    assert_eq!(home.read("shared/out"), "inside\n");
    let refused = script(&home, &["-v", &format!("{volume}:ro")], "touch /mnt/new");
    assert!(refused.status == Some(1) && refused.stderr.contains("Read-only"), "{refused:?}");
}

#[test]
fn the_hosts_network_can_be_shared() {
    let Some(home) = Home::with_base() else { return };
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let greeter = std::thread::spawn(move || listener.accept().unwrap().0.write_all(b"greetings").unwrap());
    let port = port.to_string();
    let ran = home.layercake(["run", "--rm", "--network=host", "base", "nc", "127.0.0.1", &port]).ok();
    assert_eq!(ran.stdout, "greetings");
    greeter.join().unwrap();
}

#[test]
fn ports_are_published() {
    if !available(&["pasta"]) {
        return;
    }
    let Some(home) = Home::with_base() else { return };
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let publish = format!("127.0.0.1:{port}:8000");
    // Process 1 gets only the signals that it asks for.
    let serve = "trap exit TERM; while true; do echo served | nc -l -p 8000 & wait; done";
    let mut container = home.command(["run", "--rm", "-p", &publish, "base", "sh", "-c", serve]).spawn().unwrap();
    let start = Instant::now();
    let mut text = String::new();
    while text != "served\n" {
        assert!(start.elapsed() < Duration::from_secs(20), "nobody answers at {port}: {text:?}");
        sleep(Duration::from_millis(50));
        text.clear();
        if let Ok(mut stream) = TcpStream::connect(("127.0.0.1", port)) {
            stream.set_read_timeout(Some(Duration::from_secs(2))).unwrap();
            let _ = stream.read_to_string(&mut text);
        }
    }
    kill_process(Pid::from_child(&container), Signal::TERM).unwrap();
    container.wait().unwrap();
    home.assert_no_processes("");
}

/// A container whose command says that it runs, and what signal it gets.
fn listening(home: &Home) -> Child {
    let script = "trap 'echo ended; exit 3' TERM; echo ready; while true; do sleep 0.1; done";
    let mut command = home.command(["run", "--rm", "--network=none", "base", "sh", "-c", script]);
    let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
    let mut ready = [0; 6];
    child.stdout.as_mut().unwrap().read_exact(&mut ready).unwrap();
    assert_eq!(&ready, b"ready\n");
    child
}

#[test]
fn signals_reach_the_command() {
    let Some(home) = Home::with_base() else { return };
    let child = listening(&home);
    kill_process(Pid::from_child(&child), Signal::TERM).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), output.stdout.as_slice()), (Some(3), b"ended\n".as_slice()));
}

#[test]
fn a_killed_run_takes_the_container_with_it() {
    let Some(home) = Home::with_base() else { return };
    let mut child = listening(&home);
    child.kill().unwrap();
    child.wait().unwrap();
    home.assert_no_processes("");
    home.assert_no_mounts();
    home.layercake(["images"]).ok();
    assert_eq!(home.unfinished(), [""; 0]);
}

#[test]
fn many_containers_share_an_image() {
    let Some(home) = home() else { return };
    std::thread::scope(|scope| {
        let runs: Vec<_> = (0..6)
            .map(|number| {
                let home = &home;
                scope.spawn(move || {
                    script(home, &[], &format!("echo {number} > /tmp/x; sleep 0.2; cat /tmp/x")).ok().stdout
                })
            })
            .collect();
        for (number, run) in runs.into_iter().enumerate() {
            assert_eq!(run.join().unwrap(), format!("{number}\n"));
        }
    });
}

#[test]
fn what_cannot_be_run_is_said() {
    let Some(home) = Home::with_base() else { return };
    let fails = |arguments: &[&str], status: i32, text: &str| {
        let ran = run(home.command(["run", "--rm"]).args(arguments)).exits(status);
        assert!(ran.stderr.contains(text), "{}", ran.stderr);
    };
    fails(&["127.0.0.1:1/nothing"], 3, "127.0.0.1:1");
    fails(&["-p", "http:80", "base", "true"], 2, "http");
    fails(&["-v", "relative", "base", "true"], 2, "relative");
    fails(&["-u", "bob", "--network=none", "base", "true"], 2, "bob");
    fails(&["--entrypoint", "", "--network=none", "x"], 3, "x");
}
