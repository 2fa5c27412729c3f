//! The language, carried out: what ends up in the image is what the Dockerfile says.

use tar::EntryType;

use crate::support::Home;
use crate::support::archive::Files;
use crate::support::image::strings;

/// The layers of `x` above the base's.
fn added(home: &Home) -> Vec<Files> {
    home.layers("x").split_off(1)
}

#[test]
fn stages_build_on_each_other_and_copy_from_each_other() {
    let Some(home) = Home::with_base() else { return };
    home.write("ctx/a", "from the context");
    let built = home.build_text(
        "FROM base AS common\nRUN echo common > /common\n\
         FROM common AS left\nRUN echo left > /left\n\
         FROM common AS unused\nRUN echo unused > /unused && false\n\
         FROM common\nCOPY --from=left /left /common /copied/\nCOPY --from=0 /common /by-index\nCOPY --from=base /etc/group /g\nCOPY a /\n",
    );
    assert_eq!(built.ran("unused"), 0, "nobody needs it");
    let layers = added(&home);
    assert_eq!(
        layers.iter().map(Files::paths).collect::<Vec<_>>(),
        [vec!["common"], vec!["copied", "copied/common", "copied/left"], vec!["by-index"], vec!["g"], vec!["a"]]
    );
    assert_eq!(layers[1].text("copied/left"), "left\n");
}

#[test]
fn a_target_is_a_stage_by_name() {
    let Some(home) = Home::with_base() else { return };
    home.write(
        "ctx/Dockerfile",
        "FROM base AS one\nRUN echo 1 > /1\nFROM base AS two\nRUN echo 2 > /2\nFROM two\nRUN false\n",
    );
    for (target, path) in [("one", "1"), ("TWO", "2")] {
        home.build(["--target", target, "-t", "x", "ctx"]);
        assert_eq!(added(&home)[0].paths(), [path], "{target}");
    }
}

#[test]
fn arguments_and_variables_have_their_values() {
    let Some(home) = Home::with_base() else { return };
    let dockerfile = "ARG BASE=nothing\nARG GLOBAL=global\nFROM $BASE\nARG GLOBAL\nARG A=default\nARG B=${A}-b\n\
         ENV E=${B:-none} F=\"two words\"\nENV E=next OLD=$E\n\
         RUN echo \"$GLOBAL|$A|$B|$E|$F|$OLD|$TARGETARCH\" > /out\nARG TARGETARCH\nRUN echo $TARGETARCH > /arch\n";
    home.write("ctx/Dockerfile", dockerfile);
    home.build(["--build-arg", "BASE=base", "--build-arg", "A=given", "-t", "x", "ctx"]);
    let layers = added(&home);
    assert_eq!(layers[0].text("out"), "global|given|given-b|next|two words|given-b|\n");
    assert!(!layers[1].text("arch").trim().is_empty());
    let env = strings(&home.inspect("x")["Config"]["Env"]);
    assert_eq!(env, ["PATH=/bin", "E=next", "F=two words", "OLD=given-b"]);
    // Without a value, the environment's.
    let mut command = home.command(["build", "--build-arg", "BASE=base", "--build-arg", "A", "-t", "x", "ctx"]);
    crate::support::home::run(command.env("A", "environment")).ok();
    assert!(added(&home)[0].text("out").contains("|environment|"));
}

#[test]
fn users_own_what_they_write() {
    let Some(home) = Home::with_base() else { return };
    home.build_text(
        "FROM base\nRUN mkdir -m 777 /w\nUSER ann\nRUN id -u > /w/id && id -G > /w/groups && echo $HOME > /w/home\n\
         USER 7:8\nRUN touch /w/numbers\nUSER ann:staff\nRUN touch /w/group\n",
    );
    let layers = added(&home);
    assert_eq!(layers[1].file("w/id").owner, (1000, 1000));
    assert_eq!(layers[1].text("w/id"), "1000\n");
    assert_eq!(layers[1].text("w/groups"), "1000 50\n");
    assert_eq!(layers[1].text("w/home"), "/home/ann\n");
    assert_eq!(layers[2].file("w/numbers").owner, (7, 8));
    assert_eq!(layers[3].file("w/group").owner, (1000, 50));
    assert_eq!(home.inspect("x")["Config"]["User"], "ann:staff");
}

