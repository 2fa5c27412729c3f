//! `images`, `history`, `inspect`, `tag`, `rmi`: in docker's columns and words, held to docker where there is one.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::support::Home;
use crate::support::dockerd::Dockerd;
use crate::support::home::run;
use crate::support::tools;

/// Two images: one with a setting of every kind, and one that is older and has none.
fn home() -> Option<Home> {
    let home = Home::with_base()?;
    home.write(
        "ctx/Dockerfile",
        "FROM base\nLABEL a=1 b=\"x y\"\nENV A=1 B=two\nEXPOSE 80 81/udp\nVOLUME /v\nRUN echo x > /x\nCOPY <<E /e\none\ntwo\nE\nUSER 7\n\
         STOPSIGNAL SIGINT\nHEALTHCHECK --interval=5s CMD true\nCMD [\"sh\", \"-c\", \"echo <hi> & x\"]\n",
    );
    home.dated(["-t", "x:1", "-t", "team/y:2", "ctx"]);
    home.write("old/Dockerfile", "FROM base\nCMD [\"sh\"]\n");
    run(home.command(["build", "-q", "-t", "old", "old"]).env("SOURCE_DATE_EPOCH", "1600000000")).ok();
    Some(home)
}

fn lines(home: &Home, arguments: &[&str]) -> Vec<String> {
    let ran = run(&mut home.command(arguments.iter().copied())).ok();
    ran.stdout.lines().map(str::to_owned).collect()
}

/// What `docker inspect -f` is asked for in scripts.
const TEMPLATES: [&str; 24] = [
    "{{.Config.Cmd}}",
    "{{json .Config.Cmd}}",
    "{{.Config.Entrypoint}}",
    "{{json .Config.Entrypoint}}",
    "{{json .Config.Labels}}",
    "{{.Config.Labels.a}} {{.Config.Labels.none}}",
    "{{index .Config.Labels \"b\"}}|{{index .Config.Labels \"none\"}}",
    "{{.Config.ExposedPorts}} {{json .Config.ExposedPorts}}",
    "{{range $port, $_ := .Config.ExposedPorts}}{{$port}} {{end}}",
    "{{range .Config.Env}}{{println .}}{{end}}",
    "{{range $i, $v := .Config.Env}}{{if $i}}, {{end}}{{$v}}{{end}}",
    "{{index .Config.Env 0}}",
    "{{join .Config.Env \";\"}}",
    "{{.Config.User}}:{{.Config.WorkingDir}}:{{.Config.StopSignal}}",
    "{{.Config.Healthcheck.Test}}",
    "{{.Config.OnBuild}} {{json .Config.OnBuild}}",
    "{{.Config.Volumes}}",
    "{{.Os}}/{{.Architecture}} {{.Created}} {{.Author}}|{{.Comment}}",
    "{{json .RootFS}}",
    "{{len .RootFS.Layers}} {{.RootFS.Type}}",
    "{{if .Config.Entrypoint}}entry{{else}}none{{end}}",
    "{{with .Config.Labels}}{{.a}}{{end}}",
    "{{json .RepoTags}}",
    "{{printf \"%s-%d\" .Os (len .Config.Env)}}",
];

#[test]
fn docker_says_the_same_of_the_same_images() {
    let Some(home) = home() else { return };
    let Some(dockerd) = Dockerd::start() else { return };
    run(&mut home.command(["save", "-o", "all.tar", "x:1", "team/y:2", "old"])).ok();
    let archive = home.path("work/all.tar").display().to_string();
    tools::run(&mut dockerd.docker(["load", "-q", "-i", &archive]));
    let docker = |arguments: &[&str]| -> Vec<String> {
        tools::run(&mut dockerd.docker(arguments.iter().copied())).lines().map(str::to_owned).collect()
    };
    home.layercake(["rmi", "base"]).ok();

    for template in TEMPLATES {
        let ask = ["inspect", "-f", template, "x:1"];
        assert_eq!(lines(&home, &ask), docker(&ask), "{template}");
    }
    let same: [&[&str]; 14] = [
        &["history", "--no-trunc", "--format", "{{.CreatedBy}}|{{.CreatedAt}}|{{.Comment}}", "x:1"],
        &["history", "--format", "{{.CreatedBy}}|{{.CreatedSince}}", "x:1"],
        &["images", "--format", "{{.Repository}}:{{.Tag}} {{.CreatedAt}} {{.CreatedSince}}"],
        &["images", "--format", "table {{.Repository}}\\t{{.Tag}}\\t{{.CreatedSince}}"],
        &["images", "--format", "table {{.Repository}}:{{upper .Tag}}"],
        &["images", "--format", "{{.Repository}}", "--filter", "label=a"],
        &["images", "--format", "{{.Repository}}", "--filter", "label=a=2"],
        &["images", "--format", "{{.Repository}}", "--filter", "reference=*/y"],
        &["images", "--format", "{{.Repository}}:{{.Tag}}", "--filter", "reference=x", "--filter", "reference=old:*"],
        &["images", "--format", "{{.Repository}}", "--filter", "before=x:1"],
        &["images", "--format", "{{.Repository}}", "--filter", "since=old"],
        &["images", "--format", "{{.Repository}}", "--filter", "dangling=true"],
        &["images", "--format", "{{.Repository}}:{{.Tag}}", "x"],
        &["images", "--format", "{{.Repository}}:{{.Tag}}", "x:2"],
    ];
    for ask in same {
        let (mut ours, mut theirs) = (lines(&home, ask), docker(ask));
        // The names of one image come from docker in another order each time.
        if ask[0] == "images" {
            ours.sort_unstable();
            theirs.sort_unstable();
        }
        assert_eq!(ours, theirs, "{ask:?}");
    }

    let headings = |lines: Vec<String>| -> Vec<String> {
        lines[0].split("  ").map(str::trim).filter(|heading| !heading.is_empty()).map(str::to_owned).collect()
    };
    let tables: [&[&str]; 4] =
        [&["images"], &["images", "--digests"], &["history", "x:1"], &["history", "-H=false", "x:1"]];
    for ask in tables {
        assert_eq!(headings(lines(&home, ask)), headings(docker(ask)), "{ask:?}");
    }
    // Sizes are those of blobs here and of files there; what has no layer has none in both.
    let is_empty = |lines: Vec<String>| lines.iter().map(|line| line == "0").collect::<Vec<_>>();
    let sizes = ["history", "-H=false", "--format", "{{.Size}}", "x:1"];
    assert_eq!(is_empty(lines(&home, &sizes)), is_empty(docker(&sizes)));

    let keys = |text: String| -> BTreeSet<String> {
        let value: Value = serde_json::from_str(&text).unwrap();
        let object = value.as_array().map_or(&value, |items| &items[0]);
        object.as_object().unwrap().keys().cloned().collect()
    };
    for ask in [["images", "--format", "{{json .}}"], ["history", "x:1", "--format={{json .}}"]] {
        let (ours, theirs) = (keys(lines(&home, &ask).remove(0)), keys(docker(&ask).remove(0)));
        assert!(theirs.is_subset(&ours), "{ask:?}: {:?}", theirs.difference(&ours));
    }
    let (ours, theirs) = (keys(lines(&home, &["inspect", "x:1"]).join("")), keys(docker(&["inspect", "x:1"]).join("")));
    // Of a container that nothing was built in, and of a driver that there is not.
    let theirs_alone = ["Container", "ContainerConfig", "GraphDriver"].map(str::to_owned).into();
    assert!(theirs.difference(&ours).cloned().collect::<BTreeSet<_>>().is_subset(&theirs_alone), "{theirs:?} {ours:?}");
}

