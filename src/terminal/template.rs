//! Go's templates, as far as scripts use them with docker: `{{.Repository}}:{{.Tag}}`, `{{range .Config.Env}}…{{end}}`.
//!
//! Source: the documentation of Go's `text/template`, and of docker's functions in its `cli/templates`. What is left out
//! (`template`, `define`, `block`, methods) is refused by name.

mod evaluate;
mod function;
mod lex;
mod parse;
mod value;

pub use value::Value;

use parse::Node;

/// A template that has been read.
#[derive(Clone, Debug)]
pub struct Template {
    text: String,
    nodes: Vec<Node>,
}

/// What a template is filled in with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject {
    /// Values. What is not there is an error.
    Values,
    /// The headings of a table: functions that shape values leave them as they are.
    Headings,
}

/// A template that cannot be read or filled in.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the template `{template}`: {problem}")]
pub struct Error {
    template: String,
    problem: Problem,
}

/// What is wrong with a template.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
enum Problem {
    #[error("`{{{{` is not closed by `}}}}`")]
    Unclosed,
    #[error("a quotation mark is not closed")]
    OpenText,
    #[error("`{0}` cannot stand in a template")]
    Character(char),
    #[error("`{0}` is no number")]
    Number(String),
    #[error("`{{{{{0}}}}}` has no `{{{{end}}}}`")]
    NoEnd(&'static str),
    #[error("`{{{{{0}}}}}` belongs to nothing")]
    Stray(String),
    #[error("`{0}` is more than is understood here; there are `if`, `with`, `range`, and functions")]
    NotSupported(String),
    #[error("there is no function `{0}`; there are {known}", known = function::NAMES.map(|name| format!("`{name}`")).join(", "))]
    NoFunction(String),
    #[error("`{0}` is not expected here")]
    Unexpected(String),
    #[error("an expression is missing")]
    NoExpression,
    #[error("there is no variable `${0}`")]
    NoVariable(String),
    #[error("there is no field `{name}`; there are {known}")]
    NoField { name: String, known: String },
    #[error("{0} has no fields such as `{1}`")]
    Fieldless(String, String),
    #[error("`{function}`: {what}")]
    Call { function: String, what: String },
    #[error("`range` goes over lists and maps, not over {0}")]
    Range(String),
}

impl Template {
    /// Reads a template.
    ///
    /// # Errors
    /// If it is none, or uses what is not supported.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let nodes = lex::pieces(text).and_then(|pieces| parse::nodes(&pieces));
        let nodes = nodes.map_err(|problem| Error { template: text.to_owned(), problem })?;
        Ok(Self { text: text.to_owned(), nodes })
    }

