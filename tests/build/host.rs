//! What a RUN is shown of this machine reaches it, and stays nowhere.

use crate::support::Home;
use crate::support::archive::Files;

const SECRET: &str = "s3cr3t-of-this-machine";

/// Whether some file below the store holds this, besides those of unfinished work.
fn store_has(home: &Home, text: &str) -> bool {
    let mut command = crate::support::machine::as_root("grep");
    let status = command.args(["-rqF", text]).arg(home.path("store")).status().unwrap();
    status.success()
}

#[test]
fn files_and_variables_reach_the_run_and_stay_nowhere() {
    let Some(home) = Home::with_base() else { return };
    home.write("ca.crt", SECRET);
    let file = format!("{}:/run/host/ca.crt", home.path("work/ca.crt").display());
    let variable = format!("CERTIFICATES={SECRET}");
    home.write("ctx/Dockerfile", "FROM base\nRUN cat /run/host/ca.crt && env && sha256sum /run/host/ca.crt > /sum\n");
    let built = home.build(["--host-file", &file, "--host-env", &variable, "-t", "x", "ctx"]);
    assert!(built.output.contains(&format!("{SECRET}\n")) || built.output.starts_with(SECRET), "{}", built.output);
    assert!(built.output.contains(&variable), "{}", built.output);

    let layers = home.layers("x");
    assert_eq!(layers[1].paths(), ["sum"], "no mount point stays in the layer");
    let documents = home.inspect("x").to_string();
    assert!(!documents.contains(SECRET) && !documents.contains("CERTIFICATES") && !documents.contains("ca.crt:"));
    assert!(!store_has(&home, SECRET));
    assert!(store_has(&home, "ann's"), "what is in the store is found");
}

#[test]
fn they_are_no_part_of_the_key() {
    let Some(home) = Home::with_base() else { return };
    home.write("ca.crt", SECRET).write("ctx/Dockerfile", "FROM base\nRUN echo x > /x\n");
    let plain = home.build(["-t", "x", "ctx"]);
    let file = home.path("work/ca.crt").display().to_string();
    for arguments in [["--host-file", &file, "ctx"], ["--host-env", "A=1", "ctx"], ["--host-env", "A=2", "ctx"]] {
        let built = home.build(arguments);
        assert_eq!((built.started, &built.digest), (vec![], &plain.digest));
    }
}

#[test]
fn the_users_settings_show_them_to_every_build() {
    let Some(home) = Home::with_base() else { return };
    home.write("ca.crt", SECRET).write("ctx/Dockerfile", "FROM base\nRUN cat /run/ca.crt; echo $LENT\n");
    let settings = format!(
        "[host]\nfiles = [\"{}:/run/ca.crt\"]\nenv = [\"LENT=lent-value\"]\n",
        home.path("work/ca.crt").display()
    );
    home.write("../config/layercake/config.toml", settings);
    let built = home.build(["ctx"]);
    assert!(built.output.contains(SECRET) && built.output.contains("lent-value"), "{}", built.output);
}

#[test]
fn what_the_image_sets_goes_before_what_is_lent() {
    let Some(home) = Home::with_base() else { return };
    home.write("ctx/Dockerfile", "FROM base\nENV A=image\nRUN echo \"<$A $B>\"\n");
    let built = home.build(["--host-env", "A=host", "--host-env", "B=host", "ctx"]);
    assert!(built.output.contains("<image host>"), "{}", built.output);
}

#[test]
fn proxies_reach_the_run_and_stay_nowhere() {
    let Some(home) = Home::with_base() else { return };
    home.write("ctx/Dockerfile", "FROM base\nRUN echo \"<$http_proxy $HTTPS_PROXY>\"\n");
    let mut command = home.command(["build", "-t", "x", "--build-arg", "HTTPS_PROXY=http://two.invalid:2", "ctx"]);
    let ran = crate::support::home::run(command.env("http_proxy", "http://one.invalid:1")).ok();
    assert!(ran.stderr.contains("<http://one.invalid:1 http://two.invalid:2>"), "{}", ran.stderr);
    assert!(!home.inspect("x").to_string().contains("invalid"));
    assert!(!store_has(&home, "one.invalid"));
}

#[test]
fn the_hosts_file_and_resolver_stay_out_of_the_layer() {
    let Some(home) = Home::with_base() else { return };
    home.write("ctx/Dockerfile", "FROM base\nRUN cat /etc/hosts /etc/resolv.conf; hostname; echo x > /x\n");
    let built = home.build(["--add-host", "db:192.0.2.7", "-t", "x", "ctx"]);
    assert!(built.output.contains("192.0.2.7\tdb"), "{}", built.output);
    assert_eq!(home.layers("x").iter().skip(1).map(Files::paths).collect::<Vec<_>>(), [["x"]]);
}
