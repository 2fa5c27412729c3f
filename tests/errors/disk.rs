//! A disk that is full: the build ends with a word about it, and the store serves what it had.

use std::fs;

use crate::support::Home;
use crate::support::home::program;
use crate::support::machine;
use crate::support::ran::Ran;
use crate::support::transcript::assert_transcript;

/// What happens on a disk of so many KiB: the program is called several times, each time its status, and the digest
/// that it prints, are a line of the output.
const SCRIPT: &str = r#"
    mkdir -p "$LAYERCAKE_HOME" && mount -t tmpfs -o size="$2"k none "$LAYERCAKE_HOME" || exit 77
    program=$1
    call() { name=$1; shift; "$program" "$@" 2> "$name.stderr" > "$name.stdout"; echo "$name $? $(tail -n 1 "$name.stdout")"; }
    call import import --change='ENV PATH=/bin' --message=busybox ../base.tar base
    call small build -t small small
    call big build -t big big
    call again build -t again small
    call image inspect small
    call archive build -o type=oci,dest=small.tar small
    rm -f big/ballast
    call less build -t less big
    call full build -t full full
    find "$LAYERCAKE_HOME/tmp" -mindepth 1 | wc -l
"#;

fn on_disk_of(home: &Home, kibibytes: u32) -> Vec<(String, i32)> {
    home.write("big/ballast", noise(12 << 20));
    let mut command = machine::in_mount_namespace("sh");
    home.furnish(&mut command);
    command.args(["-c", SCRIPT, "sh"]).arg(program()).arg(kibibytes.to_string()).env("SOURCE_DATE_EPOCH", "0");
    let output = command.output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(text.lines().last().unwrap().trim(), "0", "unfinished work stays: {text}");
    let call = |line: &str| {
        let mut words = line.split(' ');
        Some((words.next()?.to_owned(), words.next()?.parse().ok()?))
    };
    text.lines().filter_map(call).collect()
}

fn home() -> Option<Home> {
    let home = Home::with_base()?;
    home.write("small/Dockerfile", "FROM base\nRUN echo small > /small\n");
    home.write("full/Dockerfile", "FROM base\nRUN head -c 20000000 /dev/urandom > /noise\n");
    home.write("big/Dockerfile", "FROM base\nRUN head -c 100000 /dev/urandom > /noise\nCOPY . /big/\n");
    Some(home)
}

/// Bytes that no compression makes fewer: xorshift, by Marsaglia.
fn noise(length: usize) -> Vec<u8> {
    let mut state = 88_172_645_463_325_252_u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    };
    (0..length / 8).flat_map(|_| next()).collect()
}

fn stderr(home: &Home, call: &str, status: i32) -> Ran {
    let stderr = fs::read_to_string(home.path(&format!("work/{call}.stderr"))).unwrap();
    Ran {
        arguments: call.to_owned(),
        status: Some(status),
        stdout: String::new(),
        stderr,
        took: std::time::Duration::ZERO,
    }
}

#[test]
fn it_ends_the_build_and_nothing_else() {
    let Some(home) = home() else { return };
    let calls = on_disk_of(&home, 9000);
    let statuses: Vec<_> = calls.iter().map(|(name, status)| (name.as_str(), *status)).collect();
    assert_eq!(statuses[..3], [("import", 0), ("small", 0), ("big", 3)], "{}", stderr(&home, "big", 3).stderr);
    assert_eq!(statuses[3..6], [("again", 0), ("image", 0), ("archive", 0)], "{}", stderr(&home, "again", 0).stderr);
    let mut ran = stderr(&home, "big", 3);
    // How much fitted is chance, and so is what the command said about it.
    ran.stderr = ran
        .stderr
        .lines()
        .filter(|line| line.starts_with("error") || line.contains("help"))
        .collect::<Vec<_>>()
        .join("\n")
        + "\n";
    assert_transcript("errors", "full-disk", &home, &ran);
}

#[test]
fn a_command_that_fills_it_is_told_so() {
    let Some(home) = home() else { return };
    let calls = on_disk_of(&home, 9000);
    assert_eq!(calls.last(), Some(&("full".to_owned(), 1)));
    let said = stderr(&home, "full", 1).stderr;
    assert!(said.contains("make room on the disk of the store") && said.contains("there is no room left in"), "{said}");
}

#[test]
fn wherever_it_fills_up_the_status_is_right() {
    let Some(home) = home() else { return };
    for kibibytes in [40, 200, 600, 1200, 1900, 2400, 3000, 3400, 3600, 4000, 4400, 5000, 6000, 8000] {
        for (name, status) in on_disk_of(&home, kibibytes) {
            let ran = stderr(&home, &name, status);
            // Without a base image, what follows is asked for what does not exist.
            let without_base = ran.stderr.contains("registry-1.docker.io") || ran.stderr.contains("there is no image");
            // A command that cannot write says so itself, and fails.
            let failed_itself = status == 1 && ran.stderr.contains("did not complete successfully: exit code: 1");
            let said = ran.stderr.contains("help: make room");
            assert!(
                status == 0 || without_base || failed_itself || (status == 3 && said),
                "{kibibytes} KiB, {name}: {status}\n{}",
                ran.stderr
            );
        }
    }
}