#[test]
fn working_folders_are_made() {
    let Some(home) = Home::with_base() else { return };
    home.build_text("FROM base\nWORKDIR /deep/er\nWORKDIR ../sibling\nRUN pwd > here\nUSER ann\nWORKDIR own\n");
    let layers = added(&home);
    assert_eq!(layers[0].paths(), ["deep", "deep/er"]);
    assert_eq!(layers[2].text("deep/sibling/here"), "/deep/sibling\n");
    assert_eq!(home.inspect("x")["Config"]["WorkingDir"], "/deep/sibling/own");
}

#[test]
fn the_exec_form_has_no_shell() {
    let Some(home) = Home::with_base() else { return };
    home.build_text("FROM base\nENV A=1\nRUN [\"sh\", \"-c\", \"set -f; echo $0 $1 > /out\", \"$A\", \"*\"]\nSHELL [\"/bin/ash\", \"-e\", \"-c\"]\nRUN echo $0 > /shell\n");
    let layers = added(&home);
    assert_eq!(layers[0].text("out"), "$A *\n");
    assert_eq!(layers[1].text("shell"), "/bin/ash\n");
}

#[test]
fn heredocs_are_scripts_and_files() {
    let Some(home) = Home::with_base() else { return };
    home.build_text(
        "FROM base\nARG NAME=world\n\
         RUN <<EOF\nset -e\ncd /tmp\necho one > a\necho two > b\nEOF\n\
         RUN <<EOF cat > /piped\nthrough a shell\nEOF\n\
         RUN <<EOF\n#!/bin/cat\nnot a shell's\nEOF\n\
         COPY --chmod=0600 --chown=ann <<EOF <<-'RAW' /files/\nhello $NAME\nEOF\n\tliteral $NAME\nRAW\n\
         COPY <<one.txt /named\n1\none.txt\n",
    );
    let layers = added(&home);
    assert_eq!((layers[0].text("tmp/a"), layers[0].text("tmp/b")), ("one\n", "two\n"));
    assert_eq!(layers[1].text("piped"), "through a shell\n");
    assert_eq!(layers[2].paths(), [""; 0]);
    assert_eq!((layers[3].text("files/EOF"), layers[3].text("files/RAW")), ("hello world\n", "literal $NAME\n"));
    assert_eq!((layers[3].file("files/EOF").mode, layers[3].file("files/EOF").owner), (0o600, (1000, 1000)));
    assert_eq!(layers[4].text("named"), "1\n");
}

#[test]
fn removals_are_whiteouts() {
    let Some(home) = Home::with_base() else { return };
    home.build_text(
        "FROM base\nRUN mkdir -p /d/sub && touch /d/a /d/b /d/sub/c\nRUN rm /d/a && rm -r /d/sub\n\
         RUN rm -r /d && mkdir /d && touch /d/new\nRUN rm /etc/group\n",
    );
    let layers = added(&home);
    assert_eq!(layers[1].paths(), ["d", "d/.wh.a", "d/.wh.sub"]);
    assert_eq!(layers[2].paths(), ["d", "d/.wh..wh..opq", "d/new"]);
    assert_eq!(layers[3].paths(), ["etc", "etc/.wh.group"]);
    let tree = home.tree("ctx");
    let below: Vec<_> = tree.paths().into_iter().filter(|path| path.starts_with("d/")).collect();
    assert_eq!(below, ["d/new"]);
    assert!(!tree.has("etc/group"));
}

