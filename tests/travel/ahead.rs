//! Layers are sent while the build goes on.

use std::thread;
use std::time::{Duration, Instant};

use super::{machine, size};
use crate::support::registry::{PROGRAM, Registry};
use crate::support::tools::available;

#[test]
fn a_layer_is_there_before_the_build_has_ended() {
    if !available(&[PROGRAM]) {
        return;
    }
    let Some(home) = machine() else { return };
    let registry = Registry::open();
    home.write("ctx/Dockerfile", "FROM base\nRUN sleep 1; head -c 5000000 /dev/urandom > /large\nRUN sleep 4\n");
    let to = format!("--cache-to=type=registry,ref={}/team/app:cache,mode=max", registry.host());
    let mut build = home.command(["build", "--progress=json", &to, "ctx"]);
    let mut process = build.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null()).spawn().unwrap();
    let (start, mut sent) = (Instant::now(), None);
    while process.try_wait().unwrap().is_none() {
        if sent.is_none() && size(&registry.storage()) > 5_000_000 {
            sent = Some(start.elapsed());
        }
        thread::sleep(Duration::from_millis(20));
    }
    assert!(process.wait().unwrap().success());
    let (sent, took) = (sent.expect("it was sent"), start.elapsed());
    assert!(sent + Duration::from_secs(1) < took, "sent after {sent:?}, and the build took {took:?}");
}
