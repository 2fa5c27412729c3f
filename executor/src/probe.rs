//! What this machine allows, found out by trying, and what is lost where it does not.

mod fact;
mod isolation;
mod machine;
mod platforms;
mod program;
mod storage;

pub use fact::{Fact, State, Subject};

use std::path::Path;

use crate::emulation::Emulator;
use crate::namespace::{Entered, Error};

/// All facts about the machine, in the order in which they should be read. `entered` is what came of
/// [`crate::namespace::enter`]; `store` is a folder, there already, of the file system that layers will lie on; `emulators` are those
/// that are [installed](crate::emulation::installed).
///
/// [`crate::sandbox::hook`] has been called, since one of the trials is a command in a sandbox.
#[must_use]
pub fn facts(entered: &Result<Entered, Error>, store: &Path, emulators: &[Emulator]) -> Vec<Fact> {
    let mut facts = vec![machine::kernel(), isolation::namespaces(entered)];
    if entered.is_ok() {
        facts.extend([isolation::ids(), storage::overlay(store), storage::layers(store), isolation::sandbox()]);
        facts.extend([isolation::filter(), platforms::platforms(store, emulators), storage::fuse()]);
        facts.extend([machine::groups(), program::pasta()]);
    }
    facts.push(program::git());
    facts
}
