//! `RUN --mount` and `RUN --network`: what the command sees, and that nothing of it stays.

use crate::support::Home;
use crate::support::archive::Files;

/// The paths in the layers above the base's.
fn added(home: &Home) -> Vec<Vec<String>> {
    let paths = |files: &Files| files.paths().into_iter().map(str::to_owned).collect();
    home.layers("x").iter().skip(1).map(paths).collect()
}

#[test]
fn a_bind_of_the_context_is_read_only_and_stays_out() {
    let Some(home) = Home::with_base() else { return };
    home.write("ctx/source/a", "text").write("ctx/other", "x");
    let built = home.build_text(
        "FROM base\nRUN --mount=type=bind,source=source,target=/deep/mnt ls -l /deep/mnt && cat /deep/mnt/a > /a; \
         touch /deep/mnt/b || echo refused\n",
    );
    assert!(built.output.contains("refused"), "{}", built.output);
    assert_eq!(added(&home), [["a"]]);
    // Only what is mounted counts.
    home.write("ctx/other", "changed");
    assert_eq!(home.build(["ctx"]).started, [""; 0]);
    home.write("ctx/source/a", "changed");
    assert_eq!(home.build(["ctx"]).started.len(), 1);
}

#[test]
fn a_writable_bind_forgets_what_is_written() {
    let Some(home) = Home::with_base() else { return };
    home.write("ctx/a", "text");
    let run = "RUN --mount=type=bind,target=/mnt,rw";
    let built =
        home.build_text(&format!("FROM base\n{run} echo new > /mnt/b && cat /mnt/b > /out\n{run} ls /mnt > /list\n"));
    assert_eq!(built.started.len(), 2);
    assert_eq!(added(&home), [["out"], ["list"]]);
    assert_eq!(home.layers("x")[2].text("list"), "Dockerfile\na\n");
    assert!(!home.path("work/ctx/b").exists());
}

#[test]
fn a_bind_of_a_stage_shows_its_tree() {
    let Some(home) = Home::with_base() else { return };
    home.build_text(
        "FROM base AS tools\nRUN mkdir /tools && echo tool > /tools/t && chown ann /tools/t\n\
         FROM base\nRUN --mount=type=bind,from=tools,source=/tools,target=/mnt stat -c '%u %a' /mnt/t > /out\n",
    );
    assert_eq!(added(&home), [["out"]]);
    assert_eq!(home.layers("x")[1].text("out"), "1000 644\n");
}

#[test]
fn a_cache_outlives_the_build_and_stays_out() {
    let Some(home) = Home::with_base() else { return };
    let dockerfile = |salt: &str| {
        format!(
            "FROM base\nRUN --mount=type=cache,target=/var/cache/x echo {salt} >> /var/cache/x/log && cat /var/cache/x/log\n"
        )
    };
    home.build_text(&dockerfile("one"));
    let built = home.build_text(&dockerfile("two"));
    assert!(built.output.contains("one\ntwo"), "{}", built.output);
    assert_eq!(added(&home), [[""; 0]]);
    // What lies in it is no part of the key.
    assert_eq!(home.build(["ctx"]).started, [""; 0]);
}

#[test]
fn a_cache_has_the_owner_and_mode_that_are_asked_for() {
    let Some(home) = Home::with_base() else { return };
    let built = home.build_text(
        "FROM base\nUSER ann\nRUN --mount=type=cache,id=c,target=/c,uid=1000,gid=50,mode=0750 stat -c '<%u:%g %a>' /c && touch /c/x\n",
    );
    assert!(built.output.contains("<1000:50 750>"), "{}", built.output);
}

#[test]
fn caches_are_told_apart_by_id() {
    let Some(home) = Home::with_base() else { return };
    let built = home.build_text(
        "FROM base\nRUN --mount=type=cache,id=a,target=/c touch /c/of-a\n\
         RUN --mount=type=cache,id=b,target=/c ls /c | wc -l | tr -d ' '\n\
         RUN --mount=type=cache,id=a,target=/d ls /d\n",
    );
    assert!(built.output.contains('0') && built.output.contains("of-a"), "{}", built.output);
}

