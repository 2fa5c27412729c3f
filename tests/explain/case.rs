//! [`Case`]: a build, a change, the build after it, and what `explain` says of that; and what was predicted of it.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use serde_json::{Value, json};

use crate::support::Home;
use crate::support::home::run;

/// Two stages, of which the second takes a file of the first.
pub(crate) const DOCKERFILE: &str = "\
FROM base AS one
ARG A=1
ENV B=2
WORKDIR /w
COPY a.txt d /files/
RUN echo $A $B > /x
FROM base
COPY --from=one /x /x
RUN cat /x
";

/// A context of its own in a store that other cases use as well.
pub(crate) struct Case<'h> {
    home: &'h Home,
    name: &'static str,
}

impl<'h> Case<'h> {
    /// The files, and the Dockerfile; nothing is built yet.
    pub(crate) fn new(home: &'h Home, name: &'static str, dockerfile: &str) -> Self {
        let case = Self { home, name };
        for (path, content) in [("a.txt", "a"), ("b.txt", "b"), ("d/m", "m"), ("d/n", "n"), ("Dockerfile", dockerfile)]
        {
            case.write(path, content);
        }
        case
    }

    /// Writes a file of the context.
    pub(crate) fn write(&self, path: &str, content: &str) -> &Self {
        self.home.write(&format!("{}/{path}", self.name), content);
        self
    }

    /// A path in the context.
    pub(crate) fn path(&self, path: &str) -> PathBuf {
        self.home.path("work").join(self.name).join(path)
    }

    /// Sets the permissions of a file of the context.
    pub(crate) fn mode(&self, path: &str, mode: u32) -> &Self {
        fs::set_permissions(self.path(path), fs::Permissions::from_mode(mode)).unwrap();
        self
    }

    /// Replaces a text in the Dockerfile, which has to be there.
    #[track_caller]
    pub(crate) fn edit(&self, from: &str, to: &str) -> &Self {
        let before = fs::read_to_string(self.path("Dockerfile")).unwrap();
        assert!(before.contains(from), "{from}");
        self.write("Dockerfile", &before.replace(from, to))
    }

    /// Builds, and has to succeed.
    #[track_caller]
    pub(crate) fn build(&self, arguments: &[&str]) -> &Self {
        self.build_exits(arguments, 0)
    }

    /// Builds, and has to end with this status. What is predicted of it beforehand has to be what is explained afterwards.
    #[track_caller]
    pub(crate) fn build_exits(&self, arguments: &[&str], status: i32) -> &Self {
        let predicted = self.predicted(arguments);
        run(self.home.command(["build", "--progress=plain"]).args(arguments).arg(self.name)).exits(status);
        let explained = self.json_with(arguments);
        let explained = explained["steps"].as_array().unwrap();
        for step in predicted["steps"].as_array().unwrap() {
            let Some(after) = explained.iter().find(|after| after["id"] == step["id"]) else { continue };
            match step["state"].as_str().unwrap() {
                "hit" => assert_eq!((&after["state"], &step["reasons"]), (&"hit".into(), &json!([])), "{step:#}"),
                "miss" => {
                    assert_ne!(step["reasons"], json!([]), "{step:#}");
                    if after["state"] != "unreached" {
                        assert_eq!(
                            (&step["reasons"], &after["state"]),
                            (&after["reasons"], &"miss".into()),
                            "{step:#}"
                        );
                    }
                }
                "unknown" => assert_eq!(step["reasons"], json!([]), "{step:#}"),
                // Whether an image that nobody remembers is new is told by what became of the rest.
                _ if after["reasons"][0]["kind"] == "first-build" || step["reasons"][0]["kind"] == "first-build" => (),
                _ => assert_eq!(step["reasons"], after["reasons"], "{step:#}"),
            }
        }
        self
    }

    /// What is predicted of a build.
    #[track_caller]
    pub(crate) fn predicted(&self, arguments: &[&str]) -> Value {
        let mut command = self.home.command(["compile", "--predict", "--format=json"]);
        serde_json::from_str(&run(command.args(arguments).arg(self.name)).ok().stdout).unwrap()
    }

    /// What `explain` says, as JSON.
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        self.json_with(&[])
    }

    /// The same of a build with these arguments.
    #[track_caller]
    fn json_with(&self, arguments: &[&str]) -> Value {
        let mut command = self.home.command(["explain", "--format=json"]);
        let is_known = |argument: &&&str| !argument.starts_with("--lock");
        command.args(arguments.iter().filter(is_known));
        serde_json::from_str(&run(command.arg(self.name)).ok().stdout).unwrap()
    }

    /// What `explain` says to people.
    #[track_caller]
    pub(crate) fn text(&self) -> String {
        self.home.layercake(["explain", self.name]).ok().stdout
    }

    /// The reasons of all steps that were no hits, each as `LINE KIND NAME CHANGE: OLD -> NEW`. Digests are `#`, and steps
    /// their lines.
    #[track_caller]
    pub(crate) fn reasons(&self) -> Vec<String> {
        let json = self.json();
        let steps = json["steps"].as_array().unwrap();
        let line =
            |id: &Value| steps.iter().find(|step| step["id"] == *id).map_or(0, |step| step["line"].as_u64().unwrap());
        let mut found = Vec::new();
        for step in steps {
            let reasons = step["reasons"].as_array().unwrap();
            assert_eq!(reasons.is_empty(), step["state"] != "miss", "{step:#}");
            for reason in reasons {
                let text = |name: &str| reason[name].as_str().map(digestless);
                let mut words = vec![step["line"].to_string(), text("kind").unwrap()];
                words.extend(["name", "change"].iter().filter_map(|name| text(name)));
                if reason["kind"] == "step" {
                    words.push(line(&reason["step"]).to_string());
                } else if !reason["old"].is_null() || !reason["new"].is_null() {
                    let values = ["old", "new"].map(|name| text(name).unwrap_or_else(|| "none".to_owned()));
                    words.push(format!(": {}", values.join(" -> ")));
                }
                found.push(words.join(" ").replace(" : ", ": "));
            }
        }
        found
    }

    /// Builds, and these have to be all the reasons, in any order.
    #[track_caller]
    pub(crate) fn explains(&self, arguments: &[&str], expected: &[&str]) -> &Self {
        self.build(arguments);
        let mut found = self.reasons();
        let mut expected: Vec<String> = expected.iter().map(|&line| line.to_owned()).collect();
        found.sort();
        expected.sort();
        let text = self.text();
        assert_eq!(found, expected, "{}\n{text}", self.name);
        let json = self.json();
        for step in json["steps"].as_array().unwrap().iter().filter(|step| step["reasons"] != json!([])) {
            let id = format!("%{}", step["id"]);
            let is_of = |line: &&str| line.split_whitespace().take(2).any(|word| word == id);
            let of_steps = text.lines().filter(|line| line.contains(" line ") && !line.starts_with("help"));
            let shown = of_steps.filter(is_of).count();
            assert_eq!(shown, 1, "each is shown, and once: {id}\n{text}");
        }
        self
    }
}

/// A text with `#` for every digest.
fn digestless(text: &str) -> String {
    let mut rest = text;
    let mut out = String::new();
    while let Some(place) = rest.find("blake3:").or_else(|| rest.find("sha256:")) {
        out.push_str(&rest[..place]);
        out.push('#');
        rest = rest.get(place + 7 + 64..).unwrap_or_default();
    }
    out + rest
}
