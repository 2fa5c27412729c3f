//! Git repositories for tests, and a server for them: git's own CGI program behind the small HTTP server.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::http::{Reply, Request, Server};
use super::tools;

/// A repository with files that are changed by commits.
pub(crate) struct Repository(PathBuf);

/// Who may read from a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Readers {
    Everybody,
    /// Those who give the user and password `ann:s3cret`, or the token `s3cret`.
    Known,
}

/// What serves the repositories below a folder.
pub(crate) struct GitServer {
    server: Server,
}

/// Whether `git` and its CGI program are installed; names them if not.
pub(crate) fn available() -> bool {
    if !tools::available(&["git"]) {
        return false;
    }
    if backend().is_file() {
        return true;
    }
    tools::skip("git http-backend");
    false
}

fn backend() -> PathBuf {
    Path::new(tools::run(Command::new("git").arg("--exec-path")).trim()).join("git-http-backend")
}

impl Repository {
    /// A new one in this folder, whose branch is `main`.
    pub(crate) fn begin(folder: impl Into<PathBuf>) -> Self {
        let repository = Self(folder.into());
        fs::create_dir_all(&repository.0).unwrap();
        repository.git(["init", "--quiet", "--initial-branch=main"]);
        repository
    }

    /// Runs git in it, and gives what it says.
    #[track_caller]
    pub(crate) fn git<const N: usize>(&self, args: [&str; N]) -> String {
        let mut command = Command::new("git");
        command.current_dir(&self.0).args(["-c", "protocol.file.allow=always"]).args(args);
        command.env_clear().env("PATH", std::env::var_os("PATH").unwrap()).env("HOME", "/dev/null");
        for name in ["GIT_AUTHOR", "GIT_COMMITTER"] {
            command.env(format!("{name}_NAME"), "ann").env(format!("{name}_EMAIL"), "ann@example.org");
            command.env(format!("{name}_DATE"), "1700000000 +0000");
        }
        tools::run(&mut command).trim().to_owned()
    }

    /// Writes a file.
    pub(crate) fn write(&self, path: &str, content: &str) -> &Self {
        let path = self.0.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
        self
    }

    /// Commits everything as it is, and gives the commit.
    pub(crate) fn commit(&self) -> String {
        self.git(["add", "--all"]);
        self.git(["commit", "--quiet", "--allow-empty", "--message=change"]);
        self.git(["rev-parse", "HEAD"])
    }

    /// Adds a submodule at the commit that `of` is at now, with this address.
    pub(crate) fn submodule(&self, path: &str, url: &str, of: &Self) -> &Self {
        let commit = of.git(["rev-parse", "HEAD"]);
        fs::create_dir_all(self.0.join(path)).unwrap();
        self.git(["config", "--file=.gitmodules", &format!("submodule.{path}.path"), path]);
        self.git(["config", "--file=.gitmodules", &format!("submodule.{path}.url"), url]);
        self.git(["update-index", "--add", "--cacheinfo", &format!("160000,{commit},{path}")]);
        self
    }

    /// A path in it.
    pub(crate) fn path(&self, path: &str) -> PathBuf {
        self.0.join(path)
    }
}

impl GitServer {
    /// Serves the repositories below `root`, one address for each: `/name/.git` and `/name.git`.
    pub(crate) fn start(root: &Path, readers: Readers) -> Self {
        let (root, backend) = (root.to_owned(), backend());
        Self { server: Server::start(move |request| answer(&root, &backend, readers, request)) }
    }

    /// Serves the same addresses as any server of files would: what `git update-server-info` has listed can be fetched.
    pub(crate) fn of_files(root: &Path) -> Self {
        let root = root.to_owned();
        let answer = move |request: &Request| {
            let path = request.path.split('?').next().unwrap().replacen(".git/", "/.git/", 1);
            fs::read(root.join(path.trim_start_matches('/'))).map_or_else(|_| Reply::status(404), Reply::ok)
        };
        Self { server: Server::start(answer) }
    }

    /// The address of a repository.
    pub(crate) fn url(&self, name: &str) -> String {
        format!("http://{}/{name}.git", self.server.host())
    }

    /// Host and port.
    pub(crate) fn host(&self) -> String {
        self.server.host()
    }

    /// How often something was asked of a repository.
    pub(crate) fn asked(&self, name: &str) -> usize {
        self.server.count("GET", &format!("/{name}.git/info/refs"))
    }

    /// How often something was fetched from it.
    pub(crate) fn fetched(&self, name: &str) -> usize {
        let path = format!("/{name}.git/git-upload-pack");
        let is_fetch = |request: &Request| {
            request.path == path && String::from_utf8_lossy(&request.body).contains("command=fetch")
        };
        self.server.requests().iter().filter(|request| is_fetch(request)).count()
    }
}

/// Runs the program of git that answers, as CGI (RFC 3875) has it.
fn answer(root: &Path, backend: &Path, readers: Readers, request: &Request) -> Reply {
    if readers == Readers::Known {
        // Base64 of `ann:s3cret` and of `x-access-token:s3cret`.
        let known = ["Basic YW5uOnMzY3JldA==", "Basic eC1hY2Nlc3MtdG9rZW46czNjcmV0"];
        if !request.header("authorization").is_some_and(|given| known.contains(&given)) {
            return Reply::status(401).header("WWW-Authenticate", "Basic realm=\"git\"");
        }
    }
    let (path, query) = request.path.split_once('?').unwrap_or((&request.path, ""));
    // The repositories have files beside them, which is no business of their address.
    let path = if path.contains(".git/") { path.replacen(".git/", "/.git/", 1) } else { path.to_owned() };
    let header = |name: &str| request.header(name).unwrap_or_default();
    let mut child = Command::new(backend)
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap())
        .envs([("GIT_HTTP_EXPORT_ALL", "1"), ("HOME", "/dev/null"), ("GIT_CONFIG_COUNT", "1")])
        .envs([("GIT_CONFIG_KEY_0", "safe.directory"), ("GIT_CONFIG_VALUE_0", "*")])
        .env("GIT_PROJECT_ROOT", root)
        .envs([("PATH_INFO", path.as_str()), ("QUERY_STRING", query), ("REQUEST_METHOD", &request.method)])
        .envs([("CONTENT_TYPE", header("content-type")), ("GIT_PROTOCOL", header("git-protocol"))])
        .env("HTTP_CONTENT_ENCODING", header("content-encoding"))
        .env("CONTENT_LENGTH", request.body.len().to_string())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    // It may have said all it wants to say before it has read everything.
    let _ = child.stdin.take().unwrap().write_all(&request.body);
    let output = child.wait_with_output().unwrap().stdout;
    let end = output.windows(4).position(|window| window == b"\r\n\r\n").unwrap();
    let head = String::from_utf8_lossy(&output[..end]).into_owned();
    let mut reply = Reply::ok(&output[end + 4..]);
    for (name, value) in head.lines().filter_map(|line| line.split_once(": ")) {
        match name {
            "Status" => reply.status = value[..3].parse().unwrap(),
            _ => reply = reply.header(name, value),
        }
    }
    reply
}
