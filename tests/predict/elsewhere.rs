//! What comes from servers is not asked for.

use std::fs;

use crate::support::Home;
use crate::support::git::{self, Repository};
use crate::support::http::{Reply, Server};
use crate::{agrees, outlook, predicted, reason};

/// The SHA-256 of `x`.
const X: &str = "sha256:2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881";

#[test]
fn files() {
    let server = Server::start(|_| Reply::ok("x"));
    let Some(home) = Home::with_base() else { return };
    let dockerfile = |flag: &str| format!("FROM base\nADD {flag} http://{}/f /f\nRUN cat /f > /g\n", server.host());
    home.write("ctx/Dockerfile", dockerfile(""));
    let plan = predicted(&home, &["ctx"]);
    assert_eq!((outlook(&plan).as_str(), reason(&plan, 2)), ("uuu", "its server is not asked"));
    assert_eq!(server.requests().len(), 0);
    agrees(&home, "what a server has is not known", &["ctx"], "uuu");
    agrees(&home, "not even if it was asked before", &["ctx"], "uuu");
    agrees(&home, "it is fetched all the same", &["--no-cache", "ctx"], "mmm");
    agrees(&home, "nobody may be asked", &["--offline", "ctx"], "hhh");
    home.write("ctx/Dockerfile", dockerfile(&format!("--checksum={X}")));
    agrees(&home, "one that is known by its content", &["ctx"], "hhh");
    fs::remove_dir_all(home.path("store/records")).unwrap();
    agrees(&home, "one that is not there", &["ctx"], "muu");
}

#[test]
fn repositories() {
    if !git::available() {
        return;
    }
    let Some(home) = Home::with_base() else { return };
    let repository = Repository::begin(home.path("work/remote/r"));
    let commit = repository.write("f", "1").commit();
    let server = git::GitServer::start(&home.path("work/remote"), git::Readers::Everybody);
    let address = server.url("r");
    home.write("ctx/Dockerfile", format!("FROM base\nADD {address} /r\n"));
    let plan = predicted(&home, &["ctx"]);
    assert_eq!((outlook(&plan).as_str(), reason(&plan, 2)), ("uu", "its server is not asked"));
    assert_eq!(server.asked("r"), 0);
    agrees(&home, "where a branch is", &["ctx"], "uu");
    agrees(&home, "nobody may be asked", &["--offline", "ctx"], "hh");
    home.write("ctx/Dockerfile", format!("FROM base\nADD {address}#{commit} /r\n"));
    agrees(&home, "a commit that is there", &["ctx"], "hh");
    let commit = repository.write("f", "2").commit();
    home.write("ctx/Dockerfile", format!("FROM base\nADD {address}#{commit} /r\n"));
    agrees(&home, "a commit that is new", &["ctx"], "mu");
    agrees(&home, "a branch that is not to be remembered", &["--no-cache", "ctx"], "mm");
}

#[test]
fn layers_are_not_fetched() {
    let Some(home) = Home::with_base() else { return };
    home.write("ctx/Dockerfile", "FROM scratch\nCOPY --from=base /bin/busybox /b\n");
    let layer = home.diff_ids("base")[0].clone();
    let blobs = fs::read_dir(home.path("store/blobs/sha256")).unwrap().flatten();
    let largest = blobs.max_by_key(|blob| blob.metadata().unwrap().len()).unwrap().path();
    fs::rename(&largest, home.path("work/layer")).unwrap();
    let plan = predicted(&home, &["ctx"]);
    assert_eq!((outlook(&plan).as_str(), reason(&plan, 2)), ("u", "its source is not here"), "{layer}");
    fs::rename(home.path("work/layer"), &largest).unwrap();
    agrees(&home, "it is here and not yet unpacked", &["ctx"], "m");
    agrees(&home, "it is unpacked", &["ctx"], "h");
}
