//! Cache mounts that travel.

use std::fs;

use super::{build, size};
use crate::support::Home;
use crate::support::registry::{PROGRAM, Registry};
use crate::support::tools::available;

/// An install as pip's or npm's: what is not in the cache mount is slow to have.
const DOCKERFILE: &str = "\
FROM base
COPY list /list
RUN --mount=type=cache,id=packages,target=/cache,mode=0750,uid=7 \\
    for name in $(cat /list); do \\
        [ -f /cache/$name ] || { echo fetched $name; usleep 300000; head -c 300000 /dev/urandom > /cache/$name; }; \\
    done; ls -ln / | grep cache > /how; cat /cache/* > /installed
";

const LIST: &str = "a b c d e f g h i j";

fn machine(list: &str) -> Option<Home> {
    let home = Home::with_base()?;
    home.write("ctx/Dockerfile", DOCKERFILE).write("ctx/list", list);
    Some(home)
}

#[test]
#[expect(clippy::print_stderr, reason = "the times and bytes are what one wants to see of this test")]
fn an_install_is_fast_on_the_second_machine() {
    if !available(&[PROGRAM]) {
        return;
    }
    let Some(one) = machine(LIST) else { return };
    let registry = Registry::open();
    let name = format!("type=registry,ref={}/team/app:cache", registry.host());
    let (to, from) = (format!("--cache-to={name},mounts=true"), format!("--cache-from={name},mounts=true"));
    let cold = build(&one, &[&to]);
    assert_eq!(cold.output.matches("fetched").count(), 10);
    let first_upload = size(&registry.storage());

    // A hit fetches nothing of it.
    let two = machine(LIST).unwrap();
    let before = registry.sent_bytes();
    assert_eq!(build(&two, &[&from]).started, [""; 0]);
    assert!(registry.sent_bytes() - before < 50_000);
    assert!(!two.path("store/shared").exists());

    let list = format!("{LIST} k");
    let two = machine(&list).unwrap();
    let before = registry.sent_bytes();
    let with = build(&two, &[&from, &to]);
    let fetched = registry.sent_bytes() - before;
    assert_eq!(with.output, "fetched k\n");
    let second_upload = size(&registry.storage()) - first_upload;
    // The mount is the one that the first machine had, with its attributes.
    assert!(two.tree("ctx").text("how").contains("drwxr-x---"), "{}", two.tree("ctx").text("how"));

    let three = machine(&format!("{LIST} l")).unwrap();
    let without = build(&three, &[&from.replace(",mounts=true", "")]);
    assert_eq!(without.output.matches("fetched").count(), 11);
    eprintln!(
        "cold {:?}; second machine with mounts {:?} ({fetched} bytes fetched), without {:?}; first upload {first_upload} bytes, \
         after one package more {second_upload}",
        cold.took, with.took, without.took
    );
    assert!(with.took * 2 < without.took);
    // One package, in the mount and in the layer; the layer has all of them.
    assert!(second_upload < 300_000 * 11 + 3 * 300_000 + 200_000, "{second_upload}");
}

#[test]
fn what_this_machine_has_is_not_replaced() {
    let Some(one) = machine("a b") else { return };
    build(&one, &["--cache-to=type=local,dest=cache,mounts=true"]);
    let two = machine("b c").unwrap();
    assert_eq!(build(&two, &[]).output, "fetched b\nfetched c\n");
    two.write("ctx/list", "a b c");
    let from = format!("--cache-from=type=local,src={},mounts=true", one.path("work/cache").display());
    assert_eq!(build(&two, &[&from]).output, "fetched a\n");
}

#[test]
fn a_mount_stays_in_a_cache_although_nothing_has_used_it() {
    let Some(one) = machine("a b") else { return };
    build(&one, &["--cache-to=type=local,dest=cache,mounts=true"]);
    let two = machine("a b").unwrap();
    let from = format!("--cache-from=type=local,src={},mounts=true", one.path("work/cache").display());
    assert_eq!(build(&two, &[&from, "--cache-to=type=local,dest=cache,mounts=true"]).started, [""; 0]);
    let three = machine("a b c").unwrap();
    let from = format!("--cache-from=type=local,src={},mounts=true", two.path("work/cache").display());
    assert_eq!(build(&three, &[&from]).output, "fetched c\n");
}

#[test]
fn a_damaged_mount_begins_empty() {
    let Some(one) = machine("a b") else { return };
    build(&one, &["--cache-to=type=local,dest=cache,mounts=true"]);
    // Whatever is larger than a document.
    for blob in fs::read_dir(one.path("work/cache/blobs/sha256")).unwrap().map(Result::unwrap) {
        if blob.metadata().unwrap().len() > 100_000 {
            let mut bytes = fs::read(blob.path()).unwrap();
            let middle = bytes.len() / 2;
            bytes[middle] ^= 1;
            fs::write(blob.path(), bytes).unwrap();
        }
    }
    let two = machine("a b c").unwrap();
    let from = format!("--cache-from=type=local,src={},mounts=true", one.path("work/cache").display());
    let built = build(&two, &[&from]);
    assert_eq!(built.output, "fetched a\nfetched b\nfetched c\n");
}