    /// Fills it in.
    ///
    /// # Errors
    /// If it names what is not there, or a function cannot do what it is asked for.
    pub fn render(&self, value: &Value, subject: Subject) -> Result<String, Error> {
        evaluate::render(&self.nodes, value, subject).map_err(|problem| Error { template: self.text.clone(), problem })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

    use serde_json::json;

    use super::*;

    fn rendered(text: &str) -> Result<String, Error> {
        let image = json!({
            "Id": "sha256:cf42019fe5a8272e", "Os": "linux", "Architecture": "amd64", "Author": "", "Size": 123,
            "Config": {
                "User": "", "Env": ["PATH=/bin", "A=1", "B=two"], "Cmd": ["sh", "-c", "echo <hi> & x"],
                "Entrypoint": null, "Labels": {"b": "x y", "a": "1"}, "ExposedPorts": {"80/tcp": {}, "81/udp": {}},
                "Healthcheck": null, "Tty": false, "OnBuild": null,
            },
            "RootFS": {"Type": "layers", "Layers": ["sha256:13"]},
        });
        Template::parse(text)?.render(&Value::of(&image), Subject::Values)
    }

    /// What docker 28.2 has printed for `docker inspect -f`, of an image with these settings.
    #[test]
    fn as_docker_renders_them() {
        let cases = [
            ("{{.Config.Cmd}}", "[sh -c echo <hi> & x]"),
            ("{{json .Config.Cmd}}", r#"["sh","-c","echo <hi> & x"]"#),
            ("{{.Config.Labels}}", "map[a:1 b:x y]"),
            ("{{json .Config.Labels}}", r#"{"a":"1","b":"x y"}"#),
            ("{{.Config.Entrypoint}}", "[]"),
            ("{{json .Config.Entrypoint}}", "null"),
            ("{{.Config.Healthcheck}}", "<nil>"),
            ("{{.Config.ExposedPorts}}", "map[80/tcp:{} 81/udp:{}]"),
            ("{{range .Config.Env}}{{println .}}{{end}}", "PATH=/bin\nA=1\nB=two\n"),
            ("{{index .Config.Env 0}}", "PATH=/bin"),
            ("{{index .Config.Labels \"b\"}}", "x y"),
            ("{{index .Config.Labels \"zz\"}}", ""),
            ("{{.Config.Labels.a}}", "1"),
            ("{{.Config.Labels.zz}}", "<no value>"),
            ("{{range $k,$v := .Config.Labels}}{{$k}}={{$v}} {{end}}", "a=1 b=x y "),
            ("{{range $i,$v := .Config.Env}}{{$i}}:{{$v}};{{end}}", "0:PATH=/bin;1:A=1;2:B=two;"),
            ("{{.Size}}", "123"),
            ("{{len .RootFS.Layers}}", "1"),
            ("{{if .Author}}a{{else}}b{{end}}", "b"),
            ("{{with .Config.User}}u{{else}}none{{end}}", "none"),
            ("{{printf \"%s/%s\" .Os .Architecture}}", "linux/amd64"),
            ("{{join .Config.Env \",\"}}", "PATH=/bin,A=1,B=two"),
            ("{{upper .Os}} {{title .Os}} {{.Os | upper}}", "LINUX Linux LINUX"),
            ("{{split .Os \"n\"}}", "[li ux]"),
            ("{{index (split .Os \"n\") 0}}", "li"),
            ("{{pad .Os 2 3}}|", "  linux   |"),
            ("{{truncate .Id 10}}", "sha256:cf4"),
            ("{{slice .Id 7 19}}", "cf42019fe5a8"),
            ("{{eq .Os \"linux\"}}", "true"),
            ("{{.RootFS}}", "{layers [sha256:13]}"),
            ("{{json .RootFS}}", r#"{"Type":"layers","Layers":["sha256:13"]}"#),
            ("{{- .Os -}}  x", "linuxx"),
            ("{{/* c */}}y", "y"),
            ("{{/* a */ -}} z", "z"),
            ("a\\tb\\n", "a\\tb\\n"),
            (
                "{{printf \"%q %v %d %x %5d|%-6s|\" .Os .Config.Env .Size .Size 5 \"ab\"}}",
                "\"linux\" [PATH=/bin A=1 B=two] 123 7b     5|ab    |",
            ),
            ("{{not true}} {{and 1 0}} {{or 0 \"x\"}} {{gt 2 1}}", "false 0 x true"),
            ("{{$x := .Os}}{{$x}}", "linux"),
            ("{{range .Config.OnBuild}}x{{else}}empty{{end}}", "empty"),
            ("{{ .Os|json }}", "\"linux\""),
            ("{{lower \"AB\"}}", "ab"),
            ("{{print 1 2 \"a\" \"b\" 3}}", "1 2ab3"),
            ("{{true}}", "true"),
            ("{{\"a\\\"b\"}} {{`raw`}}", "a\"b raw"),
            ("{{println}}x", "\nx"),
            ("{{range .Config.Env}}{{if eq . \"A=1\"}}{{break}}{{end}}{{.}}{{end}}", "PATH=/bin"),
            ("{{range .Config.ExposedPorts}}{{.}}{{end}}", "{}{}"),
            ("{{range $p, $x := .Config.ExposedPorts}}{{$p}} {{end}}", "80/tcp 81/udp "),
            ("{{if not .Config.Tty}}no{{end}}", "no"),
            ("{{range .Config.Env}}{{$.Os}}{{end}}", "linuxlinuxlinux"),
            ("{{with $y := .Os}}{{$y}}{{end}}", "linux"),
            ("{{if and .Os (eq .Os \"linux\")}}q{{end}}", "q"),
            ("{{if eq .Os \"x\"}}1{{else if eq .Os \"linux\"}}2{{else}}3{{end}}", "2"),
        ];
        for (text, expected) in cases {
            assert_eq!(rendered(text).as_deref(), Ok(expected), "{text}");
        }
    }

    #[test]
    fn what_is_wrong_is_named() {
        let cases = [
            ("{{.Nope}}", "there is no field `Nope`; there are `Id`, `Os`,"),
            ("{{.os}}", "there is no field `os`"),
            ("{{len .Config.Nope}}", "there is no field `Nope`; there are `User`,"),
            ("{{if .Nope}}a{{end}}", "there is no field `Nope`"),
            ("{{.Config.Env.X}}", "a list has no fields such as `X`"),
            ("{{index .Config.Env 9}}", "`index`: there is no element 9"),
            ("{{range .Os}}x{{end}}", "`range` goes over lists and maps, not over a text"),
            ("{{eq .Os 1}}", "`eq`: a text and a number cannot be compared"),
            ("{{", "`{{` is not closed by `}}`"),
            ("{{.Os", "`{{` is not closed by `}}`"),
            ("{{\"x}}", "a quotation mark is not closed"),
            ("{{nope .Os}}", "there is no function `nope`"),
            ("{{range .Config.Env}}", "`{{range}}` has no `{{end}}`"),
            ("{{if .Os}}a{{else}}", "`{{if}}` has no `{{end}}`"),
            ("{{end}}", "`{{end}}` belongs to nothing"),
            ("{{break}}", "`{{break}}` belongs to nothing"),
            ("{{template \"x\"}}", "`template` is more than is understood here"),
            ("{{$x}}", "there is no variable `$x`"),
            ("{{}}", "an expression is missing"),
            ("{{.Os .Id}}", "`.Id` is not expected here"),
            ("{{.Os | }}", "an expression is missing"),
            ("{{(.Os}}", "`(` is not expected here"),
            ("{{.Os)}}", "`)` is not expected here"),
            ("{{.Os # x}}", "`#` cannot stand in a template"),
        ];
        for (text, expected) in cases {
            let error = rendered(text).unwrap_err().to_string();
            assert!(error.contains(expected), "{text}: {error}");
        }
    }

    proptest::proptest! {
        /// Whatever is written, it is an error or a text, and the work ends.
        #[test]
        fn nothing_breaks_it(text in r#"(\{\{|\}\}|[-. $()|:=,"`]|range|if|else|end|with|break|len|index|printf|%[a-z]|slice|json|pad|\.Config|\.Env|\$v|[0-9]{1,3}|-[0-9]){0,12}"#) {
            let _ = rendered(&text);
        }
    }
}
