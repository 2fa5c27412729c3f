//! `RUN --mount`: what its fields mean once variables in them are expanded.

use super::command::Typed;
use crate::ast::{Instruction, MountFlag, Word};
use crate::diagnostic::{Code, Diagnostic};
use crate::go;
use crate::lex::fields;
use crate::operation::Sharing;
use crate::suggest;

/// Splits a flag into its fields. Only what it mounts *from* is decided now: stages are joined before variables have
/// values.
pub(super) fn flag(instruction: &Instruction, flag: Word) -> Typed<MountFlag> {
    let error = |message: String| {
        Box::new(Diagnostic::error(Code::InvalidMount, instruction.span, message).label(flag.span, ""))
    };
    let fields = fields::read(&flag.text).map_err(|cause| error(format!("failed to parse csv mounts: {cause}")))?;
    let mut from = None;
    for field in &fields {
        let Some((key, value)) = field.split_once('=') else { continue };
        if !key.eq_ignore_ascii_case("from") {
            continue;
        }
        if value.find('$').is_some_and(|at| at + 1 != value.len()) {
            let message = "'from' doesn't support variable expansion, define alias stage instead".to_owned();
            return Err(Box::new(error(message).help("write `FROM $IMAGE AS name` above, and `from=name` here")));
        }
        from = Some(value.to_owned()).filter(|value| !value.is_empty());
    }
    Ok(MountFlag { flag, fields, from })
}

/// What is mounted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum MountType {
    Bind,
    Cache,
    Tmpfs,
    Secret,
    Ssh,
}

impl MountType {
    const ALL: [Self; 5] = [Self::Bind, Self::Cache, Self::Tmpfs, Self::Secret, Self::Ssh];

    fn name(self) -> &'static str {
        match self {
            Self::Bind => "bind",
            Self::Cache => "cache",
            Self::Tmpfs => "tmpfs",
            Self::Secret => "secret",
            Self::Ssh => "ssh",
        }
    }
}

/// The fields of a mount, expanded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Mount {
    pub(crate) kind: MountType,
    pub(crate) source: String,
    pub(crate) target: String,
    pub(crate) read_only: bool,
    pub(crate) size: Option<u64>,
    pub(crate) id: String,
    pub(crate) sharing: Option<Sharing>,
    pub(crate) required: bool,
    pub(crate) env: Option<String>,
    pub(crate) mode: Option<u32>,
    pub(crate) uid: Option<u32>,
    pub(crate) gid: Option<u32>,
}

const KEYS: [&str; 19] = [
    "type",
    "from",
    "source",
    "target",
    "readonly",
    "id",
    "sharing",
    "required",
    "size",
    "mode",
    "uid",
    "gid",
    "src",
    "dst",
    "destination",
    "ro",
    "rw",
    "readwrite",
    "env",
];

/// Gives the fields of a mount their meaning; `expand` gives values theirs.
///
/// # Errors
/// What is wrong, in BuildKit's words.
pub(crate) fn parse_mount(
    flag: &MountFlag,
    mut expand: impl FnMut(&str) -> Result<String, String>,
) -> Result<Mount, String> {
    let mut mount = Mount {
        kind: MountType::Bind,
        source: String::new(),
        target: String::new(),
        read_only: false,
        size: None,
        id: String::new(),
        sharing: None,
        required: false,
        env: None,
        mode: None,
        uid: None,
        gid: None,
    };
    let mut read_only = None;
    for field in &flag.fields {
        let (key, value) = field.split_once('=').map_or((field.as_str(), None), |(key, value)| (key, Some(value)));
        let key = key.to_lowercase();
        let Some(value) = value else {
            match key.as_str() {
                "readonly" | "ro" => read_only = Some(true),
                "readwrite" | "rw" => read_only = Some(false),
                "required" => mount.require(&key, true)?,
                _ => return Err(format!("invalid field '{field}' must be a key=value pair")),
            }
            continue;
        };
        let value = expand(value)?;
        let invalid = || format!("invalid value for {key}: {value}");
        match key.as_str() {
            "type" => mount.kind = mount_type(&value)?,
            "from" => {}
            "source" | "src" => mount.source = value,
            "target" | "dst" | "destination" => mount.target = value,
            "readonly" | "ro" => read_only = Some(go::parse_bool(&value).ok_or_else(invalid)?),
            "readwrite" | "rw" => read_only = Some(!go::parse_bool(&value).ok_or_else(invalid)?),
            "required" => {
                let required = go::parse_bool(&value).ok_or_else(invalid);
                mount.require(&key, false)?;
                mount.required = required?;
            }
            "size" if mount.kind == MountType::Tmpfs => mount.size = Some(bytes(&value).ok_or_else(invalid)?),
            "size" => return Err(mount.unexpected(&key)),
            "id" => mount.id = value,
            "sharing" => mount.sharing = Some(sharing(&value)?),
            "mode" => {
                let mode = u32::from_str_radix(&value, 8).map_err(|_| format!("invalid value {value} for mode"));
                mount.mode = Some(mode?);
            }
            "uid" => mount.uid = Some(value.parse().map_err(|_| format!("invalid value {value} for uid"))?),
            "gid" => mount.gid = Some(value.parse().map_err(|_| format!("invalid value {value} for gid"))?),
            "env" => mount.env = Some(value),
            _ => {
                let guess = suggest::nearest(&key, KEYS);
                let guess = guess.map(|near| format!(" (did you mean {near}?)")).unwrap_or_default();
                return Err(format!("unexpected key '{key}' in '{field}'{guess}"));
            }
        }
    }
    mount.read_only = read_only.unwrap_or(!matches!(mount.kind, MountType::Cache | MountType::Tmpfs));
    mount.check(flag)?;
    Ok(mount)
}

