//! `RUN --device`: what CDI files of the machine say of a device, where it is allowed.

use crate::support::Home;
use crate::support::home::run;
use crate::support::machine;
use crate::support::ran::Ran;

/// A home whose machine has a device that is a second `/dev/zero`, with a library and a variable.
fn home() -> Option<Home> {
    let home = Home::with_base()?;
    let library = home.path("work/library").display().to_string();
    home.write("library/lib.so", "library\n");
    let text = format!(
        r#"{{"cdiVersion": "0.6.0", "kind": "acme.example/zero", "containerEdits": {{"env": ["ACME=yes"]}},
            "devices": [{{"name": "0", "containerEdits": {{
                "deviceNodes": [{{"path": "/dev/acme0", "hostPath": "/dev/zero"}}],
                "mounts": [{{"hostPath": "{library}", "containerPath": "/opt/acme", "options": ["ro", "nosuid"]}}]}}}},
              {{"name": "1", "annotations": {{"org.mobyproject.buildkit.device.autoallow": "true"}},
                "containerEdits": {{"hooks": [{{"hookName": "createContainer", "path": "/bin/true"}}]}}}}]}}"#
    );
    home.write("cdi/acme.json", text).write("cdi/other.yaml", "kind: other.example/x\n");
    let folder = home.path("work/cdi");
    home.write("../config/layercake/config.toml", format!("[host]\ncdi-spec-dirs = [\"{}\"]\n", folder.display()));
    Some(home)
}

fn build(home: &Home, flag: &str, arguments: &[&str]) -> Ran {
    let script =
        "ls /dev | grep acme; head -c 3 /dev/acme0 | wc -c; cat /opt/acme/lib.so; touch /opt/acme/x; echo \"<$ACME>\"";
    home.write("ctx/Dockerfile", format!("FROM base\nRUN --device={flag} {script}\n"));
    run(home.command(["build", "--progress=plain", "-t", "x", "ctx"]).args(arguments))
}

#[test]
fn an_allowed_device_is_there_and_stays_nowhere() {
    let Some(home) = home() else { return };
    for allowed in ["device", "device=acme.example/zero", "device=acme.example/zero=0"] {
        let ran = build(&home, "acme.example/zero=0,required", &["--no-cache", "--allow", allowed]).ok();
        for words in ["| acme0\n", "| 3\n", "| library\n", "<yes>", "Read-only file system"] {
            assert!(ran.stderr.contains(words), "{words}: {}", ran.stderr);
        }
    }
    assert_eq!(home.layers("x")[1].paths(), [""; 0]);
    let again = build(&home, "acme.example/zero=0,required", &["--allow", "device"]).ok();
    assert!(again.stderr.contains("cached"), "{}", again.stderr);
}

#[test]
fn a_device_has_to_be_allowed() {
    let Some(home) = home() else { return };
    let ran = build(&home, "acme.example/zero=0,required", &["--allow", "device=acme.example/other"]).exits(2);
    let help = "allow it with `--allow device=acme.example/zero=0`";
    assert!(ran.stderr.contains("which has to be allowed") && ran.stderr.contains(help), "{}", ran.stderr);
    // One that can be done without is left out, and that is said.
    let ran = build(&home, "acme.example/zero", &[]).ok();
    assert!(ran.stderr.contains(help) && ran.stderr.contains("<>"), "{}", ran.stderr);
    // The vendor may say that anybody may use it.
    let ran = build(&home, "acme.example/zero=1,required", &[]).ok();
    assert!(ran.stderr.contains("<yes>") && ran.stderr.contains("are not run"), "{}", ran.stderr);
}

#[test]
fn a_device_that_is_not_there_matters_where_it_is_required() {
    let Some(home) = home() else { return };
    let ran = build(&home, "other.example/x", &[]).ok();
    assert!(ran.stderr.contains("<>"), "{}", ran.stderr);
    let ran = build(&home, "other.example/x,required", &[]).exits(2);
    assert!(ran.stderr.contains("required device `other.example/x` is not registered"), "{}", ran.stderr);
    assert!(ran.stderr.contains("other.yaml` is YAML, and only JSON is read"), "{}", ran.stderr);
    let ran = build(&home, "/dev/fuse", &[]).exits(2);
    assert!(ran.stderr.contains("`/dev/fuse` is no name of a CDI device"), "{}", ran.stderr);
}

#[test]
fn devices_that_a_command_makes_are_closed_or_dockers() {
    let Some(home) = Home::with_base() else { return };
    let script = "mknod /null c 1 3 && (echo x > /null) && echo '<null is open>'; \
                  mknod /mem c 1 1; head -c 1 /mem && echo '<memory is open>'; mknod /disk b 7 0; head -c 1 /disk && echo '<disk is open>'; \
                  test -c /null && echo '<null was made>'; echo x > /dev/null && echo '<usual one is open>'";
    home.write("ctx/Dockerfile", format!("FROM base\nRUN {script}\n"));
    let built = home.build(["-t", "x", "ctx"]);
    let says = |words: &str| built.output.contains(words);
    assert!(says("<usual one is open>") && !says("<memory is open>") && !says("<disk is open>"), "{}", built.output);
    // An ordinary user makes none. Root does, and they are in the layer; null can be opened where a control group guards.
    assert_eq!(says("<null was made>"), machine::is_root(), "{}", built.output);
    assert_eq!(home.layers("x")[1].has("disk"), machine::is_root());
    assert!(machine::is_root() || !says("<null is open>"), "{}", built.output);
}
