//! Registries that prove who they are, and that want to know who we are.

use std::collections::BTreeSet;

use crate::authority::{Authority, Validity};
use crate::support::Home;
use crate::support::registry::{PROGRAM, Protection, Registry};
use crate::support::tools::available;

/// A home with an image, as `app:1` of the registry.
fn home(host: &str) -> Home {
    let home = Home::empty();
    home.write("ctx/Dockerfile", "FROM scratch\nCOPY Dockerfile /\n");
    home.build(["-t", &format!("{host}/app:1"), "ctx"]);
    home
}

#[test]
fn each_wrong_certificate_has_its_own_message() {
    if !available(&[PROGRAM, "openssl"]) {
        return;
    }
    let authority = Authority::new();
    authority.issue("good", "IP:127.0.0.1,DNS:registry.test", Validity::Now);
    authority.issue("old", "IP:127.0.0.1", Validity::Past);
    let good = Registry::start(&Protection::None, &authority.protocol("good", None));
    let old = Registry::start(&Protection::None, &authority.protocol("old", None));
    let refused = |host: &str, trusting: bool| {
        let home = home(host);
        if trusting {
            let ca = authority.path("ca.pem");
            home.write("layercake.toml", format!("[registry.\"{host}\"]\nca = \"{}\"\n", ca.display()));
        }
        home.layercake(["push", &format!("{host}/app:1")]).exits(3).stderr.replace(host, "HOST")
    };
    let unknown = refused(&good.host(), false);
    assert!(unknown.contains("authority that is not trusted here; name the authority's file with `ca`"), "{unknown}");
    let expired = refused(&old.host(), true);
    assert!(expired.contains("its certificate has expired on 2020-01-31"), "{expired}");
    let other = refused(&format!("localhost:{}", good.port()), true);
    assert!(
        other.contains("is for `127.0.0.1`, `registry.test`") || other.contains("is for `registry.test`, `127.0.0.1`"),
        "{other}"
    );
    assert_eq!(BTreeSet::from([unknown, expired, other]).len(), 3);
}

#[test]
fn an_authority_is_trusted_wherever_it_is_named() {
    if !available(&[PROGRAM, "openssl"]) {
        return;
    }
    let authority = Authority::new();
    authority.issue("good", "IP:127.0.0.1", Validity::Now);
    let registry = Registry::start(&Protection::None, &authority.protocol("good", None));
    let (host, ca) = (registry.host(), std::fs::read_to_string(authority.path("ca.pem")).unwrap());
    let section = format!("[registry.\"{host}\"]\n");
    let hosts = format!("server = \"https://{host}\"\nca = \"own.pem\"\n");
    let ways: [&[(&str, &str)]; 6] = [
        &[("ctx/ca.pem", &ca), ("layercake.toml", &format!("{section}ca = [\"ctx/ca.pem\"]\n"))],
        &[
            ("../config/layercake/ca.pem", &ca),
            ("../config/layercake/config.toml", &format!("{section}ca = \"ca.pem\"\n")),
        ],
        &[(&format!("../config/containers/certs.d/{host}/ca.crt"), &ca)],
        &[(&format!("../config/docker/certs.d/{host}/ca.crt"), &ca)],
        &[
            (&format!("../config/containerd/certs.d/{host}/hosts.toml"), &hosts),
            (&format!("../config/containerd/certs.d/{host}/own.pem"), &ca),
        ],
        &[("../config/layercake/config.toml", &format!("{section}insecure = true\n"))],
    ];
    for files in ways {
        let home = home(&host);
        for (path, text) in files {
            home.write(path, text);
        }
        home.layercake(["push", &format!("{host}/app:1")]).ok();
    }
}

#[test]
fn a_registry_may_want_to_know_its_clients() {
    if !available(&[PROGRAM, "openssl"]) {
        return;
    }
    let authority = Authority::new();
    authority.issue("server", "IP:127.0.0.1", Validity::Now);
    authority.issue("me", "DNS:me", Validity::Now);
    let registry = Registry::start(&Protection::None, &authority.protocol("server", Some(authority.path("ca.pem"))));
    let (host, home) = (registry.host(), home(&registry.host()));
    let name = format!("{host}/app:1");
    let (certificate, key) = (authority.path("me.pem"), authority.path("me.key"));
    let trusting = format!("[registry.\"{host}\"]\nca = \"{}\"\n", authority.path("ca.pem").display());
    let known = format!("client-certificate = \"{}\"\nclient-key = \"{}\"\n", certificate.display(), key.display());
    home.write("layercake.toml", &trusting);
    let stranger = home.layercake(["push", &name]).exits(3);
    assert!(stranger.stderr.contains("client certificate"), "{}", stranger.stderr);
    home.write("layercake.toml", format!("{trusting}{known}"));
    let project = home.layercake(["push", &name]).exits(2);
    assert!(
        project.stderr.contains("`layercake.toml`") || project.stderr.contains("layercake.toml`"),
        "{}",
        project.stderr
    );
    assert!(project.stderr.contains("config.toml"), "{}", project.stderr);
    home.write("layercake.toml", "").write("../config/layercake/config.toml", format!("{trusting}{known}"));
    home.layercake(["push", &name]).ok();
    // As docker has it.
    let read = |path| std::fs::read(path).unwrap();
    home.write("../config/layercake/config.toml", &trusting);
    home.write(&format!("../config/docker/certs.d/{host}/me.cert"), read(&certificate));
    home.write(&format!("../config/docker/certs.d/{host}/me.key"), read(&key));
    home.layercake(["push", &name]).ok();
}