impl Mount {
    fn require(&mut self, key: &str, required: bool) -> Result<(), String> {
        if !matches!(self.kind, MountType::Secret | MountType::Ssh) {
            return Err(self.unexpected(key));
        }
        self.required = required;
        Ok(())
    }

    fn unexpected(&self, key: &str) -> String {
        format!("unexpected key '{key}' for mount type '{}'", self.kind.name())
    }

    /// What does not go together.
    fn check(&self, flag: &MountFlag) -> Result<(), String> {
        if matches!(self.kind, MountType::Bind | MountType::Tmpfs) {
            for (name, given) in [("mode", self.mode), ("uid", self.uid), ("gid", self.gid)] {
                if given.is_some() {
                    return Err(format!("{name} not allowed for \"{}\" type mounts", self.kind.name()));
                }
            }
        }
        if self.kind == MountType::Secret {
            let text = if flag.from.is_some() {
                "secret mount should not have a from"
            } else if self.sharing.is_some() {
                "secret mount should not define sharing"
            } else if self.source.is_empty() && self.target.is_empty() && self.id.is_empty() {
                "invalid secret mount. one of source, target required"
            } else if !self.source.is_empty() && !self.id.is_empty() {
                "both source and id can't be set"
            } else {
                return Ok(());
            };
            return Err(text.to_owned());
        }
        if self.sharing.is_some() && self.kind != MountType::Cache {
            return Err(format!("invalid cache sharing set for {} mount", self.kind.name()));
        }
        Ok(())
    }
}

fn mount_type(value: &str) -> Result<MountType, String> {
    let lower = value.to_lowercase();
    MountType::ALL.into_iter().find(|kind| kind.name() == lower).ok_or_else(|| {
        let guess = suggest::nearest(value, MountType::ALL.map(MountType::name));
        let guess = guess.map(|near| format!(" (did you mean {near}?)")).unwrap_or_default();
        format!("unsupported mount type {}{guess}", go::quote(value))
    })
}

fn sharing(value: &str) -> Result<Sharing, String> {
    match value.to_lowercase().as_str() {
        "shared" => Ok(Sharing::Shared),
        "private" => Ok(Sharing::Private),
        "locked" => Ok(Sharing::Locked),
        _ => {
            let guess = suggest::nearest(value, ["shared", "private", "locked"]);
            let guess = guess.map(|near| format!(" (did you mean {near}?)")).unwrap_or_default();
            Err(format!("unsupported sharing value {}{guess}", go::quote(value)))
        }
    }
}

/// A size such as `64m` or `1.5GiB`, in bytes; the units are powers of 1024 (docker/go-units, `RAMInBytes`).
fn bytes(text: &str) -> Option<u64> {
    let end = text.rfind(|character: char| character.is_ascii_digit() || character == '.')? + 1;
    let unit = text[end..].strip_prefix(' ').unwrap_or(&text[end..]).to_lowercase();
    let unit = unit.strip_suffix("ib").or_else(|| unit.strip_suffix('b')).unwrap_or(&unit);
    let power = match unit {
        "" => 0,
        "k" => 1,
        "m" => 2,
        "g" => 3,
        "t" => 4,
        "p" => 5,
        _ => return None,
    };
    let number: f64 = text[..end].parse().ok().filter(|number: &f64| number.is_finite() && *number >= 0.0)?;
    let bytes = number * 1024_f64.powi(power);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "it is not negative, and `as` saturates"
    )]
    (bytes < 9.3e18).then_some(bytes as u64)
}

#[cfg(test)]
mod tests {
    use super::bytes;

    #[test]
    fn sizes() {
        assert_eq!(bytes("64m"), Some(64 << 20));
        assert_eq!(bytes("1.5 GiB"), Some(3 << 29));
        assert_eq!(bytes("12"), Some(12));
        assert_eq!(bytes("x"), None);
        assert_eq!(bytes("5q"), None);
    }
}
