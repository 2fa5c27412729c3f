//! `RUN --mount=type=ssh` and `--ssh`: what a command may ask of an agent, and that nothing of it stays.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use crate::support::Home;
use crate::support::archive::Files;
use crate::support::home::run;
use crate::support::ran::Ran;
use crate::support::tools;

/// A home, a key in it, and OpenSSH's programs for commands to use.
struct Ssh {
    home: Home,
    /// Arguments that show the programs to every command.
    programs: Vec<String>,
}

/// An agent of the user's.
struct Agent {
    process: Child,
    socket: PathBuf,
}

impl Drop for Agent {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Ssh {
    fn new() -> Option<Self> {
        if !tools::available(&["ssh-agent", "ssh-add", "ssh-keygen"]) {
            return None;
        }
        let home = Home::with_base()?;
        let mut files = vec!["/usr/bin/ssh-add".to_owned(), "/usr/bin/ssh-keygen".to_owned()];
        // The tree has no libraries of its own.
        let libraries = tools::run(Command::new("ldd").args(&files));
        let libraries = libraries.split_whitespace().filter(|word| word.starts_with('/') && !word.ends_with(':'));
        files.extend(libraries.map(str::to_owned));
        files.sort();
        files.dedup();
        let programs = files.iter().map(|file| format!("--host-file={file}")).collect();
        Some(Self { home, programs })
    }

    /// Makes a key of this name, and says its fingerprint.
    fn key(&self, name: &str, passphrase: &str) -> String {
        let path = self.home.path("work").join(name);
        let arguments = ["-q", "-t", "ed25519", "-C", name, "-N", passphrase, "-f"];
        tools::run(Command::new("ssh-keygen").args(arguments).arg(&path));
        let line = tools::run(Command::new("ssh-keygen").arg("-lf").arg(&path));
        line.split_whitespace().nth(1).unwrap().to_owned()
    }

