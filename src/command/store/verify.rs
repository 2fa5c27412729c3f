//! `verify`: whether the store holds what it says.

use layercake_executor::fault::Fault;
use layercake_executor::usage::damage::{self, Damage};

use super::{alone, open};
use crate::arguments::store::Verify;
use crate::failure::Failure;
use crate::terminal::output;

/// `layercake verify`.
///
/// # Errors
/// If something is damaged and stays, or cannot be read.
pub fn run(arguments: &Verify) -> Result<(), Failure> {
    let store = open()?;
    let health = damage::look(&store);
    for Damage { part, what } in &health.damaged {
        output::line(&format!("{}: {what}", part.path.display()))?;
    }
    health.unreadable.iter().for_each(|what| output::tell(&format!("warning: {what}\n")));
    let damaged = health.damaged.len();
    let found = format!(
        "{} parts are held to their hashes, {damaged} of them damaged; of {} there is nothing to hold them to",
        health.checked, health.unknown
    );
    output::line(&found)?;
    if damaged > 0 && arguments.repair {
        let alone = alone(&store)?;
        health.damaged.iter().try_for_each(|damage| alone.discard(&damage.part))?;
        drop(alone);
        output::line("What was damaged is gone. It is made or fetched again when it is needed.")?;
    } else if damaged > 0 {
        return Err(Failure::new(Fault::Environment, "the store is damaged")
            .help("take away what is damaged with `layercake verify --repair`"));
    }
    match health.unreadable.len() {
        0 => Ok(()),
        count => Err(Failure::environment(format!("{count} parts of the store cannot be read"))),
    }
}
