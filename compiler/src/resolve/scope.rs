//! The variables of a stage: those of the image, and the arguments that hide them while it is built.

use std::sync::Arc;

use crate::operation::Environment;
use crate::persistent::Map;

/// The path that commands are looked up in where the base names none.
pub(super) const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// How many names are compared with one that is not set.
pub(super) const MAX_CANDIDATES: usize = 500;

/// The variables that are set. Cloning it is cheap.
#[derive(Clone, Debug, Default)]
pub(super) struct Scope {
    variables: Map<Variable>,
    /// Variables of the image that an argument hides at the moment.
    hidden: Vec<Arc<str>>,
    /// The arguments that were declared, in this stage and those it starts from.
    arguments: Map<Argument>,
    /// What the last command saw, while that is still so.
    environment: Option<Environment>,
    clock: u64,
    /// When the present stage began.
    stage_begin: u64,
}

#[derive(Clone, Debug)]
struct Variable {
    value: Arc<str>,
    set_at: u64,
    /// What the image keeps, and since when it has had that name.
    in_image: Option<(Arc<str>, u64)>,
}

#[derive(Clone, Debug)]
struct Argument {
    value: Arc<str>,
    declared_at: u64,
}

impl Scope {
    /// The value of a variable.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.variables.get(name).map(|variable| &*variable.value)
    }

    /// `ENV`: sets a variable, in the image too.
    pub(super) fn set(&mut self, name: &str, value: &str) {
        let (value, now) = (Arc::<str>::from(value), self.tick());
        let since = self.variables.get(name).and_then(|known| known.in_image.as_ref()).map_or(now, |(_, since)| *since);
        self.variables.insert(name, Variable { value: value.clone(), set_at: now, in_image: Some((value, since)) });
    }

    /// `ARG`: sets a variable while the image is built.
    pub(super) fn set_argument(&mut self, name: &str, value: &str) {
        let now = self.tick();
        let in_image = self.variables.get(name).and_then(|known| known.in_image.clone());
        if in_image.is_some() {
            self.hidden.push(name.into());
        }
        self.variables.insert(name, Variable { value: value.into(), set_at: now, in_image });
    }

    /// Notes that an argument was declared, whether it has a value or not.
    pub(super) fn declare(&mut self, name: &str, value: Option<&str>) {
        let now = self.tick();
        let declared_at = self.arguments.get(name).map_or(now, |known| known.declared_at);
        self.arguments.insert(name, Argument { value: value.unwrap_or_default().into(), declared_at });
    }

    /// Whether an argument of that name was declared.
    pub(super) fn is_declared(&self, name: &str) -> bool {
        self.arguments.get(name).is_some()
    }

    /// The declared arguments with the values that commands see, as the history of a `RUN` has them.
    pub(super) fn arguments(&self) -> Vec<String> {
        let mut arguments: Vec<(u64, String)> = self
            .arguments
            .iter()
            .map(|(name, argument)| {
                let value = self.get(name).unwrap_or(&argument.value);
                (argument.declared_at, format!("{name}={value}"))
            })
            .collect();
        arguments.sort_unstable_by_key(|(declared_at, _)| *declared_at);
        arguments.into_iter().map(|(_, text)| text).collect()
    }

    /// What a stage that starts from this one begins with: arguments no longer hide what the image has.
    pub(super) fn inherited(mut self) -> Self {
        for name in std::mem::take(&mut self.hidden) {
            let Some(Variable { in_image: Some((value, since)), set_at, .. }) = self.variables.get(&name).cloned()
            else {
                continue;
            };
            self.variables.insert(&name, Variable { value: value.clone(), set_at, in_image: Some((value, since)) });
        }
        self.stage_begin = self.tick();
        self
    }

    /// All variables. First come those that only earlier stages' arguments have set, then those that the image had at
    /// the beginning of the stage, then what the stage has set, in that order.
    fn all(&self) -> Vec<(&Arc<str>, &Arc<str>)> {
        let mut all: Vec<_> = self
            .variables
            .iter()
            .map(|(name, variable)| {
                let order = match &variable.in_image {
                    _ if variable.set_at > self.stage_begin => (2, variable.set_at),
                    Some((_, since)) => (1, *since),
                    None => (0, variable.set_at),
                };
                (order, name, &variable.value)
            })
            .collect();
        all.sort_unstable();
        all.into_iter().map(|(_, name, value)| (name, value)).collect()
    }

    /// What a command sees: all variables, in the order of [`Self::all`].
    pub(super) fn environment(&mut self) -> Environment {
        if let Some(known) = &self.environment {
            return known.clone();
        }
        let all: Environment = self.all().into_iter().map(|(name, value)| (name.clone(), value.clone())).collect();
        self.environment.insert(all).clone()
    }

    /// The names to suggest for one that is not set, in the order of [`Self::all`]. Nobody means one of very many.
    pub(super) fn candidates(&self) -> Vec<&str> {
        if self.variables.len() > MAX_CANDIDATES {
            return Vec::new();
        }
        self.all().into_iter().map(|(name, _)| &**name).collect()
    }

    /// The variables of the image, in the order in which their names first appeared.
    pub(super) fn of_image(&self) -> Vec<String> {
        let mut kept: Vec<(u64, String)> = self
            .variables
            .iter()
            .filter_map(|(name, variable)| {
                variable.in_image.as_ref().map(|(value, since)| (*since, format!("{name}={value}")))
            })
            .collect();
        kept.sort_unstable_by_key(|(since, _)| *since);
        kept.into_iter().map(|(_, text)| text).collect()
    }

    /// The time of a change.
    fn tick(&mut self) -> u64 {
        self.environment = None;
        self.clock += 1;
        self.clock
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_hide_variables_only_in_their_stage() {
        let mut scope = Scope::default();
        scope.set("A", "image");
        scope.set("B", "b");
        scope.set_argument("A", "argument");
        scope.set_argument("C", "c");
        scope.set("B", "b2");
        assert_eq!(scope.get("A"), Some("argument"));
        assert_eq!(scope.of_image(), ["A=image", "B=b2"]);
        let mut child = scope.inherited();
        assert_eq!(child.get("A"), Some("image"));
        assert_eq!(child.get("C"), Some("c"));
        let seen = |pairs: &[(&str, &str)]| -> Environment {
            pairs.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect()
        };
        assert_eq!(child.environment(), seen(&[("C", "c"), ("A", "image"), ("B", "b2")]));
        assert!(Arc::ptr_eq(&child.environment(), &child.environment()), "commands in a row share what they see");
        child.set("A", "again");
        assert_eq!(child.environment(), seen(&[("C", "c"), ("B", "b2"), ("A", "again")]));
    }
}