    /// Starts an agent that has these keys.
    fn agent(&self, keys: &[&str]) -> Agent {
        let socket = self.home.path("home").join(format!("agent-{}", keys.join("-")));
        let process = Command::new("ssh-agent").args(["-D", "-a"]).arg(&socket).stdout(Stdio::null()).spawn().unwrap();
        let agent = Agent { process, socket };
        // It is there a moment before anybody listens.
        while UnixStream::connect(&agent.socket).is_err() {
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
        for key in keys {
            agent.add(["-q", self.home.path("work").join(key).to_str().unwrap()]);
        }
        agent
    }

    /// Builds `dockerfile` with these arguments.
    fn build(&self, dockerfile: &str, agent: Option<&Agent>, arguments: &[&str]) -> Ran {
        self.home.write("ctx/Dockerfile", dockerfile);
        let mut command = self.home.command(["build", "--progress=plain", "-t", "x", "ctx"]);
        command.args(&self.programs).args(arguments);
        if let Some(agent) = agent {
            command.env("SSH_AUTH_SOCK", &agent.socket);
        }
        run(&mut command)
    }

    /// The paths in the layers above the base's.
    fn added(&self) -> Vec<Vec<String>> {
        let paths = |files: &Files| files.paths().into_iter().map(str::to_owned).collect();
        self.home.layers("x").iter().skip(1).map(paths).collect()
    }
}

impl Agent {
    fn add<const N: usize>(&self, arguments: [&str; N]) -> String {
        tools::run(Command::new("ssh-add").args(arguments).env("SSH_AUTH_SOCK", &self.socket))
    }
}

const PATH: &str = "ENV PATH=/bin:/usr/bin\n";

#[test]
fn a_command_asks_the_users_agent() {
    let Some(ssh) = Ssh::new() else { return };
    let fingerprint = ssh.key("key", "");
    let agent = ssh.agent(&["key"]);
    let script = "ssh-add -l; echo \"<$SSH_AUTH_SOCK>\"; stat -c '<%F %u:%g %a>' $SSH_AUTH_SOCK; echo x > /out";
    let ran = ssh
        .build(&format!("FROM base\n{PATH}RUN --mount=type=ssh {script}\n"), Some(&agent), &["--ssh", "default"])
        .ok();
    for words in [fingerprint.as_str(), "</run/buildkit/ssh_agent.0>", "<socket 0:0 600>"] {
        assert!(ran.stderr.contains(words), "{words}: {}", ran.stderr);
    }
    assert_eq!(ssh.added(), [["out"]]);
    assert!(!ssh.home.inspect("x")["Config"]["Env"].to_string().contains("SSH_AUTH_SOCK"));
}

#[test]
fn keys_sign_and_cannot_be_had_or_changed() {
    let Some(ssh) = Ssh::new() else { return };
    let fingerprint = ssh.key("key", "");
    let agent = ssh.agent(&["key"]);
    fs::copy(ssh.home.path("work/key.pub"), ssh.home.path("work/ctx-key.pub")).unwrap();
    ssh.home.write("ctx/key.pub", fs::read(ssh.home.path("work/key.pub")).unwrap());
    let script = "echo text > /text && ssh-keygen -q -Y sign -f /key.pub -n file /text && cat /text.sig; \
                  ssh-add -D || echo '<not removed>'; ssh-keygen -q -t ed25519 -N '' -f /tmp/new; \
                  ssh-add /tmp/new || echo '<not added>'; ssh-add -d /key.pub || echo '<not removed one>'";
    let dockerfile = format!("FROM base\n{PATH}COPY key.pub /\nRUN --mount=type=ssh {script}\n");
    let ran = ssh.build(&dockerfile, Some(&agent), &["--ssh", "default"]).ok();
    for words in ["BEGIN SSH SIGNATURE", "<not removed>", "<not added>", "<not removed one>"] {
        assert!(ran.stderr.contains(words), "{words}: {}", ran.stderr);
    }
    let left = agent.add(["-l"]);
    assert!(left.contains(&fingerprint) && left.lines().count() == 1, "{left}");
}

#[test]
fn sockets_have_ids_targets_owners_and_modes() {
    let Some(ssh) = Ssh::new() else { return };
    let (one, two) = (ssh.key("one", ""), ssh.key("two", ""));
    let agents = [ssh.agent(&["one"]), ssh.agent(&["two"])];
    let arguments: Vec<_> = agents
        .iter()
        .zip(["default", "other"])
        .map(|(agent, id)| format!("--ssh={id}={}", agent.socket.display()))
        .collect();
    let dockerfile = format!(
        "FROM base\n{PATH}USER ann\n\
         RUN --mount=type=ssh,uid=1000 --mount=type=ssh,id=other,target=/deep/er/s,uid=1000,gid=50,mode=0660 \
         echo \"<$SSH_AUTH_SOCK>\"; ssh-add -l; SSH_AUTH_SOCK=/deep/er/s ssh-add -l; stat -c '<%u:%g %a>' /deep/er/s\n\
         RUN --mount=type=ssh ssh-add -l || echo '<not allowed>'\n"
    );
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let ran = ssh.build(&dockerfile, None, &arguments).ok();
    for words in ["</run/buildkit/ssh_agent.0>", one.as_str(), two.as_str(), "<1000:50 660>", "<not allowed>"] {
        assert!(ran.stderr.contains(words), "{words}: {}", ran.stderr);
    }
    assert_eq!(ssh.added(), [[""; 0], [""; 0]]);
}

#[test]
fn an_agent_for_keys_is_started_and_ends_with_the_build() {
    let Some(ssh) = Ssh::new() else { return };
    let (one, two) = (ssh.key("one", ""), ssh.key("two", ""));
    // Docker does not mind who else can read a key either.
    fs::set_permissions(ssh.home.path("work/two"), fs::Permissions::from_mode(0o644)).unwrap();
    let dockerfile = format!("FROM base\n{PATH}RUN --mount=type=ssh,required ssh-add -l\n");
    let ran = ssh.build(&dockerfile, None, &["--ssh", "default=one,two"]).ok();
    assert!(ran.stderr.contains(&one) && ran.stderr.contains(&two), "{}", ran.stderr);
    ssh.home.assert_no_processes("");
    assert_eq!(ssh.home.unfinished(), [""; 0]);
    // Nor is there one after a failure.
    ssh.build(&format!("FROM base\n{PATH}RUN --mount=type=ssh false\n"), None, &["--ssh", "default=one"]).exits(1);
    ssh.home.assert_no_processes("");
}

#[test]
fn an_agent_for_keys_does_not_outlive_a_killed_build() {
    let Some(ssh) = Ssh::new() else { return };
    ssh.key("key", "");
    ssh.home.write("ctx/Dockerfile", format!("FROM base\n{PATH}RUN --mount=type=ssh sleep 600\n"));
    let mut command = ssh.home.command(["build", "--ssh=default=key", "ctx"]);
    let mut build = command.args(&ssh.programs).stderr(Stdio::null()).spawn().unwrap();
    let is_there = |word: &str| ssh.home.processes("").iter().any(|line| line.contains(word));
    while !(is_there("ssh-agent") && is_there("layercake-sandbox")) {
        assert!(build.try_wait().unwrap().is_none());
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    build.kill().unwrap();
    build.wait().unwrap();
    ssh.home.assert_no_processes("");
}

#[test]
fn an_agent_is_no_part_of_the_key() {
    let Some(ssh) = Ssh::new() else { return };
    ssh.key("one", "");
    ssh.key("two", "");
    let dockerfile = format!("FROM base\n{PATH}RUN --mount=type=ssh ssh-add -l > /keys\n");
    ssh.build(&dockerfile, None, &["--ssh", "default=one"]).ok();
    let again = ssh.build(&dockerfile, None, &["--ssh", "default=two"]).ok();
    assert!(again.stderr.contains("cached"), "{}", again.stderr);
    // Nor does the store hold anything of it.
    let text = fs::read_to_string(ssh.home.path("work/one")).unwrap();
    let line = text.lines().nth(2).unwrap();
    let found = Command::new("grep").arg("-rl").arg(line).arg(ssh.home.path("store")).output().unwrap();
    assert!(found.stdout.is_empty(), "{found:?}");
}

#[test]
fn an_agent_that_is_not_required_may_be_missing() {
    let Some(ssh) = Ssh::new() else { return };
    let dockerfile = format!("FROM base\n{PATH}RUN --mount=type=ssh test ! -e $SSH_AUTH_SOCK && echo '<nothing>'\n");
    let ran = ssh.build(&dockerfile, None, &[]).ok();
    assert!(ran.stderr.contains("<nothing>"), "{}", ran.stderr);
}

#[test]
fn what_cannot_be_had_is_named() {
    let Some(ssh) = Ssh::new() else { return };
    ssh.key("key", "");
    ssh.key("locked", "secret");
    let agent = ssh.agent(&["key"]);
    drop(UnixListener::bind(ssh.home.path("work/dead")).unwrap());
    ssh.home.write("text", "no key");
    let live = agent.socket.display();
    let dockerfile = "FROM base\nRUN --mount=type=ssh,required true\n";
    let cases = [
        (String::new(), 2, "the SSH agent `default` is required and was not given", "give it with `--ssh default`"),
        ("default".into(), 2, "`--ssh default` names no SSH agent, and `SSH_AUTH_SOCK` is not set", "ssh-agent"),
        ("default=missing".into(), 2, "cannot find the SSH agent or key `missing`", ""),
        ("default=text".into(), 2, "cannot use the SSH key `text`: ", "name a file with a private key"),
        ("default=locked".into(), 2, "cannot use the SSH key `locked`: ", "passphrase"),
        ("default=dead".into(), 3, "no SSH agent answers at `dead`: connection refused", "start an agent"),
        (format!("default={live},key"), 2, "cannot be had beside another agent or key", "an id of its own"),
        (format!("default=key,{live}"), 2, "cannot be had beside another agent or key", "an id of its own"),
    ];
    for (ssh_argument, status, message, help) in cases {
        let argument = format!("--ssh={ssh_argument}");
        let arguments: &[&str] = if ssh_argument.is_empty() { &[] } else { &[&argument] };
        let ran = ssh.build(dockerfile, None, arguments).exits(status);
        assert!(ran.stderr.contains(message) && ran.stderr.contains(help), "{ssh_argument}: {}", ran.stderr);
    }
    let twice = ssh.build(dockerfile, None, &["--ssh", "a=key", "--ssh", "a=key"]).exits(2);
    assert!(twice.stderr.contains("gives the agent `a` twice"), "{}", twice.stderr);
}
