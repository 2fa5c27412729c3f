//! `-O` and `--pass`: which passes of the optimizer are wanted.

use layercake_compiler::passes::{self, Level, PIPELINE, Pass};

use crate::arguments::inputs as arguments;
use crate::failure::Failure;

/// The optimizer's passes that are wanted.
pub struct Passes {
    level: Level,
    /// Those that are turned on or off by name; of equal names the last one counts.
    turned: Vec<(&'static str, Turn)>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Turn {
    On,
    Off,
}

impl Passes {
    /// Reads what the arguments say.
    ///
    /// # Errors
    /// If there is no such pass, or it cannot be turned off.
    pub fn read(arguments: &arguments::Inputs) -> Result<Self, Failure> {
        let level = match arguments.optimize.as_deref() {
            Some("0") => Level::Needed,
            Some("1") => Level::Unseen,
            Some("2") => Level::Seen,
            // The arguments let no other text through.
            _ => Level::default(),
        };
        let turned = arguments.pass.iter().map(|text| turn(text)).collect::<Result<_, _>>()?;
        Ok(Self { level, turned })
    }

    /// Whether the pass of this name is wanted.
    pub fn wants(&self, name: &str) -> bool {
        let turned = self.turned.iter().rev().find(|(turned, _)| *turned == name);
        turned.map_or_else(
            || passes::by_name(name).is_some_and(|pass| pass.level <= self.level),
            |(_, turn)| *turn == Turn::On,
        )
    }
}

/// `NAME=on|off`.
fn turn(text: &str) -> Result<(&'static str, Turn), Failure> {
    let (name, turn) = match text.split_once('=') {
        Some((name, "on")) => (name, Turn::On),
        Some((name, "off")) => (name, Turn::Off),
        _ => {
            return Err(Failure::input(format!("`--pass {text}` does not say whether the pass is on or off"))
                .help("write it as `NAME=on` or `NAME=off`"));
        }
    };
    let pass = named(name)?;
    if pass.is_mandatory() && turn == Turn::Off {
        return Err(Failure::input(format!("the pass `{name}` cannot be turned off: it {}", pass.summary))
            .help(format!("turn off only what can be: {}", names(|pass| !pass.is_mandatory()))));
    }
    Ok((pass.name, turn))
}

/// The pass of this name.
///
/// # Errors
/// If there is none.
pub fn named(name: &str) -> Result<&'static Pass, Failure> {
    passes::by_name(name).ok_or_else(|| {
        let all = names(|_| true);
        Failure::input(format!("there is no pass `{name}`")).help(match passes::near(name) {
            Some(near) => format!("write `{near}` if you mean that; all there are: {all}"),
            None => format!("name one of the passes: {all}"),
        })
    })
}

/// The names of those passes that are meant, in the order in which they run.
fn names(is_meant: impl Fn(&Pass) -> bool) -> String {
    let names: Vec<String> =
        PIPELINE.iter().filter(|pass| is_meant(pass)).map(|pass| format!("`{}`", pass.name)).collect();
    names.join(", ")
}
