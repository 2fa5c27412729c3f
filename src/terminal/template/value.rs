//! [`Value`]: what a template sees, in Go's kinds, and how Go prints them.

use std::collections::BTreeMap;

use serde_json::{Map, Value as Json};

/// Free names and values in docker's documents. Go knows them as maps, in which what is missing is nothing; the other
/// objects are structs, in which it is an error.
const MAPS: [&str; 4] = ["Labels", "ExposedPorts", "Volumes", "annotations"];
/// Lists that docker writes as `null` where they are empty.
const LISTS: [&str; 5] = ["Env", "Cmd", "Entrypoint", "OnBuild", "Shell"];

/// A value in Go's kinds.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// A nil, of this kind.
    Nil(Nil),
    /// `true` or `false`.
    Bool(bool),
    /// A number; docker's are all whole.
    Int(i64),
    /// A string.
    Text(String),
    /// A slice.
    List(Vec<Value>),
    /// A map with free keys.
    Map(BTreeMap<String, Value>),
    /// A struct, its fields in their order.
    Struct(Vec<(String, Value)>),
}

/// The kinds of nil, which Go prints as what they would be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Nil {
    /// Of a slice.
    List,
    /// Of a map.
    Map,
    /// Of a pointer.
    Pointer,
    /// What a map does not have.
    NoValue,
}

impl Value {
    /// From a document of docker's.
    #[must_use]
    pub fn of(document: &Json) -> Self {
        Self::named("", document)
    }

    fn named(name: &str, document: &Json) -> Self {
        match document {
            Json::Null if MAPS.contains(&name) => Self::Nil(Nil::Map),
            Json::Null if LISTS.contains(&name) => Self::Nil(Nil::List),
            Json::Null => Self::Nil(Nil::Pointer),
            Json::Bool(truth) => Self::Bool(*truth),
            Json::Number(number) => number.as_i64().map_or_else(|| Self::Text(number.to_string()), Self::Int),
            Json::String(text) => Self::Text(text.clone()),
            Json::Array(items) => Self::List(items.iter().map(Self::of).collect()),
            Json::Object(fields) if MAPS.contains(&name) => {
                Self::Map(fields.iter().map(|(key, value)| (key.clone(), Self::of(value))).collect())
            }
            Json::Object(fields) => {
                Self::Struct(fields.iter().map(|(key, value)| (key.clone(), Self::named(key, value))).collect())
            }
        }
    }

    /// As the function `json` writes it.
    pub(super) fn to_json(&self) -> Json {
        match self {
            Self::Nil(_) => Json::Null,
            Self::Bool(truth) => Json::from(*truth),
            Self::Int(number) => Json::from(*number),
            Self::Text(text) => Json::from(text.as_str()),
            Self::List(items) => items.iter().map(Self::to_json).collect(),
            Self::Map(fields) => {
                let fields: Map<String, Json> =
                    fields.iter().map(|(key, value)| (key.clone(), value.to_json())).collect();
                Json::Object(fields)
            }
            Self::Struct(fields) => {
                let fields: Map<String, Json> =
                    fields.iter().map(|(key, value)| (key.clone(), value.to_json())).collect();
                Json::Object(fields)
            }
        }
    }

    /// As `%v` prints it.
    pub(super) fn shown(&self) -> String {
        let spaced = |items: &mut dyn Iterator<Item = String>| items.collect::<Vec<_>>().join(" ");
        match self {
            Self::Nil(Nil::List) => "[]".to_owned(),
            Self::Nil(Nil::Map) => "map[]".to_owned(),
            Self::Nil(Nil::Pointer) => "<nil>".to_owned(),
            Self::Nil(Nil::NoValue) => "<no value>".to_owned(),
            Self::Bool(truth) => truth.to_string(),
            Self::Int(number) => number.to_string(),
            Self::Text(text) => text.clone(),
            Self::List(items) => format!("[{}]", spaced(&mut items.iter().map(Self::shown))),
            Self::Map(fields) => {
                format!("map[{}]", spaced(&mut fields.iter().map(|(key, value)| format!("{key}:{}", value.shown()))))
            }
            Self::Struct(fields) => format!("{{{}}}", spaced(&mut fields.iter().map(|(_, value)| value.shown()))),
        }
    }

    /// Whether `if` takes it for true: whether it is not the zero of its kind. Structs always are.
    pub(super) fn is_true(&self) -> bool {
        match self {
            Self::Nil(_) => false,
            Self::Bool(truth) => *truth,
            Self::Int(number) => *number != 0,
            Self::Text(text) => !text.is_empty(),
            Self::List(items) => !items.is_empty(),
            Self::Map(fields) => !fields.is_empty(),
            Self::Struct(_) => true,
        }
    }

    /// What people call its kind.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Nil(_) => "nothing",
            Self::Bool(_) => "a truth value",
            Self::Int(_) => "a number",
            Self::Text(_) => "a text",
            Self::List(_) => "a list",
            Self::Map(_) => "a map",
            Self::Struct(_) => "an object",
        }
    }
}