#[test]
fn a_locked_cache_is_used_by_one_at_a_time() {
    let Some(home) = Home::with_base() else { return };
    let stage = |name: &str| {
        format!(
            "FROM base AS {name}\nRUN --mount=type=cache,id=c,target=/c,sharing=locked \
             mkdir /c/held && sleep 0.5 && rmdir /c/held && echo {name} > /{name}\n"
        )
    };
    let dockerfile = format!("{}{}FROM base\nCOPY --from=p /p /\nCOPY --from=q /q /\n", stage("p"), stage("q"));
    home.build_text(&dockerfile);
}

#[test]
fn a_tmpfs_is_empty_and_stays_out() {
    let Some(home) = Home::with_base() else { return };
    home.build_text(
        "FROM base\nRUN echo hidden > /home/ann/hidden\n\
         RUN --mount=type=tmpfs,target=/home/ann,size=1m ls /home/ann > /list && touch /home/ann/x && grep -c ' /home/ann tmpfs' /proc/mounts\n",
    );
    assert_eq!(added(&home), [vec!["home", "home/ann", "home/ann/hidden"], vec!["list"]]);
    assert_eq!(home.layers("x")[2].text("list"), "");
}

#[test]
fn a_secret_reaches_its_command_alone_and_stays_nowhere() {
    let Some(home) = Home::with_base() else { return };
    home.write("token", "hush-hush").write(
        "ctx/Dockerfile",
        "FROM base\n\
         RUN --mount=type=secret,id=token stat -c '<%u:%g %a>' /run/secrets/token && sha256sum < /run/secrets/token > /sum\n\
         RUN --mount=type=secret,id=token,target=/etc/token,uid=1000,mode=0440 stat -c '<%u:%g %a>' /etc/token\n\
         RUN --mount=type=secret,id=token,env=TOKEN test ${#TOKEN} = 9 && echo same\n\
         RUN test ! -e /run/secrets/token && test ! -e /etc/token && test -z \"$TOKEN\"\n",
    );
    let built = home.build(["--secret", "id=token,src=token", "-t", "x", "ctx"]);
    for line in ["<0:0 400>", "<1000:0 440>", "same"] {
        assert!(built.output.contains(line), "{}", built.output);
    }
    assert_eq!(added(&home), [vec!["sum"], vec![], vec![], vec![]]);
    assert!(!home.inspect("x").to_string().contains("hush"));
    let mut grep = crate::support::machine::as_root("grep");
    assert!(!grep.args(["-rqF", "hush-hush"]).arg(home.path("store")).status().unwrap().success());
    // Another value is no reason to run again, as in BuildKit.
    home.write("token", "other");
    assert_eq!(home.build(["--secret", "id=token,src=token", "ctx"]).started, [""; 0]);
}

#[test]
fn a_secret_that_is_not_given_is_absent() {
    let Some(home) = Home::with_base() else { return };
    home.build_text("FROM base\nRUN --mount=type=secret,id=token test ! -e /run/secrets/token\n");
    home.write("ctx/Dockerfile", "FROM base\nRUN --mount=type=secret,id=token,required cat /run/secrets/token\n");
    let ran = home.layercake(["build", "ctx"]).exits(2);
    assert!(ran.stderr.contains("--secret id=token"), "{}", ran.stderr);
}

#[test]
fn a_secret_can_come_from_a_variable() {
    let Some(home) = Home::with_base() else { return };
    home.write("ctx/Dockerfile", "FROM base\nRUN --mount=type=secret,id=t,env=T test \"$T\" = value-of-it\n");
    let mut command = home.command(["build", "--secret", "id=t,env=MINE", "ctx"]);
    crate::support::home::run(command.env("MINE", "value-of-it")).ok();
}

#[test]
fn without_a_network_there_is_only_loopback() {
    let Some(home) = Home::with_base() else { return };
    let built = home.build_text("FROM base\nRUN --network=none ls /sys/class/net; cat /proc/net/route | wc -l\n");
    assert!(built.output.contains("lo") && !built.output.contains("eth"), "{}", built.output);
    let built = home.build(["--network=none", "--no-cache", "ctx"]);
    assert!(!built.output.contains("eth"), "{}", built.output);
}

#[test]
fn the_hosts_network_reaches_this_machine() {
    let Some(home) = Home::with_base() else { return };
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let greeter = std::thread::spawn(move || {
        use std::io::Write;
        listener.accept().unwrap().0.write_all(b"greetings\n").unwrap();
    });
    let built = home.build_text(&format!("FROM base\nRUN nc 127.0.0.1 {port} < /dev/null\n"));
    assert!(built.output.contains("greetings"), "{}", built.output);
    greeter.join().unwrap();
}
