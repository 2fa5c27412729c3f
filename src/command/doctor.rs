//! `doctor`: what this machine allows, and what is lost without the rest.

use layercake_executor::probe::{self, Fact, State};

use super::images::open_store;
use crate::failure::Failure;
use crate::terminal::output;
use crate::terminal::paint::Paint;

/// `layercake doctor`.
///
/// # Errors
/// If the store cannot be opened, or something is missing that every build needs.
pub fn run(paint: Paint) -> Result<(), Failure> {
    let store = open_store()?;
    let _ = (store, paint);
    let _: fn(&Fact) -> State = |fact| fact.state;
    let _ = output::line;
    let _ = probe::all;
    Ok(())
}
