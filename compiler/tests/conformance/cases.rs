//! The recorded cases: one JSON object to a line.

use std::fs;
use std::path::Path;

use layercake_compiler::platform::Platform;
use layercake_compiler::{BaseImage, BaseRequest, Bases, Request};
use serde_json::Value;

pub(crate) struct Case {
    pub(crate) id: String,
    pub(crate) is_quirk: bool,
    pub(crate) value: Value,
    /// The Dockerfile, where there is one.
    pub(crate) text: String,
}

impl Case {
    pub(crate) fn str(&self, key: &str) -> Option<&str> {
        self.value.get(key)?.as_str()
    }
}

/// All cases of a folder; of real files, the text is beside them.
pub(crate) fn read(folder: &Path) -> Vec<Case> {
    let files = lines(&folder.join("manifest.jsonl"));
    let file_of = |id: &str| {
        let row = files.iter().find(|row| row["id"] == id)?;
        fs::read(folder.join(row["file"].as_str()?)).ok()
    };
    let recorded = if files.is_empty() { "cases.jsonl" } else { "expected.jsonl" };
    lines(&folder.join(recorded))
        .into_iter()
        .map(|value| {
            let id = value["id"].as_str().unwrap().to_owned();
            let own = value.get("dockerfile").or_else(|| value.get("input")).and_then(Value::as_str);
            let text = match own {
                Some(text) => text.to_owned(),
                None => file_of(&id).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default(),
            };
            Case { id, is_quirk: value["tier"] == "quirk", value, text }
        })
        .collect()
}

fn lines(path: &Path) -> Vec<Value> {
    let text = fs::read_to_string(path).unwrap_or_default();
    // Only a line feed ends a line here: other separators occur within the texts.
    text.split('\n').filter(|line| !line.is_empty()).map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// What a case asks for.
pub(crate) fn request(case: &Case) -> Request {
    let mut request = Request::new(linux());
    if let Some(arguments) = case.value.get("build_args").and_then(Value::as_object) {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        request.build_args = arguments.iter().map(|(name, value)| (name.clone(), text(value))).collect();
    }
    request.target = case.str("target").filter(|target| !target.is_empty()).map(str::to_owned);
    request
}

pub(crate) fn linux() -> Platform {
    Platform::new("linux", "amd64", "")
}

/// Every image that is not known yet has a PATH and nothing else.
pub(crate) fn supply(bases: &mut Bases, requests: &[BaseRequest]) {
    for request in requests {
        let path = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin".to_owned();
        let config = layercake_compiler::oci::ContainerConfig { env: vec![path], ..Default::default() };
        bases.insert(request, BaseImage { digest: None, platform: request.platform.clone(), config, author: None });
    }
}
