//! Two configurations side by side: which settings differ, each by its name.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::image::config::ImageConfig;

/// A setting that differs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// As the configuration has it; for one of several, such as a variable, with its name: `Env PATH`.
    pub name: String,
    /// What it was; `None` if it was not set.
    pub was: Option<Value>,
    /// What it is; `None` if it is not set.
    pub is: Option<Value>,
}

/// What two configurations differ in, by name. Times, layers and history are not settings.
#[must_use]
pub fn compare(first: &ImageConfig, second: &ImageConfig) -> Vec<Difference> {
    let (first, second) = (settings(first), settings(second));
    let names: BTreeSet<&String> = first.keys().chain(second.keys()).collect();
    let difference =
        |name: &String| Difference { name: name.clone(), was: first.get(name).cloned(), is: second.get(name).cloned() };
    names.into_iter().map(difference).filter(|difference| difference.was != difference.is).collect()
}

/// Every setting by its name.
fn settings(image: &ImageConfig) -> BTreeMap<String, Value> {
    let mut settings = BTreeMap::new();
    settings.insert("Platform".to_owned(), Value::from(image.platform().to_string()));
    settings.extend(image.author.as_ref().map(|author| ("Author".to_owned(), Value::from(author.as_str()))));
    let config = serde_json::to_value(&image.config).expect("a configuration has only text keys");
    for (name, value) in config.as_object().into_iter().flatten() {
        match (name.as_str(), value) {
            ("Env", Value::Array(variables)) => {
                for variable in variables.iter().filter_map(Value::as_str) {
                    let (name, value) = variable.split_once('=').unwrap_or((variable, ""));
                    settings.insert(format!("Env {name}"), Value::from(value));
                }
            }
            ("Labels", Value::Object(labels)) => {
                settings.extend(labels.iter().map(|(name, value)| (format!("Label {name}"), value.clone())));
            }
            // Sets, of which each element is there or not.
            ("ExposedPorts" | "Volumes", Value::Object(elements)) => {
                let name = name.trim_end_matches('s');
                settings.extend(elements.keys().map(|element| (format!("{name} {element}"), Value::Bool(true))));
            }
            _ => drop(settings.insert(name.clone(), value.clone())),
        }
    }
    settings
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

    use serde_json::json;

    use super::*;

    fn config(config: &Value) -> ImageConfig {
        let document = json!({"architecture": "amd64", "os": "linux", "config": config, "rootfs": {"type": "layers"}});
        serde_json::from_value(document).unwrap()
    }

    #[test]
    fn each_variable_label_and_port_is_a_setting_of_its_own() {
        let first = config(
            &json!({"Env": ["A=1", "B=x=y"], "Labels": {"l": "1"}, "ExposedPorts": {"80/tcp": {}}, "User": "u"}),
        );
        let second =
            config(&json!({"Env": ["B=x", "A=1"], "Cmd": ["sh"], "ExposedPorts": {"81/tcp": {}}, "User": "u"}));
        let shown = |difference: Difference| {
            let value = |value: Option<Value>| value.map_or_else(|| "-".to_owned(), |value| value.to_string());
            format!("{}: {} {}", difference.name, value(difference.was), value(difference.is))
        };
        let found: Vec<String> = compare(&first, &second).into_iter().map(shown).collect();
        let expected = [
            "Cmd: - [\"sh\"]",
            "Env B: \"x=y\" \"x\"",
            "ExposedPort 80/tcp: true -",
            "ExposedPort 81/tcp: - true",
            "Label l: \"1\" -",
        ];
        assert_eq!(found, expected);
        assert_eq!(compare(&first, &first), []);
    }
}