#[test]
fn links_and_special_files_are_what_they_are() {
    let Some(home) = Home::with_base() else { return };
    home.build_text(
        "FROM base\nRUN mkdir /d && cd /d && echo x > file && ln file hard && ln -s file soft && mkfifo pipe \
         && chmod 6755 file && mkdir -m 1777 sticky\n",
    );
    let layer = &added(&home)[0];
    let kind = |path: &str| layer.file(path).kind;
    assert_eq!(
        (kind("d/soft"), kind("d/pipe"), kind("d/sticky")),
        (EntryType::Symlink, EntryType::Fifo, EntryType::Directory)
    );
    // Of the two names of one file the first holds the content.
    assert_eq!((kind("d/file"), kind("d/hard")), (EntryType::Regular, EntryType::Link));
    assert_eq!(layer.file("d/hard").target, "d/file");
    assert_eq!((layer.file("d/file").mode, layer.file("d/sticky").mode), (0o6755, 0o1777));
}

#[test]
fn copies_have_owners_and_modes() {
    let Some(home) = Home::with_base() else { return };
    home.write("ctx/a", "a").write("ctx/dir/b", "b").write("ctx/dir/c.md", "c");
    home.build_text(
        "FROM base\nCOPY --chown=ann:staff a /1\nCOPY --chmod=u=rw,go= a /2\nCOPY --chown=7 --chmod=755 dir /3\n\
         COPY --exclude=*.md dir /4\nCOPY --link dir/b /5\n",
    );
    let layers = added(&home);
    assert_eq!(layers[0].file("1").owner, (1000, 50));
    assert_eq!(layers[1].file("2").mode, 0o600);
    assert_eq!((layers[2].file("3/b").owner, layers[2].file("3/b").mode), ((7, 7), 0o755));
    assert_eq!(layers[3].paths(), ["4", "4/b"]);
    assert_eq!(layers[4].text("5"), "b");
}

#[test]
fn the_configuration_is_what_the_instructions_say() {
    let Some(home) = Home::with_base() else { return };
    home.write("ctx/Dockerfile", "FROM base\nLABEL a=\"b c\" d=e\nEXPOSE 80 53/udp\nVOLUME /data\nSTOPSIGNAL SIGTERM\n\
         HEALTHCHECK --interval=5s CMD true\nENTRYPOINT [\"sh\"]\nCMD [\"-c\", \"true\"]\nONBUILD RUN echo built\nMAINTAINER ann\n");
    home.build(["--label", "f=g", "-t", "x", "ctx"]);
    let image = home.inspect("x");
    let config = &image["Config"];
    assert_eq!(config["Labels"], serde_json::json!({"a": "b c", "d": "e", "f": "g"}));
    assert_eq!(config["ExposedPorts"], serde_json::json!({"53/udp": {}, "80/tcp": {}}));
    assert_eq!(config["Volumes"], serde_json::json!({"/data": {}}));
    assert_eq!((&config["StopSignal"], &image["Author"]), (&"SIGTERM".into(), &"ann".into()));
    assert_eq!(strings(&config["Entrypoint"]), ["sh"]);
    assert_eq!(strings(&config["Cmd"]), ["-c", "true"]);
    assert_eq!(strings(&config["OnBuild"]), ["RUN echo built"]);
    // What the base said is still there, and its trigger is pulled by who builds on it.
    home.write("child/Dockerfile", "FROM x\n");
    assert_eq!(home.build(["-t", "child", "child"]).started.len(), 1);
    assert!(home.inspect("child")["Config"].get("OnBuild").is_none_or(serde_json::Value::is_null));
    let history = home.inspect("x")["History"].take();
    let layers = history.as_array().unwrap().iter().filter(|entry| entry["empty_layer"] != true).count();
    assert_eq!(layers, home.diff_ids("x").len());
}

#[test]
fn an_image_can_start_from_nothing() {
    let Some(home) = Home::with_base() else { return };
    home.write("ctx/a", "a");
    home.build_text("FROM scratch\nCOPY a /\nCOPY --from=base /bin/busybox /bin/sh\nRUN echo b > /b\n");
    let layers = home.layers("x");
    assert_eq!(layers.iter().map(Files::paths).collect::<Vec<_>>(), [vec!["a"], vec!["bin", "bin/sh"], vec!["b"]]);
}
