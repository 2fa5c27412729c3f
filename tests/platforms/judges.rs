//! Judges that are not ours: skopeo and buildah take our indexes, and find in them what is meant.

use std::process::Command;

use serde_json::Value;

use crate::support::Home;
use crate::support::machine::as_root;
use crate::support::platforms::{BOTH, FOREIGN, NATIVE};
use crate::support::registry::{self, Registry};
use crate::support::tools::{available, run};

fn home() -> Option<(Home, String)> {
    let home = Home::with_platforms()?;
    home.write("ctx/Dockerfile", "FROM base\nRUN uname -m > /machine\nLABEL a=b\n");
    let digest = home.build(["--platform", BOTH, "-o", "type=oci,tar=false,dest=layout", "-t", "x:1", "ctx"]).digest;
    Some((home, digest))
}

fn skopeo(home: &Home, arguments: &[&str]) -> String {
    let mut command = Command::new("skopeo");
    home.furnish(&mut command);
    run(command.args(["--insecure-policy", "--tmpdir=."]).args(arguments))
}

#[test]
fn skopeo_reads_and_copies_the_index() {
    if !available(&["skopeo", registry::PROGRAM]) {
        return;
    }
    let Some((home, _)) = home() else { return };
    let index: Value = serde_json::from_str(&skopeo(&home, &["inspect", "--raw", "oci:layout:1"])).unwrap();
    assert_eq!(index["manifests"].as_array().unwrap().len(), 2, "{index}");
    for (architecture, _) in [NATIVE, FOREIGN] {
        let chosen = format!("--override-arch={architecture}");
        let inspected = skopeo(&home, &[&chosen, "inspect", "--config", "oci:layout:1"]);
        let config: Value = serde_json::from_str(&inspected).unwrap();
        assert_eq!(config["architecture"], architecture);
    }
    // Every blob of every image is read, and held against its digest.
    let registry = Registry::open();
    let target = format!("docker://{}/copied:1", registry.host());
    skopeo(&home, &["copy", "--all", "--dest-tls-verify=false", "oci:layout:1", &target]);
    let copied: Value =
        serde_json::from_str(&skopeo(&home, &["inspect", "--raw", "--tls-verify=false", &target])).unwrap();
    assert_eq!(copied, index);
}

#[test]
fn what_we_push_skopeo_copies_whole() {
    if !available(&["skopeo", registry::PROGRAM]) {
        return;
    }
    let Some((home, digest)) = home() else { return };
    let registry = Registry::open();
    let name = format!("{}/x:1", registry.host());
    let pushed = home.build(["--platform", BOTH, "--push", "-t", &name, "ctx"]).digest;
    assert_eq!(pushed, digest);
    let source = format!("docker://{name}");
    skopeo(&home, &["copy", "--all", "--src-tls-verify=false", "--preserve-digests", &source, "oci:copied:1"]);
    let list: Value = serde_json::from_str(&home.read("copied/index.json")).unwrap();
    assert_eq!(list["manifests"][0]["digest"], digest);
}

#[test]
fn buildah_pulls_the_image_for_a_platform() {
    if !available(&["buildah"]) {
        return;
    }
    let Some((home, _)) = home() else { return };
    for (architecture, _) in [FOREIGN, NATIVE] {
        let buildah = |arguments: &[&str]| {
            let mut command = as_root("buildah");
            home.furnish(&mut command);
            command.env("BUILDAH_ISOLATION", "chroot").env("_CONTAINERS_USERNS_CONFIGURED", "done");
            let store = home.path("buildah");
            let run_root = home.path("buildah-run");
            let folders = ["--root", store.to_str().unwrap(), "--runroot", run_root.to_str().unwrap()];
            run(command.args(folders).args(["--storage-driver", "vfs"]).args(arguments))
        };
        let id = buildah(&["pull", "-q", "--signature-policy", policy(&home), "--arch", architecture, "oci:layout:1"]);
        let inspected: Value = serde_json::from_str(&buildah(&["inspect", "--type=image", id.trim()])).unwrap();
        assert_eq!(inspected["OCIv1"]["architecture"], architecture);
        assert_eq!(inspected["OCIv1"]["config"]["Labels"]["a"], "b");
    }
}

/// Who is believed: everybody.
fn policy(home: &Home) -> &'static str {
    home.write("policy.json", r#"{"default": [{"type": "insecureAcceptAnything"}]}"#);
    "policy.json"
}