#[test]
fn history_names_the_image_once() {
    let Some(home) = home() else { return };
    let ids = lines(&home, &["history", "-q", "--no-trunc", "x:1"]);
    assert_eq!(ids[0], home.inspect("x:1")["Id"]);
    assert!(ids[1..].iter().all(|id| id == "<missing>") && ids.len() > 8, "{ids:?}");
    // What a heredoc has left in an instruction does not break the table.
    assert_eq!(lines(&home, &["history", "x:1"]).len(), ids.len() + 1);
}

#[test]
fn several_images_are_inspected_and_a_missing_one_is_named() {
    let Some(home) = home() else { return };
    let ran = run(&mut home.command(["inspect", "x:1", "nothing", "old"])).exits(2);
    let all: Vec<Value> = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(all.len(), 2);
    assert!(ran.stderr.contains("there is no image `nothing`"), "{}", ran.stderr);
    assert_eq!(run(&mut home.command(["inspect", "nothing"])).exits(2).stdout, "[]\n");
    let ran = run(&mut home.command(["inspect", "-f", "{{.Os}}", "nothing", "old"])).exits(2);
    assert_eq!(ran.stdout, "linux\n");
    let ran = run(&mut home.command(["inspect", "-f", "{{.Nope}}", "old"])).exits(2);
    assert!(ran.stderr.contains("there is no field `Nope`; there are `Id`, `RepoTags`"), "{}", ran.stderr);
}

#[test]
fn layers_that_are_not_here_are_counted_and_named() {
    let Some(home) = home() else { return };
    let before = home.inspect("x:1");
    assert_eq!(before["MissingLayers"], serde_json::json!([]));
    let layer = before["Manifest"]["layers"][0]["digest"].as_str().unwrap().to_owned();
    let hex = layer.trim_start_matches("sha256:");
    std::fs::remove_file(home.path("store/blobs/sha256").join(hex)).unwrap();
    let after = home.inspect("x:1");
    assert_eq!(after["Size"], before["Size"]);
    assert_eq!(after["MissingLayers"], serde_json::json!([layer]));
}

#[test]
fn names_are_given_and_taken_as_by_docker() {
    let Some(home) = home() else { return };
    let id = home.inspect("x:1")["Id"].as_str().unwrap().to_owned();
    let short = &id["sha256:".len()..][..12];
    // In several repositories: which one is meant?
    let ran = run(&mut home.command(["rmi", short])).exits(2);
    assert!(ran.stderr.contains("x, team/y") || ran.stderr.contains("team/y, x"), "{}", ran.stderr);
    let ran = run(&mut home.command(["rmi", "nothing", "team/y:2", "nor-this"])).exits(2);
    assert_eq!(ran.stdout, "Untagged: team/y:2\n");
    assert!(ran.stderr.contains("`nothing`") && ran.stderr.contains("`nor-this`"), "{}", ran.stderr);
    run(&mut home.command(["rmi", "-f", "nothing"])).ok();
    run(&mut home.command(["tag", short, "x:3"])).ok();
    let ran = run(&mut home.command(["rmi", short])).ok();
    assert_eq!(ran.stdout, format!("Untagged: x:1\nUntagged: x:3\nDeleted: {id}\n"));
    for wrong in ["UPPER", "x@sha256:0", &format!("x@{id}")] {
        run(&mut home.command(["tag", "old", wrong])).exits(2);
    }
    run(&mut home.command(["tag", "nothing", "y"])).exits(2);
}
